//! Parts of tensors: joined, cut, repeated, and filled up.

use super::shape::refused;
use super::typed::typed;
use super::{
    Array, Attributes, Budget, Element, Family, Inputs, Outputs, RunFault, Standard, Tensor, around, axes, axis, boxed,
    one, signed, size,
};

#[derive(Debug)]
struct Concat(i64);

#[derive(Debug)]
struct Split {
    axis: i64,
    sizes: Option<Vec<i64>>,
    outputs: usize,
}

/// The bounds are inputs, or attributes before version 10.
#[derive(Debug)]
struct Slice {
    starts: Option<Vec<i64>>,
    ends: Option<Vec<i64>>,
    axes: Option<Vec<i64>>,
}

#[derive(Debug)]
struct Tile;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    Constant,
    Reflect,
    Nearest,
    Wrap,
}

#[derive(Debug)]
struct Pad {
    edge: Edge,
    pads: Option<Vec<i64>>,
    value: f32,
}

#[derive(Debug)]
struct Trilu {
    upper: bool,
}

pub(super) fn build(name: &str, attributes: Attributes<'_>, _: i64) -> Family {
    let list = |name: &str| attributes.get(name).map(|attribute| attribute.ints.clone());
    match name {
        "Concat" => boxed(Concat(attributes.int("axis").unwrap_or(1))),
        "Split" => boxed(Split {
            axis: attributes.int("axis").unwrap_or(0),
            sizes: list("split"),
            outputs: attributes.0.output.len(),
        }),
        "Slice" => boxed(Slice { starts: list("starts"), ends: list("ends"), axes: list("axes") }),
        "Tile" => boxed(Tile),
        "Trilu" => boxed(Trilu { upper: attributes.int("upper").unwrap_or(1) != 0 }),
        "Pad" => {
            let edge = match attributes.text("mode") {
                Ok(None | Some("constant")) => Edge::Constant,
                Ok(Some("reflect")) => Edge::Reflect,
                Ok(Some("edge")) => Edge::Nearest,
                Ok(Some("wrap")) => Edge::Wrap,
                Ok(Some(other)) => return refused("mode", format!("has the value `{other}`")),
                Err(fault) => return Some(Err(fault.into())),
            };
            boxed(Pad { edge, pads: list("pads"), value: attributes.float("value").unwrap_or(0.0) })
        }
        _ => None,
    }
}

impl Standard for Concat {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let all = inputs.all()?;
        let first = *all.first().ok_or(RunFault::Missing(0))?;
        one(concatenated(&all, axis(self.0, first.shape().len())?, budget)?)
    }
}

/// Tensors one after the other along an axis.
pub(super) fn concatenated(all: &[&Tensor], at: usize, budget: &Budget) -> Result<Tensor, RunFault> {
    let first = *all.first().ok_or(RunFault::Missing(0))?;
    let mut shape = first.shape().to_vec();
    shape[at] = 0;
    for next in all {
        let fits = next.shape().len() == shape.len();
        let differs = |axis: usize| axis != at && next.shape()[axis] != first.shape()[axis];
        if !fits || (0..shape.len()).any(differs) {
            let expected = format!("the shape {:?} but for axis {at}", first.shape());
            return Err(RunFault::Shape { expected, found: next.shape().to_vec() });
        }
        shape[at] += next.shape()[at];
    }
    budget.shape(&shape)?;
    typed!(first, T => {
        let parts = all.iter().map(|next| T::of(next)).collect::<Result<Vec<_>, _>>()?;
        Ok(T::tensor(joined(&parts, shape, at)))
    })
}

fn joined<T: Clone>(parts: &[&Array<T>], shape: Vec<usize>, at: usize) -> Array<T> {
    let mut data = Vec::with_capacity(shape.iter().product());
    let before: usize = shape[..at].iter().product();
    for outer in 0..before {
        for part in parts {
            let line: usize = part.shape[at..].iter().product();
            data.extend_from_slice(&part.data[outer * line..(outer + 1) * line]);
        }
    }
    Array { shape, data }
}

impl Standard for Split {
    fn run(&self, inputs: Inputs<'_>, _: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        let at = axis(self.axis, x.shape().len())?;
        let along = x.shape()[at];
        let sizes: Vec<usize> = match inputs.whole_or(1, self.sizes.as_deref())? {
            Some(sizes) => sizes.into_iter().map(size).collect::<Result<_, _>>()?,
            None => {
                // Equal parts, the last one smaller when they do not fit.
                let part = along.div_ceil(self.outputs.max(1));
                (0..self.outputs).map(|place| part.min(along.saturating_sub(place * part))).collect()
            }
        };
        if sizes.iter().try_fold(0_usize, |sum, size| sum.checked_add(*size)) != Some(along) {
            return Err(RunFault::Value(format!("cannot split {along} into {sizes:?}")));
        }
        let mut first = 0;
        let part = |size: usize| {
            let from = first;
            first += size;
            sliced(x, at, from, size)
        };
        sizes.into_iter().map(part).collect()
    }
}

