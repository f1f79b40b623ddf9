//! Plan: the table is read once and cut into shards; one answer shows which columns the results have.

use std::num::NonZeroU64;
use std::sync::Arc;

use mandi_core::ports::ObjectKey;
use mandi_core::{Problem, TenantId};
use mandi_inference::signature::{Bound, Prediction, Row, Signature};
use mandi_registry::{Loaded, Ready, made_up};
use mandi_tables::{
    Batch, Copy, Input, Inspection, Limits, Place, Plan, Projection, Reading, ResultLayout, Shard, ShardReader,
    Storage, inspect, match_columns, plan,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answers::AnswerLayout;
use super::input::{ObjectRange, Sink};
use super::rows::{read, schema};
use super::{OfJob, TaskError, Tasks};
use crate::jobs::{File, Found, Job, Jobs};

/// A plan as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredPlan {
    /// The version of this format.
    pub(crate) format: u32,
    /// How the table is read.
    pub(crate) reading: Reading,
    /// How many rows it has.
    pub(crate) rows: u64,
    /// Its shards.
    pub(crate) shards: Vec<Shard>,
    /// The columns of answers.
    pub(crate) answers: AnswerLayout,
    /// The columns of the results.
    pub(crate) results: ResultLayout,
}

/// The format of plans that is written.
const FORMAT: u32 = 1;

/// The names of the features of a signature.
pub(crate) fn features(signature: &Signature) -> Vec<String> {
    signature.inputs.iter().map(|feature| feature.name.clone()).collect()
}

impl StoredPlan {
    /// How the columns that a job wants are read.
    pub(super) fn projection(&self, job: &Job, signature: &Signature) -> Result<Arc<Projection>, TaskError> {
        let wanted = schema(signature, &job.output.copied);
        Ok(Arc::new(match_columns(&wanted, &self.reading.columns).accept()?))
    }

    /// The object whose bytes the shards are ranges of.
    pub(super) fn source(&self, tenant: &TenantId, job: &Job) -> ObjectKey {
        match self.reading.place() {
            Place::Input => job.input.key(),
            Place::Copy => Jobs::object(tenant, &job.id, File::Copy),
        }
    }
}

impl Tasks {
    pub(super) async fn plan(&self, of: &OfJob) -> Result<Value, TaskError> {
        let (tenant, Found { job, .. }) = self.open(of).await?;
        let told = |shards: usize| json!({"shards": shards, "shards_at_once": self.shards_at_once});
        if !self.jobs.begin_planning(&tenant, &job.id).await? {
            // It was planned before, and this call is a repetition.
            return Ok(told(self.jobs.plan(&tenant, &job.id).await?.shards.len()));
        }
        let ready = self.versions.ready(&tenant, &job.model, job.version).await?;
        let model = self.versions.loaded(&ready).await?;
        let objects = self.jobs.objects.clone();
        let input: Input = Arc::new(ObjectRange::new(objects.clone(), job.input.key(), job.input.size_bytes));
        let inspection = {
            let (input, job, wanted) = (input.clone(), job.clone(), features(ready.bound.signature()));
            blocking(move || {
                let stated = job.input.stated.stated(wanted)?;
                Ok(inspect(&input, &stated, &Limits::default())?)
            })
            .await?
        };
        let copy = match needs_copy(&inspection) {
            true => {
                let key = Jobs::object(&tenant, &job.id, File::Copy);
                Some(Sink::new(objects.writer(&key).await.map_err(Problem::from)?))
            }
            false => None,
        };
        let planned = {
            let (input, rows) = (input.clone(), NonZeroU64::new(job.shard_rows).unwrap_or(NonZeroU64::MIN));
            blocking(move || cut(&input, &inspection, rows, copy)).await?
        };
        let source: Input = match planned.reading.place() {
            Place::Input => input,
            Place::Copy => {
                let key = Jobs::object(&tenant, &job.id, File::Copy);
                Arc::new(ObjectRange::new(objects, key, planned.reading.size_bytes))
            }
        };
        let stored = {
            let (job, ready) = (job.clone(), ready.clone());
            blocking(move || complete(planned, &source, &job, &Answering { ready: &ready, model: &model })).await?
        };
        let text = serde_json::to_vec(&stored).map_err(Problem::internal)?;
        let key = Jobs::object(&tenant, &job.id, File::Plan);
        self.jobs.objects.put(&key, text.into()).await.map_err(Problem::from)?;
        if !self.jobs.begin_shards(&tenant, &job.id, stored.rows, stored.shards.len()).await? {
            return Err(TaskError::job_is_over());
        }
        Ok(told(stored.shards.len()))
    }
}

