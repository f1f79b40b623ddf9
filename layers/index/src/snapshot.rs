//! One version of a table, to search.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use lancedb::Table;
use mandi_core::{Problem, ProblemKind, Result};
use mandi_retrieval::Filter;
use mandi_retrieval::ports::{Candidate, Hit, IndexTable, Snapshot};
use tokio::sync::Semaphore;

use crate::open_table::Tables;
use crate::problem::guarded;
use crate::schema::Layout;
use crate::search;

/// A version of a table.
pub struct LanceSnapshot {
    pub of: IndexTable,
    /// Pinned to the version.
    pub table: Table,
    pub layout: Layout,
    pub tables: Arc<Tables>,
    pub reads: Arc<Semaphore>,
}

impl LanceSnapshot {
    /// Reads in its turn. A table that fails is opened anew by the next search: what this process knows of it may be
    /// of one that is gone.
    async fn in_turn<T>(&self, read: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let _turn = self.reads.acquire().await.map_err(Problem::internal)?;
        let done = guarded(read).await;
        if let Err(problem) = &done
            && problem.kind != ProblemKind::InvalidRequest
        {
            tracing::warn!(table = ?self.of, causes = problem.causes(), "a table could not be read and is closed");
            self.tables.forget(&self.of);
        }
        done
    }
}

impl fmt::Debug for LanceSnapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LanceSnapshot").field("of", &self.of).finish_non_exhaustive()
    }
}

#[async_trait]
impl Snapshot for LanceSnapshot {
    async fn nearest(&self, vector: &[f32], k: usize, filter: Option<&Filter>) -> Result<Vec<Candidate>> {
        self.in_turn(search::nearest(&self.table, &self.layout, vector, k, filter)).await
    }

    async fn keyword(&self, query: &str, k: usize, filter: Option<&Filter>) -> Result<Vec<Candidate>> {
        self.in_turn(search::keyword(&self.table, &self.layout, query, k, filter)).await
    }

    async fn read(&self, rows: &[u64], toward: Option<&[f32]>) -> Result<Vec<Hit>> {
        self.in_turn(search::rows(&self.table, &self.layout, rows, toward)).await
    }
}
