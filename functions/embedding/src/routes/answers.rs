//! Answers to single questions.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use mandi_core::ids::MessageId;
use mandi_core::metering::Tally;
use mandi_core::streams::StreamId;
use mandi_core::{Language, Problem, ProblemKind, Result};
use mandi_http::auth::KnowledgeRead;
use mandi_http::idempotency::{ReplayStream, StreamName};
use mandi_http::json::up_to;
use mandi_http::{ApiResult, Caller, Json, sse};
use mandi_retrieval::answer::{
    AnswerDone, AnswerEvent, AnswerRequest, CallLog, Citation, DegradedReason, ModelCall, RewriteMode,
};
use mandi_retrieval::confidence::ConfidenceParts;
use mandi_retrieval::{CollectionName, Filter, Named, hybrid};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::search::check_query;
use crate::answering::{AbandonedAnswer, Answering, metered};
use crate::state::EmbeddingState;

/// The most passages of an answer, and the default.
const MAX_PASSAGES: usize = 20;
const DEFAULT_PASSAGES: usize = 6;
/// The longest answer, in tokens.
const ANSWER_TOKENS: u32 = 512;
/// The most collections of one question.
const MAX_COLLECTIONS: usize = hybrid::MAX_COLLECTIONS;

/// A question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerBody {
    /// 1 to 2,000 characters.
    #[schema(max_length = 2_000, example = "When must the buyer pay?")]
    query: String,
    /// Where to look, at most 16 collections; in all of the tenant's when it is empty.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 16)]
    collections: Vec<CollectionName>,
    /// How many passages to make the answer of.
    #[schema(minimum = 1, maximum = 20, default = 6)]
    k: Option<i64>,
    /// Only documents that pass: by their metadata, or by name.
    filter: Option<Filter>,
    /// Whether a cross-encoder orders the best candidates anew. It does so unasked where the cosines of a collection's
    /// embedding model were not measured, and the question is in Latin script.
    #[serde(default)]
    rerank: bool,
    /// Whether the question may be put in other words for the search.
    #[serde(default)]
    rewrite: bool,
    /// The language of the answer, by ISO 639-1 code; by the script of the question when it is not given.
    #[schema(value_type = Option<String>, example = "en")]
    language: Option<Language>,
}

/// An answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnswerResponse {
    /// Its text. `[1]` refers to the citation with that number.
    answer: String,
    /// The quotes that support it, each found verbatim in its source.
    citations: Vec<Citation>,
    /// 0 to 1.
    confidence: f32,
    /// The parts of the confidence.
    confidence_parts: ConfidenceParts,
    /// Whether something simpler than the language model wrote it.
    degraded: bool,
    /// Why it is degraded.
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded_reason: Option<DegradedReason>,
    /// How many chunks the search gave.
    retrieved_chunks: usize,
    /// The questions that were searched for, where they differ from the one asked.
    query_rewrites: Vec<String>,
}

impl AnswerResponse {
    fn new(answered: AnswerDone, citations: Vec<Citation>) -> Self {
        Self {
            answer: answered.answer,
            citations,
            confidence: answered.confidence,
            confidence_parts: answered.confidence_parts,
            degraded: answered.degraded,
            degraded_reason: answered.degraded_reason,
            retrieved_chunks: answered.retrieved_chunks.len(),
            query_rewrites: answered.query_rewrites,
        }
    }
}

/// Answer a question from the documents.
///
/// With `Accept: text/event-stream` the answer comes as events, as for messages of a conversation.
#[utoipa::path(post, path = "/v1/answers", tag = "answers", security(("bearer" = ["knowledge.read"])),
    request_body = AnswerBody,
    responses(
        (status = 200, content(
            (AnswerResponse = "application/json"),
            (String = "text/event-stream")
        ))
    ))]
