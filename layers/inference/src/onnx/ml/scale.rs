//! `Scaler`, `Normalizer`, `Imputer` and `Binarizer`: each number by itself, or with its row.

use super::{Array, BuildFault, Operator, RunFault, Tensor, Value, floats, input, numbers};
use crate::onnx::attributes::Attributes;

/// What each column takes: one for all, or one for each.
fn of_columns<'a, T>(
    name: &str,
    values: &'a [T],
    width: usize,
) -> Result<impl Fn(usize) -> &'a T + use<'a, T>, RunFault> {
    if values.len() != 1 && values.len() != width {
        let found = vec![width];
        return Err(RunFault::Shape {
            expected: format!("as many columns as `{name}` has values: {}", values.len()),
            found,
        });
    }
    Ok(move |place: usize| &values[if values.len() == 1 { 0 } else { place % width }])
}

/// `(x - offset) * scale`.
#[derive(Debug)]
pub(super) struct Scaler {
    offset: Vec<f32>,
    scale: Vec<f32>,
}

impl Scaler {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        let (offset, scale) = (numbers(attributes, "offset"), numbers(attributes, "scale"));
        if offset.is_empty() {
            return Err(BuildFault::attribute("offset", "is needed"));
        }
        if scale.len() != offset.len() {
            let reason = format!("has {} values, and `offset` has {}", scale.len(), offset.len());
            return Err(BuildFault::attribute("scale", reason));
        }
        Ok(Self { offset, scale })
    }
}

impl Operator for Scaler {
    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let x = floats(inputs)?;
        let (_, width) = x.rows()?;
        let (offset, scale) = (of_columns("offset", &self.offset, width)?, of_columns("scale", &self.scale, width)?);
        let scaled = x.data.iter().enumerate().map(|(place, x)| (x - offset(place)) * scale(place)).collect();
        Ok(vec![x.like(scaled).into()])
    }
}

/// What a row is divided by.
#[derive(Clone, Copy, Debug)]
enum Norm {
    /// Its greatest value.
    Max,
    /// The sum of its sizes.
    L1,
    /// Its length.
    L2,
}

/// Rows over their norm; a row whose norm is zero stays as it is.
#[derive(Debug)]
pub(super) struct Normalizer(Norm);

impl Normalizer {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        match attributes.text("norm")? {
            None | Some("MAX") => Ok(Self(Norm::Max)),
            Some("L1") => Ok(Self(Norm::L1)),
            Some("L2") => Ok(Self(Norm::L2)),
            Some(other) => Err(BuildFault::attribute("norm", format!("has the value `{other}`"))),
        }
    }

    fn norm(&self, row: &[f32]) -> f32 {
        match self.0 {
            // ONNX Runtime takes the greatest value, not the greatest size.
            Norm::Max => row.iter().copied().fold(f32::MIN, |most, x| if x > most { x } else { most }),
            Norm::L1 => row.iter().map(|x| x.abs()).sum(),
            Norm::L2 => row.iter().map(|x| x * x).sum::<f32>().sqrt(),
        }
    }
}

impl Operator for Normalizer {
    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let x = floats(inputs)?;
        let (_, width) = x.rows()?;
        let mut data = x.data.clone();
        for row in data.chunks_exact_mut(width.max(1)) {
            let norm = self.norm(row);
            if norm != 0.0 {
                row.iter_mut().for_each(|x| *x /= norm);
            }
        }
        Ok(vec![x.like(data).into()])
    }
}

/// 1 above the threshold, else 0.
#[derive(Debug)]
pub(super) struct Binarizer(f32);

impl Binarizer {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        Ok(Self(attributes.get("threshold").map_or(0.0, |attribute| attribute.f)))
    }
}

impl Operator for Binarizer {
    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let x = floats(inputs)?;
        let above = |x: &f32| if *x > self.0 { 1.0 } else { 0.0 };
        Ok(vec![x.like(x.data.iter().map(above).collect()).into()])
    }
}

/// Puts a value in place of a missing one.
#[derive(Debug)]
pub(super) enum Imputer {
    Floats { imputed: Vec<f32>, missing: f32 },
    Ints { imputed: Vec<i64>, missing: i64 },
}

impl Imputer {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        let (floats, ints) = (numbers(attributes, "imputed_value_floats"), attributes.ints("imputed_value_int64s"));
        match (floats.is_empty(), ints.is_empty()) {
            (false, true) => {
                let missing = attributes.get("replaced_value_float").map_or(0.0, |attribute| attribute.f);
                Ok(Self::Floats { imputed: floats, missing })
            }
            (true, false) => {
                let missing = attributes.int("replaced_value_int64").unwrap_or(0);
                Ok(Self::Ints { imputed: ints.to_vec(), missing })
            }
            (true, true) => Err(BuildFault::attribute("imputed_value_floats", "is needed, or `imputed_value_int64s`")),
            (false, false) => {
                Err(BuildFault::attribute("imputed_value_floats", "is given, and `imputed_value_int64s` too"))
            }
        }
    }
}

impl Operator for Imputer {
    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let tensor = match (self, input(inputs, 0)?.tensor()?) {
            (Self::Floats { imputed, missing }, Tensor::Float(x)) => {
                #[expect(clippy::float_cmp, reason = "the operator compares exactly")]
                let is_missing = |x: &f32| x == missing || (x.is_nan() && missing.is_nan());
                Tensor::Float(impute("imputed_value_floats", x, imputed, is_missing)?)
            }
            (Self::Ints { imputed, missing }, Tensor::Int64(x)) => {
                Tensor::Int64(impute("imputed_value_int64s", x, imputed, |x| x == missing)?)
            }
            (Self::Floats { .. }, other) => return Err(RunFault::of_type("tensor(float)", other.type_name())),
            (Self::Ints { .. }, other) => return Err(RunFault::of_type("tensor(int64)", other.type_name())),
        };
        Ok(vec![Value::Tensor(tensor)])
    }
}

fn impute<T: Copy>(
    name: &str,
    x: &Array<T>,
    imputed: &[T],
    is_missing: impl Fn(&T) -> bool,
) -> Result<Array<T>, RunFault> {
    let (_, width) = x.rows()?;
    let imputed = of_columns(name, imputed, width)?;
    let filled = x.data.iter().enumerate().map(|(place, x)| if is_missing(x) { *imputed(place) } else { *x });
    Ok(x.like(filled.collect()))
}
