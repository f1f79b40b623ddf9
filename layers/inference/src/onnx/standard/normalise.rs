//! Values set against one another: softmax, and means and deviations made 0 and 1.

use super::reduce::count;
use super::typed::{Number, floating};
use super::{
    Array, Attributes, Budget, Element, Family, Inputs, Outputs, RunFault, Standard, around, axis, boxed, one,
};

#[derive(Clone, Copy, Debug)]
enum Kind {
    Softmax,
    LogSoftmax,
    Hardmax,
}

/// Values of a line set against one another.
#[derive(Debug)]
struct Softmax {
    kind: Kind,
    axis: i64,
    /// Before version 13 all from the axis on is one line.
    to_the_end: bool,
}

#[derive(Debug)]
struct LpNormalization {
    axis: i64,
    p: i64,
}

/// `LayerNormalization`, and `RMSNormalization`, which leaves the mean.
#[derive(Debug)]
struct LayerNormalization {
    axis: i64,
    epsilon: f64,
    centred: bool,
}

/// `BatchNormalization`: means and variances are inputs. `InstanceNormalization`: they are those of each channel.
#[derive(Debug)]
struct ChannelNormalization {
    epsilon: f64,
    own: bool,
}

pub(super) fn build(name: &str, attributes: Attributes<'_>, version: i64) -> Family {
    let softmax = |kind| {
        let to_the_end = version < 13;
        boxed(Softmax { kind, axis: attributes.int("axis").unwrap_or(if to_the_end { 1 } else { -1 }), to_the_end })
    };
    let epsilon = f64::from(attributes.float("epsilon").unwrap_or(1e-5));
    match name {
        "Softmax" => softmax(Kind::Softmax),
        "LogSoftmax" => softmax(Kind::LogSoftmax),
        "Hardmax" => softmax(Kind::Hardmax),
        "LpNormalization" => {
            boxed(LpNormalization { axis: attributes.int("axis").unwrap_or(-1), p: attributes.int("p").unwrap_or(2) })
        }
        "LayerNormalization" | "RMSNormalization" => {
            let axis = attributes.int("axis").unwrap_or(-1);
            boxed(LayerNormalization { axis, epsilon, centred: name == "LayerNormalization" })
        }
        "BatchNormalization" if attributes.flag("training_mode") => {
            super::shape::refused("training_mode", "is set; export the model for inference")
        }
        "BatchNormalization" if version < 9 && attributes.int("spatial") == Some(0) => {
            super::shape::refused("spatial", "is 0, which is not supported")
        }
        "BatchNormalization" => boxed(ChannelNormalization { epsilon, own: false }),
        "InstanceNormalization" => boxed(ChannelNormalization { epsilon, own: true }),
        _ => None,
    }
}

/// Does something to each line along an axis, in 64-bit floats.
fn lines<T: Number>(
    x: &Array<T>,
    (before, along, after): (usize, usize, usize),
    with: impl Fn(&mut [f64]),
) -> Array<T> {
    let mut data = x.data.clone();
    let mut line = vec![0.0; along];
    for first in (0..before).flat_map(|outer| (0..after).map(move |inner| outer * along * after + inner)) {
        line.iter_mut().enumerate().for_each(|(at, value)| *value = x.data[first + at * after].wide());
        with(&mut line);
        line.iter().enumerate().for_each(|(at, value)| data[first + at * after] = T::narrow(*value));
    }
    x.like(data)
}

impl Standard for Softmax {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        budget.shape(x.shape())?;
        let shape = if x.shape().is_empty() { &[1][..] } else { x.shape() };
        let parts = if self.to_the_end {
            let at = if self.axis == super::signed(shape.len()) { shape.len() } else { axis(self.axis, shape.len())? };
            (shape[..at].iter().product(), shape[at..].iter().product(), 1)
        } else {
            around(shape, axis(self.axis, shape.len())?)
        };
        let kind = self.kind;
        floating!(x, T => one(T::tensor(lines(T::of(x)?, parts, |line| kind.apply(line)))))
    }
}

impl Kind {
    fn apply(self, line: &mut [f64]) {
        let most = line.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match self {
            Self::Softmax => {
                line.iter_mut().for_each(|value| *value = (*value - most).exp());
                let sum: f64 = line.iter().sum();
                line.iter_mut().for_each(|value| *value /= sum);
            }
            Self::LogSoftmax => {
                let sum: f64 = line.iter().map(|value| (value - most).exp()).sum();
                line.iter_mut().for_each(|value| *value = *value - most - sum.ln());
            }
            Self::Hardmax => {
                let best = line.iter().position(|value| *value >= most);
                line.iter_mut().enumerate().for_each(|(at, value)| *value = if Some(at) == best { 1.0 } else { 0.0 });
            }
        }
    }
}

