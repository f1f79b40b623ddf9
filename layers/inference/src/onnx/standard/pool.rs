//! Windows whose greatest value, or mean, is taken.

use super::image::{Windows, combinations};
use super::reduce::count;
use super::shape::refused;
use super::typed::{Number, floating};
use super::{Array, Attributes, Budget, Element, Family, Inputs, Outputs, RunFault, Standard, Tensor, boxed, signed};

#[derive(Clone, Copy, Debug)]
enum Kind {
    Max,
    /// The mean, also over what is added at the ends or not.
    Average {
        with_pads: bool,
    },
}

#[derive(Debug)]
struct Pool {
    kind: Kind,
    windows: Windows,
    outputs: usize,
}

/// The greatest value, or the mean, of all of a channel.
#[derive(Debug)]
struct Global {
    max: bool,
}

pub(super) fn build(name: &str, attributes: Attributes<'_>, _: i64) -> Family {
    let kind = match name {
        "MaxPool" if attributes.flag("storage_order") => {
            return refused("storage_order", "is 1, which is not supported");
        }
        "MaxPool" => Kind::Max,
        "AveragePool" => Kind::Average { with_pads: attributes.flag("count_include_pad") },
        "GlobalAveragePool" => return boxed(Global { max: false }),
        "GlobalMaxPool" => return boxed(Global { max: true }),
        _ => return None,
    };
    match Windows::of(attributes) {
        Ok(windows) => boxed(Pool { kind, windows, outputs: attributes.0.output.len() }),
        Err((name, reason)) => refused(name, reason),
    }
}

impl Standard for Global {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        let [rows, channels, lengths @ ..] = x.shape() else {
            return Err(RunFault::Shape { expected: "rows and channels".to_owned(), found: x.shape().to_vec() });
        };
        budget.shape(x.shape())?;
        let size: usize = lengths.iter().product();
        let shape = [&[*rows, *channels][..], &vec![1; lengths.len()]].concat();
        floating!(x, T => {
            let of = |map: &[T]| {
                if self.max {
                    return map.iter().fold(T::LEAST, |most, value| value.greatest(most));
                }
                T::narrow(map.iter().map(|value| value.wide()).sum::<f64>() / count(size))
            };
            let data = T::of(x)?.data.chunks_exact(size.max(1)).map(of).collect();
            Ok(vec![T::tensor(Array { shape, data })])
        })
    }
}

impl Standard for Pool {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        let [rows, channels, lengths @ ..] = x.shape() else {
            return Err(RunFault::Shape { expected: "rows and channels".to_owned(), found: x.shape().to_vec() });
        };
        let windows = self.windows.over(lengths, None)?;
        let sizes: Vec<usize> = windows.iter().map(|window| window.size).collect();
        let places: Vec<usize> = windows.iter().map(|window| window.places).collect();
        let shape = [&[*rows, *channels][..], &places].concat();
        let needed = budget.shape(&shape)?;
        let in_windows = sizes.iter().chain(&places).try_fold(1_usize, |total, size| total.checked_mul(*size));
        // A place costs as much as two numbers.
        budget.values(in_windows.unwrap_or(usize::MAX).saturating_mul(2))?;
        let size: usize = lengths.iter().product();
        // For each window its places in a channel, and how many count.
        let mut sources = Vec::with_capacity(places.iter().product());
        for place in combinations(&places) {
            let (mut inside, mut counted) = (Vec::new(), 0);
            for within in combinations(&sizes) {
                let at = || windows.iter().zip(&place).zip(&within);
                let flat = at().zip(lengths).try_fold(0, |flat, (((window, place), within), length)| {
                    Some(flat * length + window.at(*place, *within)?)
                });
                inside.extend(flat);
                let padded = at().all(|((window, place), within)| window.is_padded(*place, *within));
                counted += usize::from(match self.kind {
                    Kind::Average { with_pads: true } => padded,
                    _ => flat.is_some(),
                });
            }
            sources.push((inside, counted));
        }
        floating!(x, T => {
            let (mut data, mut found_at) = (Vec::with_capacity(needed), Vec::new());
            for (channel, map) in T::of(x)?.data.chunks_exact(size.max(1)).enumerate() {
                budget.time()?;
                for (inside, counted) in &sources {
                    let Kind::Max = self.kind else {
                        let sum: f64 = inside.iter().map(|place| map[*place].wide()).sum();
                        data.push(T::narrow(sum / count(*counted)));
                        continue;
                    };
                    let better = |best: Option<usize>, place: &usize| match best {
                        Some(best) if map[best].missing() || map[*place] <= map[best] => Some(best),
                        _ => Some(*place),
                    };
                    let best = inside.iter().fold(None, better);
                    data.push(best.map_or(T::LEAST, |best| map[best]));
                    found_at.push(signed(channel * size + best.unwrap_or(0)));
                }
            }
            let mut outputs = vec![T::tensor(Array { shape: shape.clone(), data })];
            if self.outputs > 1 {
                outputs.push(Tensor::Int64(Array { shape, data: found_at }));
            }
            Ok(outputs)
        })
    }
}
