//! What is kept of calls, where the model's policy says so (docs/capture.md).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mandi_core::capture::{CaptureCounts, CapturedArm, CapturedCall, CapturedRow, Captures, Flushed};
use mandi_core::ids::{CallId, ModelId};
use mandi_core::{Clock, Principal, Result, TenantId};
use mandi_inference::signature::Prediction;
use mandi_learning::capture::CapturePolicy;
use mandi_registry::{Ready, StageName};
use serde_json::{Map, Value as Json};
use tokio_util::task::TaskTracker;

use crate::routes::predict::RowPrediction;
use crate::serving::RowAnswer;

/// How long the store of captures may take after an answer.
const FLUSH: Duration = Duration::from_secs(5);

/// Keeps calls.
#[derive(Clone)]
pub(crate) struct Capturing {
    captures: Captures,
    clock: Arc<dyn Clock>,
    background: TaskTracker,
}

impl fmt::Debug for Capturing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Capturing").field("captures", &self.captures).finish_non_exhaustive()
    }
}

/// A call that is to be kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    tenant: TenantId,
    user: String,
    call: CallId,
    model: ModelId,
    stage: Option<StageName>,
    reference: Option<String>,
}

/// What is said of a call.
#[derive(Clone, Debug)]
pub(crate) struct Named<'a> {
    /// The call's id, made here: a caller's own would let callers say which calls are in the sample.
    pub(crate) call: &'a CallId,
    /// The model.
    pub(crate) model: &'a ModelId,
    /// The stage, where no version is named.
    pub(crate) stage: Option<StageName>,
    /// What the caller knows the call by.
    pub(crate) reference: Option<&'a str>,
}

/// An answer, or the faults of each row.
#[derive(Debug)]
pub(crate) struct Answered<'a> {
    /// The version that answered.
    pub(crate) ready: &'a Ready,
    /// The side of a trial, where there is one.
    pub(crate) arm: Option<CapturedArm>,
    /// How long it took.
    pub(crate) latency: Duration,
    /// What was asked.
    pub(crate) asked: &'a [Json],
    /// What was answered, row by row.
    pub(crate) rows: &'a [RowAnswer],
}

impl Capturing {
    pub(crate) const fn new(captures: Captures, clock: Arc<dyn Clock>, background: TaskTracker) -> Self {
        Self { captures, clock, background }
    }

    /// The call as one to be kept, if the policy of its model wants it.
    pub(crate) fn chosen(&self, policy: CapturePolicy, caller: &Principal, named: &Named<'_>) -> Option<Kept> {
        policy.captures(named.model.as_str(), named.call.as_str()).then(|| Kept {
            tenant: caller.tenant.clone(),
            user: caller.user.clone(),
            call: named.call.clone(),
            model: named.model.clone(),
            stage: named.stage,
            reference: named.reference.map(str::to_owned),
        })
    }

    /// Keeps an answer. Private values are left behind here; the lines are made in the background.
    pub(crate) fn keep(&self, kept: &Kept, answered: &Answered<'_>) {
        let features = |row: &Json| row.as_object().map_or_else(Map::new, |row| answered.ready.redaction.row(row));
        let prediction = |row: &RowAnswer| row.as_ref().ok().map(|answer| answer.prediction.clone());
        let rows: Vec<(Map<String, Json>, Option<Prediction>)> =
            answered.asked.iter().map(features).zip(answered.rows.iter().map(prediction)).collect();
        let call = CapturedCall {
            tenant: kept.tenant.clone(),
            user: Some(kept.user.clone()),
            request_id: kept.call.as_str().to_owned(),
            model_id: kept.model.clone(),
            version: answered.ready.version,
            arm: answered.arm,
            stage: kept.stage.map(|stage| stage.name().to_owned()),
            at: self.clock.now(),
            latency_ms: CapturedCall::milliseconds(answered.latency),
            reference: kept.reference.clone(),
            row_count: rows.len(),
            first_row: 0,
            rows: Vec::new(),
        };
        let (captures, model) = (self.captures.clone(), kept.model.clone());
        self.background.spawn_blocking(move || {
            if let Err(problem) = offer(&captures, call, rows) {
                // The writer of the queue tells of what was lost.
                tracing::warn!(causes = problem.causes(), "a call cannot be written to be captured");
                captures.not_written(&model);
            }
        });
    }

    /// What became of the lines of a model in this process.
    pub(crate) fn counts(&self, model: &ModelId) -> CaptureCounts {
        self.captures.counts_of(model)
    }

    /// Waits until what was kept is durable, or counted as lost.
    pub(crate) async fn flush(&self) {
        if self.captures.flush(FLUSH).await == Flushed::TimedOut {
            tracing::warn!(
                within_ms = u64::try_from(FLUSH.as_millis()).unwrap_or(u64::MAX),
                "captured predictions were not stored in time; they are tried again with the next call"
            );
        }
    }
}

fn offer(captures: &Captures, call: CapturedCall, rows: Vec<(Map<String, Json>, Option<Prediction>)>) -> Result<()> {
    let written = |(features, prediction): (_, Option<Prediction>)| {
        let prediction = prediction.map(RowPrediction::from).map(serde_json::to_value).transpose();
        prediction.map(|prediction| CapturedRow { features, prediction })
    };
    let rows = rows.into_iter().map(written).collect::<serde_json::Result<_>>();
    let rows = rows.map_err(mandi_core::Problem::internal)?;
    captures.offer(CapturedCall { rows, ..call }.lines()?);
    Ok(())
}
