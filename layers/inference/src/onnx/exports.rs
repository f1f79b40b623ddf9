//! Real exports against ONNX Runtime (`tests/fixtures/exports.py` and `exports_torch.py`), and the matrix made of them.
#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use prost::Message as _;
use tract_onnx::pb::{GraphProto, ModelProto, TensorProto};

use super::cases::{furthest, unpacked};
use super::*;

/// How far numbers may differ, of 1 or of their size, whichever is more.
const TOLERANCE: f64 = 1e-5;

#[derive(serde::Deserialize)]
pub(super) struct Table {
    columns: usize,
    values: String,
}

#[derive(serde::Deserialize)]
struct Given {
    name: String,
    #[serde(flatten)]
    source: Source,
}

/// Where the values of an input come from.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Source {
    Table { table: String, columns: Vec<usize>, edits: String },
    Hash { hash: Vec<usize>, edits: String },
    Tensor { tensor: String },
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Expected {
    Tensor { tensor: String },
    Maps { keys: String, values: String },
}

/// What a file of `exports/` says.
#[derive(serde::Deserialize)]
struct Export {
    library: String,
    inputs: Vec<Given>,
    outputs: Vec<Expected>,
}

fn bytes(text: &str) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn tensor(text: &str) -> Tensor {
    super::tensor::read(&TensorProto::decode(&bytes(text)[..]).unwrap()).unwrap()
}

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/exports")
}

/// The names of all exports.
pub(super) fn names() -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        Some(entry.unwrap().file_name().to_str()?.strip_suffix(".onnx")?.to_owned())
    };
    let mut names: Vec<String> = std::fs::read_dir(folder()).unwrap().filter_map(name).collect();
    names.sort();
    names
}

pub(super) fn file(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(format!("{name}.onnx"))).unwrap()
}

impl Source {
    fn value(&self, tables: &HashMap<String, Table>) -> Value {
        match self {
            Self::Tensor { tensor: text } => Value::Tensor(tensor(text)),
            Self::Table { table, columns, edits } => {
                let table = &tables[table];
                let rows = floats(&bytes(&table.values));
                let rows = rows.chunks_exact(table.columns);
                let count = rows.len();
                let mut data: Vec<f32> = rows.flat_map(|row| columns.iter().map(|column| row[*column])).collect();
                for [a, b, c, d, value @ ..] in bytes(edits).as_chunks::<8>().0 {
                    let place = |low, high| usize::from(u16::from_le_bytes([low, high]));
                    data[place(*a, *b) * columns.len() + place(*c, *d)] = f32::from_le_bytes(*value);
                }
                Array { shape: vec![count, columns.len()], data }.into()
            }
            Self::Hash { hash, edits } => {
                let value = |place: usize| {
                    let mixed = (place as u64).wrapping_mul(2_654_435_761) & 0xffff_ffff;
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_precision_loss,
                        reason = "as the script does"
                    )]
                    let value = (mixed as f64 / f64::from(1 << 30) - 2.0) as f32;
                    value
                };
                let mut data: Vec<f32> = (0..hash.iter().product()).map(value).collect();
                for [place @ .., a, b, c, d] in bytes(edits).as_chunks::<8>().0 {
                    data[u32::from_le_bytes(*place) as usize] = f32::from_le_bytes([*a, *b, *c, *d]);
                }
                Array { shape: hash.clone(), data }.into()
            }
        }
    }
}

impl Expected {
    fn value(&self) -> Value {
        match self {
            Self::Tensor { tensor: text } => Value::Tensor(tensor(text)),
            Self::Maps { keys, values } => {
                let keys = match tensor(keys) {
                    Tensor::Int64(keys) => Labels::Ints(keys.data),
                    Tensor::String(keys) => Labels::Strings(keys.data),
                    other => panic!("keys of {}", other.type_name()),
                };
                let Tensor::Float(values) = tensor(values) else { panic!("values that are no floats") };
                Value::Maps(keys, values)
            }
        }
    }
}

/// What an export comes to.
struct Found {
    library: String,
    operators: BTreeSet<String>,
    rows: usize,
    /// The largest difference, of 1 or of the number; or what is wrong.
    difference: Result<f64, String>,
}

fn operators(graph: &GraphProto, found: &mut BTreeSet<String>) {
    for node in &graph.node {
        found.insert(node.op_type.clone());
        node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()).for_each(|graph| operators(graph, found));
    }
}

pub(super) fn tables() -> HashMap<String, Table> {
    serde_json::from_slice(&unpacked(&folder().join("tables.json.gz"))).unwrap()
}

/// The inputs of an export, as its file has them.
fn export(name: &str) -> Export {
    serde_json::from_slice(&unpacked(&folder().join(format!("{name}.json.gz")))).unwrap()
}

/// The inputs of an export by name.
pub(super) fn inputs(name: &str, tables: &HashMap<String, Table>) -> HashMap<String, Value> {
    export(name).inputs.iter().map(|input| (input.name.clone(), input.source.value(tables))).collect()
}

fn run(name: &str, tables: &HashMap<String, Table>) -> Found {
    let export = export(name);
    let file = file(name);
    let mut used = BTreeSet::new();
    operators(&ModelProto::decode(&file[..]).unwrap().graph.unwrap(), &mut used);
    let inputs = inputs(name, tables);
    let rows = match inputs.values().next() {
        Some(Value::Tensor(tensor)) => tensor.shape()[0],
        _ => 0,
    };
    let difference = Model::parse(&file).map_err(|fault| format!("cannot be read: {fault}")).and_then(|model| {
        let found = model.run(inputs).map_err(|fault| format!("cannot be run: {fault}"))?;
        let mut most = 0.0_f64;
        for (found, expected) in found.iter().zip(&export.outputs) {
            most = most.max(furthest(found, &expected.value())?);
        }
        if most <= TOLERANCE { Ok(most) } else { Err(format!("differs by {most}")) }
    });
    Found { library: export.library, operators: used, rows, difference }
}

