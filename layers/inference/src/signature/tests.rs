//! Signatures: what files tell, what is completed, how rows are read.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value as Json, json};

use super::{Bound, Cell, ColumnCells, Draft, Row, Signature};
use crate::onnx::{Model, Tensor, Value};

fn model(name: &str) -> Model {
    let path = format!("{}/tests/fixtures/exports/{name}.onnx", env!("CARGO_MANIFEST_DIR"));
    Model::parse(&std::fs::read(path).unwrap()).unwrap()
}

fn draft(json: Json) -> Draft {
    serde_json::from_value(json).unwrap()
}

fn signature(name: &str, json: Json) -> Result<Signature, Vec<String>> {
    let complete = draft(json).complete(model(name).signature());
    complete.map_err(|faults| faults.into_iter().map(|fault| format!("{} {}", fault.pointer, fault.detail)).collect())
}

/// Five columns of numbers.
const FIVE: &str = "linear_regression";

#[test]
fn given_a_file_alone_then_its_columns_are_numbered_features_and_its_outputs_have_roles() {
    let derived = signature("lightgbm_two", json!({})).unwrap();
    let names: Vec<&str> = derived.inputs.iter().map(|feature| feature.name.as_str()).collect();
    assert_eq!(names, ["x0", "x1", "x2", "x3", "x4"]);
    let roles: Vec<Json> = derived.outputs.iter().map(|output| serde_json::to_value(output.role).unwrap()).collect();
    assert_eq!(roles, ["label", "probabilities"]);
}

#[test]
fn given_inputs_of_one_column_then_they_are_features_of_their_names_and_types() {
    let derived = signature("pipeline_one_hot_logistic_named", json!({})).unwrap();
    let told: Vec<Json> = derived.inputs.iter().map(|feature| json!([feature.name, feature.kind])).collect();
    let numbers = ["n0", "n1", "n2"].map(|name| json!([name, "number"]));
    let texts = ["kind", "place"].map(|name| json!([name, "string"]));
    assert_eq!(told, [&numbers[..], &texts[..]].concat());
}

#[test]
fn given_names_in_the_order_of_the_columns_then_a_row_is_read_by_them() {
    let inputs: Vec<Json> = ["a", "b", "c", "d", "e"].map(|name| json!({"name": name})).to_vec();
    let signature = signature(FIVE, json!({"inputs": inputs})).unwrap();
    let row = json!({"e": 5, "d": 4, "c": 3, "b": 2, "a": 1});
    let row = signature.read_row(row.as_object().unwrap()).unwrap();
    let bound = Bound::new(signature, &model(FIVE).signature().inputs).unwrap();
    let inputs = bound.inputs(&[row]);
    let Value::Tensor(Tensor::Float(array)) = inputs.values().next().unwrap() else { panic!("{inputs:?}") };
    assert_eq!((&array.shape[..], &array.data[..]), (&[1, 5][..], &[1.0, 2.0, 3.0, 4.0, 5.0][..]));
}

#[test]
fn given_too_few_names_then_the_number_of_columns_is_said() {
    let faults = signature(FIVE, json!({"inputs": [{"name": "a"}]})).unwrap_err();
    assert_eq!(faults, ["/inputs 1 features are given; the file's input has 5 columns"]);
}

#[test]
fn given_fields_that_contradict_each_other_then_each_is_named() {
    let five = |first: Json| {
        let mut inputs: Vec<Json> = ["a", "b", "c", "d", "e"].map(|name| json!({"name": name})).to_vec();
        inputs[0] = first;
        signature(FIVE, json!({"inputs": inputs})).unwrap_err().join("; ")
    };
    for (first, told) in [
        (json!({"name": "b"}), "/inputs/1/name there are two features `b`"),
        (json!({"name": ""}), "/inputs/0/name it has 0 characters"),
        (json!({"name": "a", "range": {"min": 2, "max": 1}}), "/inputs/0/range `min` is at most `max`"),
        (json!({"name": "a", "type": "string", "range": {"min": 2}}), "/inputs/0/range only a single number"),
        (json!({"name": "a", "categories": ["red"]}), "/inputs/0/categories `red` is not of the feature's type"),
        (json!({"name": "a", "missing": "default"}), "/inputs/0/default `missing` is `default`"),
        (json!({"name": "a", "range": {"max": 1}, "default": 2}), "/inputs/0/default it is not a number of at most 1"),
        (json!({"name": "a", "type": "string", "categories": ["x"], "missing": "nan"}), "/inputs/0/missing only what"),
    ] {
        assert!(five(first).contains(told), "{told}");
    }
}

#[test]
fn given_categories_of_texts_for_a_column_of_numbers_then_the_model_gets_their_places() {
    let mut inputs: Vec<Json> = ["a", "b", "c", "d", "e"].map(|name| json!({"name": name, "default": 0})).to_vec();
    inputs[1] = json!({"name": "colour", "type": "string", "categories": ["red", "green", "blue"]});
    let signature = signature(FIVE, json!({"inputs": inputs})).unwrap();
    let row = signature.read_row(json!({"colour": "blue"}).as_object().unwrap()).unwrap();
    let faults = signature.read_row(json!({"colour": "pink"}).as_object().unwrap()).unwrap_err();
    let bound = Bound::new(signature, &model(FIVE).signature().inputs).unwrap();
    let inputs = bound.inputs(&[row]);
    let Value::Tensor(Tensor::Float(array)) = inputs.values().next().unwrap() else { panic!("{inputs:?}") };
    assert_eq!(array.data, [0.0, 2.0, 0.0, 0.0, 0.0]);
    assert_eq!(faults[0].detail, "it holds the text `pink`; one of `red`, `green`, `blue` is expected");
}

