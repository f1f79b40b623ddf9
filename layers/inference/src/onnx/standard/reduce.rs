//! Sums, extremes and places along axes.

use std::cmp::Ordering;

use super::shape::{gathered, lines};
use super::typed::{Number, numeric};
use super::{
    Array, Attributes, Budget, Element, Family, Inputs, Outputs, RunFault, Standard, Tensor, around, axes, axis, boxed,
    one, signed, size,
};

/// A count as a number.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(super) fn count(count: usize) -> f64 {
    count as f64
}

#[derive(Clone, Copy, Debug)]
enum By {
    Sum,
    Mean,
    Max,
    Min,
    Prod,
    L1,
    L2,
    SumSquare,
    LogSum,
    LogSumExp,
}

/// One value for all along some axes.
#[derive(Debug)]
struct Reduce {
    by: By,
    axes: Option<Vec<i64>>,
    keep: bool,
    /// No axes are none, and not all.
    none_is_none: bool,
}

/// The place of the greatest or least value along an axis.
#[derive(Debug)]
struct ArgExtreme {
    axis: i64,
    keep: bool,
    last: bool,
    least: bool,
}

#[derive(Debug)]
struct TopK {
    axis: i64,
    count: Option<i64>,
    greatest: bool,
    sorted: bool,
}

#[derive(Debug)]
struct CumSum {
    exclusive: bool,
    reverse: bool,
}

pub(super) fn build(name: &str, attributes: Attributes<'_>, _: i64) -> Family {
    let keep = attributes.int("keepdims").unwrap_or(1) != 0;
    let by = match name {
        "ReduceSum" => By::Sum,
        "ReduceMean" => By::Mean,
        "ReduceMax" => By::Max,
        "ReduceMin" => By::Min,
        "ReduceProd" => By::Prod,
        "ReduceL1" => By::L1,
        "ReduceL2" => By::L2,
        "ReduceSumSquare" => By::SumSquare,
        "ReduceLogSum" => By::LogSum,
        "ReduceLogSumExp" => By::LogSumExp,
        "ArgMax" | "ArgMin" => {
            let (axis, last) = (attributes.int("axis").unwrap_or(0), attributes.flag("select_last_index"));
            return boxed(ArgExtreme { axis, keep, last, least: name == "ArgMin" });
        }
        "TopK" => {
            return boxed(TopK {
                axis: attributes.int("axis").unwrap_or(-1),
                count: attributes.int("k"),
                greatest: attributes.int("largest").unwrap_or(1) != 0,
                sorted: attributes.int("sorted").unwrap_or(1) != 0,
            });
        }
        "CumSum" => {
            return boxed(CumSum { exclusive: attributes.flag("exclusive"), reverse: attributes.flag("reverse") });
        }
        _ => return None,
    };
    let axes = attributes.get("axes").map(|attribute| attribute.ints.clone());
    boxed(Reduce { by, axes, keep, none_is_none: attributes.flag("noop_with_empty_axes") })
}

impl Standard for Reduce {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        let rank = x.shape().len();
        let listed = inputs.whole_or(1, self.axes.as_deref())?.unwrap_or_default();
        let over: Vec<usize> = match listed[..] {
            [] if self.none_is_none => Vec::new(),
            [] => (0..rank).collect(),
            _ => axes(&listed, rank)?,
        };
        if let (Tensor::Bool(x), By::Max | By::Min) = (x, self.by) {
            let numbers = Tensor::Int32(x.like(x.data.iter().copied().map(i32::from).collect()));
            let Tensor::Int32(found) = self.over::<i32>(&numbers, &over, budget)? else { return one(numbers) };
            return one(Tensor::Bool(found.like(found.data.iter().map(|found| *found > 0).collect())));
        }
        numeric!(x, T => one(self.over::<T>(x, &over, budget)?))
    }
}

impl Reduce {
    fn over<T: Number>(&self, x: &Tensor, over: &[usize], budget: &Budget) -> Result<Tensor, RunFault> {
        let x = T::of(x)?;
        let rank = x.shape.len();
        // The axes that stay, then those that go.
        let (stay, go): (Vec<usize>, Vec<usize>) = (0..rank).partition(|axis| !over.contains(axis));
        let sizes = |axes: &[usize]| axes.iter().map(|axis| x.shape[*axis]).collect::<Vec<_>>();
        let mut steps = vec![1; rank];
        for axis in (1..rank).rev() {
            steps[axis - 1] = steps[axis] * x.shape[axis];
        }
        let strides = |axes: &[usize]| axes.iter().map(|axis| steps[*axis]).collect::<Vec<_>>();
        let (outer, inner) = (sizes(&stay), sizes(&go));
        let inner_strides = strides(&go);
        let mut data = Vec::with_capacity(budget.shape(&outer)?);
        lines(&outer, [&strides(&stay)], |[place], length, [step]| {
            for at in 0..length {
                data.push(self.by.of(&gathered(&x.data, place + at * step, inner.clone(), &inner_strides).data));
            }
        });
        let shape = if self.keep {
            (0..rank).map(|axis| if over.contains(&axis) { 1 } else { x.shape[axis] }).collect()
        } else {
            outer
        };
        Ok(T::tensor(Array { shape, data }))
    }
}

