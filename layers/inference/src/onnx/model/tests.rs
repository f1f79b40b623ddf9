//! Real exports against ONNX Runtime: `tests/fixtures/exports.py` makes them.
#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use tract_onnx::pb::{GraphProto, NodeProto, OperatorSetIdProto};

use super::*;
use crate::onnx::cases::{Item, difference};

/// What a file of `exports/` says.
#[derive(serde::Deserialize)]
struct Export {
    inputs: Vec<(String, Item)>,
    outputs: Vec<Item>,
}

/// What differs from ONNX Runtime, if anything.
fn fault(folder: &std::path::Path, name: &str) -> Option<String> {
    let model = match Model::parse(&std::fs::read(folder.join(format!("{name}.onnx"))).unwrap()) {
        Ok(model) => model,
        Err(fault) => return Some(format!("cannot be loaded: {fault}")),
    };
    let export: Export = serde_json::from_slice(&std::fs::read(folder.join(format!("{name}.json"))).unwrap()).unwrap();
    let inputs = export.inputs.iter().map(|(name, item)| (name.clone(), item.value())).collect();
    match model.run(inputs) {
        Ok(found) => {
            let mut pairs = found.iter().zip(&export.outputs);
            pairs.find_map(|(found, expected)| difference(found, &expected.value()))
        }
        Err(fault) => Some(format!("cannot be run: {fault}")),
    }
}

/// The folder of real exports, and their names.
fn exports() -> (std::path::PathBuf, Vec<String>) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/exports");
    let entries = std::fs::read_dir(&folder).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        Some(entry.unwrap().file_name().to_str()?.strip_suffix(".onnx")?.to_owned())
    };
    let mut names: Vec<String> = entries.filter_map(name).collect();
    names.sort();
    (folder, names)
}

#[test]
fn given_files_that_are_cut_or_changed_when_they_are_read_then_nothing_panics() {
    let (folder, names) = exports();
    let mut random = StdRng::seed_from_u64(5);
    let mut refused = 0;
    for name in names {
        let file = std::fs::read(folder.join(format!("{name}.onnx"))).unwrap();
        for round in 0..60 {
            let mut bytes = file.clone();
            if round % 2 == 0 {
                bytes.truncate(random.random_range(0..file.len()));
            }
            for _ in 0..random.random_range(1..8) {
                let places = bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(random.random_range(0..places)) {
                    *byte = random.random();
                }
            }
            refused += usize::from(Model::parse(&bytes).is_err());
        }
    }
    assert!(refused > 500, "{refused} were refused");
}

#[test]
fn given_nodes_that_wait_for_one_another_when_they_are_read_then_one_of_them_is_named() {
    let node = |name: &str, input: &str, output: &str| NodeProto {
        name: name.to_owned(),
        op_type: "Binarizer".to_owned(),
        domain: "ai.onnx.ml".to_owned(),
        input: vec![input.to_owned()],
        output: vec![output.to_owned()],
        ..NodeProto::default()
    };
    let graph = GraphProto { node: vec![node("one", "b", "a"), node("two", "a", "b")], ..GraphProto::default() };
    let model = ModelProto { graph: Some(graph), ..ModelProto::default() };
    let fault = Model::parse(&prost::Message::encode_to_vec(&model)).unwrap_err();
    assert_eq!(fault.to_string(), "node `one` needs `b`, which nothing before it makes");
}

#[test]
fn given_an_operator_that_is_not_here_when_a_file_is_read_then_it_is_named_with_domain_version_and_node() {
    let node = NodeProto { op_type: "Warp".to_owned(), domain: "com.example".to_owned(), ..NodeProto::default() };
    let graph = GraphProto { node: vec![node], ..GraphProto::default() };
    let version = OperatorSetIdProto { domain: "com.example".to_owned(), version: 3 };
    let model = ModelProto { graph: Some(graph), opset_import: vec![version], ..ModelProto::default() };
    let fault = Model::parse(&prost::Message::encode_to_vec(&model)).unwrap_err();
    assert_eq!(fault.to_string(), "operator `Warp` of `com.example` version 3 is not supported (node number 0)");
}

#[test]
fn given_real_exports_when_they_are_run_then_they_give_what_onnx_runtime_gives() {
    let (folder, names) = exports();
    assert!(names.len() > 30, "{names:?}");
    let faults: Vec<String> =
        names.iter().filter_map(|name| Some(format!("{name}: {}", fault(&folder, name)?))).collect();
    assert!(faults.is_empty(), "{} of {} differ:\n{}", faults.len(), names.len(), faults.join("\n"));
}
