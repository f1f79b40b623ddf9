//! What tests compare: values as fixtures hold them, and what differs between two.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read fails its test")]

use prost::Message as _;
use serde::Deserialize;
use tract_onnx::pb::TensorProto;

use super::tensor;
use super::value::{Array, Labels, Tensor, Value};

/// How far numbers may differ, of 1 or of their size, whichever is more: both sides sum 32-bit floats, in other orders.
const TOLERANCE: f64 = 1e-5;

/// The bytes of a file that is compressed by gzip.
pub(crate) fn unpacked(path: &std::path::Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut bytes).unwrap();
    bytes
}

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

/// What differs by more than the tolerance, if anything.
pub(crate) fn difference(found: &Value, expected: &Value) -> Option<String> {
    match furthest(found, expected) {
        Ok(most) if most <= TOLERANCE => None,
        Ok(most) => Some(format!("a number differs by {most}")),
        Err(fault) => Some(fault),
    }
}

/// How far the furthest number is from what it should be, of 1 or of its size; or what else is wrong.
pub(crate) fn furthest(found: &Value, expected: &Value) -> Result<f64, String> {
    let wide = |array: &Array<f32>| array.data.iter().copied().map(f64::from).collect::<Vec<_>>();
    match (found, expected) {
        (Value::Tensor(found), Value::Tensor(expected)) if found.shape() != expected.shape() => {
            Err(format!("the shape is {:?} and not {:?}", found.shape(), expected.shape()))
        }
        (Value::Tensor(Tensor::Float(found)), Value::Tensor(Tensor::Float(expected))) => {
            of_numbers(&wide(found), &wide(expected))
        }
        (Value::Tensor(Tensor::Double(found)), Value::Tensor(Tensor::Double(expected))) => {
            of_numbers(&found.data, &expected.data)
        }
        (Value::Maps(keys, found), Value::Maps(expected_keys, expected)) => {
            if keys.take(&order(keys)) != expected_keys.take(&order(expected_keys)) {
                return Err(format!("the keys are {keys:?} and not {expected_keys:?}"));
            }
            of_numbers(&by_key(keys, found), &by_key(expected_keys, expected))
        }
        (found, expected) if found == expected => Ok(0.0),
        (Value::Tensor(Tensor::Int64(found)), Value::Tensor(Tensor::Int64(expected))) => {
            Err(first_difference(&found.data, &expected.data))
        }
        (Value::Tensor(Tensor::String(found)), Value::Tensor(Tensor::String(expected))) => {
            Err(first_difference(&found.data, &expected.data))
        }
        (found, expected) => Err(format!("{found:?} is not {expected:?}")),
    }
}

fn first_difference<T: PartialEq + std::fmt::Debug>(found: &[T], expected: &[T]) -> String {
    let count = found.iter().zip(expected).filter(|(one, other)| one != other).count();
    let place = found.iter().zip(expected).position(|(one, other)| one != other).unwrap_or(0);
    format!("{count} differ: value {place} is {:?} and not {:?}", found[place], expected[place])
}

fn of_numbers(found: &[f64], expected: &[f64]) -> Result<f64, String> {
    let mut most = 0.0_f64;
    for (place, (one, other)) in found.iter().zip(expected).enumerate() {
        if one == other || (one.is_nan() && other.is_nan()) {
            continue;
        }
        let far = (one - other).abs() / other.abs().max(1.0);
        if far.is_nan() || far > TOLERANCE {
            return Err(format!("value {place} is {one} and not {other}"));
        }
        most = most.max(far);
    }
    Ok(most)
}

fn order(keys: &Labels) -> Vec<usize> {
    let mut places: Vec<usize> = (0..keys.len()).collect();
    match keys {
        Labels::Ints(keys) => places.sort_by_key(|place| keys[*place]),
        Labels::Strings(keys) => places.sort_by_key(|place| keys[*place].clone()),
    }
    places
}

/// The values of maps, row by row, by the order of their keys.
fn by_key(keys: &Labels, array: &Array<f32>) -> Vec<f64> {
    let order = order(keys);
    let rows = array.data.chunks_exact(keys.len());
    rows.flat_map(|row| order.iter().map(|place| f64::from(row[*place])).collect::<Vec<_>>()).collect()
}
