//! What the tests of this crate read: the repository as it lies on disk.
//!
//! The tests themselves are in `tests/`, one file for each agreement: between template, routes and events,
//! between README and code, between the crates.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

pub mod readme;
pub mod template;

/// The methods that an API's path may have, in lower case.
pub const METHODS: [&str; 5] = ["delete", "get", "patch", "post", "put"];

/// A route: method in lower case, and path with its parameters in braces.
pub type Route = (String, String);

/// A function of the platform.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its name: of its folder, its binary and its events.
    pub name: &'static str,
    /// Its logical id in the template.
    pub logical_id: &'static str,
    /// Its OpenAPI document.
    pub openapi: fn() -> utoipa::openapi::OpenApi,
}

/// All of them.
pub const FUNCTIONS: [Function; 4] = [
    Function { name: "chat", logical_id: "ChatFunction", openapi: mandi_chat::openapi },
    Function { name: "embedding", logical_id: "EmbeddingFunction", openapi: mandi_embedding::openapi },
    Function {
        name: "batch-prediction",
        logical_id: "BatchPredictionFunction",
        openapi: mandi_batch_prediction::openapi,
    },
    Function { name: "prediction", logical_id: "PredictionFunction", openapi: mandi_prediction::openapi },
];

/// The OpenAPI document of all functions, as JSON.
#[must_use]
pub fn contract() -> Value {
    let [first, others @ ..] = FUNCTIONS;
    let mut document = (first.openapi)();
    for function in others {
        document.merge((function.openapi)());
    }
    serde_json::to_value(document).unwrap_or_default()
}

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder of the Python environment that `make venv` makes, when not `.venv` in the repository.
const VENV: &str = "MANDI_TEST_VENV";

/// The Python of the tests' environment.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn python() -> PathBuf {
    let venv = std::env::var_os(VENV).map_or_else(|| root().join(".venv"), PathBuf::from);
    let python = venv.join("bin/python");
    assert!(python.is_file(), "there is no {}: run `make venv`, and set {VENV} to its folder", python.display());
    python
}

/// A file of the repository, as text.
///
/// # Panics
/// When it cannot be read: the test that asked for it has failed.
#[must_use]
pub fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file of the repository, as JSON.
///
/// # Panics
/// When it cannot be read or is not JSON.
#[must_use]
pub fn read_json(path: impl AsRef<Path>) -> Value {
    let path = path.as_ref();
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a folder, with a given ending, in order.
///
/// # Panics
/// When the folder cannot be read.
#[must_use]
pub fn files_in(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut paths: Vec<_> = paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    paths.sort();
    paths
}

/// The files that belong to the repository: those that Git knows and those that it would add.
///
/// # Panics
/// When Git cannot be run.
#[must_use]
pub fn repository_files() -> Vec<String> {
    let listed = output("git", &["ls-files", "--cached", "--others", "--exclude-standard"]);
    listed.lines().filter(|path| root().join(path).is_file()).map(str::to_owned).collect()
}

/// What a program prints when it is run in the repository's root.
///
/// # Panics
/// When it fails.
#[must_use]
pub fn output(program: &str, arguments: &[&str]) -> String {
    let run = Command::new(program).args(arguments).current_dir(root()).output();
    let run = run.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(run.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8_lossy(&run.stdout).into_owned()
}

/// The routes of an OpenAPI document.
#[must_use]
pub fn routes_of(document: &Value) -> BTreeSet<Route> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, item)| {
            let methods = METHODS.into_iter().filter(|method| item.get(method).is_some());
            methods.map(|method| (method.to_owned(), path.clone()))
        })
        .collect()
}
