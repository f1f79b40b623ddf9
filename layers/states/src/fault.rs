//! What goes wrong while a state machine runs, by the names that `ErrorEquals` matches.

use serde::{Deserialize, Serialize};

/// The largest input, output or set of variables of a state, in bytes of UTF-8 JSON (256 KiB).
pub const MAX_PAYLOAD_BYTES: usize = 262_144;

/// The error names that the language reserves.
/// Source: Amazon States Language, appendix A, and "Handling errors" in the Step Functions developer guide.
pub mod names {
    /// Matches every error but [`DATA_LIMIT_EXCEEDED`] and [`RUNTIME`].
    pub const ALL: &str = "States.ALL";
    /// A `Choice` state without a rule that holds, and without `Default`.
    pub const NO_CHOICE_MATCHED: &str = "States.NoChoiceMatched";
    /// A task, or the whole machine, took longer than its time-out.
    pub const TIMEOUT: &str = "States.Timeout";
    /// A task sent no heartbeat for longer than `HeartbeatSeconds`.
    pub const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
    /// A task failed; as a matcher: every error of a task but a time-out.
    pub const TASK_FAILED: &str = "States.TaskFailed";
    /// A task was refused for lack of rights.
    pub const PERMISSIONS: &str = "States.Permissions";
    /// `ResultPath` cannot be applied to the input.
    pub const RESULT_PATH_MATCH_FAILURE: &str = "States.ResultPathMatchFailure";
    /// A path in a payload template gives nothing.
    pub const PARAMETER_PATH_FAILURE: &str = "States.ParameterPathFailure";
    /// A branch of a `Parallel` state failed.
    pub const BRANCH_FAILED: &str = "States.BranchFailed";
    /// An intrinsic function failed.
    pub const INTRINSIC_FAILURE: &str = "States.IntrinsicFailure";
    /// More items failed than a `Map` state tolerates.
    pub const EXCEED_TOLERATED_FAILURE_THRESHOLD: &str = "States.ExceedToleratedFailureThreshold";
    /// The items of a `Map` state cannot be read.
    pub const ITEM_READER_FAILED: &str = "States.ItemReaderFailed";
    /// The results of a `Map` state cannot be written.
    pub const RESULT_WRITER_FAILED: &str = "States.ResultWriterFailed";
    /// A JSONata expression failed, or gave what its field does not take.
    pub const QUERY_EVALUATION_ERROR: &str = "States.QueryEvaluationError";
    /// A payload is over [`super::MAX_PAYLOAD_BYTES`].
    pub const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";
    /// The execution cannot go on: a path of the state itself gives nothing, or the like.
    pub const RUNTIME: &str = "States.Runtime";
}

/// An error by its name, with its cause for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error}: {cause}")]
pub struct StateFault {
    /// The name that `ErrorEquals` matches.
    pub error: String,
    /// Why, for people.
    pub cause: String,
}

impl StateFault {
    /// A fault.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: cause.into() }
    }

    pub(crate) fn runtime(cause: impl Into<String>) -> Self {
        Self::new(names::RUNTIME, cause)
    }

    pub(crate) fn query(cause: impl Into<String>) -> Self {
        Self::new(names::QUERY_EVALUATION_ERROR, cause)
    }

    pub(crate) fn intrinsic(cause: impl Into<String>) -> Self {
        Self::new(names::INTRINSIC_FAILURE, cause)
    }

    /// Whether one name of an `ErrorEquals` list matches this fault.
    ///
    /// `States.ALL` does not match the two faults that end every execution, `States.TaskFailed` matches all but
    /// time-outs, and `States.Timeout` matches a missed heartbeat too.
    #[must_use]
    pub fn is_matched_by(&self, name: &str) -> bool {
        if matches!(self.error.as_str(), names::DATA_LIMIT_EXCEEDED | names::RUNTIME) {
            return name == self.error;
        }
        match name {
            names::ALL => true,
            names::TASK_FAILED => self.error != names::TIMEOUT && self.error != names::HEARTBEAT_TIMEOUT,
            names::TIMEOUT => matches!(self.error.as_str(), names::TIMEOUT | names::HEARTBEAT_TIMEOUT),
            _ => name == self.error,
        }
    }
}

/// Fails when a payload is over the limit. `what` names it in the cause.
pub(crate) fn within_limit(what: &str, payload: &serde_json::Value) -> Result<(), StateFault> {
    let size_bytes = json_size(payload);
    if size_bytes <= MAX_PAYLOAD_BYTES {
        return Ok(());
    }
    Err(StateFault::new(
        names::DATA_LIMIT_EXCEEDED,
        format!(
            "{what} has {size_bytes} bytes; at most {MAX_PAYLOAD_BYTES} are allowed. Keep large data in an object and pass its key"
        ),
    ))
}

/// The size of a value as compact JSON in UTF-8, in bytes.
pub(crate) fn json_size(value: &serde_json::Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => usize::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_a_task_failure_then_wildcards_match_and_a_timeout_does_not() {
        let fault = StateFault::new("Bad", "");
        assert!(fault.is_matched_by("States.ALL") && fault.is_matched_by("States.TaskFailed"));
        assert!(!fault.is_matched_by("States.Timeout") && !fault.is_matched_by("Other"));
    }

    #[test]
    fn given_a_data_limit_fault_then_only_its_own_name_matches() {
        let fault = StateFault::new(names::DATA_LIMIT_EXCEEDED, "");
        assert!(!fault.is_matched_by("States.ALL") && !fault.is_matched_by("States.TaskFailed"));
        assert!(fault.is_matched_by("States.DataLimitExceeded"));
    }

    #[test]
    fn given_a_missed_heartbeat_then_both_names_match() {
        let fault = StateFault::new(names::HEARTBEAT_TIMEOUT, "");
        assert!(fault.is_matched_by("States.Timeout") && fault.is_matched_by("States.HeartbeatTimeout"));
        assert!(!fault.is_matched_by("States.TaskFailed"));
    }
}
