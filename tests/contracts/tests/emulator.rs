//! The functions' binaries, under Lambda's runtime interface emulator, answer every event as expected.

use std::path::{Path, PathBuf};
use std::process::Command;

use mandi_contracts::{python, root};

/// Where this build puts its binaries: beside the temporary folder that Cargo gives to tests.
fn target() -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().unwrap_or(scratch).to_owned()
}

fn check(function: &str) {
    let binary = target().join("debug").join(function);
    assert!(binary.is_file(), "there is no {}: run `cargo build --workspace`", binary.display());
    let script = root().join("scripts/invoke.py");
    let mut command = Command::new(python());
    command.arg(script).arg(function).arg("--check").arg("--binary").arg(&binary).current_dir(root());
    let run = command.output().unwrap_or_else(|error| panic!("invoke.py: {error}"));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(run.status.success(), "{}\n{}", said(&run.stdout), said(&run.stderr));
}

#[test]
fn given_the_chat_binary_when_each_event_is_sent_to_it_then_the_answer_is_the_expected_one() {
    check("chat");
}

#[test]
fn given_the_embedding_binary_when_each_event_is_sent_to_it_then_the_answer_is_the_expected_one() {
    check("embedding");
}

#[test]
fn given_the_prediction_binary_when_each_event_is_sent_to_it_then_the_answer_is_the_expected_one() {
    check("prediction");
}

#[test]
fn given_the_batch_prediction_binary_when_each_event_is_sent_to_it_then_the_answer_is_the_expected_one() {
    check("batch-prediction");
}
