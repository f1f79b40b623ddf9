//! What can be set of the index, with the values that hold otherwise.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mandi_core::Result;
use mandi_retrieval::ports::IndexTable;

/// Sees to the upkeep of tables where this process cannot do it in the background.
#[async_trait]
pub trait Caretaker: Send + Sync + fmt::Debug {
    /// Sees to it that [`LanceIndex::maintain`] is called for the table soon. The write that made it due waits for
    /// this, and not for the upkeep.
    ///
    /// [`LanceIndex::maintain`]: crate::LanceIndex::maintain
    async fn look_after_soon(&self, table: &IndexTable) -> Result<()>;
}

/// Settings of a [`LanceIndex`](crate::LanceIndex).
#[derive(Clone, Debug)]
pub struct IndexOptions {
    /// Options of the object store, over those that the standard AWS environment variables give; the names
    /// are those of the `object_store` crate (`aws_endpoint`, `aws_region`, `allow_http`, ...).
    pub storage: BTreeMap<String, String>,
    /// For how long a search may miss the commit of another process. Zero: it never does, at the price of
    /// one listing of the table's versions for each search. Commits of this process are always seen.
    pub freshness: Duration,
    /// From how many rows a table gets a vector index; below, an exact scan is as quick and exact.
    pub exact_scan_rows: usize,
    /// After how many commits of this process to a table it is maintained.
    pub commits_between_upkeep: usize,
    /// After how many new small files a table is maintained, whoever wrote them.
    pub small_files: usize,
    /// Fragments of fewer rows than this are small, and are joined to larger ones.
    pub rows_per_file: usize,
    /// For how long a version that was replaced is kept for the readers that still use it.
    pub keep_versions: Duration,
    /// How many searches run at once; the others wait.
    pub reads_at_once: usize,
    /// How many tables stay open in this process.
    pub open_tables: usize,
    /// How much memory the indices of one open table may fill, in bytes.
    pub index_cache_bytes: usize,
    /// How much memory the metadata of one open table may fill, in bytes.
    pub metadata_cache_bytes: usize,
    /// Whether tables are maintained in the background after writes. Off, [`LanceIndex::maintain`] is for
    /// the caller to call, as a Lambda function does, whose background work stands still between requests.
    ///
    /// [`LanceIndex::maintain`]: crate::LanceIndex::maintain
    pub background_upkeep: bool,
    /// Who is told when upkeep is due, in place of doing it in the background.
    pub caretaker: Option<Arc<dyn Caretaker>>,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self {
            storage: BTreeMap::new(),
            freshness: Duration::ZERO,
            exact_scan_rows: 10_000,
            commits_between_upkeep: 32,
            small_files: 32,
            rows_per_file: 32_768,
            keep_versions: Duration::from_secs(15 * 60),
            reads_at_once: 2 * std::thread::available_parallelism().map_or(1, usize::from),
            open_tables: 64,
            index_cache_bytes: 512 << 20,
            metadata_cache_bytes: 64 << 20,
            background_upkeep: true,
            caretaker: None,
        }
    }
}