/// Some of the values along an axis.
pub(super) fn sliced(x: &Tensor, at: usize, from: usize, size: usize) -> Result<Tensor, RunFault> {
    let (before, along, after) = around(x.shape(), at);
    let mut shape = x.shape().to_vec();
    shape[at] = size;
    typed!(x, T => {
        let data = &T::of(x)?.data;
        let mut part = Vec::with_capacity(before * size * after);
        for outer in 0..before {
            let line = (outer * along + from) * after;
            part.extend_from_slice(&data[line..line + size * after]);
        }
        Ok(T::tensor(Array { shape, data: part }))
    })
}

impl Standard for Slice {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        let rank = x.shape().len();
        let starts = inputs.whole_or(1, self.starts.as_deref())?.ok_or(RunFault::Missing(1))?;
        let ends = inputs.whole_or(2, self.ends.as_deref())?.ok_or(RunFault::Missing(2))?;
        let over = match inputs.whole_or(3, self.axes.as_deref())? {
            Some(list) => axes(&list, rank)?,
            None => (0..starts.len().min(rank)).collect(),
        };
        let steps = inputs.whole(4)?.unwrap_or_else(|| vec![1; starts.len()]);
        if starts.len() != ends.len() || starts.len() != over.len() || starts.len() != steps.len() {
            return Err(RunFault::Value("is given starts, ends, axes and steps of different lengths".to_owned()));
        }
        let mut places: Vec<Vec<usize>> = x.shape().iter().map(|size| (0..*size).collect()).collect();
        for (((start, end), axis), step) in starts.iter().zip(&ends).zip(over).zip(steps) {
            places[axis] = range(x.shape()[axis], *start, *end, step)?;
        }
        budget.shape(&places.iter().map(Vec::len).collect::<Vec<_>>())?;
        one(typed!(x, T => T::tensor(picked(T::of(x)?, &places))))
    }
}

/// The places from start to end.
fn range(length: usize, start: i64, end: i64, step: i64) -> Result<Vec<usize>, RunFault> {
    let size = signed(length);
    let absolute = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
    let (start, end) = if step > 0 {
        (absolute(start).clamp(0, size), absolute(end).clamp(0, size))
    } else {
        (absolute(start).clamp(0, (size - 1).max(0)), absolute(end).clamp(-1, size - 1))
    };
    let count = match step {
        0 => return Err(RunFault::Value("is given a step of 0".to_owned())),
        step if step > 0 => (end - start).max(0).unsigned_abs().div_ceil(step.unsigned_abs()),
        step => (start - end).max(0).unsigned_abs().div_ceil(step.unsigned_abs()),
    };
    let count = if length == 0 { 0 } else { count };
    // All lie between start and end.
    let place = |at: u64| usize::try_from(start + i64::try_from(at).unwrap_or(0) * step).ok();
    Ok((0..count).filter_map(place).collect())
}

/// The values at these places of each axis.
pub(super) fn picked<T: Clone>(x: &Array<T>, places: &[Vec<usize>]) -> Array<T> {
    let shape: Vec<usize> = places.iter().map(Vec::len).collect();
    let mut offsets = vec![0_usize];
    let mut step = 1;
    let mut steps = Vec::with_capacity(shape.len());
    for size in x.shape.iter().rev() {
        steps.push(step);
        step *= size;
    }
    for (places, step) in places.iter().zip(steps.iter().rev()) {
        offsets = offsets.iter().flat_map(|first| places.iter().map(move |place| first + place * step)).collect();
    }
    Array { data: offsets.into_iter().map(|place| x.data[place].clone()).collect(), shape }
}

impl Standard for Tile {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        let repeats: Vec<usize> =
            inputs.whole(1)?.ok_or(RunFault::Missing(1))?.into_iter().map(size).collect::<Result<_, _>>()?;
        if repeats.len() != x.shape().len() {
            return Err(RunFault::Value(format!("is given {} repeats for {} axes", repeats.len(), x.shape().len())));
        }
        let sizes: Option<Vec<usize>> =
            x.shape().iter().zip(&repeats).map(|(size, times)| size.checked_mul(*times)).collect();
        let sizes = sizes.ok_or(RunFault::TooLarge { needed: usize::MAX, allowed: 0 })?;
        budget.shape(&sizes)?;
        let places: Vec<Vec<usize>> =
            x.shape().iter().zip(sizes).map(|(size, total)| (0..total).map(|at| at % size.max(&1)).collect()).collect();
        one(typed!(x, T => T::tensor(picked(T::of(x)?, &places))))
    }
}