impl Standard for LpNormalization {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        budget.shape(x.shape())?;
        let parts = around(x.shape(), axis(self.axis, x.shape().len())?);
        let by_sum = self.p == 1;
        floating!(x, T => one(T::tensor(lines(T::of(x)?, parts, |line| {
            let norm = if by_sum {
                line.iter().map(|value| value.abs()).sum::<f64>()
            } else {
                line.iter().map(|value| value * value).sum::<f64>().sqrt()
            };
            // Of nothing but zeros, nothing but zeros is made.
            line.iter_mut().for_each(|value| *value = if norm > 0.0 || norm.is_nan() { *value / norm } else { 0.0 });
        }))))
    }
}

/// Mean, and one over the deviation.
fn moments(values: impl Iterator<Item = f64> + Clone, length: usize, epsilon: f64, centred: bool) -> (f64, f64) {
    let length = count(length);
    let mean = if centred { values.clone().sum::<f64>() / length } else { 0.0 };
    let variance = values.map(|value| (value - mean) * (value - mean)).sum::<f64>() / length;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

impl Standard for LayerNormalization {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        budget.shape(x.shape())?;
        let at = axis(self.axis, x.shape().len())?;
        let (groups, width) = (x.shape()[..at].iter().product::<usize>(), x.shape()[at..].iter().product::<usize>());
        floating!(x, T => {
            let values = T::of(x)?;
            let (mut data, mut means, mut factors) = (Vec::with_capacity(values.data.len()), Vec::new(), Vec::new());
            for group in values.data.chunks_exact(width.max(1)).take(groups) {
                let numbers = group.iter().map(|value| value.wide());
                let (mean, factor) = moments(numbers.clone(), width, self.epsilon, self.centred);
                data.extend(numbers.map(|value| T::narrow((value - mean) * factor)));
                means.push(T::narrow(mean));
                factors.push(T::narrow(factor));
            }
            let scaled = super::shape::stretched(&values.like(data), inputs.array::<T>(1)?, budget, |a, b| a.mul(*b))?;
            let shown = match inputs.optional(2) {
                Some(bias) => super::shape::stretched(&scaled, T::of(bias)?, budget, |a, b| a.add(*b))?,
                None => scaled,
            };
            let shape: Vec<usize> = (0..x.shape().len()).map(|axis| if axis < at { x.shape()[axis] } else { 1 }).collect();
            let (means, factors) = (Array { shape: shape.clone(), data: means }, Array { shape, data: factors });
            Ok(vec![T::tensor(shown), T::tensor(means), T::tensor(factors)])
        })
    }
}

impl Standard for ChannelNormalization {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        budget.shape(x.shape())?;
        if x.shape().len() < 2 {
            return Err(RunFault::Shape { expected: "rows and channels".to_owned(), found: x.shape().to_vec() });
        }
        let (_, channels, size) = around(x.shape(), 1);
        let of_channels = |place: usize| -> Result<Vec<f64>, RunFault> {
            let input = inputs.get(place)?;
            let values: Vec<f64> =
                floating!(input, T => Ok(T::of(input)?.data.iter().map(|value| value.wide()).collect()))?;
            if values.len() == channels {
                return Ok(values);
            }
            Err(RunFault::Shape { expected: format!("{channels} channels"), found: input.shape().to_vec() })
        };
        let (scale, bias) = (of_channels(1)?, of_channels(2)?);
        let given = if self.own { None } else { Some((of_channels(3)?, of_channels(4)?)) };
        floating!(x, T => {
            let values = T::of(x)?;
            let mut data = Vec::with_capacity(values.data.len());
            for (place, group) in values.data.chunks_exact(size.max(1)).enumerate() {
                let channel = place % channels.max(1);
                let numbers = group.iter().map(|value| value.wide());
                let (mean, factor) = match &given {
                    Some((means, variances)) => (means[channel], 1.0 / (variances[channel] + self.epsilon).sqrt()),
                    None => moments(numbers.clone(), size, self.epsilon, true),
                };
                data.extend(numbers.map(|value| T::narrow((value - mean) * factor * scale[channel] + bias[channel])));
            }
            one(T::tensor(values.like(data)))
        })
    }
}
