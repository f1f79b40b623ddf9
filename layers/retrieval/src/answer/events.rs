//! What goes into the engine, and what comes out of it.

use std::sync::Arc;

use futures::stream::BoxStream;
use mandi_core::identity::Principal;
use mandi_core::ports::{LanguageModel, TokenUsage};
use mandi_core::{Language, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::calls::{CallLog, ModelCall};
use crate::confidence::ConfidenceParts;
use crate::filter::Filter;
use crate::passage::{CollectionName, DocumentKey, DocumentReference, Passage};
use crate::rewrite::Turn;

/// How follow-up questions are made to stand alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RewriteMode {
    /// Not at all.
    Off,
    /// By carrying over the key terms of the earlier questions.
    #[default]
    Keywords,
    /// By the language model, if it is given and what it writes holds; else by key terms.
    Model,
}

/// A question, and how to answer it.
#[derive(Clone, Debug)]
pub struct AnswerRequest {
    /// Who asks.
    pub caller: Principal,
    /// The question.
    pub question: String,
    /// The conversation before it, oldest first.
    pub history: Vec<Turn>,
    /// Where to look; empty: in all collections of the tenant.
    pub collections: Vec<CollectionName>,
    /// How many passages to look at, 1 to 100.
    pub k: usize,
    /// Only chunks whose document passes.
    pub filter: Option<Filter>,
    /// Only these documents, and their collections whatever `collections` says; none for all.
    pub documents: Vec<DocumentReference>,
    /// Whether the search orders its candidates with the cross-encoder even where [`crate::Reranking::Unmeasured`] does
    /// not.
    pub rerank: bool,
    /// How a follow-up is made to stand alone.
    pub rewrite: RewriteMode,
    /// The language that the model answers in, and that "not enough data" is said in. Sentences of sources keep
    /// their own language.
    pub language: Language,
    /// More for the system prompt, such as the type of assistant; may be empty.
    pub instructions: String,
    /// Who writes the answer; without one it is extractive.
    pub model: Option<Arc<dyn LanguageModel>>,
    /// At most so many tokens of output.
    pub max_tokens: u32,
    /// Where the calls of models are put down as they end, also when the stream is dropped before its end.
    pub calls: CallLog,
}

/// A quote that was found verbatim in its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Citation {
    /// Its number in the answer, from 1, in order of appearance: the text refers to it as `[1]`.
    pub n: usize,
    /// The collection of the document.
    pub collection: CollectionName,
    /// The document.
    pub document: DocumentKey,
    /// The chunk's number in the document, from 0.
    pub chunk: u32,
    /// The source's own words.
    pub quote: String,
    /// The passage's score in the search.
    pub score: f32,
}

/// What happens on the way to an answer. `Done` or `Failed` comes last, and exactly one of them.
#[derive(Debug)]
pub enum AnswerEvent {
    /// More of the answer; the tokens together are the answer.
    Token {
        /// A word, with the blank before or after it.
        text: String,
    },
    /// A verified citation: `[n]` in the text of the tokens before it.
    Citation(Citation),
    /// The answer is complete.
    Done(Box<AnswerDone>),
    /// There is no answer, or what there is of it is not complete.
    Failed {
        /// Why.
        problem: Problem,
        /// The calls of models that were made.
        calls: Vec<ModelCall>,
    },
}

/// The events of one answer. Dropping it cancels the model's call.
pub type AnswerStream = BoxStream<'static, AnswerEvent>;

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// All was said.
    Stop,
    /// The model reached `max_tokens`; its last, incomplete sentence is left out.
    Length,
    /// The provider withheld the rest.
    ContentFilter,
    /// The documents do not hold the answer.
    NotEnoughData,
}

/// Why an answer is made of sentences of the sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DegradedReason {
    /// No language model is configured.
    NoModel,
    /// The language model could not be reached, or failed before it said anything that holds.
    ModelFailed,
    /// The language model is overloaded or throttles.
    ModelBusy,
    /// The language model wrote a sentence that the sources do not support.
    UnsupportedSentence,
    /// The language model wrote a sentence that its sources hold, and that does not answer the question.
    NotAnAnswer,
    /// The language model does not write the language of the answer.
    LanguageNotWritten,
    /// The language model wrote nothing.
    EmptyAnswer,
    /// The provider withheld the answer.
    ContentFilter,
    /// No passage fits the context of the language model.
    ContextTooSmall,
}

/// The complete answer, with what there is to know about it.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerDone {
    /// The whole text, as the tokens gave it.
    pub answer: String,
    /// Why it ended.
    pub finish_reason: Finish,
    /// How far it can be trusted, 0 to 1; see [`crate::confidence`].
    pub confidence: f32,
    /// The parts of that.
    pub confidence_parts: ConfidenceParts,
    /// Whether it is made of sentences of the sources, in part or whole.
    pub degraded: bool,
    /// Why.
    pub degraded_reason: Option<DegradedReason>,
    /// What the call for the answer took, if one was made.
    pub usage: Option<TokenUsage>,
    /// The passages that the search returned, best first.
    pub retrieved_chunks: Vec<Passage>,
    /// The questions that were searched for, if another one than was asked.
    pub query_rewrites: Vec<String>,
    /// From the question to the end, in ms.
    pub latency_ms: u64,
    /// From the question to the first token shown, in ms.
    pub first_token_ms: Option<u64>,
    /// The calls of models that were made, in order.
    pub calls: Vec<ModelCall>,
}
