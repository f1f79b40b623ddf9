//! Messages: send one and get the answer as JSON or as a stream, resume a stream, read the history.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use mandi_core::ids::MessageId;
use mandi_core::metering::Tally;
use mandi_core::ports::LanguageModel;
use mandi_core::text::check_characters;
use mandi_core::{Language, Principal, Problem, ProblemKind, Result};
use mandi_http::auth::{ConversationsRead, ConversationsWrite};
use mandi_http::cursor::{self, List};
use mandi_http::idempotency::{ReplayStream, StreamName};
use mandi_http::json::up_to;
use mandi_http::{ApiResult, Caller, Json, Path, Query, sse};
use mandi_retrieval::answer::{AnswerRequest, CallLog, RewriteMode};
use mandi_retrieval::{CollectionName, DocumentReference, Named, hybrid};
use serde::{Deserialize, Serialize};
use tokio_util::sync::{CancellationToken, DropGuard};
use utoipa::ToSchema;

use super::conversations::PageQuery;
use crate::answering::Answering;
use crate::conversations::Conversation;
use crate::messages::{self, Message, MessageStatus, Question};
use crate::orphans::UnfinishedAnswer;
use crate::state::ChatState;

/// The longest message, in characters.
const MAX_CONTENT_CHARACTERS: usize = 32_000;
/// The longest answer, in tokens, and the default.
const MAX_ANSWER_TOKENS: usize = 4_096;
const DEFAULT_ANSWER_TOKENS: usize = 512;
/// How many passages an answer is made of.
const PASSAGES: usize = 6;
/// How many earlier exchanges an answer knows.
const TURNS: usize = 6;
/// The most collections of one message.
const MAX_COLLECTIONS: usize = hybrid::MAX_COLLECTIONS;
/// The most attachments of one message.
const MAX_ATTACHMENTS: usize = 10;

/// A new message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMessage {
    /// What is asked: 1 to 32,000 characters.
    #[schema(max_length = 32_000, example = "When must the buyer pay?")]
    content: String,
    /// Where to look for the answer, at most 16 collections; in all of the tenant's when it is not given.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 16)]
    collections: Vec<CollectionName>,
    /// Documents to look for the answer in, at most 10: in these and nothing else, whatever `collections` says. One
    /// that is not there is refused (422), by its place.
    #[serde(default)]
    #[schema(max_items = 10)]
    attachments: Vec<DocumentReference>,
    /// The language of the answer, by ISO 639-1 code; by the script of the message, or the conversation's.
    #[schema(value_type = Option<String>, example = "hi")]
    language: Option<Language>,
    /// Which of the tenant's providers answers; the tenant's default when it is not given.
    provider: Option<String>,
    /// At most so many tokens of answer.
    #[schema(minimum = 1, maximum = 4_096, default = 512)]
    max_tokens: Option<i64>,
    /// Whether the answer goes on when the client goes away, to be resumed. By default a stream does and a
    /// JSON answer does not.
    resumable: Option<bool>,
}

/// A message and its answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SentMessage {
    /// What was asked.
    user: Message,
    /// The answer.
    assistant: Message,
}

