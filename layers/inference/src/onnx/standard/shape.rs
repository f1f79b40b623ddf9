//! Shapes that are stretched to one another, and the operators that only change how values are arranged in dimensions.

use super::typed::typed;
use super::{
    Array, Attributes, Budget, Built, Element, Family, Inputs, Outputs, RunFault, Standard, Tensor, axes, axis, boxed,
    one, signed, size,
};
use crate::onnx::ml::BuildFault;

/// The shape that two are stretched to.
pub(super) fn joined(one: &[usize], other: &[usize]) -> Result<Vec<usize>, RunFault> {
    let rank = one.len().max(other.len());
    let at = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |place| shape[place]);
    let join = |axis| match (at(one, axis), at(other, axis)) {
        (a, b) if a == b => Ok(a),
        (1, b) => Ok(b),
        (a, 1) => Ok(a),
        _ => Err(RunFault::Value(format!("is given the shapes {one:?} and {other:?}, which do not fit together"))),
    };
    (0..rank).map(join).collect()
}

/// How far a step along each axis of `to` goes in a tensor of `shape`, which is stretched to it.
pub(super) fn strides(shape: &[usize], to: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; to.len()];
    let mut step = 1;
    for (stride, size) in strides.iter_mut().rev().zip(shape.iter().rev()) {
        *stride = if *size == 1 { 0 } else { step };
        step *= size;
    }
    strides
}

/// Goes through a shape in order, a line along the last axis at a time: tells the places where the line begins in each of
/// some tensors, its length, and the steps along it.
pub(super) fn lines<const N: usize>(
    shape: &[usize],
    strides: [&[usize]; N],
    mut line: impl FnMut([usize; N], usize, [usize; N]),
) {
    if shape.contains(&0) {
        return;
    }
    let Some((length, outer)) = shape.split_last() else { return line([0; N], 1, [0; N]) };
    let steps = strides.map(|strides| strides[outer.len()]);
    let mut at = vec![0; outer.len()];
    let mut places = [0; N];
    loop {
        line(places, *length, steps);
        let mut axis = outer.len();
        loop {
            let Some(before) = axis.checked_sub(1) else { return };
            axis = before;
            at[axis] += 1;
            places.iter_mut().zip(&strides).for_each(|(place, strides)| *place += strides[axis]);
            if at[axis] < outer[axis] {
                break;
            }
            places.iter_mut().zip(&strides).for_each(|(place, strides)| *place -= strides[axis] * at[axis]);
            at[axis] = 0;
        }
    }
}

/// The values of a tensor along strides of a shape.
pub(super) fn gathered<T: Clone>(data: &[T], first: usize, shape: Vec<usize>, strides: &[usize]) -> Array<T> {
    let mut gathered = Vec::with_capacity(shape.iter().product());
    lines(&shape, [strides], |[place], length, [step]| {
        gathered.extend((0..length).map(|at| data[first + place + at * step].clone()));
    });
    Array { shape, data: gathered }
}

/// Two tensors made one, value by value.
pub(super) fn stretched<A: Clone, B: Clone, C>(
    one: &Array<A>,
    other: &Array<B>,
    budget: &Budget,
    with: impl Fn(&A, &B) -> C,
) -> Result<Array<C>, RunFault> {
    if one.shape == other.shape {
        budget.values(one.data.len())?;
        return Ok(one.like(one.data.iter().zip(&other.data).map(|(a, b)| with(a, b)).collect()));
    }
    let shape = joined(&one.shape, &other.shape)?;
    let mut data = Vec::with_capacity(budget.shape(&shape)?);
    lines(
        &shape,
        [&strides(&one.shape, &shape), &strides(&other.shape, &shape)],
        |[a, b], length, steps| match steps {
            [1, 0] => data.extend(one.data[a..a + length].iter().map(|a| with(a, &other.data[b]))),
            [0, 1] => data.extend(other.data[b..b + length].iter().map(|b| with(&one.data[a], b))),
            [1, 1] => data.extend(one.data[a..a + length].iter().zip(&other.data[b..]).map(|(a, b)| with(a, b))),
            [to_a, to_b] => {
                data.extend((0..length).map(|at| with(&one.data[a + at * to_a], &other.data[b + at * to_b])));
            }
        },
    );
    Ok(Array { shape, data })
}

