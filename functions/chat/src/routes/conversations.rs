//! Conversations: create, list, get, rename, delete.

use axum::extract::State;
use axum::http::StatusCode;
use mandi_http::auth::{ConversationsRead, ConversationsWrite};
use mandi_http::cursor::{self, List};
use mandi_http::{ApiResult, Caller, Json, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::conversations::{Conversation, EraseReceipt, NewConversation};
use crate::state::ChatState;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub(crate) limit: Option<i64>,
    /// The `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// A page of conversations, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConversationPage {
    conversations: Vec<Conversation>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Another title.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rename {
    /// 1 to 200 characters on one line.
    #[schema(max_length = 200)]
    title: String,
}

/// Start a conversation.
#[utoipa::path(post, path = "/v1/conversations", tag = "conversations", security(("bearer" = ["conversations.write"])),
    request_body = NewConversation, responses((status = 201, body = Conversation)))]
pub(crate) async fn create(
    State(state): State<ChatState>,
    caller: Caller<ConversationsWrite>,
    Json(new): Json<NewConversation>,
) -> ApiResult<(StatusCode, Json<Conversation>)> {
    Ok((StatusCode::CREATED, Json(state.conversations.create(&caller, new).await?)))
}

/// List your conversations, newest first.
#[utoipa::path(get, path = "/v1/conversations", tag = "conversations", security(("bearer" = ["conversations.read"])),
    params(PageQuery), responses((status = 200, body = ConversationPage)))]
pub(crate) async fn list(
    State(state): State<ChatState>,
    caller: Caller<ConversationsRead>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<ConversationPage>> {
    let name = format!("conversations/{}", caller.user);
    let list = List { tenant: &caller.tenant, name: &name };
    let after = page.cursor.as_deref().map(|cursor| list.after(cursor)).transpose()?;
    let (conversations, next) = state.conversations.list(&caller, cursor::limit(page.limit)?, after).await?;
    Ok(Json(ConversationPage { conversations, next_cursor: next.map(|next| list.cursor(&next)) }))
}

/// Get a conversation.
#[utoipa::path(get, path = "/v1/conversations/{id}", tag = "conversations", security(("bearer" = ["conversations.read"])),
    params(("id" = String, Path, description = "the conversation")), responses((status = 200, body = Conversation)))]
pub(crate) async fn get(
    State(state): State<ChatState>,
    caller: Caller<ConversationsRead>,
    Path(id): Path<String>,
) -> ApiResult<Json<Conversation>> {
    Ok(Json(state.conversations.get(&caller, &id).await?))
}

/// Rename a conversation.
#[utoipa::path(patch, path = "/v1/conversations/{id}", tag = "conversations",
    security(("bearer" = ["conversations.write"])), request_body = Rename,
    params(("id" = String, Path, description = "the conversation")), responses((status = 200, body = Conversation)))]
pub(crate) async fn rename(
    State(state): State<ChatState>,
    caller: Caller<ConversationsWrite>,
    Path(id): Path<String>,
    Json(rename): Json<Rename>,
) -> ApiResult<Json<Conversation>> {
    Ok(Json(state.conversations.rename(&caller, &id, &rename.title).await?))
}

/// Erase a conversation: its messages, context and streams. The receipt says what was removed.
#[utoipa::path(delete, path = "/v1/conversations/{id}", tag = "conversations",
    security(("bearer" = ["conversations.write"])),
    params(("id" = String, Path, description = "the conversation")), responses((status = 200, body = EraseReceipt)))]
pub(crate) async fn delete(
    State(state): State<ChatState>,
    caller: Caller<ConversationsWrite>,
    Path(id): Path<String>,
) -> ApiResult<Json<EraseReceipt>> {
    Ok(Json(state.conversations.erase(&caller, &id).await?))
}