/// A page of messages, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessagePage {
    messages: Vec<Message>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl NewMessage {
    fn check(&self) -> Result<()> {
        let characters = self.content.chars().count();
        if self.content.trim().is_empty() {
            return Err(Problem::field("/content", "it is blank; say what you ask"));
        }
        if characters > MAX_CONTENT_CHARACTERS {
            let detail = format!(
                "it has {characters} characters; at most {MAX_CONTENT_CHARACTERS} are taken: load long texts as documents"
            );
            return Err(Problem::field("/content", detail));
        }
        if !self.content.chars().any(char::is_alphanumeric) {
            return Err(Problem::field("/content", "it has no letters or digits; say in words what you ask"));
        }
        check_characters(&self.content, "/content")?;
        if self.collections.len() > MAX_COLLECTIONS {
            return Err(Problem::field("/collections", format!("at most {MAX_COLLECTIONS} are searched at once")));
        }
        let twice = |place: &usize| self.collections[..*place].contains(&self.collections[*place]);
        if let Some(place) = (0..self.collections.len()).find(twice) {
            return Err(Problem::field(format!("/collections/{place}"), "this collection is named before"));
        }
        if self.attachments.len() > MAX_ATTACHMENTS {
            let detail = format!("there are {}; at most {MAX_ATTACHMENTS} are taken", self.attachments.len());
            return Err(Problem::field("/attachments", detail));
        }
        self.answer_tokens().map(drop)
    }

    fn answer_tokens(&self) -> Result<u32> {
        let tokens = up_to("/max_tokens", self.max_tokens, DEFAULT_ANSWER_TOKENS, MAX_ANSWER_TOKENS)?;
        u32::try_from(tokens).map_err(Problem::internal)
    }
}

/// The history of a conversation, oldest message first.
#[utoipa::path(get, path = "/v1/conversations/{id}/messages", tag = "messages",
    security(("bearer" = ["conversations.read"])),
    params(("id" = String, Path, description = "the conversation"), PageQuery),
    responses((status = 200, body = MessagePage)))]
pub(crate) async fn list(
    State(state): State<ChatState>,
    caller: Caller<ConversationsRead>,
    Path(id): Path<String>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<MessagePage>> {
    let conversation = state.conversations.get(&caller, &id).await?;
    let name = format!("messages/{}", conversation.id);
    let list = List { tenant: &caller.tenant, name: &name };
    let after = page.cursor.as_deref().map(|cursor| list.after(cursor)).transpose()?;
    let limit = cursor::limit(page.limit)?;
    let (messages, next) = state.messages.list(&caller, &conversation.id, limit, after).await?;
    Ok(Json(MessagePage { messages, next_cursor: next.map(|next| list.cursor(&next)) }))
}

/// Ask something.
///
/// With `Accept: application/json` the answer comes whole. With `Accept: text/event-stream` it comes as events,
/// each with an `id`: `message`, then `token`, `citation` (only quotes found verbatim in their source) and
/// `tool`, then `usage`, and at last exactly one of `done` and `error`. A stream that was cut is read on with
/// `GET .../stream` and `Last-Event-ID`.
#[utoipa::path(post, path = "/v1/conversations/{id}/messages", tag = "messages",
    security(("bearer" = ["conversations.write"])), request_body = NewMessage,
    params(("id" = String, Path, description = "the conversation")),
    responses(
        (status = 201, description = "the message and its answer", body = SentMessage),
        (status = 200, description = "the events of the answer", content_type = "text/event-stream", body = String)
    ))]
pub(crate) async fn send(
    State(state): State<ChatState>,
    caller: Caller<ConversationsWrite>,
    Path(id): Path<String>,
    headers: HeaderMap,
    replay: Option<Extension<ReplayStream>>,
    Json(new): Json<NewMessage>,
) -> ApiResult<Response> {
    let conversation = state.conversations.get(&caller, &id).await?;
    if let Some(Extension(ReplayStream(message))) = replay {
        let message = state.messages.get(&caller, &conversation.id, &message).await?;
        if message.status != MessageStatus::Incomplete {
            return replayed(&state, &caller, conversation, message, &headers).await;
        }
    }
    new.check()?;
    check_named(&state, &caller, &new).await?;
    let model = chosen_model(&state, &caller, new.provider.as_deref())?;
    settle_abandoned(&state, &caller, &conversation).await?;

    let max_tokens = new.answer_tokens()?;
    let language = new.language.unwrap_or_else(|| Language::of_text(&new.content, conversation.language));
    let history = state.messages.turns(&caller, &conversation.id, TURNS).await?;
    let request = AnswerRequest {
        caller: (*caller).clone(),
        question: new.content.clone(),
        history,
        collections: new.collections,
        k: PASSAGES,
        filter: None,
        documents: new.attachments.clone(),
        rerank: false,
        rewrite: RewriteMode::Model,
        language,
        instructions: conversation.assistant_type.instructions().to_owned(),
        calls: CallLog::default(),
        model: model.clone(),
        max_tokens,
    };
    let question = Question {
        content: new.content,
        attachments: new.attachments,
        language,
        model: model.map(|model| model.model()),
    };
    let (exchange, writer) = state.messages.begin(&caller, conversation.clone(), question).await?;
    let message = exchange.assistant.clone();
    let user = exchange.user.clone();
    let cancelled = CancellationToken::new();
    let answering = Answering { state: state.clone(), exchange, writer, request, cancelled: cancelled.clone() };
    state.tasks.spawn(Tally::carried(answering.run()));

    if sse::wanted(&headers) {
        let guard = (!new.resumable.unwrap_or(true)).then(|| cancelled.drop_guard());
        return Ok(follow(&state, &caller, conversation, &message, 0, guard));
    }
    let guard = (!new.resumable.unwrap_or(false)).then(|| cancelled.drop_guard());
    let assistant = whole(&state, &caller, conversation, &message).await?;
    drop(guard);
    Ok(sent(user, assistant))
}

