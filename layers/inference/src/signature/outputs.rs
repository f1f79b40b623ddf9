//! What a model gives, told row by row.

use super::{Bound, Output, Role, Scalar};
use crate::onnx::{Labels, Tensor, Value};

/// Where the outcome is expected to lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
    /// The share of outcomes that it is to hold, 0 to 1, where that is known.
    pub coverage: Option<f64>,
}

/// The classes among which the outcome is expected to be.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassSet {
    /// The classes, in the model's order.
    pub classes: Vec<String>,
    /// The share of outcomes that such sets are to hold, 0 to 1.
    pub coverage: f64,
}

/// The answer for one row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prediction {
    /// The class that was chosen.
    pub label: Option<Scalar>,
    /// Each class with its probability, in the model's order.
    pub probabilities: Option<Vec<(String, f64)>>,
    /// The predicted number.
    pub value: Option<f64>,
    /// The numbers of several targets, in the model's order.
    pub values: Option<Vec<f64>>,
    /// By the model's own quantiles, or by the calibration of its version.
    pub interval: Option<Interval>,
    /// By the calibration of its version.
    pub set: Option<ClassSet>,
    /// Other outputs, by name.
    pub others: Vec<(String, Vec<Scalar>)>,
}

/// What of an output cannot be told row by row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("output `{output}`: {reason}")]
pub struct OutputFault {
    /// The output.
    pub output: String,
    /// Why.
    pub reason: String,
}

impl Bound {
    /// The answers for `rows` rows, in their order, of the model's outputs in theirs.
    ///
    /// # Errors
    /// An output has not one item for each row, or not what its role says.
    pub fn predictions(&self, rows: usize, outputs: &[Value]) -> Result<Vec<Prediction>, OutputFault> {
        let mut predictions = vec![Prediction::default(); rows];
        for (output, value) in self.signature.outputs.iter().zip(outputs) {
            let fault = |reason: String| OutputFault { output: output.name.clone(), reason };
            let items = Items::new(value, rows).map_err(fault)?;
            for (row, prediction) in predictions.iter_mut().enumerate() {
                tell(output, &items, row, prediction).map_err(fault)?;
            }
        }
        Ok(predictions)
    }
}

/// An output, cut into rows.
enum Items<'a> {
    /// So many values of a row.
    Tensor { tensor: &'a Tensor, width: usize },
    /// Values by class.
    Named { names: Vec<String>, values: &'a [f32] },
}

impl<'a> Items<'a> {
    fn new(value: &'a Value, rows: usize) -> Result<Self, String> {
        match value {
            Value::Maps(labels, table) => {
                let names = match labels {
                    Labels::Ints(labels) => labels.iter().map(i64::to_string).collect(),
                    Labels::Strings(labels) => labels.clone(),
                };
                Ok(Self::Named { names, values: &table.data })
            }
            Value::Tensor(tensor) => {
                let length: usize = tensor.shape().iter().product();
                if rows == 0 || !length.is_multiple_of(rows) {
                    return Err(format!("it has the shape {:?}, which is not {rows} rows", tensor.shape()));
                }
                Ok(Self::Tensor { tensor, width: length / rows })
            }
            Value::Map(..) => Err("it is one map, and not one for each row".to_owned()),
        }
    }

    fn numbers(&self, row: usize) -> Result<Vec<f64>, String> {
        let scalars = self.scalars(row);
        let number = |scalar: &Scalar| match scalar {
            Scalar::Number(number) => Ok(*number),
            #[expect(clippy::cast_precision_loss, reason = "a number that a model gives")]
            Scalar::Integer(number) => Ok(*number as f64),
            Scalar::Boolean(flag) => Ok(f64::from(*flag)),
            Scalar::Text(_) => Err("it holds texts, and its role needs numbers".to_owned()),
        };
        scalars.iter().map(number).collect()
    }

    fn scalars(&self, row: usize) -> Vec<Scalar> {
        match self {
            Self::Named { names, values } => {
                let values = values.iter().skip(row * names.len()).take(names.len());
                values.map(|value| Scalar::Number(f64::from(*value))).collect()
            }
            Self::Tensor { tensor, width } => {
                let places = row * width..(row + 1) * width;
                match tensor {
                    Tensor::Float(array) => {
                        array.data[places].iter().map(|value| Scalar::Number(f64::from(*value))).collect()
                    }
                    Tensor::Double(array) => array.data[places].iter().map(|value| Scalar::Number(*value)).collect(),
                    Tensor::Int64(array) => array.data[places].iter().map(|value| Scalar::Integer(*value)).collect(),
                    Tensor::Int32(array) => {
                        array.data[places].iter().map(|value| Scalar::Integer((*value).into())).collect()
                    }
                    Tensor::Bool(array) => array.data[places].iter().map(|value| Scalar::Boolean(*value)).collect(),
                    Tensor::String(array) => {
                        array.data[places].iter().map(|value| Scalar::Text(value.clone())).collect()
                    }
                }
            }
        }
    }
}

/// Adds an output to the answer of a row.
fn tell(output: &Output, items: &Items<'_>, row: usize, prediction: &mut Prediction) -> Result<(), String> {
    match output.role {
        Role::Label => {
            let scalars = items.scalars(row);
            let [label] = &scalars[..] else { return Err(format!("it has {} labels for a row", scalars.len())) };
            prediction.label = Some(label.clone());
        }
        Role::Probabilities => {
            let numbers = items.numbers(row)?;
            let names: Vec<String> = match (items, &output.classes) {
                (Items::Named { names, .. }, _) => names.clone(),
                (_, Some(classes)) if classes.len() == numbers.len() => classes.iter().map(Scalar::to_string).collect(),
                (_, Some(classes)) => {
                    return Err(format!("it has {} columns for {} classes", numbers.len(), classes.len()));
                }
                (_, None) => (0..numbers.len()).map(|place| place.to_string()).collect(),
            };
            prediction.probabilities = Some(names.into_iter().zip(numbers).collect());
        }
        Role::Value => match &items.numbers(row)?[..] {
            [value] => prediction.value = Some(*value),
            values => prediction.values = Some(values.to_vec()),
        },
        Role::Lower | Role::Upper => {
            let numbers = items.numbers(row)?;
            let [number] = numbers[..] else { return Err(format!("it has {} values for a row", numbers.len())) };
            let whole = Interval { lower: f64::NEG_INFINITY, upper: f64::INFINITY, coverage: None };
            let interval = prediction.interval.get_or_insert(whole);
            if output.role == Role::Lower {
                interval.lower = number;
            } else {
                interval.upper = number;
            }
            interval.coverage = interval.coverage.or(output.coverage);
        }
        Role::Other => prediction.others.push((output.name.clone(), items.scalars(row))),
    }
    Ok(())
}
