//! What is asked of the answer engine, and what it says.

use mandi_core::identity::Principal;
use mandi_core::metering::{CallStatus, Task};
use mandi_core::ports::{FinishReason, LanguageModel, ModelRef, TokenUsage};
use mandi_core::{Language, Problem};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

use crate::filter::Filter;
use crate::passage::{CollectionName, DocumentKey};

/// One earlier exchange of the conversation, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What the user said.
    pub question: String,
    /// What was answered.
    pub answer: String,
}

/// A question to be answered from the tenant's documents.
#[derive(Clone, Debug)]
pub struct AnswerRequest {
    /// Who asks.
    pub caller: Principal,
    /// The question.
    pub question: String,
    /// The conversation so far.
    pub history: Vec<Turn>,
    /// Where to look; empty: in all collections of the tenant.
    pub collections: Vec<CollectionName>,
    /// How many passages to use, 1 to 20.
    pub k: usize,
    /// Only documents whose metadata passes.
    pub filter: Option<Filter>,
    /// Whether the cross-encoder orders the candidates.
    pub rerank: bool,
    /// Whether a follow-up is made to stand alone before the search.
    pub rewrite: bool,
    /// The language of the answer.
    pub language: Language,
    /// What the assistant is for, as a word for the prompt (`contract`, `quality`, ...).
    pub assistant: Option<String>,
    /// The model that writes the answer; without one the answer is extractive.
    pub model: Option<Arc<dyn LanguageModel>>,
    /// At most so many tokens of answer.
    pub max_tokens: u32,
}

/// A quote that was found verbatim in its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Citation {
    /// The number by which the answer's text refers to it (`[1]`).
    pub n: u32,
    /// The collection of the document.
    pub collection: CollectionName,
    /// The document.
    pub document: DocumentKey,
    /// The chunk of the document, from 0.
    pub chunk: u32,
    /// The source's own words.
    pub quote: String,
    /// The passage's score in the search.
    pub score: f32,
}

/// The parts of the confidence, each 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConfidenceParts {
    /// How well the passages fit the question.
    pub retrieval: f32,
    /// How far the lists agree on the passages.
    pub agreement: f32,
    /// How much of the answer is supported by verified quotes.
    pub support: f32,
}

/// One call of a model that was made for the answer, to be metered.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelCall {
    /// The model.
    pub model: ModelRef,
    /// What for.
    pub task: Task,
    /// Its tokens. Of a call that was cut off: what the stream said or, if it said nothing, an estimate.
    pub usage: TokenUsage,
    /// From request to end.
    pub latency_ms: u64,
    /// From request to the first token.
    pub first_token_ms: Option<u64>,
    /// How it ended.
    pub status: CallStatus,
}

/// The end of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// The whole text: the tokens put together.
    pub answer: String,
    /// All citations, in order of their numbers.
    pub citations: Vec<Citation>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// 0 to 1.
    pub confidence: f32,
    /// Its parts.
    pub confidence_parts: ConfidenceParts,
    /// Whether a language model was to write the answer and something simpler did.
    pub degraded: bool,
    /// Why it is degraded.
    pub degraded_reason: Option<String>,
    /// How many chunks the search gave.
    pub retrieved_chunks: usize,
    /// The questions that were searched for, where they differ from the one asked.
    pub query_rewrites: Vec<String>,
    /// Every model call that was made, also those of a degraded answer.
    pub calls: Vec<ModelCall>,
}

/// What the engine says, in order: tokens and citations mixed, then one end.
#[derive(Debug)]
pub enum AnswerEvent {
    /// More text of the answer.
    Token(String),
    /// A citation, once the sentence that it belongs to has been said.
    Citation(Citation),
    /// The end of an answer that is whole.
    Done(Box<Answered>),
    /// The end of one that is not: what was said so far is incomplete.
    Failed {
        /// Why.
        problem: Problem,
        /// Every model call that was made.
        calls: Vec<ModelCall>,
    },
}