const HEAD: &str = "# Exports that are proven equal

Models as their libraries export them, each run on 1,000 rows and compared with ONNX Runtime 1.31.1 on the same rows:
labels are the same, and numbers differ by at most 1e-5 of the number or of 1, whichever is more. A test makes this table and
fails when it is no longer true: `MANDI_WRITE_DOCUMENTS=1 cargo nextest run -p mandi-inference exports`. The scripts that made
the files, with the versions, are `layers/inference/tests/fixtures/exports.py` and `exports_torch.py`.

The rows: 300 have a value that is exactly a split of the model's trees, 300 one that is the next number above or below it, 100
are whole numbers, 60 have a missing value or an infinity in one column, 10 in all; texts and categories have some that
training never saw. Networks are given missing values, infinities, zeros of both signs and 1e10 in 140 places. Models of
nearest neighbours, support vectors, networks and linear ones have no answer for a missing value, and none is expected of them
but what ONNX Runtime gives.

Sums of support vectors are of 64-bit floats here and of 32-bit ones in ONNX Runtime: a one-class machine with 500 of them,
whose terms cancel, differed by 1.1e-5, and the one here has fewer. A 32-bit float that is no number, or too large, becomes the
least whole number in a cast, as in ONNX Runtime on x86; the standard leaves it open.

The largest difference is of the machine that the table was written on; the test checks the bound.

";

fn document(found: &BTreeMap<String, Found>) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("| model | library | rows | operators | largest difference |\n|---|---|---|---|---|\n");
    for (name, Found { library, operators, rows, difference }) in found {
        let operators: Vec<&str> = operators.iter().map(String::as_str).collect();
        let difference = difference.as_ref().map_or_else(Clone::clone, |most| format!("{most:.0e}"));
        let name = name.replace('_', " ");
        let _ = writeln!(text, "| {name} | {library} | {rows} | {} | {difference} |", operators.join(", "));
    }
    text
}

/// A document without its last column.
fn without_differences(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.trim_end_matches('|').rsplit_once('|').map_or(line, |(rest, _)| rest)).collect()
}

#[test]
fn given_real_exports_when_they_are_run_then_they_give_what_onnx_runtime_gives_and_the_document_lists_them() {
    let tables = tables();
    let found: BTreeMap<String, Found> = names().into_iter().map(|name| (name.clone(), run(&name, &tables))).collect();
    let faults: Vec<String> = found
        .iter()
        .filter_map(|(name, found)| Some(format!("{name}: {}", found.difference.as_ref().err()?)))
        .collect();
    assert!(faults.is_empty(), "{} of {} differ:\n{}", faults.len(), found.len(), faults.join("\n"));
    assert!(found.len() > 60, "{} exports", found.len());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/models/exports.md");
    let made = document(&found);
    if std::env::var_os("MANDI_WRITE_DOCUMENTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &made).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    let same = without_differences(&written) == without_differences(&made);
    assert!(same, "docs/models/exports.md is old: set MANDI_WRITE_DOCUMENTS=1 to write it again");
}

#[test]
fn given_exports_of_each_library_when_their_signatures_are_read_then_outputs_have_their_roles() {
    let shown = |name: &str| {
        let model = Model::parse(&file(name)).unwrap();
        let signature = model.signature();
        let roles: Vec<Role> = signature.outputs.iter().map(|output| output.role).collect();
        (roles, signature.classes.clone(), signature.columns().map(|columns| columns.len()))
    };
    use Role::{Label, Probabilities, Regression, Scores};
    let ints = |count| Some(Labels::Ints((0..count).collect()));
    let names = ["high", "low", "middle"].map(str::to_owned).to_vec();
    for (name, expected) in [
        ("linear_regression", (vec![Regression], None, Some(5))),
        ("logistic_regression_two", (vec![Label, Probabilities], ints(2), Some(5))),
        ("random_forest_three", (vec![Label, Probabilities], Some(Labels::Strings(names.clone())), Some(5))),
        ("svc_three", (vec![Label, Probabilities], ints(3), Some(5))),
        ("linear_svc", (vec![Label, Scores], ints(3), Some(5))),
        ("mlp_classifier", (vec![Label, Probabilities], ints(3), Some(5))),
        ("isolation_forest", (vec![Label, Scores], None, Some(5))),
        ("lightgbm_three", (vec![Label, Probabilities], ints(3), Some(5))),
        ("xgboost_two", (vec![Label, Probabilities], ints(2), Some(5))),
        ("catboost_three", (vec![Label, Probabilities], ints(3), Some(5))),
        ("catboost_regressor", (vec![Regression], None, Some(5))),
        ("pipeline_one_hot_logistic_named", (vec![Label, Probabilities], Some(Labels::Strings(names)), Some(5))),
        ("torch_mlp_regressor", (vec![Regression], None, Some(6))),
        ("torch_mlp_label_and_probabilities", (vec![Probabilities, Label], None, Some(6))),
        ("torch_cnn", (vec![Probabilities], None, None)),
    ] {
        assert_eq!(shown(name), expected, "{name}");
    }
}
