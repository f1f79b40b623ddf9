//! Real exports against ONNX Runtime: `tests/fixtures/exports.py` makes them.
#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

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

#[test]
fn given_real_exports_when_they_are_run_then_they_give_what_onnx_runtime_gives() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/exports");
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".onnx")?.to_owned()))
        .collect();
    names.sort();
    let faults: Vec<String> =
        names.iter().filter_map(|name| Some(format!("{name}: {}", fault(&folder, name)?))).collect();
    assert!(faults.is_empty(), "{} of {} differ:\n{}", faults.len(), names.len(), faults.join("\n"));
}
