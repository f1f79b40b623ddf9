//! Jobs: list, get, watch, cancel.

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use mandi_core::Timestamp;
use mandi_core::ports::ExecutionError;
use mandi_http::auth::{PredictionsCreate, PredictionsRead};
use mandi_http::cursor::{self, List};
use mandi_http::{ApiResult, Caller, Json, Path, Query, sse};
use mandi_tables::Format;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::events;
use crate::jobs::{Failure, Found, State, execution};
use crate::state::BatchState;

/// A batch prediction.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct BatchJob {
    /// Its id.
    #[schema(example = "job_019a9f3e5b7c7d8e9f00112233445566")]
    pub(super) job_id: String,
    /// The model.
    model_id: String,
    /// Its version, the same for all rows.
    version: u32,
    /// The name of the table's file.
    filename: String,
    /// Where it is on its way.
    pub(super) state: State,
    /// Rows of the table; known when it is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    /// Rows with an answer.
    completed: u64,
    /// Rows with a fault.
    failed: u64,
    /// Shards of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    shards: Option<u64>,
    /// Shards that are done.
    shards_done: u64,
    /// Rows a second so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows_per_second: Option<f64>,
    /// When the last row will be done, at that rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    estimated_end: Option<Timestamp>,
    /// The format of the results.
    #[schema(value_type = String, example = "csv")]
    output_format: Format,
    /// The share of rows that may fail.
    max_failed_share: f64,
    /// Who asked for it.
    created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// Why it ended without its results.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

impl From<Found> for BatchJob {
    fn from(Found { job, progress }: Found) -> Self {
        Self {
            job_id: job.id.as_str().to_owned(),
            model_id: job.model.as_str().to_owned(),
            version: job.version,
            filename: job.input.filename,
            state: progress.state,
            total: progress.total,
            completed: progress.completed,
            failed: progress.failed,
            shards: progress.shards,
            shards_done: progress.shards_done,
            rows_per_second: progress.rows_per_second(),
            estimated_end: progress.estimated_end(),
            output_format: job.output.format,
            max_failed_share: job.max_failed_share,
            created_by: job.created_by,
            created_at: job.created_at,
            ended_at: progress.ended_at,
            failure: progress.failure,
        }
    }
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobsQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of batch predictions, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchJobPage {
    predictions: Vec<BatchJob>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List batch predictions, the latest first.
#[utoipa::path(get, path = "/v1/predictions", tag = "batch predictions", security(("bearer" = ["predictions.read"])),
    params(JobsQuery), responses((status = 200, body = BatchJobPage)))]
pub(crate) async fn list(
    Shared(state): Shared<BatchState>,
    caller: Caller<PredictionsRead>,
    Query(page): Query<JobsQuery>,
) -> ApiResult<Json<BatchJobPage>> {
    let list = List { tenant: &caller.tenant, name: "predictions" };
    let after = page.cursor.as_deref().map(|cursor| list.after(cursor)).transpose()?;
    let (found, next) = state.jobs.page(&caller.tenant, cursor::limit(page.limit)?, after).await?;
    let predictions = found.into_iter().map(BatchJob::from).collect();
    Ok(Json(BatchJobPage { predictions, next_cursor: next.map(|next| list.cursor(&next)) }))
}

/// Get a batch prediction: how far it has come, its rate, and its estimated end.
///
/// With `Accept: text/event-stream` the answer is a stream: an event `progress` with the same object whenever it changes,
/// and `done` with the last one.
#[utoipa::path(get, path = "/v1/predictions/{id}", tag = "batch predictions",
    security(("bearer" = ["predictions.read"])), params(("id" = String, Path, description = "the batch prediction")),
    responses((status = 200, content((BatchJob = "application/json"), (String = "text/event-stream")))))]
pub(crate) async fn get(
    Shared(state): Shared<BatchState>,
    caller: Caller<PredictionsRead>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let found = state.jobs.look(&caller.tenant, &id).await?;
    if sse::wanted(&headers) {
        return Ok(events::response(state.jobs.clone(), caller.tenant.clone(), found));
    }
    Ok(Json(BatchJob::from(found)).into_response())
}

/// Cancel a batch prediction.
///
/// It stops within seconds. The parts of shards that are done are kept: `completed` says how many rows they have, and
/// `/results` and `/failures` show them. Cancelling one that is over changes nothing.
#[utoipa::path(delete, path = "/v1/predictions/{id}", tag = "batch predictions",
    security(("bearer" = ["predictions.create"])), params(("id" = String, Path, description = "the batch prediction")),
    responses((status = 200, body = BatchJob)))]
pub(crate) async fn cancel(
    Shared(state): Shared<BatchState>,
    caller: Caller<PredictionsCreate>,
    Path(id): Path<String>,
) -> ApiResult<Json<BatchJob>> {
    let Found { job, progress } = state.jobs.find(&caller.tenant, &id).await?;
    if !progress.state.is_over() {
        state.jobs.end(&caller.tenant, &job.id, State::Cancelled, None).await?;
        let reason = ExecutionError { error: "cancelled".to_owned(), cause: format!("by {}", caller.user) };
        let key = execution(&caller.tenant, &job.id)?;
        state.jobs.orchestrator.stop(&key, &reason).await.map_err(mandi_core::Problem::from)?;
    }
    Ok(Json(state.jobs.find(&caller.tenant, &id).await?.into()))
}
