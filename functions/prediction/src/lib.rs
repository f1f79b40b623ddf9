//! Models over HTTP: their registry, predictions by them, rollouts, fusion.
//!
//! `router` serves Lambda and laptop alike; what it needs of the outside is in [`PredictionState`].

mod capture;
mod fusion;
#[cfg(feature = "lambda")]
pub mod lambda;
mod outcomes;
mod retry;
mod routes;
mod serving;
mod state;
mod traffic;

use axum::Router;
use mandi_http::openapi;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub use state::{PredictionParts, PredictionState};

/// The routes, behind the gate.
pub fn router(state: PredictionState) -> Router {
    let gate = state.gate.clone();
    gate.guard(routes(state))
}

/// The routes without the gate, for a runner that puts several functions behind one.
pub fn routes(state: PredictionState) -> Router {
    routes::all().with_state(state).split_for_parts().0
}

/// The OpenAPI document of these routes.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let described: OpenApiRouter<PredictionState> =
        OpenApiRouter::with_openapi(openapi::Base::openapi()).merge(routes::all());
    openapi::completed(described.into_openapi())
}
