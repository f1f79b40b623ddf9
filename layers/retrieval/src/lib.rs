//! From documents to verified answers: extraction, chunking, keyword terms, hybrid search, citations.
//!
//! Everything that can be is a pure function over text and numbers. The outside is behind four ports:
//! [`ChunkIndex`] (vectors and keywords), [`Search`] (for consumers that do not own an index), and the core's
//! `Embedder`, `Reranker` and `LanguageModel`.

pub mod answer;
pub mod characters;
pub mod chunk;
pub mod citations;
pub mod confidence;
pub mod cosine;
pub mod dedupe;
#[cfg(test)]
mod demo_tests;
pub mod extract;
pub mod extractive;
mod fields;
pub mod filter;
#[cfg(test)]
mod fixtures;
pub mod fusion;
pub mod hybrid;
pub mod names;
pub mod passage;
pub mod ports;
mod problems;
pub mod prompts;
pub mod question;
pub mod reading;
pub mod remote;
pub mod rewrite;
pub mod terms;

pub use cosine::CosineScale;
pub use filter::{Filter, Metadata, Scalar};
pub use passage::{
    Chunk, CollectionName, DocumentKey, DocumentReference, Missing, Named, Passage, Reranking, Scores, SearchMode,
    SearchRequest,
};
pub use ports::{ChunkIndex, Search};
