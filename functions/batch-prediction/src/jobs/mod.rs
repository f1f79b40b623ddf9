//! Jobs: what was asked for, how far it has come, and where its parts lie.

mod lost;
mod model;
mod progress;
mod store;

use std::sync::Arc;

use mandi_core::Clock;
use mandi_core::audit::AuditTrail;
use mandi_core::ids::JobId;
use mandi_core::ports::{Objects, Orchestrator, Records};
use mandi_core::uploads::Uploads;

pub(crate) use model::{CopiedColumn, Explained, Input, Job, Output, StatedForm};
pub(crate) use progress::{Failure, Progress, State};
pub(crate) use store::{Part, ShardDone, execution};

/// The jobs of all tenants.
#[derive(Clone, Debug)]
pub(crate) struct Jobs {
    pub(crate) records: Arc<dyn Records>,
    pub(crate) objects: Arc<dyn Objects>,
    pub(crate) orchestrator: Arc<dyn Orchestrator>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) uploads: Uploads,
    pub(crate) audit: AuditTrail,
}

/// A job with its progress.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) job: Job,
    pub(crate) progress: Progress,
}

/// A part of a job's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum File {
    /// The plan: how the table is read, and its shards.
    Plan,
    /// A plain copy of a table that cannot be read from the middle.
    Copy,
    /// What becomes of a shard's good rows.
    Results(usize),
    /// The bad rows of a shard.
    Failures(usize),
    /// All parts with their checksums.
    Manifest,
    /// The one file of results.
    Whole,
}

impl File {
    /// Its name among the job's objects.
    pub(crate) fn parts(self, job: &JobId) -> Vec<String> {
        let name = match self {
            Self::Plan => vec!["plan.json".to_owned()],
            Self::Copy => vec!["copy".to_owned()],
            // Eight digits keep the order of numbers.
            Self::Results(shard) => vec!["results".to_owned(), format!("{shard:08}")],
            Self::Failures(shard) => vec!["failures".to_owned(), format!("{shard:08}")],
            Self::Manifest => vec!["manifest.json".to_owned()],
            Self::Whole => vec!["whole".to_owned()],
        };
        [vec!["batch".to_owned(), job.as_str().to_owned()], name].concat()
    }
}
