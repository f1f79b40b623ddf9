//! Collect: the parts become one file, in the order of the table, and a manifest with checksums.

use bytes::Bytes;
use mandi_core::ports::ObjectsError;
use mandi_core::uploads::hexadecimal;
use mandi_core::{Problem, ProblemKind, Result, TenantId};
use mandi_tables::{Format, TextFormat};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::plan::StoredPlan;
use super::{OfJob, TaskError, Tasks};
use crate::jobs::{File, Found, Job, Jobs, Part, ShardDone};

/// The parts of a job, with their checksums.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = BatchManifest)]
pub(crate) struct Manifest {
    /// The job.
    pub(crate) job_id: String,
    /// The model.
    pub(crate) model_id: String,
    /// Its version.
    pub(crate) version: u32,
    /// The format of the results.
    #[schema(value_type = String, example = "csv")]
    pub(crate) format: Format,
    /// The columns of the results, in their order.
    pub(crate) columns: Vec<String>,
    /// Rows of the table.
    pub(crate) total: u64,
    /// Rows with an answer.
    pub(crate) completed: u64,
    /// Rows with a fault.
    pub(crate) failed: u64,
    /// The one file of results.
    pub(crate) whole: WholeFile,
    /// The parts of the results, in the order of the table.
    pub(crate) parts: Vec<ManifestPart>,
}

/// A file.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = BatchResultFile)]
pub(crate) struct WholeFile {
    /// How long it is, in bytes.
    pub(crate) size_bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub(crate) sha256: String,
}

/// What a shard gave.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = BatchPart)]
pub(crate) struct ManifestPart {
    /// Its place among the shards, from 0.
    pub(crate) shard: usize,
    /// Rows with an answer.
    pub(crate) completed: u64,
    /// Rows with a fault.
    pub(crate) failed: u64,
    /// The part of the results.
    pub(crate) results: WholeFile,
    /// The part of the failures.
    pub(crate) failures: WholeFile,
}

impl From<&ShardDone> for ManifestPart {
    fn from(done: &ShardDone) -> Self {
        let file = |part: &Part| WholeFile { size_bytes: part.size_bytes, sha256: part.sha256.clone() };
        Self {
            shard: done.index,
            completed: done.results.rows,
            failed: done.failures.rows,
            results: file(&done.results),
            failures: file(&done.failures),
        }
    }
}

impl Tasks {
    pub(super) async fn collect(&self, of: &OfJob) -> Result<Value, TaskError> {
        let (tenant, Found { job, .. }) = self.open(of).await?;
        if !self.jobs.begin_collecting(&tenant, &job.id).await? {
            return Err(TaskError::job_is_over());
        }
        let plan = self.jobs.plan(&tenant, &job.id).await?;
        let done = self.jobs.done_from(&tenant, &job.id, 0).await?;
        if done.len() != plan.shards.len() {
            let detail = format!("{} of {} shards are done", done.len(), plan.shards.len());
            return Err(Problem::internal(detail).into());
        }
        let whole = self.join(&tenant, &job, &plan, &done).await?;
        let sum = |rows: fn(&ShardDone) -> u64| done.iter().map(rows).sum();
        let manifest = Manifest {
            job_id: job.id.as_str().to_owned(),
            model_id: job.model.as_str().to_owned(),
            version: job.version,
            format: job.output.format,
            columns: plan.results.columns().iter().map(|column| column.name.clone()).collect(),
            total: plan.rows,
            completed: sum(|done| done.results.rows),
            failed: sum(|done| done.failures.rows),
            whole,
            parts: done.iter().map(ManifestPart::from).collect(),
        };
        let text = serde_json::to_vec(&manifest).map_err(Problem::internal)?;
        let key = Jobs::object(&tenant, &job.id, File::Manifest);
        self.jobs.objects.put(&key, text.into()).await.map_err(Problem::from)?;
        Ok(json!({}))
    }

    /// Writes the one file: what comes first, then the parts.
    async fn join(
        &self,
        tenant: &TenantId,
        job: &Job,
        plan: &StoredPlan,
        done: &[ShardDone],
    ) -> Result<WholeFile, TaskError> {
        let format = match job.output.format {
            Format::Csv => TextFormat::Csv,
            Format::Jsonl | Format::Parquet => TextFormat::Jsonl,
        };
        let key = Jobs::object(tenant, &job.id, File::Whole);
        let mut writer = self.jobs.objects.writer(&key).await.map_err(Problem::from)?;
        let (mut digest, mut size_bytes) = (Sha256::new(), 0);
        let mut pieces = vec![None];
        pieces.extend(done.iter().map(Some));
        for piece in pieces {
            let bytes = match piece {
                None => Bytes::from(plan.results.head(format)),
                Some(done) => self.part(tenant, job, done).await?,
            };
            digest.update(&bytes);
            size_bytes += bytes.len() as u64;
            writer.write(bytes).await.map_err(Problem::from)?;
        }
        writer.finish().await.map_err(|error: ObjectsError| Problem::from(error))?;
        Ok(WholeFile { size_bytes, sha256: hexadecimal(&digest.finalize()) })
    }

    /// A part of the results, as it was written.
    async fn part(&self, tenant: &TenantId, job: &Job, done: &ShardDone) -> Result<Bytes, TaskError> {
        let bytes = self.jobs.file(tenant, &job.id, File::Results(done.index)).await?;
        let found = hexadecimal(&Sha256::digest(&bytes));
        if found == done.results.sha256 {
            return Ok(bytes);
        }
        let detail = format!("the results of shard {} were changed in the store; start the job anew", done.index);
        Err(Problem::new(ProblemKind::Unprocessable, detail).into())
    }
}
