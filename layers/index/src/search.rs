//! The ways to read a table: by vector, by keyword, by row, and all of it.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use lancedb::arrow::SendableRecordBatchStream;
use lancedb::index::scalar::{FtsQuery, FullTextSearchQuery, MatchQuery};
use lancedb::query::{ExecutableQuery, QueryBase, QueryExecutionOptions, Select};
use lancedb::{DistanceType, Table};
use mandi_core::{Problem, Result};
use mandi_retrieval::Filter;
use mandi_retrieval::ports::{Candidate, Hit, VectorRow};

use crate::convert::{check_vector, to_candidates, to_hits, to_vectors};
use crate::predicate::of_filter;
use crate::problem::{damage, from_lance};
use crate::schema::{CHUNK, ENTITY_ID, ENTITY_TYPE, Layout, TERMS, VECTOR};

const DISTANCE: &str = "_distance";
const BM25: &str = "_score";

/// The most hits that one search gives.
const MAX_HITS: usize = 10_000;
/// The most different terms of a query that count; the first ones do.
const MAX_QUERY_TERMS: usize = 256;
/// How many candidates a walk through the graph keeps at least.
const MIN_EF: usize = 96;
/// How many rows a batch of [`all_vectors`] has at most.
const ROWS_PER_BATCH: u32 = 1024;

/// The `k` rows nearest to a vector by cosine, of those that pass the filter. A row whose vector is zero has
/// no direction and is never found; a zero vector is near to nothing.
pub async fn nearest(
    table: &Table,
    layout: &Layout,
    vector: &[f32],
    k: usize,
    filter: Option<&Filter>,
) -> Result<Vec<Candidate>> {
    check_vector(vector, layout.dimensions, "/vector")?;
    let condition = filter.map(|filter| of_filter(filter, layout)).transpose()?;
    let k = k.min(MAX_HITS);
    if k == 0 || vector.iter().all(|value| *value == 0.0) {
        return Ok(Vec::new());
    }
    let query = table.query().nearest_to(vector).map_err(from_lance)?;
    let mut query = query
        .column(VECTOR)
        .distance_type(DistanceType::Cosine)
        .ef(MIN_EF.max(k + k / 2))
        .limit(k)
        .with_row_id()
        .select(Select::columns(&[DISTANCE]));
    if let Some(condition) = condition {
        query = query.only_if_expr(condition);
    }
    candidates_of(query.execute().await.map_err(from_lance)?, DISTANCE, |distance| 1.0 - distance).await
}

/// The `k` best rows by BM25 over the terms of a query, any of them, of those that pass the filter.
pub async fn keyword(
    table: &Table,
    layout: &Layout,
    query: &str,
    k: usize,
    filter: Option<&Filter>,
) -> Result<Vec<Candidate>> {
    let condition = filter.map(|filter| of_filter(filter, layout)).transpose()?;
    let mut seen = HashSet::new();
    let mut terms = mandi_retrieval::terms::terms(query);
    terms.retain(|term| seen.insert(term.clone()));
    terms.truncate(MAX_QUERY_TERMS);
    let k = k.min(MAX_HITS);
    if k == 0 || terms.is_empty() {
        return Ok(Vec::new());
    }
    let words = MatchQuery::new(terms.join(" ")).with_column(Some(TERMS.to_owned()));
    let mut query = table
        .query()
        .full_text_search(FullTextSearchQuery::new_query(FtsQuery::Match(words)))
        .limit(k)
        .with_row_id()
        .select(Select::columns(&[BM25]));
    if let Some(condition) = condition {
        query = query.only_if_expr(condition);
    }
    candidates_of(query.execute().await.map_err(from_lance)?, BM25, |score| score).await
}

async fn candidates_of(
    mut rows: SendableRecordBatchStream,
    score_column: &str,
    score: fn(f32) -> f32,
) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    while let Some(batch) = rows.try_next().await.map_err(from_lance)? {
        found.extend(to_candidates(&batch, score_column, score)?);
    }
    found.retain(|candidate| !candidate.score.is_nan());
    // Equal scores are ordered by row, so that the same search gives the same answer.
    found.sort_by(|one, other| other.score.total_cmp(&one.score).then_with(|| one.row.cmp(&other.row)));
    Ok(found)
}

/// These rows of a snapshot, in the same order, with the cosines of their vectors with one that is given.
pub async fn rows(snapshot: &Table, layout: &Layout, rows: &[u64], toward: Option<&[f32]>) -> Result<Vec<Hit>> {
    let lance = |error: lance_core::Error| from_lance(lancedb::Error::from(error));
    let handle = snapshot.dataset().ok_or_else(|| Problem::internal("the table is not one of this process"))?;
    let dataset = handle.get().await.map_err(from_lance)?;
    let columns = dataset.schema().project(&layout.chunk_columns(toward.map(|_| VECTOR))).map_err(lance)?;
    let found = to_hits(&dataset.take_rows(rows, columns).await.map_err(lance)?, layout, toward)?;
    if found.len() != rows.len() {
        return Err(Problem::internal(format!("{} of {} rows were there", found.len(), rows.len())));
    }
    Ok(found)
}

/// Every row's vector, batch by batch, of one version.
pub async fn all_vectors(table: &Table) -> Result<BoxStream<'static, Result<Vec<VectorRow>>>> {
    let mut options = QueryExecutionOptions::default();
    options.max_batch_length = ROWS_PER_BATCH;
    let columns = [ENTITY_TYPE, ENTITY_ID, CHUNK, VECTOR];
    let query = table.query().select(Select::columns(&columns));
    let rows = query.execute_with_options(options).await.map_err(from_lance)?;
    let batches = rows.map(|batch| batch.map_err(from_lance).and_then(|batch| to_vectors(&batch)));
    // The caller reads these batches outside of the guard that reads otherwise have.
    let guarded = AssertUnwindSafe(batches).catch_unwind();
    Ok(guarded.map(|batch| batch.unwrap_or_else(|panic| Err(damage(&*panic)))).boxed())
}

/// How many rows there are.
pub async fn count(table: &Table) -> Result<u64> {
    let rows = table.count_rows(None).await.map_err(from_lance)?;
    u64::try_from(rows).map_err(Problem::internal)
}
