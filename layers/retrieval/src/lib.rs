//! From documents to verified answers: extraction, chunking, keyword terms, hybrid search, citations.
//!
//! Everything that can be is a pure function over text and numbers. The outside is behind four ports:
//! [`ChunkIndex`] (vectors and keywords), [`Search`] (for consumers that do not own an index), and the core's
//! `Embedder`, `Reranker` and `LanguageModel`.

pub mod filter;
pub mod passage;
pub mod ports;

pub use filter::{Filter, Metadata, Scalar};
pub use passage::{Chunk, CollectionName, DocumentKey, Passage, Scores, SearchMode, SearchRequest};
pub use ports::{ChunkIndex, Search};
