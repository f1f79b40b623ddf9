//! A shard: its rows are read, predicted and written as one part, and the bad ones as another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mandi_core::uploads::hexadecimal;
use mandi_core::{Problem, ProblemKind, TenantId};
use mandi_inference::explain::{Explanation, ModelExplainer};
use mandi_inference::signature::{Prediction, ReadTable, Row};
use mandi_registry::{Loaded, Ready};
use mandi_tables::{
    Batch, Cells, Column, Extent, Input, Limits, Projection, ResultPart, Shard, ShardReader, TableError,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::input::{ObjectRange, ahead};
use super::plan::{StoredPlan, blocking};
use super::rows::{FailedRow, read, schema, taken};
use super::{OfJob, TaskError, Tasks};
use crate::jobs::{File, Found, Job, Jobs, Part, Progress, ShardDone};

/// How often it is looked whether the job was cancelled meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The longest range that is read in one call, in bytes.
const MAX_AHEAD_BYTES: u64 = 64 << 20;
/// How many reasons are told of a job that fails of its rows.
const TOLD_REASONS: usize = 3;

/// What the work on a shard needs.
struct Work {
    job: Job,
    plan: StoredPlan,
    shard: Shard,
    source: Input,
    projection: Arc<Projection>,
    ready: Arc<Ready>,
    model: Arc<Loaded>,
    explainer: Option<Arc<ModelExplainer>>,
    is_over: Arc<AtomicBool>,
}

/// Ends the work of a thread whose caller is there no more: a machine that is stopped drops its tasks.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What a shard gives.
#[derive(Default)]
struct Written {
    results: Vec<u8>,
    good: u64,
    failures: Vec<u8>,
    bad: u64,
    /// The first faults.
    reasons: Vec<FailedRow>,
}

impl Tasks {
    pub(super) async fn predict_shard(&self, of: &OfJob, index: usize) -> Result<Value, TaskError> {
        let (tenant, Found { job, .. }) = self.open(of).await?;
        if self.jobs.done(&tenant, &job.id, index).await?.is_some() {
            return Ok(json!(index));
        }
        let plan = self.jobs.plan(&tenant, &job.id).await?;
        let shard = plan.shards.get(index).copied();
        let shard = shard.ok_or_else(|| Problem::internal(format!("the plan has no shard {index}")))?;
        let ready = self.versions.ready(&tenant, &job.model, job.version).await?;
        let model = self.versions.loaded(&ready).await?;
        let explainer = match job.output.explained {
            Some(game) => Some(self.versions.explainer(&ready, game.into()).await?),
            None => None,
        };
        let size_bytes = plan.reading.size_bytes;
        let source = ObjectRange::new(self.jobs.objects.clone(), plan.source(&tenant, &job), size_bytes);
        let projection = plan.projection(&job, ready.bound.signature())?;
        let is_over = Arc::new(AtomicBool::new(false));
        let _stop = StopOnDrop(is_over.clone());
        let source: Input = Arc::new(source);
        let work = Work { job, plan, shard, source, projection, ready, model, explainer, is_over };
        let (id, max_failed_share) = (work.job.id.clone(), work.job.max_failed_share);
        let (results_key, failures_key) =
            (Jobs::object(&tenant, &id, File::Results(index)), Jobs::object(&tenant, &id, File::Failures(index)));
        let written = tokio::select! {
            written = blocking(move || work.run()) => written?,
            () = self.until_over(&tenant, of) => return Err(TaskError::job_is_over()),
        };
        let Written { results, good, failures, bad, reasons } = written;
        let (results, failures) = (Bytes::from(results), Bytes::from(failures));
        let done = ShardDone { index, results: part(good, &results), failures: part(bad, &failures) };
        self.jobs.objects.put_if_absent(&results_key, results).await.map_err(Problem::from)?;
        self.jobs.objects.put_if_absent(&failures_key, failures).await.map_err(Problem::from)?;
        let Found { progress, .. } = self.jobs.shard_done(&tenant, &id, &done).await?;
        if progress.state.is_over() {
            return Err(TaskError::job_is_over());
        }
        within(&progress, max_failed_share, &reasons)?;
        Ok(json!(index))
    }

    /// Returns when the job is over, whoever ended it.
    async fn until_over(&self, tenant: &TenantId, of: &OfJob) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match self.jobs.find(tenant, of.job_id.as_str()).await {
                Ok(found) if found.progress.state.is_over() => return,
                Ok(_) => {}
                Err(problem) => tracing::warn!(causes = problem.causes(), "a job was not looked at"),
            }
        }
    }
}

fn part(rows: u64, content: &Bytes) -> Part {
    Part { rows, size_bytes: content.len() as u64, sha256: hexadecimal(&Sha256::digest(content)) }
}

/// Fails when more rows failed than the job allows. The share is of all rows of the table, so that it does not matter in
/// which order shards are done.
#[expect(clippy::cast_precision_loss, reason = "a share of rows")]
fn within(progress: &Progress, max_failed_share: f64, reasons: &[FailedRow]) -> Result<(), TaskError> {
    let total = progress.total.unwrap_or(0);
    if progress.failed as f64 <= max_failed_share * total as f64 {
        return Ok(());
    }
    let reasons: Vec<String> = reasons
        .iter()
        .map(|fault| match &fault.column {
            Some(column) => format!("row {}, column `{column}`: {}", fault.row, fault.detail),
            None => format!("row {}: {}", fault.row, fault.detail),
        })
        .collect();
    Err(TaskError::too_many_failed_rows(format!(
        "{} of {total} rows failed so far, and {max_failed_share} of them may (`max_failed_share`); {}",
        progress.failed,
        reasons.join("; ")
    )))
}

