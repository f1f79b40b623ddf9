//! What tests compare: values as fixtures hold them, and what differs between two.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read fails its test")]

use prost::Message as _;
use serde::Deserialize;
use tract_onnx::pb::TensorProto;

use super::tensor;
use super::value::{Array, Labels, Tensor, Value};

/// How far numbers may differ, of 1 or of their size, whichever is more: both sides sum 32-bit floats, in other orders.
const TOLERANCE: f64 = 1e-5;

/// A value of a fixture.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Item {
    Tensor { tensor: String },
    Map { keys: String, values: String },
}

pub(crate) fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().as_chunks::<2>().0;
    digits.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn tensor_of(hexadecimal: &str) -> Tensor {
    tensor::read(&TensorProto::decode(&bytes(hexadecimal)[..]).unwrap()).unwrap()
}

impl Item {
    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Tensor { tensor } => Value::Tensor(tensor_of(tensor)),
            Self::Map { keys, values } => {
                let keys = match tensor_of(keys) {
                    Tensor::Int64(keys) => Labels::Ints(keys.data),
                    Tensor::String(keys) => Labels::Strings(keys.data),
                    other => panic!("keys of {}", other.type_name()),
                };
                match tensor_of(values) {
                    Tensor::Float(values) if values.shape.len() == 2 => Value::Maps(keys, values),
                    values => Value::Map(keys, values),
                }
            }
        }
    }
}

/// What differs, if anything.
pub(crate) fn difference(found: &Value, expected: &Value) -> Option<String> {
    let close = |one: f64, other: f64| {
        one == other || (one.is_nan() && other.is_nan()) || (one - other).abs() <= TOLERANCE * other.abs().max(1.0)
    };
    let numbers = |found: &[f64], expected: &[f64]| {
        let place = found.iter().zip(expected).position(|(one, other)| !close(*one, *other))?;
        Some(format!("value {place} is {} and not {}", found[place], expected[place]))
    };
    let wide = |array: &Array<f32>| array.data.iter().copied().map(f64::from).collect::<Vec<_>>();
    match (found, expected) {
        (Value::Tensor(found), Value::Tensor(expected)) if found.shape() != expected.shape() => {
            Some(format!("the shape is {:?} and not {:?}", found.shape(), expected.shape()))
        }
        (Value::Tensor(Tensor::Float(found)), Value::Tensor(Tensor::Float(expected))) => {
            numbers(&wide(found), &wide(expected))
        }
        (Value::Tensor(Tensor::Double(found)), Value::Tensor(Tensor::Double(expected))) => {
            numbers(&found.data, &expected.data)
        }
        (Value::Maps(keys, found), Value::Maps(expected_keys, expected)) => {
            let order = |keys: &Labels| {
                let mut places: Vec<usize> = (0..keys.len()).collect();
                match keys {
                    Labels::Ints(keys) => places.sort_by_key(|place| keys[*place]),
                    Labels::Strings(keys) => places.sort_by_key(|place| keys[*place].clone()),
                }
                places
            };
            let sorted = |keys: &Labels, array: &Array<f32>| -> Vec<f64> {
                let order = order(keys);
                let rows = array.data.chunks_exact(keys.len());
                rows.flat_map(|row| order.iter().map(|place| f64::from(row[*place])).collect::<Vec<_>>()).collect()
            };
            if keys.take(&order(keys)) != expected_keys.take(&order(expected_keys)) {
                return Some(format!("the keys are {keys:?} and not {expected_keys:?}"));
            }
            numbers(&sorted(keys, found), &sorted(expected_keys, expected))
        }
        (found, expected) => (found != expected).then(|| format!("{found:?} is not {expected:?}")),
    }
}
