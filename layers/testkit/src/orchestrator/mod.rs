//! The conformance suite of the [`Orchestrator`] port: one function for each case, run against every adapter.
//!
//! Used as [`crate::records`] is, with [`orchestrator_suite!`](crate::orchestrator_suite). A fixture has two machines:
//! `echo`, which gives its input back after a moment, `failing`, which fails with the error `Conformance.Failed` and the
//! cause `it always does`, and `waiting`, which waits for an hour.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use mandi_core::TenantId;
use mandi_core::ids::ExecutionId;
use mandi_core::ports::{
    ExecutionError, ExecutionKey, ExecutionStatus, MAX_EXECUTION_INPUT_BYTES, MachineName, Orchestrator,
    OrchestratorError, StartOutcome,
};
use serde_json::{Value, json};

use crate::tenant;

/// The machines of a fixture: name and definition.
pub const MACHINES: [(&str, &str); 3] = [
    ("echo", r#"{"QueryLanguage": "JSONata", "StartAt": "Echo", "States": {"Echo": {"Type": "Pass", "End": true}}}"#),
    (
        "failing",
        r#"{"StartAt": "Fail", "States": {"Fail": {"Type": "Fail", "Error": "Conformance.Failed", "Cause": "it always does"}}}"#,
    ),
    ("waiting", r#"{"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": true}}}"#),
];

/// Whether executions run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// As the port says.
    Runs,
    /// They stay where they began, for the stated reason.
    Never(&'static str),
}

/// Whether the reason of a stop is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// As the port says.
    Kept,
    /// It is lost, for the stated reason.
    Lost(&'static str),
}

/// Where an orchestrator is allowed to differ from the port, and why.
#[derive(Clone, Copy, Debug)]
pub struct Differences {
    /// Running.
    pub running: Running,
    /// Reasons of stops.
    pub stop_reason: StopReason,
}

/// An orchestrator under test.
#[derive(Debug)]
pub struct Fixture {
    /// The orchestrator, with [`MACHINES`].
    pub orchestrator: Arc<dyn Orchestrator>,
    /// Where it may differ.
    pub differences: Differences,
    /// What has to live as long: a folder, a server.
    pub keep: Box<dyn Any + Send + Sync>,
}

fn key_of(tenant: TenantId, machine: &str) -> ExecutionKey {
    ExecutionKey { tenant, machine: MachineName::parse(machine).unwrap(), id: ExecutionId::generate() }
}

fn key(machine: &str) -> ExecutionKey {
    key_of(tenant("conformance"), machine)
}

fn reason() -> ExecutionError {
    ExecutionError { error: "Conformance.Stopped".to_owned(), cause: "enough".to_owned() }
}

/// Waits up to ten seconds for an end.
async fn ended(fixture: &Fixture, key: &ExecutionKey) -> mandi_core::ports::ExecutionDescription {
    for _ in 0..200 {
        let description = fixture.orchestrator.describe(key).await.unwrap();
        if description.status != ExecutionStatus::Running {
            return description;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the execution did not end within ten seconds");
}

/// Its output is there when it has ended.
pub async fn an_execution_that_succeeds_has_its_output(fixture: &Fixture) {
    if matches!(fixture.differences.running, Running::Never(_)) {
        return;
    }
    let (key, input) = (key("echo"), json!({ "text": "चावल", "n": [1, null] }));
    fixture.orchestrator.start(&key, &input).await.unwrap();
    let description = ended(fixture, &key).await;
    assert_eq!((description.status, description.output), (ExecutionStatus::Succeeded, Some(input)));
    assert!(description.ended_at.unwrap() >= description.started_at && description.error.is_none());
}

/// Its error and cause are there.
pub async fn an_execution_that_fails_has_its_error(fixture: &Fixture) {
    if matches!(fixture.differences.running, Running::Never(_)) {
        return;
    }
    let key = key("failing");
    fixture.orchestrator.start(&key, &json!({})).await.unwrap();
    let description = ended(fixture, &key).await;
    assert_eq!(description.status, ExecutionStatus::Failed);
    let expected = ExecutionError { error: "Conformance.Failed".to_owned(), cause: "it always does".to_owned() };
    assert_eq!((description.error, description.output), (Some(expected), None));
}

/// It is running, without an end.
pub async fn an_execution_that_waits_is_running(fixture: &Fixture) {
    let key = key("waiting");
    assert_eq!(fixture.orchestrator.start(&key, &json!({})).await.unwrap(), StartOutcome::Started);
    let description = fixture.orchestrator.describe(&key).await.unwrap();
    assert_eq!(description.status, ExecutionStatus::Running);
    assert!(description.ended_at.is_none() && description.output.is_none() && description.error.is_none());
    fixture.orchestrator.stop(&key, &reason()).await.unwrap();
}

/// The second start says so, also when members of the input stand in another order of writing.
pub async fn starting_the_same_execution_twice_starts_it_once(fixture: &Fixture) {
    let (key, input) = (key("waiting"), json!({ "a": 1 }));
    assert_eq!(fixture.orchestrator.start(&key, &input).await.unwrap(), StartOutcome::Started);
    assert_eq!(fixture.orchestrator.start(&key, &input).await.unwrap(), StartOutcome::Existed);
    fixture.orchestrator.stop(&key, &reason()).await.unwrap();
    assert_eq!(fixture.orchestrator.start(&key, &input).await.unwrap(), StartOutcome::Existed);
    assert_eq!(fixture.orchestrator.describe(&key).await.unwrap().status, ExecutionStatus::Aborted);
}

/// It is refused, and the first one stays.
pub async fn starting_the_same_execution_with_another_input_is_refused(fixture: &Fixture) {
    let key = key("waiting");
    fixture.orchestrator.start(&key, &json!({ "a": 1 })).await.unwrap();
    let refused = fixture.orchestrator.start(&key, &json!({ "a": 2 })).await;
    assert!(matches!(refused, Err(OrchestratorError::OtherInput)), "{refused:?}");
    fixture.orchestrator.stop(&key, &reason()).await.unwrap();
}

/// The status, the end, and the reason.
pub async fn a_stopped_execution_is_aborted_with_the_reason(fixture: &Fixture) {
    let key = key("waiting");
    fixture.orchestrator.start(&key, &json!({})).await.unwrap();
    fixture.orchestrator.stop(&key, &reason()).await.unwrap();
    let description = fixture.orchestrator.describe(&key).await.unwrap();
    assert_eq!(description.status, ExecutionStatus::Aborted);
    assert!(description.ended_at.is_some());
    if fixture.differences.stop_reason == StopReason::Kept {
        assert_eq!(description.error, Some(reason()));
    }
}

/// And changes nothing.
pub async fn stopping_twice_is_no_error(fixture: &Fixture) {
    let key = key("waiting");
    fixture.orchestrator.start(&key, &json!({})).await.unwrap();
    fixture.orchestrator.stop(&key, &reason()).await.unwrap();
    let before = fixture.orchestrator.describe(&key).await.unwrap();
    let other = ExecutionError { error: "Other".to_owned(), cause: String::new() };
    fixture.orchestrator.stop(&key, &other).await.unwrap();
    let after = fixture.orchestrator.describe(&key).await.unwrap();
    assert_eq!((before.status, before.error), (after.status, after.error));
}

/// In the words of one that never was.
pub async fn an_execution_of_another_tenant_is_not_found(fixture: &Fixture) {
    let key = key("waiting");
    fixture.orchestrator.start(&key, &json!({})).await.unwrap();
    let other = ExecutionKey { tenant: tenant("another"), ..key.clone() };
    let (theirs, never) = (fixture.orchestrator.describe(&other).await, key_of(tenant("another"), "waiting"));
    let never = fixture.orchestrator.describe(&never).await;
    assert!(matches!(theirs, Err(OrchestratorError::NoSuchExecution)), "{theirs:?}");
    assert!(matches!(never, Err(OrchestratorError::NoSuchExecution)), "{never:?}");
    let stopped = fixture.orchestrator.stop(&other, &reason()).await;
    assert!(matches!(stopped, Err(OrchestratorError::NoSuchExecution)), "{stopped:?}");
    assert_eq!(fixture.orchestrator.describe(&key).await.unwrap().status, ExecutionStatus::Running);
    fixture.orchestrator.stop(&key, &reason()).await.unwrap();
}

/// Two tenants may choose the same id.
pub async fn the_same_id_of_two_tenants_is_two_executions(fixture: &Fixture) {
    let one = key("waiting");
    let other = ExecutionKey { tenant: tenant("another"), ..one.clone() };
    assert_eq!(fixture.orchestrator.start(&one, &json!(1)).await.unwrap(), StartOutcome::Started);
    assert_eq!(fixture.orchestrator.start(&other, &json!(2)).await.unwrap(), StartOutcome::Started);
    fixture.orchestrator.stop(&one, &reason()).await.unwrap();
    assert_eq!(fixture.orchestrator.describe(&other).await.unwrap().status, ExecutionStatus::Running);
    fixture.orchestrator.stop(&other, &reason()).await.unwrap();
}

/// By its name.
pub async fn a_machine_that_is_not_there_is_said(fixture: &Fixture) {
    let refused = fixture.orchestrator.start(&key("nothing"), &json!({})).await;
    assert!(
        matches!(&refused, Err(OrchestratorError::NoSuchMachine(name)) if name.as_str() == "nothing"),
        "{refused:?}"
    );
}

/// With its size.
pub async fn an_input_that_is_too_large_is_refused(fixture: &Fixture) {
    let fits = Value::String("x".repeat(MAX_EXECUTION_INPUT_BYTES - 2));
    let (large, key) = (Value::String("x".repeat(MAX_EXECUTION_INPUT_BYTES - 1)), key("waiting"));
    let refused = fixture.orchestrator.start(&key, &large).await;
    assert!(matches!(refused, Err(OrchestratorError::InputTooLarge { size_bytes: 262_145 })), "{refused:?}");
    fixture.orchestrator.start(&key, &fits).await.unwrap();
    fixture.orchestrator.stop(&key, &reason()).await.unwrap();
}

/// Makes a test of each case, from a function that makes a fixture.
#[macro_export]
macro_rules! orchestrator_suite {
    ($make:path) => {
        $crate::conformance_tests! { $make; orchestrator;
            an_execution_that_succeeds_has_its_output
            an_execution_that_fails_has_its_error
            an_execution_that_waits_is_running
            starting_the_same_execution_twice_starts_it_once
            starting_the_same_execution_with_another_input_is_refused
            a_stopped_execution_is_aborted_with_the_reason
            stopping_twice_is_no_error
            an_execution_of_another_tenant_is_not_found
            the_same_id_of_two_tenants_is_two_executions
            a_machine_that_is_not_there_is_said
            an_input_that_is_too_large_is_refused
        }
    };
}
