//! Collect: the parts become one file, in the order of the table, and a manifest with checksums.

use std::io;
use std::sync::Arc;

use mandi_core::uploads::hexadecimal;
use mandi_core::{Problem, ProblemKind, TenantId};
use mandi_tables::{Format, Input, MemoryRange, ResultFile, TableError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::input::{ObjectRange, Sink};
use super::plan::{StoredPlan, blocking};
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

    /// Writes the one file.
    async fn join(
        &self,
        tenant: &TenantId,
        job: &Job,
        plan: &StoredPlan,
        done: &[ShardDone],
    ) -> Result<WholeFile, TaskError> {
        let objects = &self.jobs.objects;
        let parts: Vec<(usize, String, Input)> = done
            .iter()
            .map(|done| {
                let key = Jobs::object(tenant, &job.id, File::Results(done.index));
                let input: Input = Arc::new(ObjectRange::new(objects.clone(), key, done.results.size_bytes));
                (done.index, done.results.sha256.clone(), input)
            })
            .collect();
        let writer = objects.writer(&Jobs::object(tenant, &job.id, File::Whole)).await.map_err(Problem::from)?;
        let (format, layout) = (job.output.format, plan.results.clone());
        let sink = Digested { sink: Sink::new(writer), digest: Sha256::new(), size_bytes: 0 };
        blocking(move || {
            let mut file = ResultFile::new(sink, format, &layout)?;
            for (shard, sha256, part) in parts {
                file.append(&whole(shard, &sha256, &part)?)?;
            }
            let Digested { sink, digest, size_bytes } = file.finish()?;
            sink.finish()?;
            Ok(WholeFile { size_bytes, sha256: hexadecimal(&digest.finalize()) })
        })
        .await
    }
}

/// A part of the results in memory, as its shard wrote it.
fn whole(shard: usize, sha256: &str, part: &Input) -> Result<Input, TaskError> {
    let length = usize::try_from(part.len()).map_err(Problem::internal)?;
    let bytes = part.read(0, length).map_err(TableError::Read)?;
    if hexadecimal(&Sha256::digest(&bytes)) == sha256 {
        return Ok(Arc::new(MemoryRange::new(bytes)));
    }
    let detail = format!("the results of shard {shard} were changed in the store; start the job anew");
    Err(Problem::new(ProblemKind::Unprocessable, detail).into())
}

/// A sink that knows what went through it.
struct Digested {
    sink: Sink,
    digest: Sha256,
    size_bytes: u64,
}

impl io::Write for Digested {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = io::Write::write(&mut self.sink, bytes)?;
        let taken = bytes.get(..count).unwrap_or(bytes);
        self.digest.update(taken);
        self.size_bytes += taken.len() as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::Write::flush(&mut self.sink)
    }
}
