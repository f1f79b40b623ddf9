//! A table that is open in this process, and the cache of them.
//!
//! Each open table has a session (a cache of metadata and indices) of its own: LanceDB keys some entries by
//! version number alone, which a table that was dropped and made again would meet twice.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lancedb::index::Index;
use lancedb::index::scalar::FtsIndexBuilder;
use lancedb::{Connection, ObjectStoreRegistry, Session, Table};
use mandi_core::{Problem, ProblemKind, Result};
use mandi_retrieval::ports::IndexTable;
use tokio::task::JoinHandle;

use crate::options::IndexOptions;
use crate::problem::{from_connecting, from_lance};
use crate::schema::{self, Layout, TERMS};

/// The name of the keyword index.
pub const TERMS_INDEX: &str = "terms_idx";
/// The name of the vector index.
pub const VECTOR_INDEX: &str = "vector_idx";

/// How often something that another process got in the way of is tried.
const ATTEMPTS: usize = 5;

/// A table that is open.
pub struct OpenTable {
    /// LanceDB's handle, which follows the newest version.
    pub table: Table,
    /// Held by whoever writes, so that the writers of this process wait for one another rather than collide.
    pub writing: tokio::sync::Mutex<()>,
    /// Commits of this process since the table was last looked after.
    pub commits: AtomicUsize,
    /// Small files that the last upkeep of this process left, since nothing could be joined to them.
    pub small_files_left: AtomicUsize,
    /// The upkeep that runs, or ran last.
    pub upkeep: Mutex<Option<JoinHandle<()>>>,
    used: AtomicU64,
}

impl OpenTable {
    fn new(table: Table) -> Arc<Self> {
        Arc::new(Self {
            table,
            writing: tokio::sync::Mutex::new(()),
            commits: AtomicUsize::new(0),
            small_files_left: AtomicUsize::new(0),
            upkeep: Mutex::new(None),
            used: AtomicU64::new(0),
        })
    }

    /// The newest version, which stays what it is while others write, and its layout.
    pub async fn snapshot(&self) -> Result<(Table, Layout)> {
        let table = self.table.query_snapshot().await.map_err(from_lance)?;
        let layout = Layout::read(table.schema().await.map_err(from_lance)?)?;
        Ok((table, layout))
    }

    /// Stops the upkeep that runs, and waits until it has stopped.
    pub async fn stop_upkeep(&self) {
        let running = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(running) = running {
            running.abort();
            // Only that it ended matters: it was told to stop.
            let _ = running.await;
        }
    }
}

impl fmt::Debug for OpenTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OpenTable").field("name", &self.table.name()).finish_non_exhaustive()
    }
}

/// How often is tried what another process's making of the same table is in the way of, and how long is waited between.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// The tables of one place, and those of them that are open.
pub struct Tables {
    uri: String,
    options: IndexOptions,
    stores: Arc<ObjectStoreRegistry>,
    open: Mutex<HashMap<IndexTable, Arc<OpenTable>>>,
    clock: AtomicU64,
}

impl Tables {
    pub fn new(uri: &str, options: IndexOptions) -> Self {
        let stores = Arc::new(ObjectStoreRegistry::default());
        Self { uri: uri.to_owned(), options, stores, open: Mutex::new(HashMap::new()), clock: AtomicU64::new(0) }
    }

    pub const fn options(&self) -> &IndexOptions {
        &self.options
    }

    /// The name of a table's folder: no part may hold a dot, so it names one table only.
    fn name(table: &IndexTable) -> String {
        format!("{}.{}.{}", table.tenant.as_str(), table.collection.as_str(), table.made_at.unix_ms())
    }

    async fn connect(&self) -> Result<Connection> {
        let (index_bytes, metadata_bytes) = (self.options.index_cache_bytes, self.options.metadata_cache_bytes);
        let session = Session::new(index_bytes, metadata_bytes, Arc::clone(&self.stores));
        let connect = lancedb::connect(&self.uri)
            // An endpoint without TLS is only used when the environment or the options name one.
            .storage_option("allow_http", "true")
            .storage_options(self.options.storage.iter().map(|(name, value)| (name.clone(), value.clone())))
            .read_consistency_interval(self.options.freshness)
            .session(Arc::new(session));
        connect.execute().await.map_err(from_connecting)
    }

    /// The table, opened if it is not open.
    ///
    /// # Errors
    /// `not-found` when there is none; else as the storage fails.
    pub async fn open(&self, table: &IndexTable) -> Result<Arc<OpenTable>> {
        if let Some(open) = self.cached(table) {
            return Ok(open);
        }
        let connection = self.connect().await?;
        let opened = connection.open_table(Self::name(table)).execute().await.map_err(from_lance)?;
        Layout::read(opened.schema().await.map_err(from_lance)?)?;
        ensure_keyword_index(&opened).await?;
        Ok(self.keep(table, OpenTable::new(opened)))
    }

