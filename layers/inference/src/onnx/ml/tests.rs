//! Each operator against what ONNX Runtime gives for the same node: `tests/fixtures/onnx_ml.py` makes the cases.
#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use prost::Message as _;
use serde::Deserialize;

use super::*;
use crate::onnx::cases::{Item, bytes, difference};

#[derive(Deserialize)]
struct Case {
    name: String,
    version: i64,
    node: String,
    inputs: Vec<Item>,
    outputs: Vec<Item>,
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
