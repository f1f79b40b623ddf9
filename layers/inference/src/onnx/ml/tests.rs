//! Each operator against what ONNX Runtime gives for the same node: `tests/fixtures/onnx_ml.py` makes the cases.
#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use prost::Message as _;
use serde::Deserialize;

use super::*;
use crate::onnx::proto::TensorProto;
use crate::onnx::tensor;

/// How far numbers may differ, of 1 or of their size, whichever is more: both sides sum 32-bit floats, in other orders.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Case {
    name: String,
    version: i64,
    node: String,
    inputs: Vec<Item>,
    outputs: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Tensor { tensor: String },
    Map { keys: String, values: String },
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().as_chunks::<2>().0;
    digits.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn tensor_of(hexadecimal: &str) -> Tensor {
    tensor::read(&TensorProto::decode(&bytes(hexadecimal)[..]).unwrap()).unwrap()
}

impl Item {
    fn value(&self) -> Value {
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
fn difference(found: &Value, expected: &Value) -> Option<String> {
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

fn fault(case: &Case) -> Option<String> {
    let node = NodeProto::decode(&bytes(&case.node)[..]).unwrap();
    let operator = match build(&node, case.version) {
        Ok(operator) => operator,
        Err(fault) => return Some(format!("cannot be built: {fault}")),
    };
    let inputs: Vec<Value> = case.inputs.iter().map(Item::value).collect();
    let found = match operator.run(&inputs.iter().collect::<Vec<_>>()) {
        Ok(found) => found,
        Err(fault) => return Some(format!("cannot be run: {fault}")),
    };
    if found.len() != case.outputs.len() {
        return Some(format!("{} outputs in place of {}", found.len(), case.outputs.len()));
    }
    let mut differences =
        found.iter().zip(&case.outputs).filter_map(|(found, expected)| difference(found, &expected.value()));
    differences.next()
}

/// All cases of an operator; at least 30 of them.
fn check(operator: &str) {
    let path = format!("{}/tests/fixtures/onnx_ml/{operator}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let cases: Vec<Case> =
        std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(cases.len() >= 30, "{} cases", cases.len());
    let faults: Vec<String> =
        cases.iter().filter_map(|case| Some(format!("{}: {}", case.name, fault(case)?))).collect();
    assert!(faults.is_empty(), "{} of {} differ:\n{}", faults.len(), cases.len(), faults.join("\n"));
}

macro_rules! operators {
    ($($test:ident: $operator:literal,)*) => {
        $(#[test]
        fn $test() {
            check($operator);
        })*
    };
}

operators! {
    array_feature_extractor_is_what_onnx_runtime_has: "ArrayFeatureExtractor",
    binarizer_is_what_onnx_runtime_has: "Binarizer",
    cast_map_is_what_onnx_runtime_has: "CastMap",
    category_mapper_is_what_onnx_runtime_has: "CategoryMapper",
    dict_vectorizer_is_what_onnx_runtime_has: "DictVectorizer",
    feature_vectorizer_is_what_onnx_runtime_has: "FeatureVectorizer",
    imputer_is_what_onnx_runtime_has: "Imputer",
    label_encoder_is_what_onnx_runtime_has: "LabelEncoder",
    linear_classifier_is_what_onnx_runtime_has: "LinearClassifier",
    linear_regressor_is_what_onnx_runtime_has: "LinearRegressor",
    normalizer_is_what_onnx_runtime_has: "Normalizer",
    one_hot_encoder_is_what_onnx_runtime_has: "OneHotEncoder",
    scaler_is_what_onnx_runtime_has: "Scaler",
    svm_classifier_is_what_onnx_runtime_has: "SVMClassifier",
    svm_regressor_is_what_onnx_runtime_has: "SVMRegressor",
    tree_ensemble_is_what_onnx_runtime_has: "TreeEnsemble",
    tree_ensemble_classifier_is_what_onnx_runtime_has: "TreeEnsembleClassifier",
    tree_ensemble_regressor_is_what_onnx_runtime_has: "TreeEnsembleRegressor",
    zip_map_is_what_onnx_runtime_has: "ZipMap",
}