#[test]
fn given_each_type_then_its_values_are_read_and_others_are_refused() {
    let read = |feature: Json, value: Json| {
        let mut inputs: Vec<Json> = ["a", "b", "c", "d", "e"].map(|name| json!({"name": name, "default": 0})).to_vec();
        inputs[0] = feature;
        let signature = signature(FIVE, json!({"inputs": inputs})).unwrap();
        signature.read_row(json!({"a": value}).as_object().unwrap()).map(|mut row| row.remove(0))
    };
    let moment = json!({"name": "a", "type": "timestamp"});
    assert_eq!(read(moment.clone(), json!("1970-01-02T00:00:00.500Z")), Ok(Cell::Number(86_400.5)));
    assert!(read(moment, json!("yesterday")).unwrap_err()[0].detail.contains("2026-11-21T09:30:00Z"));
    let whole = json!({"name": "a", "type": "integer"});
    assert_eq!(read(whole.clone(), json!(3.0)), Ok(Cell::Integer(3)));
    assert!(read(whole.clone(), json!(3.5)).is_err());
    assert!(read(whole, json!(true)).is_err());
    assert_eq!(read(json!({"name": "a", "type": "boolean"}), json!(true)), Ok(Cell::Boolean(true)));
    let missing = json!({"name": "a", "missing": "nan"});
    assert!(matches!(read(missing, Json::Null), Ok(Cell::Number(number)) if number.is_nan()));
    assert!(read(json!({"name": "a"}), json!("3")).unwrap_err()[0].detail.contains("the text `3`"));
}

#[test]
fn given_rows_as_columns_when_they_are_read_then_cells_faults_and_inputs_are_those_of_single_rows() {
    let input = |name: &str, column: usize| json!({"name": name, "type": "number", "input": "x", "column": column, "range": {"min": 0, "max": 10}});
    let mut with_default = input("b", 1);
    with_default["missing"] = json!("default");
    with_default["default"] = json!(4.5);
    let mut with_nan = input("c", 2);
    with_nan["missing"] = json!("nan");
    let text = json!({"name": "d", "type": "string", "input": "x", "column": 3, "categories": ["low", "high"]});
    let inputs = json!([input("a", 0), with_default, with_nan, text]);
    let signature: Signature = serde_json::from_value(json!({"inputs": inputs, "outputs": []})).unwrap();
    let file = crate::onnx::Input {
        name: "x".to_owned(),
        value: crate::onnx::ValueType::Tensor(crate::onnx::ElementType::Float),
        shape: None,
    };
    let bound = Bound::new(signature, &[file]).unwrap();
    let numbers = [Some(1.5), None, Some(11.5), Some(f64::INFINITY), Some(3.5)];
    let words = [Some("low"), Some("high"), Some("low"), Some("low"), Some("no such")];
    let values: Vec<f64> = numbers.iter().map(|number| number.unwrap_or(f64::NAN)).collect();
    let valid: Vec<bool> = numbers.iter().map(Option::is_some).collect();
    let plain = || ColumnCells::Numbers { values: &values, valid: &valid };
    let cells = words.iter().map(|word| word.map(|word| Cell::Text(word.to_owned())));
    let table = bound.read_table(vec![plain(), plain(), plain(), ColumnCells::Any(Box::new(cells))], numbers.len());

    let mut good = Vec::new();
    let mut faults = Vec::new();
    for (row, (number, word)) in numbers.iter().zip(words).enumerate() {
        // JSON has no infinities: for those the text of the fault is compared below.
        let number = number.filter(|number| number.is_finite());
        match bound.signature().read_row(json!({"a": number, "b": number, "c": number, "d": word}).as_object().unwrap())
        {
            Ok(cells) => good.push((row, cells)),
            Err(found) => faults.push((row, found[0].column.clone(), found[0].detail.clone())),
        }
    }
    assert_eq!(table.good(), good.iter().map(|(row, _)| *row).collect::<Vec<_>>());
    for (row, cells) in &good {
        assert_eq!(format!("{:?}", table.row(*row)), format!("{cells:?}"));
    }
    let told: Vec<_> = table.faults().iter().map(|fault| (fault.row, &*fault.column, &*fault.detail)).collect();
    assert_eq!(
        told.iter().map(|fault| (fault.0, fault.1)).collect::<Vec<_>>(),
        [(1, "a"), (2, "a"), (3, "a"), (4, "d")]
    );
    assert!(told[0].2.contains("nothing") && told[2].2.contains("inf"), "{told:?}");
    assert_eq!((told[1].0, told[1].2), (faults[1].0, &*faults[1].2));
    let rows: Vec<Row> = good.iter().map(|(_, cells)| cells.clone()).collect();
    assert_eq!(format!("{:?}", bound.table_inputs(&table, table.good())), format!("{:?}", bound.inputs(&rows)));
}