impl Work {
    fn run(self) -> Result<Written, TaskError> {
        let limits = Limits::default();
        let source = match self.shard.extent {
            Extent::Bytes { offset, length } if length <= MAX_AHEAD_BYTES => {
                let length = usize::try_from(length).map_err(Problem::internal)?;
                ahead(self.source.clone(), offset, length).map_err(TableError::Read)?
            }
            _ => self.source.clone(),
        };
        let signature = self.ready.bound.signature();
        let mut reader = ShardReader::open(&source, &self.plan.reading, &self.shard, &self.projection, &limits)?;
        let mut batch = Batch::new(&schema(signature, &self.job.output.copied));
        let mut writer = ResultPart::new(Vec::new(), self.job.output.format, self.plan.results.clone())?;
        let mut written = Written::default();
        while reader.read(&mut batch)? {
            if self.is_over.load(Ordering::Relaxed) {
                return Err(TaskError::job_is_over());
            }
            let (table, mut failed) = read(&self.ready.bound, &batch);
            let answered = self.answer(&batch, &table, &mut failed)?;
            written.good += answered.places.len() as u64;
            writer.write(&self.columns(&batch, &answered).iter().collect::<Vec<_>>())?;
            failed.sort_by_key(|fault| fault.row);
            written.fail(failed)?;
        }
        written.results = writer.finish()?;
        Ok(written)
    }

    /// The answers for good rows. Rows that the model does not take, though they are good by the signature, fail too.
    fn answer(&self, batch: &Batch, table: &ReadTable, failed: &mut Vec<FailedRow>) -> Result<Answered, TaskError> {
        let mut answered = Answered::default();
        self.predict(table, table.good(), &mut answered)?;
        for (place, detail) in std::mem::take(&mut answered.refused) {
            failed.push(FailedRow { row: batch.rows().get(place).copied().unwrap_or_default(), column: None, detail });
        }
        if let Some(explainer) = &self.explainer {
            let rows: Vec<Row> = answered.places.iter().map(|place| table.row(*place)).collect();
            let explained = if rows.is_empty() {
                Ok(Vec::new())
            } else {
                explainer.explain(
                    (self.model.model(), &self.ready.bound),
                    (&rows, &answered.predictions),
                    self.job.output.target,
                    &|| self.is_over.load(Ordering::Relaxed),
                )
            };
            let explained = explained.map_err(|fault| {
                let detail = format!("the answers cannot be explained: {fault}");
                Problem::new(ProblemKind::Unprocessable, detail)
            });
            answered.explanations = Some(explained?);
        }
        Ok(answered)
    }

    /// Runs the model, over halves of the rows where it does not take all of them, down to the rows at fault.
    fn predict(&self, table: &ReadTable, places: &[usize], answered: &mut Answered) -> Result<(), TaskError> {
        if places.is_empty() {
            return Ok(());
        }
        match (self.model.model().run(self.ready.bound.table_inputs(table, places)), places) {
            (Ok(outputs), _) => {
                answered.predictions.extend(self.ready.predictions(places.len(), &outputs)?);
                answered.places.extend_from_slice(places);
                Ok(())
            }
            (Err(fault), [place]) => {
                answered.refused.push((*place, format!("the model does not take it: {fault}")));
                Ok(())
            }
            (Err(_), _) => {
                let (front, back) = places.split_at(places.len() / 2);
                self.predict(table, front, answered)?;
                self.predict(table, back, answered)
            }
        }
    }

    /// The columns of the results.
    fn columns(&self, batch: &Batch, answered: &Answered) -> Vec<Column> {
        let Answered { places, predictions, explanations, .. } = answered;
        let number = |place: &usize| batch.rows().get(*place).and_then(|row| i64::try_from(*row).ok());
        let mut columns = vec![Column::Integer(places.iter().map(number).collect::<Cells<i64>>())];
        let features = self.ready.bound.signature().inputs.len();
        columns.extend(batch.columns().iter().skip(features).map(|column| taken(column, places)));
        columns.extend(self.plan.answers.columns(predictions, explanations.as_deref()));
        columns
    }
}

/// Rows with their answers.
#[derive(Default)]
struct Answered {
    /// The places of the rows in the batch.
    places: Vec<usize>,
    predictions: Vec<Prediction>,
    explanations: Option<Vec<Explanation>>,
    /// The places of rows that the model does not take, with its reason.
    refused: Vec<(usize, String)>,
}

impl Written {
    fn fail(&mut self, failed: Vec<FailedRow>) -> Result<(), TaskError> {
        for fault in failed {
            serde_json::to_writer(&mut self.failures, &fault).map_err(Problem::internal)?;
            self.failures.push(b'\n');
            self.bad += 1;
            if self.reasons.len() < TOLD_REASONS {
                self.reasons.push(fault);
            }
        }
        Ok(())
    }
}
