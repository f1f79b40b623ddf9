//! The models as adapters of the ports `Embedder` and `Reranker`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use mandi_core::ports::{
    Embedder, Embedding, EmbeddingModel, EmbeddingPurpose, ModelError, ModelRef, Reranker, TokenSpans,
};
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::spawn_blocking;

use crate::{CrossEncoder, LoadError, TextEncoder};

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

/// Where a reranker's model comes from.
#[derive(Clone, Debug)]
enum Source {
    Loaded(Arc<CrossEncoder>),
    /// Loaded once, by the first who needs it.
    Folder {
        folder: PathBuf,
        loaded: Arc<OnceCell<Arc<CrossEncoder>>>,
    },
}

/// The reranker `local/ms-marco-MiniLM-L-12-v2`.
#[derive(Clone, Debug)]
pub struct LocalReranker {
    encoder: Source,
    cores: Cores,
}

impl LocalReranker {
    /// Over a model that is loaded.
    #[must_use]
    pub fn new(encoder: Arc<CrossEncoder>) -> Self {
        Self { encoder: Source::Loaded(encoder), cores: Cores::new() }
    }

    /// Over the model in a folder, loaded when it is first asked: what starts for one request, which may need no
    /// reranker, starts sooner.
    ///
    /// # Errors
    /// [`LoadError`] names a file that is missing.
    pub fn when_needed(folder: &Path) -> Result<Self, LoadError> {
        CrossEncoder::find(folder)?;
        let encoder = Source::Folder { folder: folder.to_owned(), loaded: Arc::default() };
        Ok(Self { encoder, cores: Cores::new() })
    }

    async fn encoder(&self) -> Result<Arc<CrossEncoder>, ModelError> {
        let (folder, loaded) = match &self.encoder {
            Source::Loaded(encoder) => return Ok(Arc::clone(encoder)),
            Source::Folder { folder, loaded } => (folder, loaded),
        };
        let load = || async {
            let folder = folder.clone();
            let encoder = self.cores.run(move || CrossEncoder::load(&folder)).await?;
            encoder.map(Arc::new).map_err(|error| ModelError::Broken(error.to_string()))
        };
        loaded.get_or_try_init(load).await.cloned()
    }
}

#[async_trait]
impl Reranker for LocalReranker {
    fn model(&self) -> ModelRef {
        local("ms-marco-MiniLM-L-12-v2")
    }

    async fn scores(&self, query: &str, passages: &[String]) -> Result<Vec<f32>, ModelError> {
        let encoder = self.encoder().await?;
        let (query, passages) = (query.to_owned(), passages.to_vec());
        let score = move || encoder.scores(&query, &passages.iter().map(String::as_str).collect::<Vec<_>>());
        self.cores.run(score).await
    }
}
