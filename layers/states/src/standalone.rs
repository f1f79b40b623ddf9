//! One run of a definition, from its text to what a command line shows.

use std::sync::Arc;

use mandi_core::Clock;
use serde_json::{Value, json};

use crate::definition::{self, Fault, Severity};
use crate::engine::{Execution, ItemStore, MemoryJournal, Outcome, Ports, Timer, history, run};
use crate::fault::names;
use crate::mock::MockTasks;
use crate::query::SystemRandom;

/// What a run is given.
#[derive(Debug)]
pub struct Given<'a> {
    /// The definition's text.
    pub definition: &'a str,
    /// The input's text.
    pub input: &'a str,
    /// The text of canned results, if there are any.
    pub mock: Option<&'a str>,
}

/// What a run needs of the outside.
#[derive(Clone, Debug)]
pub struct Outside {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Waits.
    pub timer: Arc<dyn Timer>,
    /// Items of distributed maps.
    pub items: Arc<dyn ItemStore>,
}

/// What a run has given.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The output, or an object with `Error` and `Cause`.
    pub shown: Value,
    /// Whether it is the output, of a run in which each task had a canned result.
    pub status: Status,
    /// What of the canned results may not be meant so.
    pub notes: Vec<String>,
    /// The events by the names of Step Functions.
    pub history: Vec<Value>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// With its output.
    Succeeded,
    /// With an error.
    Failed,
}

impl Status {
    /// The exit code of a command: 0 or 1.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Succeeded => 0,
            Self::Failed => 1,
        }
    }
}

/// Why there was no run.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The definition has faults.
    #[error("the definition cannot be run; it has these faults:\n{}", list(.0))]
    Definition(Vec<Fault>),
    /// The input is not JSON.
    #[error(
        "the input is not JSON: {0}; write it as in --input '{{\"name\": \"rice\"}}', or name a file as in --input @input.json"
    )]
    Input(String),
    /// The canned results cannot be used.
    #[error("{0}")]
    Mock(String),
    /// The journal failed.
    #[error("the run was cut off: {0}")]
    Journal(String),
}

/// One fault a line.
fn list(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What `mandi machine check` shows: the faults, one a line, and whether the definition can be run.
#[must_use]
pub fn check_report(text: &str) -> (String, Status) {
    let faults = definition::check(text);
    let refused = faults.iter().any(|fault| fault.severity == Severity::Error);
    let shown = if faults.is_empty() { "no faults".to_owned() } else { list(&faults) };
    (shown, if refused { Status::Failed } else { Status::Succeeded })
}

/// Runs a definition once, with its journal in memory.
///
/// # Errors
/// See [`RunError`]: nothing was run.
pub async fn run_once(given: Given<'_>, outside: &Outside) -> Result<Finished, RunError> {
    let machine = definition::parse(given.definition).map_err(RunError::Definition)?;
    let input = serde_json::from_str(given.input).map_err(|error| RunError::Input(error.to_string()))?;
    let mock = |text| MockTasks::parse(text, Arc::clone(&outside.clock), Arc::clone(&outside.timer));
    let mock = mock(given.mock.unwrap_or("{}")).map_err(RunError::Mock)?;
    let journal = MemoryJournal::default();
    let ports = Ports {
        tasks: &mock,
        callbacks: &mock,
        clock: outside.clock.as_ref(),
        timer: outside.timer.as_ref(),
        random: &SystemRandom,
        items: outside.items.as_ref(),
        journal: &journal,
    };
    let execution = Execution {
        id: "machine-run".to_owned(),
        name: "machine-run".to_owned(),
        machine_id: "machine".to_owned(),
        machine_name: "machine".to_owned(),
        input,
    };
    let outcome = run(&machine, &execution, &ports).await.map_err(|error| RunError::Journal(error.to_string()))?;
    let error = |error: &str, cause: &str| json!({ "Error": error, "Cause": cause });
    let (shown, status) = match outcome {
        Outcome::Succeeded(output) => (output, Status::Succeeded),
        Outcome::Failed(fault) | Outcome::Aborted(fault) => (error(&fault.error, &fault.cause), Status::Failed),
        Outcome::TimedOut => (error(names::TIMEOUT, "the machine took longer than its TimeoutSeconds"), Status::Failed),
    };
    let missing = mock.missing().into_iter().map(|state| format!("the state `{state}` has no canned result"));
    let unused = mock.unused().into_iter().map(|name| format!("no task took the canned result of `{name}`"));
    // A run that went on past a task that nobody did shows nothing.
    let status = if mock.missing().is_empty() { status } else { Status::Failed };
    Ok(Finished { shown, status, notes: missing.chain(unused).collect(), history: history(&journal.entries()) })
}
