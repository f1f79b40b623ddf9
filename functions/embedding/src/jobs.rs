//! Jobs that index many or long documents after their request was answered.
//!
//! A job is a record, one record for each document, the documents themselves as objects, and an entry in the
//! platform's queue, written last: a job without its entry does not exist. Whoever holds the entry's lease
//! works; each step is one transaction under the lease, so that a job whose runner was killed goes on where it
//! stopped, and nothing is done twice.

mod run;
mod store;

use std::sync::Arc;

use async_trait::async_trait;
use mandi_core::ids::JobId;
use mandi_core::ports::{Objects, Records};
use mandi_core::{Clock, Result, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::collections::Collections;
use crate::documents::{DocumentOutcome, Documents};

pub use run::JobRunner;

/// Starts the running of a job somewhere: in this process, or as an asynchronous invocation.
#[async_trait]
pub trait RunJob: Send + Sync + std::fmt::Debug {
    /// Sees to it that [`Jobs::run`] is called for the job soon. If that fails, the job is found by
    /// [`Jobs::resume_abandoned`].
    async fn run_soon(&self, job: &JobId) -> Result<()>;
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JobState {
    /// It waits or works.
    Running,
    /// Every document has an outcome.
    Done,
}

/// A job.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Job {
    /// Its id.
    #[schema(value_type = String)]
    pub(crate) job_id: JobId,
    /// The collection.
    pub(crate) collection: String,
    /// How far it has come.
    pub(crate) state: JobState,
    /// Documents in all.
    pub(crate) total: i64,
    /// Documents that have an outcome.
    pub(crate) completed: i64,
    /// Those of them that failed.
    pub(crate) failed: i64,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// Its documents, in the order in which they were sent.
    pub(crate) documents: Vec<DocumentOutcome>,
}

/// The jobs of a store.
#[derive(Clone)]
pub struct Jobs {
    records: Arc<dyn Records>,
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    documents: Documents,
    collections: Collections,
    run_job: Arc<dyn RunJob>,
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Jobs").finish_non_exhaustive()
    }
}

impl Jobs {
    pub(crate) fn new(
        records: Arc<dyn Records>,
        objects: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
        documents: Documents,
        collections: Collections,
        run_job: Arc<dyn RunJob>,
    ) -> Self {
        Self { records, objects, clock, documents, collections, run_job }
    }
}
