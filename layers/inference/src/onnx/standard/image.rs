//! Convolution, over any number of dimensions.

use super::matrix::{Matrix, product};
use super::shape::refused;
use super::typed::{Number, floating};
use super::{Array, Attributes, Budget, Element, Family, Inputs, Outputs, RunFault, Standard, boxed, one};

/// How a window goes over the last dimensions: for each its size, step and spread, and what is added at both ends.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    size: Option<Vec<usize>>,
    steps: Option<Vec<usize>>,
    spread: Option<Vec<usize>>,
    pads: Pads,
    /// A window that begins inside and ends outside counts.
    pub(super) ceil: bool,
}

#[derive(Clone, Debug)]
enum Pads {
    Given(Option<Vec<usize>>),
    /// As many places as steps fit; the odd one at the end or at the beginning.
    Same {
        odd_first: bool,
    },
    Valid,
}

/// A window over one dimension, once its size is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) size: usize,
    step: usize,
    spread: usize,
    before: usize,
    after: usize,
    length: usize,
    /// How many places it has.
    pub(super) places: usize,
}

/// What sizes of windows are allowed: no dimension of a model comes near it.
const MOST: i64 = 1 << 24;

impl Windows {
    /// The attributes that convolutions and pools share.
    pub(super) fn of(attributes: Attributes<'_>) -> Result<Self, (&'static str, String)> {
        let list = |name: &'static str, least: i64| -> Result<Option<Vec<usize>>, (&'static str, String)> {
            let Some(found) = attributes.get(name) else { return Ok(None) };
            let size = |size: &i64| usize::try_from(*size).ok().filter(|_| (least..=MOST).contains(size));
            let sizes: Option<Vec<usize>> = found.ints.iter().map(size).collect();
            sizes.map(Some).ok_or_else(|| (name, format!("has the values {:?}", found.ints)))
        };
        let pads = match attributes.text("auto_pad") {
            Ok(None | Some("NOTSET")) => Pads::Given(list("pads", 0)?),
            Ok(Some("SAME_UPPER")) => Pads::Same { odd_first: false },
            Ok(Some("SAME_LOWER")) => Pads::Same { odd_first: true },
            Ok(Some("VALID")) => Pads::Valid,
            _ => return Err(("auto_pad", "has a value that is not known".to_owned())),
        };
        Ok(Self {
            size: list("kernel_shape", 1)?,
            steps: list("strides", 1)?,
            spread: list("dilations", 1)?,
            pads,
            ceil: attributes.flag("ceil_mode"),
        })
    }

    /// The windows over dimensions of some lengths, of the sizes of a kernel when the attributes do not tell them.
    pub(super) fn over(&self, lengths: &[usize], kernel: Option<&[usize]>) -> Result<Vec<Window>, RunFault> {
        let rank = lengths.len();
        let misfit = || RunFault::Value(format!("has windows that do not fit the dimensions {lengths:?}"));
        let size = match (&self.size, kernel) {
            (Some(size), Some(kernel)) if size[..] != *kernel => return Err(misfit()),
            (Some(size), _) => size.clone(),
            (None, kernel) => kernel.ok_or_else(misfit)?.to_vec(),
        };
        let ones = vec![1; rank];
        let (steps, spread) = (self.steps.as_ref().unwrap_or(&ones), self.spread.as_ref().unwrap_or(&ones));
        let pads = match &self.pads {
            Pads::Given(Some(pads)) => pads.clone(),
            _ => vec![0; 2 * rank],
        };
        if size.len() != rank || steps.len() != rank || spread.len() != rank || pads.len() != 2 * rank {
            return Err(misfit());
        }
        let window = |axis: usize| {
            let length = lengths[axis];
            let reach = (size[axis].checked_sub(1)?).checked_mul(spread[axis])?.checked_add(1)?;
            let (mut before, mut after) = (pads[axis], pads[axis + rank]);
            if let Pads::Same { odd_first } = self.pads {
                let places = length.div_ceil(steps[axis]);
                let total = (places.saturating_sub(1) * steps[axis] + reach).saturating_sub(length);
                before = if odd_first { total.div_ceil(2) } else { total / 2 };
                after = total - before;
            }
            let room = (length.checked_add(before)?.checked_add(after)?).checked_sub(reach)?;
            let mut places = if self.ceil { room.div_ceil(steps[axis]) } else { room / steps[axis] } + 1;
            if self.ceil && (places - 1) * steps[axis] >= length + before {
                places -= 1;
            }
            Some(Window { size: size[axis], step: steps[axis], spread: spread[axis], before, after, length, places })
        };
        (0..rank).map(window).collect::<Option<Vec<_>>>().ok_or_else(misfit)
    }
}

