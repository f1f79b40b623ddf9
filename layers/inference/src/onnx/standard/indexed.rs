//! Values by the places that another tensor names.

use super::layout::picked;
use super::typed::{Number, numeric, typed};
use super::{
    Array, Attributes, Budget, Element, Family, Inputs, Outputs, RunFault, Standard, Tensor, around, axis, boxed, one,
    signed, size, whole,
};

#[derive(Debug)]
struct Gather(i64);

#[derive(Debug)]
struct GatherElements(i64);

#[derive(Debug)]
struct GatherNd {
    batch: usize,
}

#[derive(Debug)]
struct ScatterElements {
    axis: i64,
    by: Merge,
}

/// What happens where a place has a value already.
#[derive(Clone, Copy, Debug)]
enum Merge {
    Replace,
    Add,
    Mul,
    Max,
    Min,
}

#[derive(Debug)]
struct OneHot(i64);

#[derive(Debug)]
struct NonZero;

#[derive(Debug)]
struct Compress(Option<i64>);

pub(super) fn build(name: &str, attributes: Attributes<'_>, _: i64) -> Family {
    let at = attributes.int("axis");
    match name {
        "Gather" => boxed(Gather(at.unwrap_or(0))),
        "GatherElements" => boxed(GatherElements(at.unwrap_or(0))),
        "GatherND" => {
            let batch = usize::try_from(attributes.int("batch_dims").unwrap_or(0)).unwrap_or(usize::MAX);
            boxed(GatherNd { batch })
        }
        "ScatterElements" => {
            let by = match attributes.text("reduction") {
                Ok(None | Some("none")) => Merge::Replace,
                Ok(Some("add")) => Merge::Add,
                Ok(Some("mul")) => Merge::Mul,
                Ok(Some("max")) => Merge::Max,
                Ok(Some("min")) => Merge::Min,
                Ok(Some(other)) => return super::shape::refused("reduction", format!("has the value `{other}`")),
                Err(fault) => return Some(Err(fault.into())),
            };
            boxed(ScatterElements { axis: at.unwrap_or(0), by })
        }
        "OneHot" => boxed(OneHot(at.unwrap_or(-1))),
        "NonZero" => boxed(NonZero),
        "Compress" => boxed(Compress(at)),
        _ => None,
    }
}

/// A place, counted from the end when it is negative.
fn place(at: i64, length: usize) -> Result<usize, RunFault> {
    let at_end = if at < 0 { at.saturating_add(signed(length)) } else { at };
    let place = usize::try_from(at_end).ok().filter(|place| *place < length);
    place.ok_or_else(|| RunFault::Value(format!("is asked for place {at} of {length}")))
}

fn places(list: &[i64], length: usize) -> Result<Vec<usize>, RunFault> {
    list.iter().map(|at| place(*at, length)).collect()
}

impl Standard for Gather {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let (x, indices) = (inputs.get(0)?, inputs.get(1)?);
        let at = axis(self.0, x.shape().len())?;
        let (before, along, after) = around(x.shape(), at);
        let wanted = places(&whole(indices)?, along)?;
        let shape = [&x.shape()[..at], indices.shape(), &x.shape()[at + 1..]].concat();
        let needed = budget.shape(&shape)?;
        typed!(x, T => {
            let from = &T::of(x)?.data;
            let mut data = Vec::with_capacity(needed);
            for outer in 0..before {
                for place in &wanted {
                    let line = (outer * along + place) * after;
                    data.extend_from_slice(&from[line..line + after]);
                }
            }
            one(T::tensor(Array { shape, data }))
        })
    }
}

/// For each value of `indices` the place in `shape` that it names along an axis.
fn element_places(shape: &[usize], indices: &Tensor, at: usize) -> Result<Vec<usize>, RunFault> {
    let within = indices.shape();
    let smaller = (0..shape.len()).all(|axis| axis == at || within.get(axis).is_some_and(|size| *size <= shape[axis]));
    if within.len() != shape.len() || !smaller {
        return Err(RunFault::Shape { expected: format!("places within {shape:?}"), found: within.to_vec() });
    }
    let along = shape[at];
    let mut found = Vec::with_capacity(within.iter().product());
    for (flat, wanted) in whole(indices)?.into_iter().enumerate() {
        let (mut rest, mut target, mut step) = (flat, 0, 1);
        for axis in (0..shape.len()).rev() {
            let own = rest % within[axis];
            rest /= within[axis];
            target += step * if axis == at { place(wanted, along)? } else { own };
            step *= shape[axis];
        }
        found.push(target);
    }
    Ok(found)
}

impl Standard for GatherElements {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let (x, indices) = (inputs.get(0)?, inputs.get(1)?);
        let at = axis(self.0, x.shape().len())?;
        budget.shape(indices.shape())?;
        let places = element_places(x.shape(), indices, at)?;
        let shape = indices.shape().to_vec();
        typed!(x, T => {
            let from = &T::of(x)?.data;
            one(T::tensor(Array { shape, data: taken(from, &places) }))
        })
    }
}

