//! What a job gave: pages of results and of failures, the one file, the manifest.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use mandi_core::ports::GetGrant;
use mandi_core::{Problem, ProblemKind, Result, TenantId};
use mandi_http::auth::PredictionsRead;
use mandi_http::cursor::{self, List};
use mandi_http::{ApiResult, Caller, Json, Path, Query};
use mandi_tables::{Format, Input, Limits, TableError, read_results};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::jobs::{File, Found, Jobs, Part, ShardDone, State as JobState};
use crate::state::BatchState;
use crate::tasks::{FailedRow, Manifest, ObjectRange};

/// For how long the URL of a download holds.
const DOWNLOAD_VALID_FOR: Duration = Duration::from_secs(15 * 60);

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RowsQuery {
    /// At most so many rows.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of results, in the order of the table.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResultPage {
    /// Whether all rows have their answer or their fault: false while the job runs, and when it was cancelled or failed.
    complete: bool,
    /// Rows: the number of the row, the columns that were copied, the prediction, and what belongs to it.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<Box<RawValue>>,
    /// Absent on the last page of what there is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A page of rows that could not be predicted, in the order of the table.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailurePage {
    /// Whether all rows have their answer or their fault.
    complete: bool,
    /// What is wrong, row by row.
    #[schema(value_type = Vec<FailedRow>)]
    failures: Vec<Box<RawValue>>,
    /// Absent on the last page of what there is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A place in the parts of a job: a shard, and a place in its part as [`read_results`] counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    shard: usize,
    within: u64,
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let (shard, within) = text.split_once('/')?;
        Some(Self { shard: shard.parse().ok()?, within: within.parse().ok()? })
    }

    fn text(self) -> String {
        format!("{}/{}", self.shard, self.within)
    }
}

/// One of the lists that a job's parts make.
#[derive(Clone, Copy, Debug)]
enum Listed {
    Results,
    Failures,
}

impl Listed {
    fn part(self, done: &ShardDone) -> (File, &Part) {
        match self {
            Self::Results => (File::Results(done.index), &done.results),
            Self::Failures => (File::Failures(done.index), &done.failures),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Results => "results",
            Self::Failures => "failures",
        }
    }
}

/// A page of a list, and the cursor of the next one.
struct Rows {
    complete: bool,
    rows: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

/// Reads a page. While the job runs, the list ends at the first shard that is not done: what lies behind it is not in order
/// yet.
async fn read(jobs: &Jobs, tenant: &TenantId, id: &str, query: &RowsQuery, listed: Listed) -> Result<Rows> {
    let found = jobs.find(tenant, id).await?;
    let name = format!("{}/{}", listed.name(), found.job.id);
    let list = List { tenant, name: &name };
    let (limit, from) = (cursor::limit(query.limit)?, from(&list, query)?);
    let is_over = found.progress.state.is_over();
    let done = jobs.done_from(tenant, &found.job.id, from.shard).await?;
    let in_order = done.iter().enumerate().take_while(|(place, done)| is_over || done.index == from.shard + place);
    let (mut rows, mut next) = (Vec::with_capacity(limit), None);
    let mut layout = None;
    for (_, done) in in_order {
        let (file, part) = listed.part(done);
        if part.rows == 0 {
            continue;
        }
        let within = if done.index == from.shard { from.within } else { 0 };
        if rows.len() == limit {
            next = Some(Place { shard: done.index, within });
            break;
        }
        if layout.is_none() {
            layout = Some(Arc::new(jobs.plan(tenant, &found.job.id).await?.results));
        }
        let Some(layout) = layout.clone() else { break };
        let format = match listed {
            Listed::Results => found.job.output.format,
            Listed::Failures => Format::Jsonl,
        };
        let key = Jobs::object(tenant, &found.job.id, file);
        let source: Input = Arc::new(ObjectRange::new(jobs.objects.clone(), key, part.size_bytes));
        let left = limit - rows.len();
        let read = move || read_results(&source, format, &layout, within, left, &Limits::default());
        let page =
            tokio::task::spawn_blocking(read).await.map_err(Problem::internal)?.map_err(|error| unread(&error))?;
        rows.extend(page.rows);
        if let Some(within) = page.next {
            next = Some(Place { shard: done.index, within });
            break;
        }
    }
    let complete = found.progress.state == JobState::Succeeded;
    Ok(Rows { complete, rows, next_cursor: next.map(|next| list.cursor(&next.text())) })
}

fn unread(error: &TableError) -> Problem {
    match error {
        TableError::Read(_) => Problem::new(ProblemKind::Unavailable, error.to_string()),
        _ => Problem::internal(error.to_string()),
    }
}

fn from(list: &List<'_>, query: &RowsQuery) -> Result<Place> {
    match &query.cursor {
        None => Ok(Place { shard: 0, within: 0 }),
        Some(cursor) => {
            let text = list.after(cursor)?;
            Place::parse(&text).ok_or_else(|| Problem::internal("a cursor of ours is none"))
        }
    }
}

/// Read results, in the order of the table.
///
/// While the job runs, the rows are those up to the first shard that is not done.
#[utoipa::path(get, path = "/v1/predictions/{id}/results", tag = "batch predictions",
    security(("bearer" = ["predictions.read"])),
    params(("id" = String, Path, description = "the batch prediction"), RowsQuery),
    responses((status = 200, body = ResultPage)))]
