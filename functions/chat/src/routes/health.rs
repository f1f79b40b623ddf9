//! Health and the contract. Neither needs a token.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use mandi_http::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::ChatState;

/// The function answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
    /// The version that is deployed.
    version: &'static str,
}

/// Whether the service answers.
#[utoipa::path(get, path = "/v1/health", tag = "operations", security(()), responses((status = 200, body = Health)))]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// This contract.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "operations", security(()),
    responses((status = 200, description = "the OpenAPI document", body = serde_json::Value)))]
pub(crate) async fn openapi(State(state): State<ChatState>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], state.openapi.to_string())
}
