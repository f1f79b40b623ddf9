//! Why a task failed, by a name that a state machine matches.

use mandi_core::{Problem, ProblemKind};
use mandi_tables::TableError;

/// The job was cancelled, or has failed meanwhile.
const JOB_IS_OVER: &str = "job-is-over";
/// More rows failed than the job allows.
const TOO_MANY_FAILED_ROWS: &str = "too-many-failed-rows";
/// The table is not the one that the job was asked for with.
const INPUT_CHANGED: &str = "input-changed";
/// The table cannot be read.
const BAD_INPUT: &str = "bad-input";

/// The names of errors that tasks have besides those of [`ProblemKind`].
pub const TASK_ERRORS: [&str; 4] = [JOB_IS_OVER, TOO_MANY_FAILED_ROWS, INPUT_CHANGED, BAD_INPUT];

/// A task that failed.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct TaskError {
    /// What `ErrorEquals` matches: the name of a [`ProblemKind`], or one of [`TASK_ERRORS`].
    pub name: &'static str,
    /// The reason and the way out, for people.
    pub detail: String,
}

impl TaskError {
    pub(super) fn job_is_over() -> Self {
        Self { name: JOB_IS_OVER, detail: "the job is over".to_owned() }
    }

    pub(super) const fn too_many_failed_rows(detail: String) -> Self {
        Self { name: TOO_MANY_FAILED_ROWS, detail }
    }

    pub(super) const fn input_changed(detail: String) -> Self {
        Self { name: INPUT_CHANGED, detail }
    }
}

impl From<Problem> for TaskError {
    fn from(problem: Problem) -> Self {
        if problem.kind == ProblemKind::Internal {
            tracing::error!(causes = problem.causes(), "a task failed by our fault");
        }
        Self { name: problem.kind.name(), detail: problem.detail }
    }
}

impl From<TableError> for TaskError {
    fn from(error: TableError) -> Self {
        let detail = error.to_string();
        match error {
            // The store's, which may answer the next time.
            TableError::Read(_) | TableError::Write(_) => Self { name: ProblemKind::Unavailable.name(), detail },
            TableError::Changed { .. } => Self { name: INPUT_CHANGED, detail },
            _ => Self { name: BAD_INPUT, detail },
        }
    }
}
