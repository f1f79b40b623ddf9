//! What retrieval needs of the outside: an index of chunks, and, for its consumers, a search.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use mandi_core::identity::{Principal, TenantId};
use mandi_core::{Result, Timestamp};

use crate::filter::Filter;
use crate::passage::{Chunk, CollectionName, DocumentKey, Missing, Named, Passage, SearchRequest};

/// A search over the caller's collections. Implemented in process by `hybrid::HybridSearch`, and in
/// AWS, for functions that hold no index, by a call of the embedding function.
#[async_trait]
pub trait Search: Send + Sync + fmt::Debug {
    /// The best passages first.
    ///
    /// # Errors
    /// A collection that the tenant does not have is `not-found`; a filter on an unknown field, or of a wrong
    /// type, is `invalid-request`.
    async fn search(&self, caller: &Principal, request: SearchRequest) -> Result<Vec<Passage>>;

    /// Those of the named collections and documents that the tenant does not have.
    async fn missing(&self, caller: &Principal, named: &Named) -> Result<Missing>;
}

/// One collection of one tenant, as the index names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IndexTable {
    /// The tenant.
    pub tenant: TenantId,
    /// The collection.
    pub collection: CollectionName,
    /// When the collection was made: one that was deleted and made again is another table.
    pub made_at: Timestamp,
}

/// A chunk with its vector.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexedChunk {
    /// The chunk.
    pub chunk: Chunk,
    /// Its vector, of the collection's dimensions.
    pub vector: Vec<f32>,
}

/// All chunks of one document, to take the place of those that are there.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentChunks {
    /// The document.
    pub document: DocumentKey,
    /// Its chunks, at least one.
    pub chunks: Vec<IndexedChunk>,
}

/// A row that a list found, with that list's score (higher is better).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The row's number in its [`Snapshot`], and in no other one.
    pub row: u64,
    /// Cosine similarity, or BM25.
    pub score: f32,
}

/// What the quality report reads of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorRow {
    /// The document.
    pub document: DocumentKey,
    /// The chunk's number.
    pub number: u32,
    /// The vector as it is stored.
    pub vector: Vec<f32>,
}

/// The index of vectors and keywords: one table for each collection.
#[async_trait]
pub trait ChunkIndex: Send + Sync + fmt::Debug {
    /// Makes the table, unless it is there. `dimensions` is the length of its vectors.
    async fn create(&self, table: &IndexTable, dimensions: usize) -> Result<()>;

    /// Removes the table and all that is in it; removing an absent one is no error.
    async fn remove(&self, table: &IndexTable) -> Result<()>;

    /// Replaces all chunks of each document in one step: a search sees all of the old or all of the new,
    /// for all the documents of the call.
    ///
    /// # Errors
    /// A metadata field whose type differs from what the table holds under that name is `invalid-request`.
    async fn upsert(&self, table: &IndexTable, documents: Vec<DocumentChunks>) -> Result<()>;

    /// Removes all chunks of a document. Returns how many there were.
    async fn delete(&self, table: &IndexTable, document: &DocumentKey) -> Result<u64>;

    /// The newest version of a table, to search.
    async fn snapshot(&self, table: &IndexTable) -> Result<Arc<dyn Snapshot>>;

    /// How many chunks the table holds.
    async fn count(&self, table: &IndexTable) -> Result<u64>;

    /// Looks after a table that was written to much: joins small files, brings indices up to date. For the end of
    /// a bulk load; an index may do so by itself, too.
    async fn upkeep(&self, table: &IndexTable) -> Result<()>;

    /// Every row's vector, in batches, in one pass.
    async fn vectors(&self, table: &IndexTable) -> Result<BoxStream<'static, Result<Vec<VectorRow>>>>;
}

/// A row that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Its chunk.
    pub chunk: Chunk,
    /// The cosine of its vector with the one that it was read toward.
    pub cosine: Option<f32>,
}

/// A version of a table, which stays what it is while others write: the lists of one search and the chunks that it shows
/// are of one version. Lists hold rows without their chunks: fifty are listed and ten are shown, and reading those that are
/// not was a third of a search's time.
#[async_trait]
pub trait Snapshot: Send + Sync + fmt::Debug {
    /// The `k` nearest rows that pass the filter, nearest first; equally near ones in the order of their rows. An index
    /// of a large table holds 8-bit vectors: scores, and with them the order, are a little off then.
    async fn nearest(&self, vector: &[f32], k: usize, filter: Option<&Filter>) -> Result<Vec<Candidate>>;

    /// The `k` best rows by BM25 over the terms of `query`, that pass the filter, best first; equally good ones in the
    /// order of their rows.
    async fn keyword(&self, query: &str, k: usize, filter: Option<&Filter>) -> Result<Vec<Candidate>>;

    /// These rows, in the same order; with their exact cosines when a vector is given.
    async fn read(&self, rows: &[u64], toward: Option<&[f32]>) -> Result<Vec<Hit>>;
}