/// An answer that was given before, as it is wanted now.
async fn replayed(
    state: &ChatState,
    caller: &Principal,
    conversation: Conversation,
    assistant: Message,
    headers: &HeaderMap,
) -> ApiResult<Response> {
    if sse::wanted(headers) {
        return Ok(follow(state, caller, conversation, &assistant.id, 0, None));
    }
    let user = state.messages.before(caller, &conversation.id, &assistant.id).await?;
    Ok(sent(user, assistant))
}

/// A message and its answer, which its stream gives again.
fn sent(user: Message, assistant: Message) -> Response {
    let stream = Extension(StreamName(assistant.id.as_str().to_owned()));
    (StatusCode::CREATED, stream, Json(SentMessage { user, assistant })).into_response()
}

/// The rest of a message's stream, live while it is being written.
#[utoipa::path(get, path = "/v1/conversations/{id}/messages/{message_id}/stream", tag = "messages",
    security(("bearer" = ["conversations.read"])),
    params(
        ("id" = String, Path, description = "the conversation"),
        ("message_id" = String, Path, description = "the assistant's message"),
        ("Last-Event-ID" = Option<u64>, Header, description = "the last event that the client has; all events when it is not given")
    ),
    responses((status = 200, description = "the events after that one", content_type = "text/event-stream", body = String)))]
