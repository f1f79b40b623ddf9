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
    assert_eq!(check_report(TASK), ("no faults".to_owned(), Status::Succeeded));
}

#[test]
fn given_faults_then_each_is_a_line_with_its_place() {
    let (report, status) =
        check_report("{\n \"StartAt\": \"A\",\n \"States\": {\n  \"A\": {\"Type\": \"Pass\"}\n }\n}");
    assert_eq!(status, Status::Failed);
    assert!(report.starts_with("line 4: error: /States/A: the state has neither"), "{report}");
}
