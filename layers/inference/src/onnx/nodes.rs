//! The node tests of the Python package onnx (`tests/fixtures/onnx_nodes.py`), and the table of operators made of them.
#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use prost::Message as _;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto};

use super::cases::unpacked;
use super::*;

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    domain: String,
    operator: String,
    model: String,
    inputs: Option<Vec<(String, String)>>,
    #[serde(default)]
    outputs: Vec<String>,
    #[serde(default)]
    rtol: f64,
    #[serde(default)]
    atol: f64,
}

const FAMILIES: [&str; 4] = ["tables", "values", "shapes", "sums"];

/// What became of a case.
enum Outcome {
    Passed,
    /// Its file is refused, with the reason.
    Refused(String),
    Failed(String),
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn bytes(text: &str) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

fn tensor(text: &str) -> Tensor {
    super::tensor::read(&TensorProto::decode(&bytes(text)[..]).unwrap()).unwrap()
}

/// What differs by more than the case allows, if anything.
fn difference(case: &Case, found: &Tensor, expected: &Tensor) -> Option<String> {
    if (found.type_name(), found.shape()) != (expected.type_name(), expected.shape()) {
        let of = |tensor: &Tensor| format!("{} of {:?}", tensor.type_name(), tensor.shape());
        return Some(format!("a {} and not {}", of(found), of(expected)));
    }
    let wide = |tensor: &Tensor| match tensor {
        Tensor::Float(array) => Some(array.data.iter().copied().map(f64::from).collect::<Vec<f64>>()),
        Tensor::Double(array) => Some(array.data.clone()),
        _ => None,
    };
    let (Some(ours), Some(theirs)) = (wide(found), wide(expected)) else {
        return (found != expected).then(|| format!("{found:?} is not {expected:?}"));
    };
    let close = |one: f64, other: f64| {
        one == other || (one.is_nan() && other.is_nan()) || (one - other).abs() <= case.atol + case.rtol * other.abs()
    };
    let place = ours.iter().zip(&theirs).position(|(one, other)| !close(*one, *other))?;
    Some(format!("value {place} is {} and not {}", ours[place], theirs[place]))
}

fn outcome(case: &Case) -> Outcome {
    let model = match Model::parse(&bytes(&case.model)) {
        Ok(model) => model,
        Err(fault) => return Outcome::Refused(fault.to_string()),
    };
    let Some(inputs) = &case.inputs else { return Outcome::Failed("should be refused for its types".to_owned()) };
    let inputs: HashMap<String, Value> =
        inputs.iter().map(|(name, text)| (name.clone(), Value::Tensor(tensor(text)))).collect();
    let found = match model.run(inputs) {
        Ok(found) => found,
        Err(fault) if fault.to_string().ends_with("is asked to train, which is not supported") => {
            return Outcome::Refused("an input asks for training: refused when it is run".to_owned());
        }
        Err(fault) => return Outcome::Failed(format!("cannot be run: {fault}")),
    };
    let differing = found.iter().zip(&case.outputs).find_map(|(found, expected)| match found {
        Value::Tensor(found) => difference(case, found, &tensor(expected)),
        other => Some(format!("a {}", other.type_name())),
    });
    differing.map_or(Outcome::Passed, Outcome::Failed)
}

fn cases(family: &str) -> Vec<Case> {
    let lines = String::from_utf8(unpacked(&fixtures().join(format!("onnx_nodes/{family}.jsonl.gz")))).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The files of all cases.
pub(super) fn files() -> Vec<Vec<u8>> {
    FAMILIES.into_iter().flat_map(cases).map(|case| bytes(&case.model)).collect()
}

/// What became of the cases of an operator.
#[derive(Default)]
struct Counts {
    passed: usize,
    failed: Vec<String>,
    refused: BTreeMap<String, usize>,
}

fn counts() -> BTreeMap<(String, String), Counts> {
    let mut counts: BTreeMap<(String, String), Counts> = BTreeMap::new();
    for family in FAMILIES {
        for case in cases(family) {
            let counts = counts.entry((case.domain.clone(), case.operator.clone())).or_default();
            match outcome(&case) {
                Outcome::Passed => counts.passed += 1,
                Outcome::Refused(reason) => *counts.refused.entry(short(&reason)).or_default() += 1,
                Outcome::Failed(reason) => counts.failed.push(format!("{}: {reason}", case.name)),
            }
        }
    }
    counts
}

/// A reason without the names of one file.
fn short(reason: &str) -> String {
    for (number, name) in [
        (2, "uint8"),
        (3, "int8"),
        (4, "uint16"),
        (5, "int16"),
        (10, "float16"),
        (12, "uint32"),
        (13, "uint64"),
        (16, "bfloat16"),
        (0, "sequence or optional"),
    ] {
        if reason.contains(&format!("data type {number},")) {
            return format!("type {name}");
        }
    }
    if reason.contains("data type") {
        return "types of 8, 6, 4 and 2 bits".to_owned();
    }
    reason.split_once("): ").map_or(reason, |(_, reason)| reason).to_owned()
}

/// How many cases of our own an operator of `ai.onnx.ml` has against ONNX Runtime.
fn own_cases(operator: &str) -> usize {
    let path = fixtures().join(format!("onnx_ml/{operator}.jsonl"));
    std::fs::read_to_string(path).map_or(0, |lines| lines.lines().count())
}

const HEAD: &str = "# Operators of ONNX models

What `Model::parse` of `layers/inference` reads, operator by operator. A test writes this file, and fails when it is no
longer true: `MANDI_WRITE_DOCUMENTS=1 cargo nextest run -p mandi-inference operators`.

The cases are those that the Python package onnx 1.23.2 generates for each operator (its backend node tests; without the
\"_expanded\" ones and those of more than 26 KB), within the tolerance that each states. **Refused** cases use a type or an
attribute that is not read: the file is refused when it is read, with the reason. For `ai.onnx.ml` there are 36 cases more
for each operator, with random attributes, that equal ONNX Runtime 1.31.1 to 1e-5 of the value or of 1, whichever is more
(`tests/fixtures/onnx_ml.py`).

Every other operator is refused when the file is read, with its name, domain, version and node. The standard domain is read
in versions 7 to 28, `ai.onnx.ml` in versions 1 to 5. Types that are read: float, double, int32, int64, bool, string.

";

fn document(counts: &BTreeMap<(String, String), Counts>) -> String {
    let mut text = HEAD.to_owned();
    text.push_str(
        "| operator | passed | failed | refused | against ONNX Runtime | why refused |\n|---|---|---|---|---|---|\n",
    );
    let mut rows: BTreeMap<(bool, String), String> = BTreeMap::new();
    let own = std::fs::read_dir(fixtures().join("onnx_ml")).unwrap();
    let own = own.filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".jsonl").map(str::to_owned));
    let of_ml = own.map(|operator| ("ai.onnx.ml".to_owned(), operator));
    let none = Counts::default();
    for (domain, operator) in counts.keys().cloned().chain(of_ml) {
        let Counts { passed, failed, refused } = counts.get(&(domain.clone(), operator.clone())).unwrap_or(&none);
        let reasons: Vec<String> = refused.iter().map(|(reason, count)| format!("{count} x {reason}")).collect();
        let (is_ml, refused) = (domain == "ai.onnx.ml", refused.values().sum::<usize>());
        let own = if is_ml { own_cases(&operator).to_string() } else { String::new() };
        let name = if is_ml { format!("ai.onnx.ml {operator}") } else { operator.clone() };
        let row = format!("| {name} | {passed} | {} | {refused} | {own} | {} |\n", failed.len(), reasons.join("; "));
        rows.insert((!is_ml, operator), row);
    }
    rows.values().for_each(|row| text.push_str(row));
    let sum = |of: fn(&Counts) -> usize| counts.values().map(of).sum::<usize>();
    let (passed, failed) = (sum(|counts| counts.passed), sum(|counts| counts.failed.len()));
    let refused = sum(|counts| counts.refused.values().sum());
    let _ = writeln!(text, "| all {} | {passed} | {failed} | {refused} | | |", rows.len());
    text
}

#[test]
fn given_the_node_tests_of_onnx_when_they_are_run_then_none_is_answered_wrongly() {
    let failed: Vec<String> = counts().into_values().flat_map(|counts| counts.failed).collect();
    assert!(failed.is_empty(), "{} differ:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn given_the_table_of_operators_when_it_is_made_again_then_it_is_what_the_document_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/models/operators.md");
    let made = document(&counts());
    if std::env::var_os("MANDI_WRITE_DOCUMENTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &made).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap_or_default() == made, "set MANDI_WRITE_DOCUMENTS=1 to write it again");
}

#[test]
fn given_any_operator_of_onnx_that_has_no_cases_when_a_file_has_it_then_it_is_refused_by_name() {
    let counts = counts();
    let list = std::fs::read_to_string(fixtures().join("onnx_nodes/operators.txt")).unwrap();
    let mut refused = 0;
    for (domain, operator) in list.lines().map(|line| line.split_once(' ').unwrap()) {
        // `Scan` has no case that is small; the exports of nearest neighbours are made of it.
        let known = counts.contains_key(&(domain.to_owned(), operator.to_owned())) || own_cases(operator) > 0;
        if known || operator == "Scan" {
            continue;
        }
        let node = NodeProto { op_type: operator.to_owned(), domain: domain.to_owned(), ..NodeProto::default() };
        let graph = GraphProto { node: vec![node], ..GraphProto::default() };
        let version = |domain: &str, version| OperatorSetIdProto { domain: domain.to_owned(), version };
        let opset_import = vec![version("", 26), version("ai.onnx.ml", 5)];
        let model = ModelProto { graph: Some(graph), opset_import, ..ModelProto::default() };
        let fault = Model::parse(&model.encode_to_vec()).unwrap_err();
        assert!(matches!(&fault, ModelFault::Unsupported { operator: found, .. } if found == operator), "{fault}");
        refused += 1;
    }
    assert!(refused > 50, "{refused} are refused");
}
