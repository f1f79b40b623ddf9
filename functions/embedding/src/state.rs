//! What the embedding function needs at start.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use mandi_core::Clock;
use mandi_core::metering::Meter;
use mandi_core::ports::{Objects, Records, Reranker, TokenSpans};
use mandi_core::streams::Streams;
use mandi_http::Gate;
use mandi_llm::providers::Providers;
use mandi_retrieval::answer::{AnswerEngine, AnswerSettings};
use mandi_retrieval::hybrid::HybridSearch;
use mandi_retrieval::{ChunkIndex, Search};
use tokio_util::task::TaskTracker;

use crate::collections::Collections;
use crate::documents::Documents;
use crate::embedders::Embedders;
use crate::jobs::{Jobs, RunJob};

/// The parts that an [`EmbeddingState`] is made of; made once for each process.
#[derive(Clone)]
pub struct EmbeddingParts {
    /// Authentication and idempotency.
    pub gate: Gate,
    /// The store of records.
    pub records: Arc<dyn Records>,
    /// The store of the tenants' files, and of documents that wait to be indexed.
    pub objects: Arc<dyn Objects>,
    /// Vectors and keywords.
    pub index: Arc<dyn ChunkIndex>,
    /// The embedding models.
    pub embedders: Embedders,
    /// The cross-encoder.
    pub reranker: Option<Arc<dyn Reranker>>,
    /// The tokens by which documents are chunked.
    pub tokens: Arc<dyn TokenSpans>,
    /// Starts jobs.
    pub run_job: Arc<dyn RunJob>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Streams of events.
    pub streams: Streams,
    /// Usage and cost.
    pub meter: Meter,
    /// The language models, by tenant.
    pub providers: Arc<Providers>,
    /// After how long without an event a stream sends a comment.
    pub keep_alive: Duration,
    /// Work that goes on after its request; drained before the process ends.
    pub tasks: TaskTracker,
}

/// What handlers see.
#[derive(Clone)]
pub struct EmbeddingState {
    pub(crate) gate: Gate,
    pub(crate) collections: Collections,
    pub(crate) documents: Documents,
    pub(crate) embedders: Embedders,
    pub(crate) index: Arc<dyn ChunkIndex>,
    pub(crate) search: Arc<dyn Search>,
    pub(crate) engine: AnswerEngine,
    pub(crate) providers: Arc<Providers>,
    pub(crate) streams: Streams,
    pub(crate) meter: Meter,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keep_alive: Duration,
    pub(crate) tasks: TaskTracker,
    jobs: Jobs,
}

impl EmbeddingState {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: EmbeddingParts) -> Self {
        let collections = Collections::new(parts.records.clone(), parts.clock.clone(), parts.embedders.clone());
        let documents = Documents {
            records: parts.records.clone(),
            objects: parts.objects.clone(),
            index: parts.index.clone(),
            embedders: parts.embedders.clone(),
            tokens: parts.tokens,
            clock: parts.clock.clone(),
        };
        let search: Arc<dyn Search> =
            Arc::new(HybridSearch::new(parts.index.clone(), Arc::new(collections.clone()), parts.reranker.clone()));
        Self {
            jobs: Jobs::new(
                parts.records,
                parts.objects,
                parts.clock.clone(),
                documents.clone(),
                collections.clone(),
                parts.run_job,
            ),
            gate: parts.gate,
            collections,
            documents,
            embedders: parts.embedders,
            index: parts.index,
            engine: AnswerEngine::new(search.clone(), parts.reranker, parts.clock.clone(), AnswerSettings::default()),
            search,
            providers: parts.providers,
            streams: parts.streams,
            meter: parts.meter,
            clock: parts.clock,
            keep_alive: parts.keep_alive,
            tasks: parts.tasks,
        }
    }

    /// The jobs, to be run and resumed.
    #[must_use]
    pub const fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// What answers questions, for other functions in the same process.
    #[must_use]
    pub fn engine(&self) -> AnswerEngine {
        self.engine.clone()
    }
}

impl fmt::Debug for EmbeddingState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EmbeddingState").finish_non_exhaustive()
    }
}

impl FromRef<EmbeddingState> for Gate {
    fn from_ref(state: &EmbeddingState) -> Self {
        state.gate.clone()
    }
}
