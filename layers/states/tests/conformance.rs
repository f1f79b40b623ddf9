//! The language, case by case: small definitions with their input and what comes of them.
//!
//! A file in `cases` is an array of cases. Each names the section of the specification that it is about (ASL: the Amazon
//! States Language at states-language.net; AWS: the Step Functions developer guide), and has `definition`, `input`,
//! canned results of tasks (`mock`), `objects` of the bucket `bucket`, and what is expected: `output`, or `error` and
//! perhaps `cause` (a part of it); `history` (types of events), `calls` and `written` objects where they matter.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use mandi_states::engine::{Outcome, history};
use serde_json::{Value, json};
use support::simulate;

fn field<'v>(case: &'v Value, name: &str) -> &'v Value {
    static NOTHING: Value = Value::Null;
    case.get(name).unwrap_or(&NOTHING)
}

fn differences(case: &Value) -> Vec<String> {
    let empty = json!({});
    let or_empty = |value: &Value| if value.is_null() { empty.clone() } else { value.clone() };
    let input = or_empty(field(case, "input"));
    let ran =
        simulate(field(case, "definition"), input, &or_empty(field(case, "mock")), &or_empty(field(case, "objects")));
    let mut differences = Vec::new();
    let mut compare = |what: &str, expected: &Value, found: Value| {
        if *expected != found {
            differences.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    match &ran.outcome {
        Outcome::Succeeded(output) => {
            compare("output", case.get("output").unwrap_or(&json!("no output, an error")), output.clone());
        }
        Outcome::TimedOut => compare("error", field(case, "error"), json!("States.Timeout")),
        Outcome::Failed(fault) | Outcome::Aborted(fault) => {
            compare("error", field(case, "error"), json!(fault.error));
            if let Some(cause) = field(case, "cause").as_str() {
                compare("cause holds its part", &json!(true), json!(fault.cause.contains(cause)));
            }
            if case.get("error").is_none() {
                compare("cause", &json!("no error"), json!(fault.cause));
            }
        }
    }
    if let Some(expected) = case.get("history") {
        let types = history(&ran.entries).into_iter().map(|event| event["type"].clone()).collect();
        compare("history", expected, types);
    }
    if let Some(expected) = case.get("calls") {
        let calls = ran.calls.iter().map(|(state, arguments)| json!([state, arguments])).collect();
        compare("calls", expected, calls);
    }
    if let Some(expected) = case.get("written") {
        let given = case.get("objects").cloned().unwrap_or_default();
        let new = ran.objects.iter().filter(|(key, _)| given.get(key).is_none());
        let content = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| json!(text));
        compare("written", expected, new.map(|(key, text)| (key.clone(), content(text))).collect());
    }
    differences
}

fn all_of(file: &str) {
    let text = std::fs::read_to_string(format!("{}/tests/cases/{file}.json", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut failures = Vec::new();
    for case in &cases {
        let name = format!("{} ({})", field(case, "name"), field(case, "section"));
        failures.extend(differences(case).into_iter().map(|difference| format!("{name}: {difference}")));
    }
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

macro_rules! files {
    ($($test:ident $file:literal;)+) => { $(#[test] fn $test() { all_of($file); })+ };
}

files! {
    given_pass_and_flow_states_then_data_flows_as_specified "flow";
    given_jsonpath_fields_then_input_and_output_are_processed_as_specified "jsonpath";
    given_choice_rules_then_the_first_that_holds_is_taken "choice";
    given_errors_then_they_are_retried_and_caught_as_specified "errors";
    given_map_and_parallel_states_then_they_run_as_specified "map";
    given_distributed_maps_then_items_are_read_batched_and_written "distributed";
    given_intrinsic_functions_then_they_give_what_the_guide_says "intrinsics";
    given_variables_then_their_scopes_hold "variables";
}
