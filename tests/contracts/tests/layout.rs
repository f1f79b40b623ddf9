//! Rules of the repository that no compiler checks.

use mandi_contracts::{FUNCTIONS, Function, read, repository_files};

/// The longest source file, in lines.
const MAX_LINES: usize = 500;
/// The longest `main.rs` of a function, in lines.
const MAX_MAIN_LINES: usize = 40;

fn files_ending(endings: &[&str]) -> Vec<String> {
    let files = repository_files();
    let chosen: Vec<_> = files.into_iter().filter(|file| endings.iter().any(|ending| file.ends_with(ending))).collect();
    assert!(!chosen.is_empty(), "no files end with {endings:?}");
    chosen
}

fn is_for_tests(path: &str) -> bool {
    let in_test_folder = ["tests/", "layers/testkit/"].iter().any(|folder| path.starts_with(folder))
        || ["/tests/", "/examples/"].iter().any(|folder| path.contains(folder));
    in_test_folder || path.ends_with("/tests.rs") || is_test_module(path)
}

/// Whether the library or module that the file belongs to has it as `#[cfg(test)] mod name;`.
fn is_test_module(path: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    let declared = format!("#[cfg(test)]\nmod {};", name.trim_end_matches(".rs"));
    let parents = ["lib.rs", "mod.rs"].map(|file| format!("{folder}/{file}"));
    parents.iter().any(|parent| repository_files().contains(parent) && read(parent).contains(&declared))
}

#[test]
fn given_a_source_file_when_its_lines_are_counted_then_there_are_at_most_500() {
    let sources = files_ending(&[".rs", ".py", ".sh", ".yaml", "Makefile"]);
    let long: Vec<_> =
        sources.iter().map(|path| (path, read(path).lines().count())).filter(|(_, lines)| *lines > MAX_LINES).collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn given_the_main_file_of_a_function_when_its_lines_are_counted_then_there_are_at_most_40() {
    for Function { name: function, .. } in FUNCTIONS {
        let lines = read(format!("functions/{function}/src/main.rs")).lines().count();
        assert!(lines <= MAX_MAIN_LINES, "functions/{function}/src/main.rs has {lines} lines");
    }
}

#[test]
fn given_a_crate_when_its_manifest_is_read_then_it_has_the_lints_of_the_workspace() {
    for manifest in files_ending(&["Cargo.toml"]).iter().filter(|path| *path != "Cargo.toml") {
        assert!(read(manifest).contains("[lints]\nworkspace = true"), "{manifest} has lints of its own");
    }
}

#[test]
fn given_code_outside_tests_when_it_is_read_then_no_lint_against_panics_is_switched_off() {
    for path in files_ending(&[".rs"]).iter().filter(|path| !is_for_tests(path)) {
        let text = read(path);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for lint in ["clippy::unwrap_used", "clippy::expect_used", "clippy::panic"] {
            assert!(!code.contains(lint), "{path} switches {lint} off");
        }
    }
}

#[test]
fn given_code_when_a_lint_is_switched_off_then_by_expect_with_a_reason() {
    for path in files_ending(&[".rs"]).iter().filter(|path| !path.starts_with("tests/contracts/")) {
        let text = read(path);
        assert!(!text.contains("#[allow(") && !text.contains("#![allow("), "{path}: use #[expect(.., reason)]");
    }
}

#[test]
fn given_the_workspace_version_when_the_changelog_is_read_then_it_has_that_version() {
    let heading = format!("## [{}]", env!("CARGO_PKG_VERSION"));
    assert!(read("CHANGELOG.md").lines().any(|line| line.starts_with(&heading)), "CHANGELOG.md lacks {heading}");
}

#[test]
fn given_the_repository_when_large_files_are_looked_for_then_there_are_none() {
    for path in repository_files() {
        let size = std::fs::metadata(mandi_contracts::root().join(&path)).map(|found| found.len()).unwrap_or_default();
        assert!(
            size < 1_000_000 || path == "Cargo.lock",
            "{path} has {size} bytes; what is generated or fetched stays out of Git"
        );
    }
}