impl By {
    fn of<T: Number>(self, values: &[T]) -> T {
        let sum = |with: fn(f64) -> f64| values.iter().map(|value| with(value.wide())).sum::<f64>();
        let length = count(values.len());
        match self {
            // Whole numbers are summed as such.
            Self::Sum | Self::L1 | Self::SumSquare if !T::FLOATS => {
                values.iter().fold(T::ZERO, |sum, value| match self {
                    Self::Sum => sum.add(*value),
                    Self::L1 => sum.add(value.absolute()),
                    _ => sum.add(value.mul(*value)),
                })
            }
            Self::Sum => T::narrow(sum(|x| x)),
            Self::Mean => T::narrow(sum(|x| x) / length),
            Self::Prod => values.iter().fold(T::ONE, |product, value| product.mul(*value)),
            Self::L1 => T::narrow(sum(f64::abs)),
            Self::L2 => T::narrow(sum(|x| x * x).sqrt()),
            Self::SumSquare => T::narrow(sum(|x| x * x)),
            Self::LogSum => T::narrow(sum(|x| x).ln()),
            Self::LogSumExp => {
                let most = values.iter().map(|value| value.wide()).fold(f64::NEG_INFINITY, f64::max);
                if !most.is_finite() {
                    return T::narrow(if values.iter().any(|value| value.missing()) { f64::NAN } else { most });
                }
                T::narrow(values.iter().map(|value| (value.wide() - most).exp()).sum::<f64>().ln() + most)
            }
            Self::Max => values.iter().fold(T::LEAST, |most, value| value.greatest(most)),
            Self::Min => values.iter().fold(T::GREATEST, |least, value| value.least(least)),
        }
    }
}

impl Standard for ArgExtreme {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        budget.shape(x.shape())?;
        let axis = axis(self.axis, x.shape().len().max(1))?;
        let shape = if x.shape().is_empty() { &[1][..] } else { x.shape() };
        let (before, along, after) = around(shape, axis);
        if along == 0 {
            return Err(RunFault::Value("is asked for the greatest of no values".to_owned()));
        }
        let data = numeric!(x, T => Ok(self.places(&T::of(x)?.data, (before, along, after))))?;
        let mut shape = shape.to_vec();
        if self.keep {
            shape[axis] = 1;
        } else {
            shape.remove(axis);
        }
        one(Tensor::Int64(Array { shape, data }))
    }
}

impl ArgExtreme {
    fn places<T: Number>(&self, data: &[T], (before, along, after): (usize, usize, usize)) -> Vec<i64> {
        let mut places = Vec::with_capacity(before * after);
        for first in (0..before).flat_map(|outer| (0..after).map(move |inner| outer * along * after + inner)) {
            let value = |place: usize| data[first + place * after];
            let better = |place: usize, best: usize| {
                let (new, old) = if self.least { (value(best), value(place)) } else { (value(place), value(best)) };
                new > old || (self.last && new >= old)
            };
            let best = (1..along).fold(0, |best, place| if better(place, best) { place } else { best });
            places.push(signed(best));
        }
        places
    }
}

impl Standard for TopK {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        let count = inputs.whole(1)?.and_then(|count| count.first().copied()).or(self.count);
        let count = size(count.ok_or(RunFault::Missing(1))?)?;
        let axis = axis(self.axis, x.shape().len())?;
        let (before, along, after) = around(x.shape(), axis);
        if count > along {
            return Err(RunFault::Value(format!("is asked for {count} of {along} values")));
        }
        let mut shape = x.shape().to_vec();
        shape[axis] = count;
        budget.shape(x.shape())?;
        numeric!(x, T => {
            let data = &T::of(x)?.data;
            let made = before * count * after;
            let (mut values, mut places) = (vec![T::ZERO; made], vec![0; made]);
            for outer in 0..before {
                budget.time()?;
                for inner in 0..after {
                    let value = |place: usize| data[(outer * along + place) * after + inner];
                    for (to, from) in self.best(along, count, value).into_iter().enumerate() {
                        let to = (outer * count + to) * after + inner;
                        values[to] = value(from);
                        places[to] = signed(from);
                    }
                }
            }
            let values = T::tensor(Array { shape: shape.clone(), data: values });
            Ok(vec![values, Tensor::Int64(Array { shape, data: places })])
        })
    }
}

impl TopK {
    /// The places of the best values, the best first; of equal ones the first. Missing values come last.
    fn best<T: Number>(&self, along: usize, count: usize, value: impl Fn(usize) -> T) -> Vec<usize> {
        let order = |one: &usize, other: &usize| {
            let (a, b) = (value(*one), value(*other));
            let by_value = if self.greatest { b.partial_cmp(&a) } else { a.partial_cmp(&b) };
            by_value.unwrap_or_else(|| a.missing().cmp(&b.missing())).then(one.cmp(other))
        };
        let mut places: Vec<usize> = (0..along).collect();
        if count < along && count > 0 {
            places.select_nth_unstable_by(count - 1, order);
        }
        places.truncate(count);
        if self.sorted {
            places.sort_unstable_by(order);
        } else {
            places.sort_unstable_by(|one, other| order(one, other).then(Ordering::Equal));
        }
        places
    }
}

impl Standard for CumSum {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        let at = inputs.whole(1)?.and_then(|axis| axis.first().copied()).ok_or(RunFault::Missing(1))?;
        let axis = axis(at, x.shape().len())?;
        let (before, along, after) = around(x.shape(), axis);
        budget.shape(x.shape())?;
        numeric!(x, T => {
            let x = T::of(x)?;
            let mut data = x.data.clone();
            for first in (0..before).flat_map(|outer| (0..after).map(move |inner| outer * along * after + inner)) {
                let mut sum = T::ZERO;
                for step in 0..along {
                    let step = if self.reverse { along - 1 - step } else { step };
                    let place = first + step * after;
                    let next = sum.add(x.data[place]);
                    data[place] = if self.exclusive { sum } else { next };
                    sum = next;
                }
            }
            one(T::tensor(x.like(data)))
        })
    }
}