pub(crate) async fn stream(
    State(state): State<ChatState>,
    caller: Caller<ConversationsRead>,
    Path((id, message)): Path<(String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let conversation = state.conversations.get(&caller, &id).await?;
    let after = sse::last_event_id(&headers)?;
    let message = state.messages.get(&caller, &conversation.id, &message).await?;
    if state.streams.is_live(&messages::stream_id(&caller, &message.id)).await?.is_none() {
        let detail = "this message has no stream, or none any more: read it with `GET .../messages`";
        return Err(Problem::new(ProblemKind::NotFound, detail).into());
    }
    Ok(follow(&state, &caller, conversation, &message.id, after, None))
}

/// Refuses collections and attachments that the tenant does not have, each by its place.
async fn check_named(state: &ChatState, caller: &Principal, new: &NewMessage) -> Result<()> {
    // Attachments are looked for in their own collections, whatever `collections` says.
    let collections = if new.attachments.is_empty() { new.collections.clone() } else { Vec::new() };
    let named = Named { collections, documents: new.attachments.clone() };
    if named == Named::default() {
        return Ok(());
    }
    let missing = state.engine.missing(caller, &named).await?;
    let collections = missing.collections.iter().filter_map(|place| {
        let detail = format!("there is no collection `{}`", named.collections.get(*place)?);
        Some(Problem::field(format!("/collections/{place}"), detail).of_kind(ProblemKind::NotFound))
    });
    let documents = missing.documents.iter().filter_map(|place| {
        let DocumentReference { collection, entity_type, entity_id } = named.documents.get(*place)?;
        let detail = format!("collection `{collection}` has no `{entity_type}` with the id `{entity_id}`");
        Some(Problem::field(format!("/attachments/{place}"), detail).of_kind(ProblemKind::Unprocessable))
    });
    let first = collections.chain(documents).reduce(|mut first, more| {
        first.errors.extend(more.errors);
        first
    });
    first.map_or(Ok(()), Err)
}

/// The model that answers; `None` when the tenant has none, and the answer is made of quotes.
fn chosen_model(
    state: &ChatState,
    caller: &Principal,
    provider: Option<&str>,
) -> Result<Option<Arc<dyn LanguageModel>>> {
    let model = state.providers.for_tenant(&caller.tenant);
    match (provider, &model) {
        (None, _) => Ok(model),
        (Some(name), Some(found)) if found.model().provider == name => Ok(model),
        (Some("none"), _) => Ok(None),
        (Some(name), found) => {
            let there = found.as_ref().map_or_else(|| "none".to_owned(), |found| found.model().provider);
            Err(Problem::field("/provider", format!("`{name}` is not configured for this tenant; `{there}` is")))
        }
    }
}

/// Ends the conversation's last answer if the process that wrote it died, so that it does not block the next.
async fn settle_abandoned(state: &ChatState, caller: &Principal, conversation: &Conversation) -> Result<()> {
    let Some(active) = state.conversations.active_message(caller, &conversation.id).await? else { return Ok(()) };
    let stream = messages::stream_id(caller, &active);
    let handler = unfinished(state, caller, conversation.clone(), &active);
    let closed = state.streams.close_if_orphaned(&stream, &handler).await?;
    if closed { Ok(()) } else { Err(messages::busy()) }
}

fn unfinished(
    state: &ChatState,
    caller: &Principal,
    conversation: Conversation,
    message: &MessageId,
) -> UnfinishedAnswer {
    UnfinishedAnswer { messages: state.messages.clone(), owner: caller.clone(), conversation, message: message.clone() }
}

/// A response that shows a message's stream after an event.
fn follow(
    state: &ChatState,
    caller: &Principal,
    conversation: Conversation,
    message: &MessageId,
    after: u64,
    guard: Option<DropGuard>,
) -> Response {
    let orphans = Arc::new(unfinished(state, caller, conversation, message));
    let reader = state.streams.reader(messages::stream_id(caller, message), after, orphans);
    let mut response = sse::response(reader, state.keep_alive, guard);
    response.extensions_mut().insert(StreamName(message.as_str().to_owned()));
    response
}

/// Waits for the end of an answer, and gives it whole.
async fn whole(
    state: &ChatState,
    caller: &Principal,
    conversation: Conversation,
    message: &MessageId,
) -> Result<Message> {
    let id = conversation.id.clone();
    let orphans = Arc::new(unfinished(state, caller, conversation, message));
    let mut reader = state.streams.reader(messages::stream_id(caller, message), 0, orphans);
    let mut last = None;
    while let Some(event) = reader.next().await? {
        last = Some(event);
    }
    let answer = state.messages.get(caller, &id, message.as_str()).await?;
    if answer.status == MessageStatus::Complete {
        return Ok(answer);
    }
    let reason = last.and_then(|event| serde_json::from_str::<serde_json::Value>(&event.data).ok());
    let detail =
        reason.as_ref().and_then(|data| data.get("detail")?.as_str()).unwrap_or("the answer was cut off; ask again");
    let kind = reason.as_ref().and_then(|data| data.get("type")?.as_str());
    let kind = ProblemKind::ALL.into_iter().find(|known| kind == Some(&format!("/problems/{}", known.name())));
    let mut problem = Problem::new(kind.unwrap_or(ProblemKind::StreamInterrupted), detail);
    problem.retry_after_s = reason.as_ref().and_then(|data| u32::try_from(data.get("retry_after_s")?.as_u64()?).ok());
    Err(problem)
}
