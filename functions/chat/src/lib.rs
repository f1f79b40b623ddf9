//! Conversations, their messages as JSON and as resumable streams, and the tenant's usage.
//!
//! `router` serves Lambda and laptop alike; what it needs of the outside is in [`ChatState`].

mod answering;
mod conversations;
#[cfg(feature = "lambda")]
pub mod lambda;
mod messages;
mod orphans;
mod routes;
mod state;

use axum::Router;
use mandi_http::openapi;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub use state::{ChatParts, ChatState};

/// The routes, behind the gate.
pub fn router(state: ChatState) -> Router {
    let gate = state.gate.clone();
    let (routes, _) = routes::all().with_state(state).split_for_parts();
    gate.guard(routes)
}

/// The routes without the gate, for a runner that puts several functions behind one.
pub fn routes(state: ChatState) -> Router {
    routes::all().with_state(state).split_for_parts().0
}

/// The OpenAPI document of these routes.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let described: OpenApiRouter<ChatState> =
        OpenApiRouter::with_openapi(openapi::Base::openapi()).merge(routes::all());
    openapi::completed(described.into_openapi())
}
