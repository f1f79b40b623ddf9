//! Arithmetic of tensors that are stretched to one another.

use super::shape::stretched;
use super::typed::{Number, numeric};
use super::{Array, Attributes, Budget, Element, Family, Inputs, Outputs, RunFault, Standard, Tensor, boxed, one};

#[derive(Clone, Copy, Debug)]
enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    /// The remainder, with the sign of the dividend when `fmod` is set.
    Mod {
        fmod: bool,
    },
}

/// Any number of tensors made one.
#[derive(Clone, Copy, Debug)]
enum Many {
    Sum,
    Mean,
    Max,
    Min,
}

#[derive(Debug)]
struct Pow;

/// Numbers kept between two, which are inputs or attributes.
#[derive(Debug)]
struct Clip {
    least: Option<f32>,
    most: Option<f32>,
}

pub(super) fn build(name: &str, attributes: Attributes<'_>, _: i64) -> Family {
    match name {
        "Add" => boxed(Arithmetic::Add),
        "Sub" => boxed(Arithmetic::Sub),
        "Mul" => boxed(Arithmetic::Mul),
        "Div" => boxed(Arithmetic::Div),
        "Mod" => boxed(Arithmetic::Mod { fmod: attributes.flag("fmod") }),
        "Pow" => boxed(Pow),
        "Sum" => boxed(Many::Sum),
        "Mean" => boxed(Many::Mean),
        "Max" => boxed(Many::Max),
        "Min" => boxed(Many::Min),
        "Clip" => boxed(Clip { least: attributes.float("min"), most: attributes.float("max") }),
        _ => None,
    }
}

/// Two tensors made one by a function that may have no answer: a whole number over zero.
fn partly<T: Number>(
    a: &Array<T>,
    b: &Array<T>,
    budget: &Budget,
    with: fn(T, T) -> Option<T>,
) -> Result<Array<T>, RunFault> {
    let found = stretched(a, b, budget, |a, b| with(*a, *b))?;
    let data: Option<Vec<T>> = found.data.into_iter().collect();
    let data = data.ok_or_else(|| RunFault::Value("is asked to divide a whole number by zero".to_owned()))?;
    Ok(Array { shape: found.shape, data })
}

impl Standard for Arithmetic {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let (a, b) = (inputs.get(0)?, inputs.get(1)?);
        numeric!(a, T => {
            let (a, b) = (T::of(a)?, T::of(b)?);
            one(T::tensor(match self {
                Self::Add => stretched(a, b, budget, |a, b| a.add(*b))?,
                Self::Sub => stretched(a, b, budget, |a, b| a.sub(*b))?,
                Self::Mul => stretched(a, b, budget, |a, b| a.mul(*b))?,
                Self::Div => partly(a, b, budget, Number::div)?,
                Self::Mod { fmod: true } => partly(a, b, budget, Number::fmod)?,
                Self::Mod { fmod: false } => partly(a, b, budget, Number::modulo)?,
            }))
        })
    }
}

impl Standard for Pow {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let (base, exponent) = (inputs.get(0)?, inputs.get(1)?);
        numeric!(base, T => numeric!(exponent, E => {
            let with = |base: &T, exponent: &E| base.power(exponent.wide());
            one(T::tensor(stretched(T::of(base)?, E::of(exponent)?, budget, with)?))
        }))
    }
}

impl Standard for Many {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let all = inputs.all()?;
        let first = *all.first().ok_or(RunFault::Missing(0))?;
        numeric!(first, T => {
            let mut found = T::of(first)?.clone();
            for next in &all[1..] {
                let next = T::of(next)?;
                found = match self {
                    Self::Sum | Self::Mean => stretched(&found, next, budget, |a, b| a.add(*b))?,
                    Self::Max => stretched(&found, next, budget, |a, b| a.greatest(*b))?,
                    Self::Min => stretched(&found, next, budget, |a, b| a.least(*b))?,
                };
            }
            if matches!(self, Self::Mean) {
                let count = T::narrow(super::reduce::count(all.len()));
                found.data.iter_mut().for_each(|value| *value = value.div(count).unwrap_or(*value));
            }
            one(T::tensor(found))
        })
    }
}

/// A bound: an input, or the attribute of older versions.
fn bound<T: Number>(input: Option<&Tensor>, attribute: Option<f32>) -> Result<Option<T>, RunFault> {
    let Some(input) = input else { return Ok(attribute.map(|bound| T::narrow(f64::from(bound)))) };
    match T::of(input)?.data[..] {
        [bound] => Ok(Some(bound)),
        _ => Err(RunFault::Shape { expected: "a single value".to_owned(), found: input.shape().to_vec() }),
    }
}

impl Standard for Clip {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        budget.shape(x.shape())?;
        numeric!(x, T => {
            let least = bound::<T>(inputs.optional(1), self.least)?;
            let most = bound::<T>(inputs.optional(2), self.most)?;
            let x = T::of(x)?;
            let clip = |x: &T| {
                let x = least.map_or(*x, |least| if *x < least { least } else { *x });
                most.map_or(x, |most| if x > most { most } else { x })
            };
            one(T::tensor(x.like(x.data.iter().map(clip).collect())))
        })
    }
}
