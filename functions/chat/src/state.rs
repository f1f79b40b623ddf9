//! What the chat function needs at start.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use mandi_core::Clock;
use mandi_core::metering::Meter;
use mandi_core::ports::Records;
use mandi_core::streams::Streams;
use mandi_http::Gate;
use mandi_llm::providers::Providers;
use mandi_retrieval::answer::AnswerEngine;
use tokio_util::task::TaskTracker;

use crate::conversations::Conversations;
use crate::messages::Messages;

/// The parts that a [`ChatState`] is made of; made once for each process.
#[derive(Clone, Debug)]
pub struct ChatParts {
    /// Authentication and idempotency.
    pub gate: Gate,
    /// The store.
    pub records: Arc<dyn Records>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Streams of events.
    pub streams: Streams,
    /// Usage and cost.
    pub meter: Meter,
    /// Finds passages and writes answers.
    pub engine: AnswerEngine,
    /// The language models, by tenant.
    pub providers: Arc<Providers>,
    /// After how long without an event a stream sends a comment.
    pub keep_alive: Duration,
    /// Answers that are being written; drained before the process ends.
    pub tasks: TaskTracker,
    /// The OpenAPI document to serve, as JSON.
    pub openapi: Arc<str>,
}

/// What handlers see.
#[derive(Clone)]
pub struct ChatState {
    pub(crate) gate: Gate,
    pub(crate) streams: Streams,
    pub(crate) meter: Meter,
    pub(crate) engine: AnswerEngine,
    pub(crate) providers: Arc<Providers>,
    pub(crate) keep_alive: Duration,
    pub(crate) tasks: TaskTracker,
    pub(crate) openapi: Arc<str>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) conversations: Conversations,
    pub(crate) messages: Messages,
}

impl ChatState {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: ChatParts) -> Self {
        Self {
            conversations: Conversations::new(parts.records.clone(), parts.clock.clone()),
            messages: Messages::new(parts.records, parts.clock.clone(), parts.streams.clone(), parts.meter.clone()),
            gate: parts.gate,
            streams: parts.streams,
            meter: parts.meter,
            engine: parts.engine,
            providers: parts.providers,
            keep_alive: parts.keep_alive,
            tasks: parts.tasks,
            openapi: parts.openapi,
            clock: parts.clock,
        }
    }
}

impl fmt::Debug for ChatState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ChatState").finish_non_exhaustive()
    }
}

impl FromRef<ChatState> for Gate {
    fn from_ref(state: &ChatState) -> Self {
        state.gate.clone()
    }
}