/// The same values with other dimensions, whose product is the same.
pub(super) fn reshaped(tensor: &Tensor, shape: Vec<usize>) -> Result<Tensor, RunFault> {
    let product = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
    if product != Some(tensor.shape().iter().product()) {
        let expected = format!("as many values as {shape:?} has");
        return Err(RunFault::Shape { expected, found: tensor.shape().to_vec() });
    }
    Ok(typed!(tensor, T => T::tensor(Array { shape, data: T::of(tensor)?.data.clone() })))
}

#[derive(Debug)]
enum Shaped {
    Identity,
    Reshape { shape: Option<Vec<i64>>, zero_is_zero: bool },
    Flatten(i64),
    Squeeze(Option<Vec<i64>>),
    Unsqueeze(Option<Vec<i64>>),
    Shape { start: i64, end: Option<i64> },
    Size,
    Transpose(Option<Vec<i64>>),
    Expand,
}

pub(super) fn build(name: &str, attributes: Attributes<'_>, version: i64) -> Family {
    let list = |name: &str| attributes.get(name).map(|attribute| attribute.ints.clone());
    boxed(match name {
        "Identity" => Shaped::Identity,
        "Dropout" if version < 12 => Shaped::Identity,
        "Reshape" => Shaped::Reshape { shape: list("shape"), zero_is_zero: attributes.flag("allowzero") },
        "Flatten" => Shaped::Flatten(attributes.int("axis").unwrap_or(1)),
        "Squeeze" => Shaped::Squeeze(list("axes")),
        "Unsqueeze" => Shaped::Unsqueeze(list("axes")),
        "Shape" => Shaped::Shape { start: attributes.int("start").unwrap_or(0), end: attributes.int("end") },
        "Size" => Shaped::Size,
        "Transpose" => Shaped::Transpose(list("perm")),
        "Expand" => Shaped::Expand,
        "Dropout" => return Some(dropout()),
        _ => return None,
    })
}

fn dropout() -> Built {
    Ok(Box::new(Dropout))
}

/// `Dropout` from version 12 on: nothing is dropped unless training is asked for, which is refused.
#[derive(Debug)]
struct Dropout;

impl Standard for Dropout {
    fn run(&self, inputs: Inputs<'_>, _: &Budget) -> Outputs {
        if inputs.optional(2).is_some_and(|training| *training == Tensor::Bool(training_on(training))) {
            return Err(RunFault::Value("is asked to train, which is not supported".to_owned()));
        }
        let x = inputs.get(0)?;
        let kept = Array { shape: x.shape().to_vec(), data: vec![true; x.shape().iter().product()] };
        Ok(vec![x.clone(), Tensor::Bool(kept)])
    }
}

/// What a tensor would be that asks for training.
fn training_on(like: &Tensor) -> Array<bool> {
    Array { shape: like.shape().to_vec(), data: vec![true; like.shape().iter().product()] }
}