impl Standard for GatherNd {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let (x, indices) = (inputs.get(0)?, inputs.get(1)?);
        let Some((width, outer)) = indices.shape().split_last() else { return Err(RunFault::Missing(1)) };
        let rank = x.shape().len();
        let fits = self.batch <= outer.len() && self.batch.saturating_add(*width) <= rank;
        if !fits || x.shape()[..self.batch] != outer[..self.batch] {
            let expected = format!("places of {rank} axes after {} shared ones", self.batch);
            return Err(RunFault::Shape { expected, found: indices.shape().to_vec() });
        }
        let inner = &x.shape()[self.batch + width..];
        let line: usize = inner.iter().product();
        let shape = [outer, inner].concat();
        let needed = budget.shape(&shape)?;
        let (count, batches) = (outer.iter().product::<usize>(), outer[..self.batch].iter().product::<usize>());
        let wanted = whole(indices)?;
        let mut starts = Vec::with_capacity(count);
        for row in 0..count {
            let mut start = row / (count / batches.max(1)).max(1);
            for (at, size) in wanted[row * width..(row + 1) * width].iter().zip(&x.shape()[self.batch..]) {
                start = start * size + place(*at, *size)?;
            }
            starts.push(start * line);
        }
        typed!(x, T => {
            let from = &T::of(x)?.data;
            let mut data = Vec::with_capacity(needed);
            starts.into_iter().for_each(|start| data.extend_from_slice(&from[start..start + line]));
            one(T::tensor(Array { shape, data }))
        })
    }
}

impl Standard for ScatterElements {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let (x, indices, updates) = (inputs.get(0)?, inputs.get(1)?, inputs.get(2)?);
        let at = axis(self.axis, x.shape().len())?;
        budget.shape(x.shape())?;
        if updates.shape() != indices.shape() {
            let expected = format!("the shape {:?}", indices.shape());
            return Err(RunFault::Shape { expected, found: updates.shape().to_vec() });
        }
        let places = element_places(x.shape(), indices, at)?;
        if matches!(self.by, Merge::Replace) {
            return typed!(x, T => {
                let (mut found, updates) = (T::of(x)?.clone(), T::of(updates)?);
                put(&mut found.data, &places, &updates.data);
                one(T::tensor(found))
            });
        }
        numeric!(x, T => {
            let (mut found, updates) = (T::of(x)?.clone(), T::of(updates)?);
            for (place, value) in places.into_iter().zip(&updates.data) {
                let old = found.data[place];
                found.data[place] = match self.by {
                    Merge::Replace => *value,
                    Merge::Add => old.add(*value),
                    Merge::Mul => old.mul(*value),
                    Merge::Max => old.greatest(*value),
                    Merge::Min => old.least(*value),
                };
            }
            one(T::tensor(found))
        })
    }
}

impl Standard for OneHot {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let (indices, depth, values) = (inputs.get(0)?, inputs.get(1)?, inputs.get(2)?);
        let number = |tensor: &Tensor| -> Result<Vec<i64>, RunFault> {
            numeric!(tensor, T => Ok(T::of(tensor)?.data.iter().map(|value| i64::narrow(value.wide())).collect()))
        };
        let depth = size(*number(depth)?.first().ok_or(RunFault::Missing(1))?)?;
        let wanted = number(indices)?;
        let at = axis(self.0, indices.shape().len() + 1)?;
        let mut shape = indices.shape().to_vec();
        shape.insert(at, depth);
        let needed = budget.shape(&shape)?;
        let (_, along, after) = around(&shape, at);
        typed!(values, T => {
            let data = one_hot(&T::of(values)?.data, &wanted, (needed, depth, along, after));
            let two = || RunFault::Shape { expected: "two values".to_owned(), found: values.shape().to_vec() };
            one(T::tensor(Array { shape, data: data.ok_or_else(two)? }))
        })
    }
}

/// The second of two values at the places that are wanted, the first elsewhere; a place outside is nowhere.
fn one_hot<T: Clone>(
    values: &[T],
    wanted: &[i64],
    (needed, depth, along, after): (usize, usize, usize, usize),
) -> Option<Vec<T>> {
    let [off, on] = values else { return None };
    let mut data = vec![off.clone(); needed];
    for (flat, wanted) in wanted.iter().enumerate() {
        if let Ok(place) = place(*wanted, depth) {
            data[(flat / after * along + place) * after + flat % after] = on.clone();
        }
    }
    Some(data)
}

/// The values at some places.
fn taken<T: Clone>(from: &[T], places: &[usize]) -> Vec<T> {
    places.iter().map(|place| from[*place].clone()).collect()
}

/// Puts values at some places.
fn put<T: Clone>(to: &mut [T], places: &[usize], values: &[T]) {
    places.iter().zip(values).for_each(|(place, value)| to[*place] = value.clone());
}

impl Standard for NonZero {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        budget.values(x.shape().len().saturating_mul(x.shape().iter().product()))?;
        let found: Vec<usize> = match x {
            Tensor::Bool(x) => (0..x.data.len()).filter(|at| x.data[*at]).collect(),
            x => numeric!(x, T => {
                let data = &T::of(x)?.data;
                Ok((0..data.len()).filter(|at| data[*at] != T::ZERO).collect())
            })?,
        };
        let mut data = vec![0; x.shape().len() * found.len()];
        for (to, flat) in found.iter().enumerate() {
            let mut rest = *flat;
            for (axis, size) in x.shape().iter().enumerate().rev() {
                data[axis * found.len() + to] = signed(rest % size);
                rest /= size;
            }
        }
        one(Tensor::Int64(Array { shape: vec![x.shape().len(), found.len()], data }))
    }
}

impl Standard for Compress {
    fn run(&self, inputs: Inputs<'_>, _: &Budget) -> Outputs {
        let (x, condition) = (inputs.get(0)?, inputs.array::<bool>(1)?);
        let flat: Tensor;
        let (x, at) = match self.0 {
            Some(at) => (x, axis(at, x.shape().len())?),
            None => {
                flat = super::shape::reshaped(x, vec![x.shape().iter().product()])?;
                (&flat, 0)
            }
        };
        let kept: Vec<usize> = (0..x.shape()[at].min(condition.data.len())).filter(|at| condition.data[*at]).collect();
        let mut places: Vec<Vec<usize>> = x.shape().iter().map(|size| (0..*size).collect()).collect();
        places[at] = kept;
        one(typed!(x, T => T::tensor(picked(T::of(x)?, &places))))
    }
}
