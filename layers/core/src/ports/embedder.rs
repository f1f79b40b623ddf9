//! Models that turn texts into vectors, and that score passages for a query.

use std::fmt;

use async_trait::async_trait;

use super::language_model::{ModelError, ModelRef};

/// What an embedding model is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingModel {
    /// Provider and model.
    pub model: ModelRef,
    /// The length of its vectors.
    pub dimensions: usize,
    /// The longest text, in its own tokens; what is longer is cut, and said to be.
    pub max_tokens: usize,
}

/// What the text is, for models that treat questions and passages differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbeddingPurpose {
    /// A question.
    Query,
    /// A passage to be found.
    Passage,
}

/// The vector of one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// Unit length (Euclidean norm 1), as long as the model's `dimensions`.
    pub vector: Vec<f32>,
    /// Tokens of the text, special tokens included, before it was cut.
    pub tokens: u64,
    /// Whether the text was longer than the model takes.
    pub truncated: bool,
}

/// Turns texts into vectors.
#[async_trait]
pub trait Embedder: Send + Sync + fmt::Debug {
    /// What it is.
    fn model(&self) -> &EmbeddingModel;

    /// One embedding for each text, in order.
    async fn embed(&self, texts: &[String], purpose: EmbeddingPurpose) -> Result<Vec<Embedding>, ModelError>;
}

/// Scores how well passages answer a query.
#[async_trait]
pub trait Reranker: Send + Sync + fmt::Debug {
    /// What it is.
    fn model(&self) -> ModelRef;

    /// One score for each passage, in order, between 0 and 1; higher is better.
    async fn scores(&self, query: &str, passages: &[String]) -> Result<Vec<f32>, ModelError>;
}

/// A tokeniser, seen as the places of its tokens in a text.
pub trait TokenSpans: Send + Sync {
    /// The byte ranges of the tokens of `text`, in order, without special tokens. Ranges lie on character
    /// boundaries and inside `text`; several tokens may share a range (pieces of one character).
    fn token_spans(&self, text: &str) -> Vec<std::ops::Range<usize>>;
}
