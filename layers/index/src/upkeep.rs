//! Looking after a table: few files, indices that cover nearly all rows, no versions that nobody reads.
//!
//! Searches never wait for it. Writers wait only while small files are joined, which would else collide with
//! them; indices are built beside the writers.

use std::sync::atomic::Ordering;

use lancedb::index::Index;
use lancedb::index::vector::IvfHnswSqIndexBuilder;
use lancedb::table::{CompactionOptions, Duration, OptimizeAction, OptimizeOptions};
use lancedb::{DistanceType, Table};
use mandi_core::{Problem, Result};

use crate::open_table::{OpenTable, TERMS_INDEX, VECTOR_INDEX};
use crate::options::IndexOptions;
use crate::problem::from_lance;
use crate::schema::VECTOR;

/// How many parts an index may be in before they are made one.
const MAX_INDEX_PARTS: u32 = 4;
/// How many rows the keyword index may lack before it is brought up to date: so many are scanned by each search.
const KEYWORD_ROWS_BEHIND: usize = 500;
/// Candidates for each new edge of the graph while it is built. The time of a build grows with it; LanceDB's
/// own default is 300. Bench P6 measures the recall that this gives.
const EF_CONSTRUCTION: u32 = 150;

/// What was done for a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// How many files were joined to larger ones.
    pub files_joined: usize,
    /// Whether the keyword index was brought up to date.
    pub keyword_index_updated: bool,
    /// Whether the vector index was built, or brought up to date.
    pub vector_index_updated: bool,
    /// How many old versions were removed.
    pub versions_removed: u64,
}

/// Whether it is time to look after a table again.
pub async fn is_due(open: &OpenTable, options: &IndexOptions) -> bool {
    if open.commits.load(Ordering::Relaxed) >= options.commits_between_upkeep {
        return true;
    }
    let Ok(files) = small_files(open, options).await else { return false };
    // Another process may have joined files since.
    let left = open.small_files_left.fetch_min(files, Ordering::Relaxed).min(files);
    files >= left + options.small_files
}

/// Puts down that somebody else looks after the table: it is due again after as much more.
pub async fn handed_on(open: &OpenTable, options: &IndexOptions) {
    open.commits.store(0, Ordering::Relaxed);
    if let Ok(files) = small_files(open, options).await {
        open.small_files_left.store(files, Ordering::Relaxed);
    }
}

async fn small_files(open: &OpenTable, options: &IndexOptions) -> Result<usize> {
    match open.table.as_native() {
        Some(table) => table.num_small_files(options.rows_per_file).await.map_err(from_lance),
        None => Ok(0),
    }
}

/// Looks after a table.
pub async fn look_after(open: &OpenTable, options: &IndexOptions) -> Result<Upkeep> {
    open.commits.store(0, Ordering::Relaxed);
    let files_joined = join_files(open, options).await?;
    open.small_files_left.store(small_files(open, options).await?, Ordering::Relaxed);
    let keyword_index_updated = update_keyword_index(&open.table).await?;
    let vector_index_updated = update_vector_index(&open.table, options).await?;
    let versions_removed = remove_versions(&open.table, options).await?;
    Ok(Upkeep { files_joined, keyword_index_updated, vector_index_updated, versions_removed })
}

async fn join_files(open: &OpenTable, options: &IndexOptions) -> Result<usize> {
    let _writing = open.writing.lock().await;
    let compaction = CompactionOptions { target_rows_per_fragment: options.rows_per_file, ..Default::default() };
    let action = OptimizeAction::Compact { options: compaction, remap_options: None };
    let done = open.table.optimize(action).await.map_err(from_lance)?;
    Ok(done.compaction.map_or(0, |metrics| metrics.fragments_removed))
}

async fn update_keyword_index(table: &Table) -> Result<bool> {
    let Some(state) = table.index_stats(TERMS_INDEX).await.map_err(from_lance)? else { return Ok(false) };
    if state.num_unindexed_rows < KEYWORD_ROWS_BEHIND {
        return Ok(false);
    }
    extend(table, TERMS_INDEX, state.num_indices).await?;
    Ok(true)
}

async fn update_vector_index(table: &Table, options: &IndexOptions) -> Result<bool> {
    let rows = table.count_rows(None).await.map_err(from_lance)?;
    let state = table.index_stats(VECTOR_INDEX).await.map_err(from_lance)?;
    let Some(state) = state else {
        if rows < options.exact_scan_rows {
            return Ok(false);
        }
        build_vector_index(table).await?;
        return Ok(true);
    };
    // Rows without an index are scanned: as many as may be scanned in a table without one.
    let behind = state.num_unindexed_rows;
    if behind < options.exact_scan_rows / 2 {
        return Ok(false);
    }
    if behind > state.num_indexed_rows {
        // Most of the data is new: what was learnt of the old (bounds, partitions) may not fit it.
        build_vector_index(table).await?;
    } else {
        extend(table, VECTOR_INDEX, state.num_indices).await?;
    }
    Ok(true)
}

async fn build_vector_index(table: &Table) -> Result<()> {
    let graph = IvfHnswSqIndexBuilder::default().distance_type(DistanceType::Cosine).ef_construction(EF_CONSTRUCTION);
    let create = table.create_index(&[VECTOR], Index::IvfHnswSq(graph)).name(VECTOR_INDEX.to_owned());
    create.execute().await.map_err(from_lance)
}

/// Adds the rows that an index does not cover: as a part of their own, or, when there are many parts, by making
/// all of them one.
async fn extend(table: &Table, index: &str, parts: Option<u32>) -> Result<()> {
    let parts = parts.unwrap_or(1);
    let how = if parts >= MAX_INDEX_PARTS {
        OptimizeOptions::merge(usize::try_from(parts).map_err(Problem::internal)?)
    } else {
        OptimizeOptions::append()
    };
    let action = OptimizeAction::Index(how.index_names(vec![index.to_owned()]));
    table.optimize(action).await.map_err(from_lance)?;
    Ok(())
}

async fn remove_versions(table: &Table, options: &IndexOptions) -> Result<u64> {
    let age = Duration::from_std(options.keep_versions).map_err(Problem::internal)?;
    let action =
        OptimizeAction::Prune { older_than: Some(age), delete_unverified: None, error_if_tagged_old_versions: None };
    let done = table.optimize(action).await.map_err(from_lance)?;
    Ok(done.prune.map_or(0, |removed| removed.old_versions))
}