pub(crate) async fn create(
    State(state): State<EmbeddingState>,
    caller: Caller<KnowledgeRead>,
    headers: HeaderMap,
    replay: Option<Extension<ReplayStream>>,
    Json(body): Json<AnswerBody>,
) -> ApiResult<Response> {
    if let Some(Extension(ReplayStream(name))) = replay {
        return Ok(follow(&state, StreamId { tenant: caller.tenant.clone(), name }));
    }
    let request = request(&state, &caller, body)?;
    check_collections(&state, &request).await?;
    if sse::wanted(&headers) {
        let name = MessageId::generate().as_str().to_owned();
        let id = StreamId { tenant: caller.tenant.clone(), name };
        let (writes, writer) = state.streams.begin(id.clone());
        state.documents.records.transact(writes, None).await?;
        let answering = Answering { state: state.clone(), id: id.clone(), writer, request };
        state.tasks.spawn(Tally::carried(answering.run()));
        return Ok(follow(&state, id));
    }
    Ok(Json(whole(&state, &caller, request).await?).into_response())
}

fn request(state: &EmbeddingState, caller: &Caller<KnowledgeRead>, body: AnswerBody) -> Result<AnswerRequest> {
    check_query(&body.query)?;
    if let Some(filter) = &body.filter {
        filter.validate("/filter")?;
    }
    if body.collections.len() > MAX_COLLECTIONS {
        return Err(Problem::field("/collections", format!("at most {MAX_COLLECTIONS} are searched at once")));
    }
    Ok(AnswerRequest {
        caller: (**caller).clone(),
        language: body.language.unwrap_or_else(|| Language::of_text(&body.query, Language::En)),
        question: body.query,
        history: Vec::new(),
        collections: body.collections,
        k: up_to("/k", body.k, DEFAULT_PASSAGES, MAX_PASSAGES)?,
        filter: body.filter,
        documents: Vec::new(),
        rerank: body.rerank,
        rewrite: if body.rewrite { RewriteMode::Model } else { RewriteMode::Off },
        instructions: String::new(),
        calls: CallLog::default(),
        model: state.providers.for_tenant(&caller.tenant),
        max_tokens: ANSWER_TOKENS,
    })
}

/// Refuses collections that the tenant does not have, each by its place, before anything is begun.
async fn check_collections(state: &EmbeddingState, request: &AnswerRequest) -> Result<()> {
    let named = Named { collections: request.collections.clone(), documents: Vec::new() };
    let missing = state.engine.missing(&request.caller, &named).await?;
    match missing.collections.first().and_then(|place| Some((place, named.collections.get(*place)?))) {
        Some((place, name)) => {
            let detail = format!("there is no collection `{name}`");
            Err(Problem::field(format!("/collections/{place}"), detail).of_kind(ProblemKind::NotFound))
        }
        None => Ok(()),
    }
}

fn follow(state: &EmbeddingState, id: StreamId) -> Response {
    let name = StreamName(id.name.clone());
    let mut response = sse::response(state.streams.reader(id, 0, Arc::new(AbandonedAnswer)), state.keep_alive, ());
    response.extensions_mut().insert(name);
    response
}

async fn whole(
    state: &EmbeddingState,
    caller: &Caller<KnowledgeRead>,
    request: AnswerRequest,
) -> Result<AnswerResponse> {
    let language = request.language;
    let mut events = state.engine.answer(request);
    let mut citations = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            AnswerEvent::Done(answered) => {
                meter(state, caller, &answered.calls, language).await?;
                return Ok(AnswerResponse::new(*answered, citations));
            }
            AnswerEvent::Failed { problem, calls } => {
                meter(state, caller, &calls, language).await?;
                return Err(problem);
            }
            AnswerEvent::Citation(citation) => citations.push(citation),
            AnswerEvent::Token { .. } => {}
        }
    }
    Err(Problem::internal("the answer engine ended without an end"))
}

async fn meter(
    state: &EmbeddingState,
    caller: &Caller<KnowledgeRead>,
    calls: &[ModelCall],
    language: Language,
) -> Result<()> {
    for call in calls {
        state.meter.record(&caller.tenant, &metered(state, caller, call, language)).await?;
    }
    Ok(())
}
