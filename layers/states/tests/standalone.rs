//! What the command line shows of a run and of a check.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use mandi_core::Timestamp;
use mandi_states::simulate::{MemoryItems, SimulatedTime};
use mandi_states::standalone::{Finished, Given, Outside, RunError, Status, check_report, run_once};
use serde_json::json;

const TASK: &str =
    r#"{"QueryLanguage": "JSONata", "StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "r", "End": true}}}"#;

fn ran(definition: &str, input: &str, mock: Option<&str>) -> Result<Finished, RunError> {
    let time = Arc::new(SimulatedTime::at(Timestamp::from_unix_ms(0)));
    let outside = Outside { clock: time.clone(), timer: time.clone(), items: Arc::new(MemoryItems::default()) };
    time.drive(run_once(Given { definition, input, mock }, &outside)).unwrap()
}

#[test]
fn given_canned_results_then_the_output_is_shown_with_its_history() {
    let finished = ran(TASK, "{\"a\": 1}", Some(r#"{"T": {"Return": "done"}}"#)).unwrap();
    assert_eq!((finished.shown, finished.status.exit_code()), (json!("done"), 0));
    assert_eq!(finished.history[2]["type"], "TaskScheduled");
    assert_eq!(finished.history[2]["taskScheduledEventDetails"]["parameters"], "{\"a\":1}");
}

#[test]
fn given_a_failure_then_error_and_cause_are_shown_with_exit_code_1() {
    let finished = ran(TASK, "{}", Some(r#"{"r": {"Throw": {"Error": "Bad", "Cause": "why"}}}"#)).unwrap();
    assert_eq!((finished.shown, finished.status), (json!({"Error": "Bad", "Cause": "why"}), Status::Failed));
}

#[test]
fn given_no_canned_result_then_the_task_fails_and_says_what_to_give() {
    let finished = ran(TASK, "{}", None).unwrap();
    assert!(finished.shown["Cause"].as_str().unwrap().contains("--mock"), "{}", finished.shown);
}

#[test]
fn given_what_cannot_be_read_then_nothing_runs_and_the_reason_is_said() {
    assert!(matches!(ran("{", "{}", None), Err(RunError::Definition(_))));
    assert!(matches!(ran(TASK, "nonsense", None), Err(RunError::Input(_))));
    let refused = ran(TASK, "{}", Some(r#"{"T": {"Returns": 1}}"#)).unwrap_err();
    assert!(refused.to_string().contains("Return"), "{refused}");
}

#[test]
fn given_a_sound_definition_then_the_check_says_so() {
    let with_arn = TASK.replace("\"r\"", "\"arn:aws:states:::lambda:invoke\"");
    assert_eq!(check_report(&with_arn), ("no faults".to_owned(), Status::Succeeded));
}

#[test]
fn given_a_resource_that_only_this_machine_knows_then_the_check_warns() {
    let (report, status) = check_report(TASK);
    assert_eq!(status, Status::Succeeded);
    assert!(report.starts_with("line 1: warning: /States/T/Resource"), "{report}");
}

const CAUGHT: &str = r#"{"StartAt": "T", "States": {
    "T": {"Type": "Task", "Resource": "r", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}], "End": true},
    "Done": {"Type": "Succeed"}}}"#;

#[test]
fn given_a_task_without_a_canned_result_whose_failure_is_caught_then_the_run_has_not_succeeded() {
    let finished = ran(CAUGHT, "{}", Some(r#"{"Other": {"Return": 1}}"#)).unwrap();
    assert_eq!(finished.status, Status::Failed);
    let notes = ["the state `T` has no canned result", "no task took the canned result of `Other`"];
    assert_eq!(finished.notes, notes);
}

#[test]
fn given_a_canned_result_of_another_form_then_it_is_named() {
    let refused = ran(TASK, "{}", Some(r#"{"T": {"Return": 1}, "U": 5}"#)).unwrap_err();
    assert!(refused.to_string().contains("canned result of `U`"), "{refused}");
}

#[test]
fn given_events_that_only_the_journal_needs_then_the_history_is_numbered_without_gaps() {
    let assigning = r#"{"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "T"},
        "T": {"Type": "Task", "Resource": "r", "Next": "W",
              "Retry": [{"ErrorEquals": ["Bad"], "IntervalSeconds": 1, "MaxAttempts": 2}]},
        "W": {"Type": "Wait", "Seconds": 1, "End": true}}}"#;
    let mock = r#"{"T": [{"Throw": {"Error": "Bad"}}, {"Return": 1}]}"#;
    let history = ran(assigning, "{}", Some(mock)).unwrap().history;
    let ids: Vec<_> = history.iter().map(|event| event["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    assert!(history.iter().all(|event| event["previousEventId"].as_u64() < event["id"].as_u64()), "{history:?}");
}

#[test]
fn given_faults_then_each_is_a_line_with_its_place() {
    let (report, status) =
        check_report("{\n \"StartAt\": \"A\",\n \"States\": {\n  \"A\": {\"Type\": \"Pass\"}\n }\n}");
    assert_eq!(status, Status::Failed);
    assert!(report.starts_with("line 4: error: /States/A: the state has neither"), "{report}");
}
