//! Executions of state machines: started, described, stopped.
//!
//! A machine is a definition in Amazon States Language under a name. An execution belongs to a tenant; one of another
//! tenant is not found, in the same words as one that never was.

use std::fmt;

use async_trait::async_trait;
use serde_json::Value;

use crate::error::{Problem, ProblemKind};
use crate::identity::TenantId;
use crate::ids::ExecutionId;
use crate::time::Timestamp;

/// The largest input of an execution, in bytes of JSON (the limit of Step Functions, 256 KiB).
pub const MAX_EXECUTION_INPUT_BYTES: usize = 256 * 1024;

/// The name of a state machine, as in `infra/statemachines/NAME.asl.json`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineName(String);

impl MachineName {
    /// A name of 1 to 80 lower-case letters, digits and dashes; `None` when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        ((1..=80).contains(&text.len()) && text.bytes().all(allowed)).then(|| Self(text.to_owned()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MachineName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Which execution.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExecutionKey {
    /// Whose it is.
    pub tenant: TenantId,
    /// Of which machine.
    pub machine: MachineName,
    /// Its id, chosen by who starts it: starting the same one twice starts it once.
    pub id: ExecutionId,
}

/// What a start found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartOutcome {
    /// It was started.
    Started,
    /// It had been started before, with the same input.
    Existed,
}

/// How an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExecutionStatus {
    /// It is running, or waits to be taken up again.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// It took longer than its machine allows.
    TimedOut,
    /// It was stopped.
    Aborted,
}

impl ExecutionStatus {
    /// Every status, for tables and tests.
    pub const ALL: [Self; 5] = [Self::Running, Self::Succeeded, Self::Failed, Self::TimedOut, Self::Aborted];

    /// The name that Step Functions uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
        }
    }

    /// By its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// An error by the name that `ErrorEquals` matches, with its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionError {
    /// The name.
    pub error: String,
    /// Why, for people.
    pub cause: String,
}

/// What is known of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionDescription {
    /// How it stands.
    pub status: ExecutionStatus,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its output, when it succeeded.
    pub output: Option<Value>,
    /// Its error, when it ended otherwise and there is one.
    pub error: Option<ExecutionError>,
}

/// Why an orchestrator does not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrchestratorError {
    /// No machine has this name.
    #[error("there is no state machine `{0}`")]
    NoSuchMachine(MachineName),
    /// The tenant has no such execution.
    #[error("there is no such execution")]
    NoSuchExecution,
    /// The execution was started before, with another input.
    #[error("the execution was started before with another input")]
    OtherInput,
    /// The input is over [`MAX_EXECUTION_INPUT_BYTES`].
    #[error("the input has {size_bytes} bytes; at most {MAX_EXECUTION_INPUT_BYTES} are allowed")]
    InputTooLarge {
        /// Its size.
        size_bytes: usize,
    },
    /// The orchestrator asks to slow down.
    #[error("the orchestrator asks to slow down")]
    Throttled,
    /// The orchestrator cannot be reached or is broken.
    #[error("the orchestrator is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<OrchestratorError> for Problem {
    fn from(error: OrchestratorError) -> Self {
        let (kind, detail) = match &error {
            OrchestratorError::NoSuchExecution => (ProblemKind::NotFound, "there is no such execution"),
            OrchestratorError::OtherInput => {
                (ProblemKind::Conflict, "this was started before with another input; use a new id")
            }
            OrchestratorError::InputTooLarge { .. } => {
                (ProblemKind::TooLarge, "the input is larger than an execution may have; put the data in an object")
            }
            OrchestratorError::Throttled => (ProblemKind::Throttled, "the platform is busy; try again"),
            OrchestratorError::NoSuchMachine(_) | OrchestratorError::Unavailable(_) => {
                (ProblemKind::Unavailable, "the orchestrator cannot be used now; try again")
            }
        };
        let problem = Self::new(kind, detail).caused_by(error);
        if kind == ProblemKind::Throttled { problem.retry_after(1) } else { problem }
    }
}

/// Runs state machines.
#[async_trait]
pub trait Orchestrator: Send + Sync + fmt::Debug {
    /// Starts an execution. When it returns, the execution goes on by itself, whatever becomes of the caller.
    async fn start(&self, key: &ExecutionKey, input: &Value) -> Result<StartOutcome, OrchestratorError>;

    /// How an execution stands.
    async fn describe(&self, key: &ExecutionKey) -> Result<ExecutionDescription, OrchestratorError>;

    /// Stops an execution, with its tasks. Stopping one that has ended is no error and changes nothing.
    async fn stop(&self, key: &ExecutionKey, reason: &ExecutionError) -> Result<(), OrchestratorError>;
}

/// Fails when an input is too large. For adapters.
///
/// # Errors
/// [`OrchestratorError::InputTooLarge`].
pub fn check_input(input: &Value) -> Result<String, OrchestratorError> {
    let text = input.to_string();
    if text.len() > MAX_EXECUTION_INPUT_BYTES {
        return Err(OrchestratorError::InputTooLarge { size_bytes: text.len() });
    }
    Ok(text)
}
