//! Comparisons, logic, and the choice between two tensors.

use super::shape::{joined, lines, stretched, strides};
use super::typed::{numeric, typed};
use super::{Array, Attributes, Budget, Element, Family, Inputs, Outputs, RunFault, Standard, Tensor, boxed, one};

#[derive(Clone, Copy, Debug)]
enum Compare {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug)]
enum Logic {
    And,
    Or,
    Xor,
}

#[derive(Debug)]
struct Where;

pub(super) fn build(name: &str, _: Attributes<'_>, _: i64) -> Family {
    match name {
        "Equal" => boxed(Compare::Equal),
        "Less" => boxed(Compare::Less),
        "LessOrEqual" => boxed(Compare::LessOrEqual),
        "Greater" => boxed(Compare::Greater),
        "GreaterOrEqual" => boxed(Compare::GreaterOrEqual),
        "And" => boxed(Logic::And),
        "Or" => boxed(Logic::Or),
        "Xor" => boxed(Logic::Xor),
        "Where" => boxed(Where),
        _ => None,
    }
}

impl Standard for Compare {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let (a, b) = (inputs.get(0)?, inputs.get(1)?);
        let found = match self {
            Self::Equal => typed!(a, T => stretched(T::of(a)?, T::of(b)?, budget, |a, b| a == b)),
            Self::Less => numeric!(a, T => stretched(T::of(a)?, T::of(b)?, budget, |a, b| a < b)),
            Self::LessOrEqual => numeric!(a, T => stretched(T::of(a)?, T::of(b)?, budget, |a, b| a <= b)),
            Self::Greater => numeric!(a, T => stretched(T::of(a)?, T::of(b)?, budget, |a, b| a > b)),
            Self::GreaterOrEqual => numeric!(a, T => stretched(T::of(a)?, T::of(b)?, budget, |a, b| a >= b)),
        };
        one(Tensor::Bool(found?))
    }
}

impl Standard for Logic {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let (a, b) = (inputs.array::<bool>(0)?, inputs.array::<bool>(1)?);
        one(Tensor::Bool(match self {
            Self::And => stretched(a, b, budget, |a, b| *a && *b)?,
            Self::Or => stretched(a, b, budget, |a, b| *a || *b)?,
            Self::Xor => stretched(a, b, budget, |a, b| a != b)?,
        }))
    }
}

impl Standard for Where {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let (condition, yes, no) = (inputs.array::<bool>(0)?, inputs.get(1)?, inputs.get(2)?);
        typed!(yes, T => one(T::tensor(chosen(condition, T::of(yes)?, T::of(no)?, budget)?)))
    }
}

fn chosen<T: Clone>(
    condition: &Array<bool>,
    yes: &Array<T>,
    no: &Array<T>,
    budget: &Budget,
) -> Result<Array<T>, RunFault> {
    let shape = joined(&joined(&condition.shape, &yes.shape)?, &no.shape)?;
    let mut data = Vec::with_capacity(budget.shape(&shape)?);
    let all = [strides(&condition.shape, &shape), strides(&yes.shape, &shape), strides(&no.shape, &shape)];
    lines(&shape, [&all[0], &all[1], &all[2]], |[which, a, b], length, [to_which, to_a, to_b]| {
        data.extend((0..length).map(|at| {
            let taken = condition.data[which + at * to_which];
            if taken { yes.data[a + at * to_a].clone() } else { no.data[b + at * to_b].clone() }
        }));
    });
    Ok(Array { shape, data })
}