pub(crate) async fn page(
    State(state): State<BatchState>,
    caller: Caller<PredictionsRead>,
    Path(id): Path<String>,
    Query(query): Query<RowsQuery>,
) -> ApiResult<Json<ResultPage>> {
    let Rows { complete, rows, next_cursor } = read(&state.jobs, &caller.tenant, &id, &query, Listed::Results).await?;
    Ok(Json(ResultPage { complete, rows, next_cursor }))
}

/// Read the rows that could not be predicted, with the reasons, in the order of the table.
#[utoipa::path(get, path = "/v1/predictions/{id}/failures", tag = "batch predictions",
    security(("bearer" = ["predictions.read"])),
    params(("id" = String, Path, description = "the batch prediction"), RowsQuery),
    responses((status = 200, body = FailurePage)))]
pub(crate) async fn failures(
    State(state): State<BatchState>,
    caller: Caller<PredictionsRead>,
    Path(id): Path<String>,
    Query(query): Query<RowsQuery>,
) -> ApiResult<Json<FailurePage>> {
    let Rows { complete, rows, next_cursor } = read(&state.jobs, &caller.tenant, &id, &query, Listed::Failures).await?;
    Ok(Json(FailurePage { complete, failures: rows, next_cursor }))
}

/// Download the results as one file, in the order of the table.
///
/// The answer leads to a URL (303) from which the file can be read for 15 minutes without a token.
#[utoipa::path(get, path = "/v1/predictions/{id}/results/download", tag = "batch predictions",
    security(("bearer" = ["predictions.read"])), params(("id" = String, Path, description = "the batch prediction")),
    responses((status = 303, description = "where the file is", headers(("Location" = String)))))]
pub(crate) async fn download(
    State(state): State<BatchState>,
    caller: Caller<PredictionsRead>,
    Path(id): Path<String>,
) -> ApiResult<Response> {
    let found = state.jobs.find(&caller.tenant, &id).await?;
    complete(&found)?;
    let (extension, content_type) = match found.job.output.format {
        Format::Csv => ("csv", "text/csv; charset=utf-8"),
        Format::Jsonl => ("jsonl", "application/x-ndjson"),
        Format::Parquet => ("parquet", "application/vnd.apache.parquet"),
    };
    let grant = GetGrant {
        valid_for: DOWNLOAD_VALID_FOR,
        filename: format!("{}.{extension}", found.job.id),
        content_type: content_type.to_owned(),
    };
    let key = Jobs::object(&caller.tenant, &found.job.id, File::Whole);
    let url = state.jobs.objects.sign_get(&key, &grant).await.map_err(Problem::from)?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, url)]).into_response())
}

/// Read the manifest: the parts of the results with their checksums.
#[utoipa::path(get, path = "/v1/predictions/{id}/manifest", tag = "batch predictions",
    security(("bearer" = ["predictions.read"])), params(("id" = String, Path, description = "the batch prediction")),
    responses((status = 200, body = Manifest)))]
pub(crate) async fn manifest(
    State(state): State<BatchState>,
    caller: Caller<PredictionsRead>,
    Path(id): Path<String>,
) -> ApiResult<Json<Manifest>> {
    let found = state.jobs.find(&caller.tenant, &id).await?;
    complete(&found)?;
    let text = state.jobs.file(&caller.tenant, &found.job.id, File::Manifest).await?;
    Ok(Json(serde_json::from_slice(&text).map_err(Problem::internal)?))
}

/// The whole is there only when the job succeeded.
fn complete(found: &Found) -> Result<()> {
    let state = found.progress.state;
    match state {
        JobState::Succeeded => Ok(()),
        JobState::Failed | JobState::Cancelled => Err(Problem::conflict(format!(
            "the batch prediction is {}: there is no whole file; `/results` has the rows that were done",
            state.name()
        ))),
        _ => Err(Problem::conflict(format!(
            "the batch prediction is {}: the file is there when it has succeeded; `/results` has the rows that are done",
            state.name()
        ))),
    }
}
