//! The tasks that the machine `batch-prediction` calls. Each may be called twice and gives the same.

mod answers;
mod collect;
mod error;
mod input;
mod plan;
mod rows;
mod shard;

use std::num::NonZeroU32;

use mandi_core::ids::JobId;
use mandi_core::{Problem, TenantId};
use mandi_registry::Versions;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use answers::is_ours;
pub(crate) use collect::Manifest;
pub use error::{TASK_ERRORS, TaskError};
pub(crate) use input::ObjectRange;
pub(crate) use plan::features;
pub(crate) use rows::{FailedRow, schema};

use crate::jobs::{Failure, Found, Jobs, State};

/// What the machine asks for. The tenant comes from the execution's input, which only [`crate::router`]'s handlers write.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub enum Task {
    /// Whether model and table are as they were when the job was asked for.
    Validate(OfJob),
    /// Cuts the table into shards. Gives `{shards, shards_at_once}`.
    Plan(OfJob),
    /// Predicts the rows of a shard. Gives its index.
    PredictShard {
        /// The job.
        #[serde(flatten)]
        of: OfJob,
        /// The shard's place in the plan, from 0.
        shard: usize,
    },
    /// Puts the parts together.
    Collect(OfJob),
    /// The job ended well.
    Finish(OfJob),
    /// The job ended with an error.
    Fail {
        /// The job.
        #[serde(flatten)]
        of: OfJob,
        /// The error's name.
        error: String,
        /// Its cause: text, or JSON with `errorMessage`, as functions of AWS give it.
        cause: String,
    },
}

/// Of which job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfJob {
    /// The tenant.
    pub tenant: String,
    /// The job.
    pub job_id: JobId,
}

impl OfJob {
    fn tenant(&self) -> Result<TenantId, TaskError> {
        TenantId::from_stored(&self.tenant).ok_or_else(|| Problem::internal("the tenant is not one").into())
    }
}

/// Does the tasks.
#[derive(Clone, Debug)]
pub struct Tasks {
    pub(crate) jobs: Jobs,
    pub(crate) versions: Versions,
    pub(crate) shards_at_once: NonZeroU32,
}

impl Tasks {
    /// Does a task.
    ///
    /// # Errors
    /// [`TaskError`]; its name is what a machine's `ErrorEquals` matches.
    pub async fn perform(&self, task: Task) -> Result<Value, TaskError> {
        match task {
            Task::Validate(of) => self.validate(&of).await,
            Task::Plan(of) => self.plan(&of).await,
            Task::PredictShard { of, shard } => self.predict_shard(&of, shard).await,
            Task::Collect(of) => self.collect(&of).await,
            Task::Finish(of) => self.finish(&of).await,
            Task::Fail { of, error, cause } => self.fail(&of, error, &cause).await,
        }
    }

    /// A job that is not over.
    async fn open(&self, of: &OfJob) -> Result<(TenantId, Found), TaskError> {
        let tenant = of.tenant()?;
        let found = self.jobs.find(&tenant, of.job_id.as_str()).await?;
        if found.progress.state.is_over() { Err(TaskError::job_is_over()) } else { Ok((tenant, found)) }
    }

    async fn validate(&self, of: &OfJob) -> Result<Value, TaskError> {
        let (tenant, Found { job, .. }) = self.open(of).await?;
        self.versions.ready(&tenant, &job.model, job.version).await?;
        let found = self.jobs.objects.size_bytes(&job.input.key()).await.map_err(Problem::from)?;
        match found {
            Some(size_bytes) if size_bytes == job.input.size_bytes => Ok(json!({})),
            Some(size_bytes) => Err(TaskError::input_changed(format!(
                "`{}` has {size_bytes} bytes, and had {} when the job was asked for; start a job over what is there now",
                job.input.filename, job.input.size_bytes
            ))),
            None => Err(TaskError::input_changed(format!("`{}` is there no more; send it again", job.input.filename))),
        }
    }

    async fn finish(&self, of: &OfJob) -> Result<Value, TaskError> {
        let tenant = of.tenant()?;
        self.jobs.succeed(&tenant, &of.job_id).await?;
        self.tidy(&tenant, &of.job_id).await?;
        Ok(json!({}))
    }

    async fn fail(&self, of: &OfJob, error: String, cause: &str) -> Result<Value, TaskError> {
        let tenant = of.tenant()?;
        let told: Option<Value> = serde_json::from_str(cause).ok();
        let detail = told.as_ref().and_then(|told| told["errorMessage"].as_str()).unwrap_or(cause).to_owned();
        tracing::warn!(job = of.job_id.as_str(), error, detail, "a batch prediction failed");
        self.jobs.end(&tenant, &of.job_id, State::Failed, Some(&Failure { error, detail })).await?;
        self.tidy(&tenant, &of.job_id).await?;
        Ok(json!({}))
    }

    /// Removes what only a running job needs.
    async fn tidy(&self, tenant: &TenantId, job: &JobId) -> Result<(), TaskError> {
        let copy = Jobs::object(tenant, job, crate::jobs::File::Copy);
        Ok(self.jobs.objects.delete(&copy).await.map_err(Problem::from)?)
    }
}