impl Standard for Shaped {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        let from = x.shape();
        match self {
            Self::Identity => one(x.clone()),
            Self::Reshape { shape, zero_is_zero } => {
                let wanted = inputs.whole_or(1, shape.as_deref())?.ok_or(RunFault::Missing(1))?;
                one(reshaped(x, target(from, &wanted, *zero_is_zero)?)?)
            }
            Self::Flatten(at) => {
                let at = if *at == signed(from.len()) { from.len() } else { axis(*at, from.len().max(1))? };
                one(reshaped(x, vec![from[..at].iter().product(), from[at..].iter().product()])?)
            }
            Self::Squeeze(list) => {
                let wanted = match inputs.whole_or(1, list.as_deref())? {
                    Some(list) => axes(&list, from.len())?,
                    None => (0..from.len()).filter(|axis| from[*axis] == 1).collect(),
                };
                let kept = from.iter().enumerate().filter(|(axis, _)| !wanted.contains(axis)).map(|(_, size)| *size);
                one(reshaped(x, kept.collect())?)
            }
            Self::Unsqueeze(list) => {
                let list = inputs.whole_or(1, list.as_deref())?.ok_or(RunFault::Missing(1))?;
                one(reshaped(x, unsqueezed(from, &list)?)?)
            }
            Self::Shape { start, end } => {
                let rank = signed(from.len());
                let place = |at: i64| usize::try_from(if at < 0 { at.saturating_add(rank) } else { at }.clamp(0, rank));
                let (start, end) = (place(*start).unwrap_or(0), place(end.unwrap_or(rank)).unwrap_or(0));
                let sizes = from.get(start..end).unwrap_or(&[]).iter().map(|size| signed(*size));
                one(Tensor::Int64(Array::vector(sizes.collect())))
            }
            Self::Size => one(Tensor::Int64(Array::single(signed(from.iter().product())))),
            Self::Transpose(order) => {
                let order = match order {
                    Some(order) => axes(order, from.len())?,
                    None => (0..from.len()).rev().collect(),
                };
                one(transposed(x, &order)?)
            }
            Self::Expand => {
                let wanted: Vec<usize> =
                    inputs.whole(1)?.ok_or(RunFault::Missing(1))?.into_iter().map(size).collect::<Result<_, _>>()?;
                let shape = joined(from, &wanted)?;
                budget.shape(&shape)?;
                let strides = strides(from, &shape);
                one(typed!(x, T => T::tensor(gathered(&T::of(x)?.data, 0, shape, &strides))))
            }
        }
    }
}

/// The dimensions that `Reshape` asks for: 0 is that of the input, and one -1 takes what is left.
fn target(from: &[usize], wanted: &[i64], zero_is_zero: bool) -> Result<Vec<usize>, RunFault> {
    let refused = || RunFault::Value(format!("cannot make the shape {wanted:?} of {from:?}"));
    let mut free = None;
    let mut shape = Vec::with_capacity(wanted.len());
    for (place, size) in wanted.iter().enumerate() {
        shape.push(match size {
            0 if !zero_is_zero => *from.get(place).ok_or_else(refused)?,
            -1 if free.is_none() => {
                free = Some(place);
                1
            }
            size => usize::try_from(*size).map_err(|_| refused())?,
        });
    }
    if let Some(place) = free {
        let known = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size)).ok_or_else(refused)?;
        let all: usize = from.iter().product();
        shape[place] = all.checked_div(known).filter(|rest| rest * known == all).ok_or_else(refused)?;
    }
    Ok(shape)
}

fn unsqueezed(from: &[usize], list: &[i64]) -> Result<Vec<usize>, RunFault> {
    let rank = from.len() + list.len();
    let new = axes(list, rank)?;
    let mut old = from.iter();
    let shape: Vec<usize> =
        (0..rank).filter_map(|axis| if new.contains(&axis) { Some(1) } else { old.next().copied() }).collect();
    if shape.len() == rank {
        return Ok(shape);
    }
    Err(RunFault::Value(format!("is given the axes {list:?}, two of which are the same")))
}

/// The same values with the axes in another order.
pub(super) fn transposed(x: &Tensor, order: &[usize]) -> Result<Tensor, RunFault> {
    let from = x.shape();
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..from.len()) {
        return Err(RunFault::Value(format!("is given the order {order:?} for {} axes", from.len())));
    }
    let mut steps = vec![1; from.len()];
    for axis in (1..from.len()).rev() {
        steps[axis - 1] = steps[axis] * from[axis];
    }
    let shape: Vec<usize> = order.iter().map(|axis| from[*axis]).collect();
    let strides: Vec<usize> = order.iter().map(|axis| steps[*axis]).collect();
    Ok(typed!(x, T => T::tensor(gathered(&T::of(x)?.data, 0, shape, &strides))))
}

/// A fault of an attribute, for operators of other files.
pub(super) fn refused(attribute: &str, reason: impl Into<String>) -> Family {
    Some(Err(BuildFault::Attribute(crate::onnx::attributes::AttributeFault::new(attribute, reason))))
}
