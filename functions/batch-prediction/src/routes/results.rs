//! What a job gave: pages of results and of failures, the one file, the manifest.

use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use mandi_core::ports::GetGrant;
use mandi_core::{Problem, Result, TenantId};
use mandi_http::auth::PredictionsRead;
use mandi_http::cursor::{self, List};
use mandi_http::{ApiResult, Caller, Json, Path, Query};
use mandi_tables::Format;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::jobs::{File, Found, Jobs, ShardDone, State as JobState};
use crate::state::BatchState;
use crate::tasks::{FailedRow, Manifest, rows_of_part};

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
    rows: Vec<Map<String, Value>>,
    /// Absent on the last page of what there is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A page of rows that could not be predicted, in the order of the table.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailurePage {
    /// Whether all rows have their answer or their fault.
    complete: bool,
    failures: Vec<FailedRow>,
    /// Absent on the last page of what there is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A place in the parts of a job: a shard, and a row of its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    shard: usize,
    row: u64,
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let (shard, row) = text.split_once('/')?;
        Some(Self { shard: shard.parse().ok()?, row: row.parse().ok()? })
    }

    fn text(self) -> String {
        format!("{}/{}", self.shard, self.row)
    }
}

/// Some rows of a part.
struct Piece<'a> {
    done: &'a ShardDone,
    first: u64,
    rows: u64,
}

/// Which rows of which parts make a page, and where the next one begins.
fn pieces(done: &[ShardDone], from: Place, limit: u64, rows: fn(&ShardDone) -> u64) -> (Vec<Piece<'_>>, Option<Place>) {
    let (mut pieces, mut left) = (Vec::new(), limit);
    for done in done {
        let first = if done.index == from.shard { from.row } else { 0 };
        let there = rows(done).saturating_sub(first);
        if there == 0 {
            continue;
        }
        if left == 0 {
            return (pieces, Some(Place { shard: done.index, row: first }));
        }
        let taken = there.min(left);
        pieces.push(Piece { done, first, rows: taken });
        left -= taken;
        if taken < there {
            return (pieces, Some(Place { shard: done.index, row: first + taken }));
        }
    }
    (pieces, None)
}

/// The shards that are done, one behind the other, from a place on. A gap ends them: what lies behind it is not in order
/// yet.
async fn in_order(jobs: &Jobs, tenant: &TenantId, found: &Found, from: Place) -> Result<Vec<ShardDone>> {
    let done = jobs.done_from(tenant, &found.job.id, from.shard).await?;
    if found.progress.state.is_over() {
        return Ok(done);
    }
    let follow = done.into_iter().enumerate().take_while(|(place, done)| done.index == from.shard + place);
    Ok(follow.map(|(_, done)| done).collect())
}

fn from(list: &List<'_>, query: &RowsQuery) -> Result<Place> {
    match &query.cursor {
        None => Ok(Place { shard: 0, row: 0 }),
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
    let (jobs, tenant) = (&state.jobs, &caller.tenant);
    let found = jobs.find(tenant, &id).await?;
    let name = format!("results/{}", found.job.id);
    let list = List { tenant, name: &name };
    let (limit, from) = (cursor::limit(query.limit)?, from(&list, &query)?);
    let done = in_order(jobs, tenant, &found, from).await?;
    let (pieces, next) = pieces(&done, from, limit as u64, |done| done.results.rows);
    let mut rows = Vec::with_capacity(limit);
    if !pieces.is_empty() {
        let layout = jobs.plan(tenant, &found.job.id).await?.results;
        for piece in pieces {
            let part = jobs.file(tenant, &found.job.id, File::Results(piece.done.index)).await?;
            rows.extend(rows_of_part(part, found.job.output.format, &layout, piece.first, piece.rows).await?);
        }
    }
    let complete = found.progress.state == JobState::Succeeded;
    Ok(Json(ResultPage { complete, rows, next_cursor: next.map(|next| list.cursor(&next.text())) }))
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
    let (jobs, tenant) = (&state.jobs, &caller.tenant);
    let found = jobs.find(tenant, &id).await?;
    let name = format!("failures/{}", found.job.id);
    let list = List { tenant, name: &name };
    let (limit, from) = (cursor::limit(query.limit)?, from(&list, &query)?);
    let done = in_order(jobs, tenant, &found, from).await?;
    let (pieces, next) = pieces(&done, from, limit as u64, |done| done.failures.rows);
    let mut failures = Vec::with_capacity(limit);
    for piece in pieces {
        let part = jobs.file(tenant, &found.job.id, File::Failures(piece.done.index)).await?;
        let first = usize::try_from(piece.first).map_err(Problem::internal)?;
        let rows = usize::try_from(piece.rows).map_err(Problem::internal)?;
        let lines = part.split(|byte| *byte == b'\n').skip(first).take(rows);
        for line in lines {
            failures.push(serde_json::from_slice(line).map_err(Problem::internal)?);
        }
    }
    let complete = found.progress.state == JobState::Succeeded;
    Ok(Json(FailurePage { complete, failures, next_cursor: next.map(|next| list.cursor(&next.text())) }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::Part;

    fn done(index: usize, rows: u64) -> ShardDone {
        let part = |rows| Part { rows, size_bytes: 0, sha256: String::new() };
        ShardDone { index, results: part(rows), failures: part(0) }
    }

    #[test]
    fn given_parts_when_pages_are_read_then_every_row_is_on_one_page_in_order() {
        let parts = [done(0, 3), done(1, 0), done(2, 4)];
        let (mut from, mut seen) = (Place { shard: 0, row: 0 }, Vec::new());
        loop {
            let rest: Vec<ShardDone> = parts.iter().filter(|done| done.index >= from.shard).cloned().collect();
            let (pieces, next) = pieces(&rest, from, 2, |done| done.results.rows);
            for piece in &pieces {
                seen.extend((piece.first..piece.first + piece.rows).map(|row| (piece.done.index, row)));
            }
            assert!(pieces.iter().map(|piece| piece.rows).sum::<u64>() <= 2);
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (2, 0), (2, 1), (2, 2), (2, 3)]);
    }
}
