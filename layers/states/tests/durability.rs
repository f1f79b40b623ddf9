//! An execution that was cut off after any event goes on to the same end, and asks no task again whose end is written.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use mandi_states::engine::{Event, Outcome};
use serde_json::{Value, json};
use support::{resume, simulate};

/// Cases whose end depends on the time, or on how often a task was called, cannot be compared.
fn comparable(case: &Value) -> bool {
    let text = case.to_string();
    let counted = case["mock"].as_object().is_some_and(|mock| mock.values().any(Value::is_array));
    !counted && !["millis", "$now", "Time", "waitForTaskToken"].iter().any(|word| text.contains(word))
}

fn cases() -> Vec<Value> {
    let folder = format!("{}/tests/cases", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).unwrap();
    let read = |file: std::fs::DirEntry| {
        serde_json::from_str::<Vec<Value>>(&std::fs::read_to_string(file.path()).unwrap()).unwrap()
    };
    files.flat_map(|file| read(file.unwrap())).filter(comparable).collect()
}

fn or_empty(value: &Value) -> Value {
    if value.is_null() { json!({}) } else { value.clone() }
}

#[test]
fn given_a_run_cut_off_after_any_event_then_it_ends_as_an_undisturbed_one() {
    let (mut points, mut faults) = (0, Vec::new());
    for case in cases() {
        let input = case.get("input").cloned().unwrap_or_else(|| json!({}));
        let (mock, objects) = (or_empty(&case["mock"]), or_empty(&case["objects"]));
        let whole = simulate(&case["definition"], input.clone(), &mock, &objects);
        for cut in 1..=whole.entries.len() {
            points += 1;
            let kept = whole.entries[..cut].to_vec();
            let ended = |event: &Event| {
                matches!(event, Event::TaskSucceeded { .. } | Event::TaskFailed { .. } | Event::TaskTimedOut { .. })
            };
            let done = kept.iter().filter(|entry| ended(&entry.event)).count();
            let again = resume(&case["definition"], input.clone(), &mock, &objects, kept);
            if again.outcome != whole.outcome {
                faults.push(format!(
                    "{} cut after {cut}: {:?} instead of {:?}",
                    case["name"], again.outcome, whole.outcome
                ));
            }
            if again.calls.len() + done > whole.calls.len() {
                faults.push(format!("{} cut after {cut}: a task was called again whose end was written", case["name"]));
            }
        }
    }
    assert!(points > 500, "{points} points");
    assert!(faults.is_empty(), "{} of {points} points:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn given_a_variable_made_by_chance_then_a_resumed_run_keeps_it() {
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"id": "{% $uuid() %}"}, "Next": "B"},
        "B": {"Type": "Pass", "Output": "{% $id %}", "End": true}}});
    let whole = simulate(&definition, json!({}), &json!({}), &json!({}));
    let Outcome::Succeeded(id) = &whole.outcome else { panic!("{whole:?}") };
    for cut in 3..whole.entries.len() {
        let again = resume(&definition, json!({}), &json!({}), &json!({}), whole.entries[..cut].to_vec());
        assert_eq!(again.outcome, Outcome::Succeeded(id.clone()), "cut after {cut}");
    }
}

#[test]
fn given_a_machine_that_goes_round_for_ever_then_it_ends_at_the_limit_of_its_history() {
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Choice", "Choices": [{"Variable": "$.stop", "IsPresent": true, "Next": "B"}], "Default": "A"},
        "B": {"Type": "Succeed"}}});
    let ran = simulate(&definition, json!({}), &json!({}), &json!({}));
    assert!(matches!(&ran.outcome, Outcome::Failed(fault) if fault.error == "States.Runtime"), "{:?}", ran.outcome);
}

#[test]
fn given_a_journal_of_another_definition_then_it_is_refused() {
    let one = json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}});
    let whole = simulate(&one, json!({}), &json!({}), &json!({}));
    let other = json!({"StartAt": "Z", "States": {"Z": {"Type": "Pass", "End": true}}});
    let resumed =
        std::panic::catch_unwind(|| resume(&other, json!({}), &json!({}), &json!({}), whole.entries[..2].to_vec()));
    assert!(resumed.is_err());
}
