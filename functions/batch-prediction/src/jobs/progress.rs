//! How far a job has come.

use mandi_core::Timestamp;
use mandi_core::ports::Record;
use mandi_core::{Problem, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a job is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = BatchState)]
pub(crate) enum State {
    /// It waits for its machine.
    Queued,
    /// Its table is read once and cut into shards.
    Planning,
    /// Shards are worked on.
    Running,
    /// The parts are put together.
    Collecting,
    /// Every row has an answer or a fault.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

impl State {
    const ALL: [Self; 7] =
        [Self::Queued, Self::Planning, Self::Running, Self::Collecting, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Planning => "planning",
            Self::Running => "running",
            Self::Collecting => "collecting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing changes any more.
    pub(crate) const fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Why a job ended without its results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = BatchFailure)]
pub(crate) struct Failure {
    /// The name of the error.
    #[schema(example = "too-many-failed-rows")]
    pub(crate) error: String,
    /// The reason and the way out.
    pub(crate) detail: String,
}

/// How far a job has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) state: State,
    /// Rows of the table; known when it is planned.
    pub(crate) total: Option<u64>,
    /// Rows with an answer.
    pub(crate) completed: u64,
    /// Rows with a fault.
    pub(crate) failed: u64,
    /// Shards of the plan.
    pub(crate) shards: Option<u64>,
    /// Those of them that are done.
    pub(crate) shards_done: u64,
    /// When the first shard was begun.
    pub(crate) running_since: Option<Timestamp>,
    /// When the last shard was done.
    pub(crate) progressed_at: Option<Timestamp>,
    /// When it ended.
    pub(crate) ended_at: Option<Timestamp>,
    /// Why it ended without results.
    pub(crate) failure: Option<Failure>,
}

/// The names of the fields of a job's record.
pub(super) mod field {
    pub(in crate::jobs) const JOB: &str = "job";
    pub(in crate::jobs) const STATE: &str = "state";
    pub(in crate::jobs) const TOTAL: &str = "total";
    pub(in crate::jobs) const COMPLETED: &str = "completed";
    pub(in crate::jobs) const FAILED: &str = "failed";
    pub(in crate::jobs) const SHARDS: &str = "shards";
    pub(in crate::jobs) const SHARDS_DONE: &str = "shards_done";
    pub(in crate::jobs) const RUNNING_SINCE: &str = "running_since";
    pub(in crate::jobs) const PROGRESSED_AT: &str = "progressed_at";
    pub(in crate::jobs) const ENDED_AT: &str = "ended_at";
    pub(in crate::jobs) const FAILURE: &str = "failure";
}

impl Progress {
    /// Reads a job's record.
    pub(super) fn read(record: &Record) -> Result<Self> {
        let state = record.text(field::STATE).and_then(State::named);
        let state = state.ok_or_else(|| Problem::internal(format!("{:?} has no state", record.key)))?;
        let count = |name| record.int(name).and_then(|count| u64::try_from(count).ok());
        let moment = |name| record.int(name).map(Timestamp::from_unix_ms);
        Ok(Self {
            state,
            total: count(field::TOTAL),
            completed: count(field::COMPLETED).unwrap_or(0),
            failed: count(field::FAILED).unwrap_or(0),
            shards: count(field::SHARDS),
            shards_done: count(field::SHARDS_DONE).unwrap_or(0),
            running_since: moment(field::RUNNING_SINCE),
            progressed_at: moment(field::PROGRESSED_AT),
            ended_at: moment(field::ENDED_AT),
            failure: record.text(field::FAILURE).map(serde_json::from_str).transpose().map_err(Problem::internal)?,
        })
    }

    /// Rows a second since the first shard was begun, when one is done.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(crate) fn rows_per_second(&self) -> Option<f64> {
        let (since, until) = self.running_since.zip(self.progressed_at)?;
        let seconds = until.since(since).as_secs_f64().max(0.001);
        let rows = self.completed + self.failed;
        (rows > 0).then(|| rows as f64 / seconds)
    }

    /// When the last row will be done, at the rate so far.
    #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
    pub(crate) fn estimated_end(&self) -> Option<Timestamp> {
        if self.state != State::Running {
            return None;
        }
        let left = self.total?.saturating_sub(self.completed + self.failed);
        let seconds = left as f64 / self.rows_per_second()?;
        std::time::Duration::try_from_secs_f64(seconds).ok().map(|left| self.progressed_at.map(|at| at.plus(left)))?
    }
}
