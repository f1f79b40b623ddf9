//! The crates depend on each other in one direction, as `ARCHITECTURE.md` draws it.

use std::collections::{BTreeMap, BTreeSet};

use mandi_contracts::{FUNCTIONS, output};
use serde_json::Value;

/// What each crate may use of our own crates, outside its tests. A crate that is not here may use none.
const ALLOWED: &[(&str, &[&str])] = &[
    ("mandi-http", &["mandi-core"]),
    ("mandi-llm", &["mandi-core"]),
    ("mandi-inference", &["mandi-core"]),
    ("mandi-retrieval", &["mandi-core"]),
    ("mandi-index", &["mandi-core", "mandi-retrieval"]),
    ("mandi-aws", &["mandi-core", "mandi-retrieval"]),
    ("mandi-states", &["mandi-core"]),
    ("mandi-local", &["mandi-core", "mandi-states"]),
    ("mandi-testkit", &["mandi-core", "mandi-retrieval"]),
    ("mandi-chat", &["mandi-core", "mandi-http", "mandi-llm", "mandi-retrieval", "mandi-aws"]),
    (
        "mandi-embedding",
        &["mandi-core", "mandi-http", "mandi-llm", "mandi-retrieval", "mandi-index", "mandi-inference", "mandi-aws"],
    ),
    ("mandi-registry", &["mandi-core", "mandi-inference", "mandi-learning"]),
    (
        "mandi-prediction",
        &["mandi-core", "mandi-http", "mandi-inference", "mandi-learning", "mandi-registry", "mandi-aws"],
    ),
    (
        "mandi-batch-prediction",
        &["mandi-core", "mandi-http", "mandi-inference", "mandi-registry", "mandi-tables", "mandi-aws"],
    ),
    (
        "mandi",
        &[
            "mandi-core",
            "mandi-http",
            "mandi-llm",
            "mandi-retrieval",
            "mandi-index",
            "mandi-inference",
            "mandi-states",
            "mandi-local",
            "mandi-chat",
            "mandi-embedding",
            "mandi-prediction",
            "mandi-batch-prediction",
        ],
    ),
];

/// Crates of tests and benches; they may use all, and nothing may use them outside tests.
const TESTS: [&str; 4] = ["mandi-acceptance", "mandi-contracts", "mandi-benches", "mandi-testkit"];

struct Dependency {
    of: String,
    name: String,
    is_for_tests: bool,
    is_optional: bool,
}

fn dependencies() -> Vec<Dependency> {
    let printed = output(env!("CARGO"), &["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let metadata: Value = serde_json::from_str(&printed).unwrap_or_default();
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let of_package = |package: &Value| {
        let of = package["name"].as_str().unwrap_or_default().to_owned();
        let listed = package["dependencies"].as_array().cloned().unwrap_or_default();
        listed.into_iter().map(move |dependency| Dependency {
            of: of.clone(),
            name: dependency["name"].as_str().unwrap_or_default().to_owned(),
            is_for_tests: dependency["kind"] == "dev",
            is_optional: dependency["optional"] == true,
        })
    };
    let all: Vec<_> = packages.iter().flat_map(of_package).collect();
    assert!(all.len() > 50, "cargo metadata shows no dependencies");
    all
}

#[test]
fn given_our_crates_when_one_uses_another_then_the_architecture_allows_it() {
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let faults: Vec<String> = dependencies()
        .iter()
        .filter(|dependency| dependency.name.starts_with("mandi") && !dependency.is_for_tests)
        .filter(|dependency| !TESTS.contains(&dependency.of.as_str()) || dependency.of == "mandi-testkit")
        .filter(|dependency| {
            !allowed.get(dependency.of.as_str()).is_some_and(|names| names.contains(&dependency.name.as_str()))
        })
        .map(|dependency| format!("{} uses {}", dependency.of, dependency.name))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn given_the_functions_when_their_dependencies_are_listed_then_none_uses_another() {
    let functions = FUNCTIONS.map(|function| format!("mandi-{}", function.name));
    for dependency in dependencies() {
        let both = functions.contains(&dependency.of) && functions.contains(&dependency.name);
        assert!(!both, "{} uses {}", dependency.of, dependency.name);
    }
}

#[test]
fn given_the_aws_adapters_when_a_function_uses_them_then_only_behind_its_feature() {
    for dependency in
        dependencies().iter().filter(|dependency| dependency.name == "mandi-aws" && !dependency.is_for_tests)
    {
        assert!(
            dependency.is_optional || TESTS.contains(&dependency.of.as_str()),
            "{} always uses mandi-aws",
            dependency.of
        );
    }
}

#[test]
fn given_lancedb_when_its_users_are_listed_then_the_index_is_the_only_one() {
    let users: Vec<_> =
        dependencies().into_iter().filter(|one| one.name.starts_with("lance")).map(|one| one.of).collect();
    assert!(!users.is_empty() && users.iter().all(|user| user == "mandi-index"), "{users:?}");
}

#[test]
fn given_the_runner_when_all_that_it_links_is_listed_then_our_aws_adapters_are_not_in_it() {
    let tree = output(env!("CARGO"), &["tree", "-p", "mandi", "-e", "normal", "--prefix", "none", "--offline"]);
    assert!(tree.lines().any(|line| line.starts_with("mandi-local ")), "cargo tree shows nothing");
    assert!(!tree.lines().any(|line| line.starts_with("mandi-aws ")), "the runner links mandi-aws");
}

#[test]
fn given_the_chat_function_when_all_that_it_links_is_listed_then_neither_lancedb_nor_model_inference_is_in_it() {
    let tree = output(env!("CARGO"), &["tree", "-p", "mandi-chat", "-e", "normal", "--prefix", "none", "--offline"]);
    for crate_name in ["lancedb ", "mandi-index ", "mandi-inference "] {
        assert!(!tree.lines().any(|line| line.starts_with(crate_name)), "chat links {crate_name}");
    }
}

/// The packages of a tree with their features, without our own.
fn packages(arguments: &[&str]) -> BTreeSet<String> {
    let rest = ["--prefix", "none", "--format", "{p} [{f}]", "--offline"];
    let tree = output(env!("CARGO"), &[&["tree"], arguments, &rest].concat());
    let lines = tree.lines().map(|line| line.replace(" (*)", "").replace(" (proc-macro)", ""));
    lines.filter(|line| !line.starts_with("mandi") && !line.is_empty()).collect()
}

#[test]
fn given_a_build_of_the_runner_or_a_function_with_lancedb_when_all_else_is_built_then_no_dependency_is_built_again() {
    // Among the dependencies of tests Cargo shows a package once that is built for macros and for us.
    let mut workspace = packages(&["--workspace", "-e", "normal,build,dev"]);
    workspace.extend(packages(&["--workspace", "-e", "normal,build"]));
    for member in ["mandi", "mandi-embedding"] {
        let alone = packages(&["-p", member, "-e", "normal,build"]);
        let again: Vec<_> = alone.difference(&workspace).collect();
        assert!(
            again.is_empty(),
            "{member} needs these with other features than the workspace; name the features in the workspace's \
             manifest: {again:#?}"
        );
    }
}
