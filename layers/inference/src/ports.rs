//! The models as adapters of the ports `Embedder` and `Reranker`.

use std::sync::Arc;

use async_trait::async_trait;
use mandi_core::ports::{
    Embedder, Embedding, EmbeddingModel, EmbeddingPurpose, ModelError, ModelRef, Reranker, TokenSpans,
};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::{CrossEncoder, TextEncoder};

fn local(model: &str) -> ModelRef {
    ModelRef { provider: "local".to_owned(), model: model.to_owned() }
}

/// Runs arithmetic off the event loop, at most as many jobs at once as there are cores, so that many callers wait
/// instead of slowing each other down.
#[derive(Clone, Debug)]
struct Cores(Arc<Semaphore>);

impl Cores {
    fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(cores)))
    }

    /// The permit goes with the job: a caller that gives up does not let another in before the job ends.
    async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, ModelError> {
        let broken = |error: &dyn std::fmt::Display| ModelError::Broken(error.to_string());
        let permit = Arc::clone(&self.0).acquire_owned().await.map_err(|error| broken(&error))?;
        let work = spawn_blocking(move || {
            let result = job();
            drop(permit);
            result
        });
        work.await.map_err(|error| broken(&error))
    }
}

impl TokenSpans for TextEncoder {
    fn token_spans(&self, text: &str) -> Vec<std::ops::Range<usize>> {
        Self::token_spans(self, text)
    }
}

/// The embedding model `local/all-MiniLM-L6-v2`. Questions and passages are treated alike.
#[derive(Clone, Debug)]
pub struct LocalEmbedder {
    encoder: Arc<TextEncoder>,
    model: EmbeddingModel,
    cores: Cores,
}

impl LocalEmbedder {
    /// Over a model that is loaded.
    #[must_use]
    pub fn new(encoder: Arc<TextEncoder>) -> Self {
        let model = EmbeddingModel {
            model: local("all-MiniLM-L6-v2"),
            dimensions: TextEncoder::DIMENSIONS,
            max_tokens: TextEncoder::MAX_TOKENS,
        };
        Self { encoder, model, cores: Cores::new() }
    }
}

#[async_trait]
impl Embedder for LocalEmbedder {
    fn model(&self) -> &EmbeddingModel {
        &self.model
    }

    async fn embed(&self, texts: &[String], _purpose: EmbeddingPurpose) -> Result<Vec<Embedding>, ModelError> {
        let encoder = Arc::clone(&self.encoder);
        let texts = texts.to_vec();
        let encode = move || encoder.encode(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let encoded = self.cores.run(encode).await?;
        let embedding = |text: crate::EncodedText| Embedding {
            vector: text.vector,
            tokens: text.tokens as u64,
            truncated: text.truncated,
        };
        Ok(encoded.into_iter().map(embedding).collect())
    }
}

/// The reranker `local/ms-marco-MiniLM-L-12-v2`.
#[derive(Clone, Debug)]
pub struct LocalReranker {
    encoder: Arc<CrossEncoder>,
    cores: Cores,
}

impl LocalReranker {
    /// Over a model that is loaded.
    #[must_use]
    pub fn new(encoder: Arc<CrossEncoder>) -> Self {
        Self { encoder, cores: Cores::new() }
    }
}

#[async_trait]
impl Reranker for LocalReranker {
    fn model(&self) -> ModelRef {
        local("ms-marco-MiniLM-L-12-v2")
    }

    async fn scores(&self, query: &str, passages: &[String]) -> Result<Vec<f32>, ModelError> {
        let encoder = Arc::clone(&self.encoder);
        let (query, passages) = (query.to_owned(), passages.to_vec());
        let score = move || encoder.scores(&query, &passages.iter().map(String::as_str).collect::<Vec<_>>());
        self.cores.run(score).await
    }
}