impl Standard for Pad {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        let rank = x.shape().len();
        let pads = inputs.whole_or(1, self.pads.as_deref())?.ok_or(RunFault::Missing(1))?;
        let over = match inputs.whole(3)? {
            Some(list) => axes(&list, rank)?,
            None => (0..rank).collect(),
        };
        if pads.len() != 2 * over.len() {
            return Err(RunFault::Value(format!("is given {} pads for {} axes", pads.len(), over.len())));
        }
        let (before, after) = pads.split_at(over.len());
        let mut sizes = x.shape().to_vec();
        for ((axis, before), after) in over.iter().zip(before).zip(after) {
            let total = signed(sizes[*axis]).checked_add(*before).and_then(|size| size.checked_add(*after));
            sizes[*axis] = size(total.unwrap_or(-1))?;
        }
        budget.shape(&sizes)?;
        // Where each value comes from, along each axis; none is the value that is filled in.
        let mut places: Vec<Vec<Option<usize>>> = Vec::with_capacity(rank);
        for (axis, total) in sizes.iter().enumerate() {
            let first = over.iter().position(|one| *one == axis).map_or(0, |place| before[place]);
            places.push(
                (0..*total).map(|at| self.edge.place(signed(at).saturating_sub(first), x.shape()[axis])).collect(),
            );
        }
        typed!(x, T => {
            let x = T::of(x)?;
            let fill = match inputs.optional(2) {
                Some(value) => T::of(value)?.data.first().cloned().unwrap_or_default(),
                None => filler::<T>(self.value),
            };
            one(T::tensor(padded(x, sizes, &places, &fill)))
        })
    }
}

/// The value of the attribute of older versions, in the type of the tensor.
fn filler<T: Element>(value: f32) -> T {
    let all = [Tensor::Float(Array::single(value)), Tensor::Double(Array::single(f64::from(value)))];
    all.iter().find_map(T::array).and_then(|array| array.data.first().cloned()).unwrap_or_default()
}

impl Edge {
    /// The place that a place beyond the ends stands for.
    fn place(self, at: i64, size: usize) -> Option<usize> {
        let last = signed(size) - 1;
        let at = match self {
            Self::Constant => at,
            Self::Nearest => at.clamp(0, last.max(0)),
            Self::Wrap => at.rem_euclid(last.saturating_add(1).max(1)),
            Self::Reflect if last < 1 => 0,
            Self::Reflect => {
                let at = at.rem_euclid(2 * last);
                if at > last { 2 * last - at } else { at }
            }
        };
        usize::try_from(at).ok().filter(|place| *place < size)
    }
}

fn padded<T: Clone>(x: &Array<T>, shape: Vec<usize>, places: &[Vec<Option<usize>>], fill: &T) -> Array<T> {
    let mut offsets = vec![Some(0_usize)];
    for (places, size) in places.iter().zip(&x.shape) {
        let next = |first: &Option<usize>| {
            let first = *first;
            places.iter().map(move |place| Some(first? * size + (*place)?))
        };
        offsets = offsets.iter().flat_map(next).collect();
    }
    let data = offsets.into_iter().map(|place| place.map_or_else(|| fill.clone(), |place| x.data[place].clone()));
    Array { data: data.collect(), shape }
}

/// The values at some places, and nothing at the others.
fn only<T: Clone + Default>(x: &Array<T>, kept: impl Fn(usize) -> bool) -> Array<T> {
    let value = |(place, value): (usize, &T)| if kept(place) { value.clone() } else { T::default() };
    x.like(x.data.iter().enumerate().map(value).collect())
}

impl Standard for Trilu {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        budget.shape(x.shape())?;
        let [.., rows, columns] = *x.shape() else {
            return Err(RunFault::Shape { expected: "at least two dimensions".to_owned(), found: x.shape().to_vec() });
        };
        let diagonal = inputs.whole(1)?.and_then(|places| places.first().copied()).unwrap_or(0);
        let kept = |place: usize| {
            let (row, column) = (place / columns.max(1) % rows.max(1), place % columns.max(1));
            let across = signed(column) - signed(row);
            if self.upper { across >= diagonal } else { across <= diagonal }
        };
        typed!(x, T => {
            one(T::tensor(only(T::of(x)?, kept)))
        })
    }
}