impl Jobs {
    /// The plan of a job.
    pub(crate) async fn plan(&self, tenant: &TenantId, job: &mandi_core::ids::JobId) -> mandi_core::Result<StoredPlan> {
        let text = self.file(tenant, job, File::Plan).await?;
        serde_json::from_slice(&text).map_err(Problem::internal)
    }
}

fn needs_copy(inspection: &Inspection) -> bool {
    match inspection.storage {
        Storage::Csv { text, .. } | Storage::Jsonl { text } => !text.is_cut_in_place(),
        Storage::Parquet { .. } => false,
    }
}

fn cut(input: &Input, inspection: &Inspection, rows: NonZeroU64, copy: Option<Sink>) -> Result<Plan, TaskError> {
    let limits = Limits::default();
    let Some(mut sink) = copy else { return Ok(plan(input, inspection, rows, Copy::Refused, &limits)?) };
    let planned = plan(input, inspection, rows, Copy::To(&mut sink), &limits)?;
    sink.finish()?;
    Ok(planned)
}

/// A model that can be asked.
struct Answering<'a> {
    ready: &'a Ready,
    model: &'a Loaded,
}

/// Adds the columns of the results to a plan.
fn complete(planned: Plan, source: &Input, job: &Job, answering: &Answering<'_>) -> Result<StoredPlan, TaskError> {
    let signature = answering.ready.bound.signature();
    let Plan { reading, rows, shards } = planned;
    let explained = job.output.explained.map(|_| signature);
    let mut stored = StoredPlan {
        format: FORMAT,
        reading,
        rows,
        shards,
        answers: AnswerLayout::default(),
        results: AnswerLayout::default().results(&[])?,
    };
    let row = match first_good_row(&stored, source, job, &answering.ready.bound)? {
        Some(row) => row,
        None => made_up(&answering.ready.bound),
    };
    stored.answers = AnswerLayout::of(&answering.answer(row)?, explained);
    // The one row may be one that has no interval.
    stored.answers.interval |= answering.ready.gives_intervals();
    stored.results = stored.answers.results(&job.output.copied)?;
    Ok(stored)
}

/// A row of the first shard that the model can be asked with.
fn first_good_row(stored: &StoredPlan, source: &Input, job: &Job, bound: &Bound) -> Result<Option<Row>, TaskError> {
    let signature = bound.signature();
    let projection = stored.projection(job, signature)?;
    let Some(shard) = stored.shards.first() else { return Ok(None) };
    let mut reader = ShardReader::open(source, &stored.reading, shard, &projection, &Limits::default())?;
    let mut batch = Batch::new(&schema(signature, &job.output.copied));
    while reader.read(&mut batch)? {
        let (table, _) = read(bound, &batch);
        if let Some(place) = table.good().first() {
            return Ok(Some(table.row(*place)));
        }
    }
    Ok(None)
}

impl Answering<'_> {
    fn answer(&self, row: Row) -> Result<Prediction, TaskError> {
        let outputs = self.model.model().run(self.ready.bound.inputs(&[row]));
        let outputs = outputs.map_err(|fault| {
            Problem::new(
                mandi_core::ProblemKind::Unprocessable,
                format!("the model cannot take the first row: {fault}"),
            )
        })?;
        let mut answers = self.ready.predictions(1, &outputs)?;
        Ok(answers.pop().ok_or_else(|| Problem::internal("a row has no answer"))?)
    }
}

/// Does work that may wait, aside from the event loop.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TaskError> + Send + 'static,
) -> Result<T, TaskError> {
    tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?
}
