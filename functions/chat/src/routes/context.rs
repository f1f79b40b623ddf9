//! What a conversation remembers.

use axum::extract::State;
use mandi_http::auth::{ConversationsRead, ConversationsWrite};
use mandi_http::{ApiResult, Caller, Json, Path};

use crate::conversations::ConversationContext;
use crate::state::ChatState;

/// Get what a conversation remembers.
#[utoipa::path(get, path = "/v1/conversations/{id}/context", tag = "conversations",
    security(("bearer" = ["conversations.read"])), params(("id" = String, Path, description = "the conversation")),
    responses((status = 200, body = ConversationContext)))]
pub(crate) async fn get(
    State(state): State<ChatState>,
    caller: Caller<ConversationsRead>,
    Path(id): Path<String>,
) -> ApiResult<Json<ConversationContext>> {
    let conversation = state.conversations.get(&caller, &id).await?;
    Ok(Json(state.conversations.context(&caller, &conversation).await?))
}

/// Replace what a conversation remembers.
#[utoipa::path(put, path = "/v1/conversations/{id}/context", tag = "conversations",
    security(("bearer" = ["conversations.write"])), request_body = ConversationContext,
    params(("id" = String, Path, description = "the conversation")),
    responses((status = 200, body = ConversationContext)))]
pub(crate) async fn put(
    State(state): State<ChatState>,
    caller: Caller<ConversationsWrite>,
    Path(id): Path<String>,
    Json(context): Json<ConversationContext>,
) -> ApiResult<Json<ConversationContext>> {
    let conversation = state.conversations.get(&caller, &id).await?;
    state.conversations.put_context(&caller, &conversation, &context).await?;
    Ok(Json(context))
}