impl Window {
    /// The place in the input of a place of the window; none outside.
    pub(super) fn at(&self, place: usize, within: usize) -> Option<usize> {
        let at = (place * self.step + within * self.spread).checked_sub(self.before)?;
        (at < self.length).then_some(at)
    }

    /// Whether a place of the window is inside the input or what is added to it.
    pub(super) fn is_padded(&self, place: usize, within: usize) -> bool {
        place * self.step + within * self.spread < self.before + self.length + self.after
    }
}

/// All combinations of places of some sizes, in order.
pub(super) fn combinations(sizes: &[usize]) -> impl Iterator<Item = Vec<usize>> + '_ {
    let total: usize = sizes.iter().product();
    (0..total).map(move |mut flat| {
        let mut places = vec![0; sizes.len()];
        for (place, size) in places.iter_mut().zip(sizes).rev() {
            *place = flat % size;
            flat /= size;
        }
        places
    })
}

#[derive(Debug)]
struct Conv {
    windows: Windows,
    groups: usize,
}

pub(super) fn build(name: &str, attributes: Attributes<'_>, _: i64) -> Family {
    if name != "Conv" {
        return None;
    }
    let groups = attributes.int("group").unwrap_or(1);
    match (Windows::of(attributes), usize::try_from(groups).ok().filter(|groups| *groups > 0)) {
        (Ok(windows), Some(groups)) => boxed(Conv { windows, groups }),
        (Err((name, reason)), _) => refused(name, reason),
        (_, None) => refused("group", format!("has the value {groups}")),
    }
}

impl Standard for Conv {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        floating!(x, T => {
            let bias = inputs.optional(2).map(|bias| T::of(bias)).transpose()?;
            one(T::tensor(self.convolved(T::of(x)?, inputs.array::<T>(1)?, bias, budget)?))
        })
    }
}

impl Conv {
    /// Each window as a column, and the kernels times all columns.
    fn convolved<T: Number + tract_onnx::prelude::tract_ndarray::LinalgScalar>(
        &self,
        x: &Array<T>,
        kernels: &Array<T>,
        bias: Option<&Array<T>>,
        budget: &Budget,
    ) -> Result<Array<T>, RunFault> {
        let expected = || format!("what kernels of {:?} in {} groups go over", kernels.shape, self.groups);
        let misfit = || RunFault::Shape { expected: expected(), found: x.shape.clone() };
        let ([rows, channels, lengths @ ..], [outputs, inner, kernel @ ..]) = (&x.shape[..], &kernels.shape[..]) else {
            return Err(misfit());
        };
        let fits = inner.checked_mul(self.groups) == Some(*channels) && outputs % self.groups == 0;
        if !fits || lengths.len() != kernel.len() || bias.is_some_and(|bias| bias.data.len() != *outputs) {
            return Err(misfit());
        }
        let windows = self.windows.over(lengths, Some(kernel))?;
        let places: Vec<usize> = windows.iter().map(|window| window.places).collect();
        let shape = [&[*rows, *outputs][..], &places].concat();
        let mut data = Vec::with_capacity(budget.shape(&shape)?);
        let columns = budget.shape(&places)?;
        let height = inner * kernel.iter().product::<usize>();
        // A place costs as much as four numbers.
        budget.values(height.saturating_mul(columns).saturating_mul(4))?;
        // Where each value of a column comes from within a channel; none is a zero.
        let mut sources = Vec::with_capacity(kernel.iter().product::<usize>() * columns);
        for within in combinations(kernel) {
            for place in combinations(&places) {
                let mut at = windows.iter().zip(&place).zip(&within).zip(lengths);
                sources.push(at.try_fold(0, |flat, (((window, place), within), length)| {
                    Some(flat * length + window.at(*place, *within)?)
                }));
            }
        }
        let (size, of_group) = (lengths.iter().product::<usize>(), outputs / self.groups);
        let mut unrolled = Vec::with_capacity(height * columns);
        for row in 0..*rows {
            for group in 0..self.groups {
                budget.time()?;
                unrolled.clear();
                for channel in 0..*inner {
                    let first = (row * channels + group * inner + channel) * size;
                    let channel = &x.data[first..first + size];
                    unrolled.extend(sources.iter().map(|source| source.map_or(T::ZERO, |source| channel[source])));
                }
                let first = group * of_group * height;
                let of = &kernels.data[first..first + of_group * height];
                let a = Matrix { data: of, rows: of_group, columns: height, flipped: false };
                product(a, Matrix { data: &unrolled, rows: height, columns, flipped: false }, &mut data, budget)?;
            }
        }
        if let Some(bias) = bias {
            for (place, map) in data.chunks_exact_mut(columns.max(1)).enumerate() {
                map.iter_mut().for_each(|value| *value = Number::add(*value, bias.data[place % outputs]));
            }
        }
        Ok(Array { shape, data })
    }
}
