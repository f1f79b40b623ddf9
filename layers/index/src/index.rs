//! The index itself: tables opened once, reads that see the newest commit, writes that wait for one another.
//!
//! A search is mostly computation, done on the threads that serve requests. So only as many run at once as the
//! options say; the others wait in the order in which they came. Without that a thousand searches share the
//! processor, all of them end late, and whatever else the process has to do in time comes too late.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use futures::stream::BoxStream;
use lancedb::Table;
use mandi_core::{Problem, ProblemKind, Result};
use mandi_retrieval::DocumentKey;
use mandi_retrieval::ports::{ChunkIndex, DocumentChunks, IndexTable, Snapshot, VectorRow};
use tokio::sync::Semaphore;

use crate::open_table::{OpenTable, Tables};
use crate::options::IndexOptions;
use crate::problem::guarded;
use crate::schema::Layout;
use crate::snapshot::LanceSnapshot;
use crate::upkeep::{self, Upkeep};
use crate::{search, write};

/// LanceDB tables below one place, a folder or `s3://bucket/prefix`. Cloning gives the same index.
#[derive(Clone, Debug)]
pub struct LanceIndex {
    tables: Arc<Tables>,
    reads: Arc<Semaphore>,
}

impl LanceIndex {
    /// The index at a place. Nothing is read or written before it is used.
    ///
    /// # Errors
    /// `invalid-request` when `uri` is empty or not valid.
    pub fn open(uri: &str, options: IndexOptions) -> Result<Self> {
        let scheme = uri.split_once("://").map(|(scheme, _)| scheme);
        if uri.is_empty() || scheme.is_some_and(|scheme| scheme != "s3") {
            let detail = format!("`{uri}` is neither a folder nor `s3://bucket/prefix`");
            return Err(Problem::field("MANDI_VECTORS_URI", detail));
        }
        let reads = Arc::new(Semaphore::new(options.reads_at_once.max(1)));
        Ok(Self { tables: Arc::new(Tables::new(uri, options)), reads })
    }

    /// Looks after a table now: joins small files, brings the indices up to date, removes old versions.
    ///
    /// # Errors
    /// `not-found` when there is no such table; else as the storage fails. Nothing is lost by a failure.
    pub async fn maintain(&self, table: &IndexTable) -> Result<Upkeep> {
        let open = self.open_table(table).await?;
        guarded(upkeep::look_after(&open, self.tables.options())).await
    }

    /// Waits until the upkeep that runs in the background has ended.
    pub async fn settle(&self) {
        for open in self.tables.all_open() {
            let running = open.upkeep.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(running) = running
                && let Err(error) = running.await
            {
                tracing::warn!(%error, "upkeep of a table did not end well");
            }
        }
    }

    /// Reads at the newest version. A table that another process has replaced fails in the handle that is
    /// open here; it is then opened anew, once.
    async fn read<T, R>(&self, table: &IndexTable, read: impl Fn(Table, Layout) -> R + Send + Sync) -> Result<T>
    where
        R: Future<Output = Result<T>> + Send,
    {
        let _turn = self.reads.acquire().await.map_err(Problem::internal)?;
        let open = self.open_table(table).await?;
        match guarded(read_newest(&open, &read)).await {
            Err(problem) if problem.kind != ProblemKind::InvalidRequest => {
                tracing::warn!(table = ?table, causes = problem.causes(), "a table is opened anew after an error");
                self.tables.forget(table);
                let open = self.open_table(table).await?;
                guarded(read_newest(&open, &read)).await
            }
            done => done,
        }
    }

    async fn open_table(&self, table: &IndexTable) -> Result<Arc<OpenTable>> {
        guarded(self.tables.open(table)).await
    }

    /// Counts a commit, and sees to the upkeep when it is time.
    async fn committed(&self, table: &IndexTable, open: Arc<OpenTable>) {
        open.commits.fetch_add(1, Ordering::Relaxed);
        let options = self.tables.options();
        let cared_for = options.background_upkeep || options.caretaker.is_some();
        if !cared_for || !upkeep::is_due(&open, options).await {
            return;
        }
        match &options.caretaker {
            None => self.look_after_in_background(&open),
            Some(caretaker) => match caretaker.look_after_soon(table).await {
                Ok(()) => upkeep::handed_on(&open, options).await,
                Err(problem) => {
                    let causes = problem.causes();
                    tracing::warn!(table = open.table.name(), causes, "upkeep of a table could not be handed on");
                }
            },
        }
    }

    /// Starts the upkeep, unless it runs.
    fn look_after_in_background(&self, open: &Arc<OpenTable>) {
        let mut running = open.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
        if running.as_ref().is_none_or(tokio::task::JoinHandle::is_finished) {
            let (tables, open) = (Arc::clone(&self.tables), Arc::clone(open));
            *running = Some(tokio::spawn(async move {
                match guarded(upkeep::look_after(&open, tables.options())).await {
                    Ok(done) => tracing::info!(table = open.table.name(), ?done, "looked after a table"),
                    Err(problem) => {
                        tracing::warn!(
                            table = open.table.name(),
                            causes = problem.causes(),
                            "upkeep of a table failed"
                        );
                    }
                }
            }));
        }
    }
}

async fn read_newest<T, R>(open: &OpenTable, read: &(impl Fn(Table, Layout) -> R + Send + Sync)) -> Result<T>
where
    R: Future<Output = Result<T>> + Send,
{
    let (snapshot, layout) = open.snapshot().await?;
    read(snapshot, layout).await
}

#[async_trait]
impl ChunkIndex for LanceIndex {
    async fn create(&self, table: &IndexTable, dimensions: usize) -> Result<()> {
        guarded(self.tables.create(table, dimensions)).await
    }

    async fn upkeep(&self, table: &IndexTable) -> Result<()> {
        self.maintain(table).await.map(drop)
    }

    async fn remove(&self, table: &IndexTable) -> Result<()> {
        self.tables.remove(table).await
    }

    async fn upsert(&self, table: &IndexTable, documents: Vec<DocumentChunks>) -> Result<()> {
        if documents.is_empty() {
            return Ok(());
        }
        let open = self.open_table(table).await?;
        let writing = open.writing.lock().await;
        guarded(write::replace(&open.table, &documents)).await?;
        drop(writing);
        self.committed(table, open).await;
        Ok(())
    }

    async fn delete(&self, table: &IndexTable, document: &DocumentKey) -> Result<u64> {
        let open = self.open_table(table).await?;
        let writing = open.writing.lock().await;
        let removed = guarded(write::remove(&open.table, document)).await?;
        drop(writing);
        self.committed(table, open).await;
        Ok(removed)
    }

    async fn snapshot(&self, table: &IndexTable) -> Result<Arc<dyn Snapshot>> {
        let (newest, layout) = self.read(table, |newest, layout| async move { Ok((newest, layout)) }).await?;
        let (tables, reads) = (Arc::clone(&self.tables), Arc::clone(&self.reads));
        Ok(Arc::new(LanceSnapshot { of: table.clone(), table: newest, layout, tables, reads }))
    }

    async fn count(&self, table: &IndexTable) -> Result<u64> {
        self.read(table, |snapshot, _| async move { search::count(&snapshot).await }).await
    }

    async fn vectors(&self, table: &IndexTable) -> Result<BoxStream<'static, Result<Vec<VectorRow>>>> {
        self.read(table, |snapshot, _| async move { search::all_vectors(&snapshot).await }).await
    }
}