    /// Makes the table, unless it is there with vectors of this length.
    pub async fn create(&self, table: &IndexTable, dimensions: usize) -> Result<()> {
        let schema = schema::of_new_table(dimensions)?;
        let connection = self.connect().await?;
        match connection.create_empty_table(Self::name(table), schema).execute().await {
            Ok(created) => {
                ensure_keyword_index(&created).await?;
                self.keep(table, OpenTable::new(created));
                Ok(())
            }
            Err(lancedb::Error::TableAlreadyExists { .. }) => {
                let open = self.open_when_made(table).await?;
                let layout = Layout::read(open.table.schema().await.map_err(from_lance)?)?;
                if layout.dimensions == dimensions {
                    return Ok(());
                }
                Err(Problem::conflict(format!(
                    "the collection exists with vectors of {} dimensions, and the embedding model gives {dimensions}",
                    layout.dimensions
                )))
            }
            Err(error) => Err(from_lance(error)),
        }
    }

    /// The table, which somebody may still be making.
    async fn open_when_made(&self, table: &IndexTable) -> Result<Arc<OpenTable>> {
        for _ in 1..TRIES {
            match self.open(table).await {
                Err(problem) if problem.kind == ProblemKind::Unavailable => tokio::time::sleep(BETWEEN_TRIES).await,
                opened => return opened,
            }
        }
        self.open(table).await
    }

    /// Removes the table.
    pub async fn remove(&self, table: &IndexTable) -> Result<()> {
        let open = self.cached(table);
        // A commit after the removal would bring back a part of the table.
        let _writing = match &open {
            Some(open) => {
                open.stop_upkeep().await;
                Some(open.writing.lock().await)
            }
            None => None,
        };
        self.forget(table);
        let connection = self.connect().await?;
        let mut tries = TRIES;
        loop {
            tries -= 1;
            match connection.drop_table(Self::name(table), &[]).await {
                Ok(()) | Err(lancedb::Error::TableNotFound { .. }) => return Ok(()),
                // Somebody still makes it: the next try finds what was written meanwhile.
                Err(error) if tries > 0 => {
                    tracing::info!(%error, "a table could not be removed and is tried again");
                    tokio::time::sleep(BETWEEN_TRIES).await;
                }
                Err(error) => return Err(from_lance(error)),
            }
        }
    }

    /// Closes the table, so that it is opened anew when it is next used.
    pub fn forget(&self, table: &IndexTable) {
        self.lock().remove(table);
    }

    /// The tables that are open.
    pub fn all_open(&self) -> Vec<Arc<OpenTable>> {
        self.lock().values().cloned().collect()
    }

    fn cached(&self, table: &IndexTable) -> Option<Arc<OpenTable>> {
        let open = self.lock().get(table).cloned()?;
        open.used.store(self.tick(), Ordering::Relaxed);
        Some(open)
    }

    fn keep(&self, table: &IndexTable, opened: Arc<OpenTable>) -> Arc<OpenTable> {
        opened.used.store(self.tick(), Ordering::Relaxed);
        let mut open = self.lock();
        // Whoever was first has its writers waiting on its lock: both use that one.
        let kept = Arc::clone(open.entry(table.clone()).or_insert(opened));
        if open.len() > self.options.open_tables {
            let eldest = open.iter().min_by_key(|(_, open)| open.used.load(Ordering::Relaxed));
            if let Some(eldest) = eldest.map(|(table, _)| table.clone()) {
                open.remove(&eldest);
            }
        }
        kept
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IndexTable, Arc<OpenTable>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tables").field("uri", &self.uri).finish_non_exhaustive()
    }
}

/// Makes the keyword index, empty as it may be: rows that it does not cover are searched with its tokeniser,
/// so it has to be there before the first search.
async fn ensure_keyword_index(table: &Table) -> Result<()> {
    let mut failure = None;
    for _ in 0..ATTEMPTS {
        let indices = table.list_indices().await.map_err(from_lance)?;
        if indices.iter().any(|index| index.name == TERMS_INDEX) {
            return Ok(());
        }
        let words = FtsIndexBuilder::default()
            .base_tokenizer("whitespace".to_owned())
            .lower_case(false)
            .stem(false)
            .remove_stop_words(false)
            .ascii_folding(false)
            .max_token_length(None)
            .with_position(false);
        let create = table.create_index(&[TERMS], Index::FTS(words)).name(TERMS_INDEX.to_owned());
        match create.execute().await {
            Ok(()) => return Ok(()),
            // Another process may have made it meanwhile.
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.map_or_else(|| Problem::internal("no attempt was made"), from_lance))
}
