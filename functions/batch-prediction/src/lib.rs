//! Predictions for whole tables: jobs over HTTP, and the tasks of the state machine that runs them.
//!
//! A job is a record with its counts, and objects under `batch/<job>`: the plan, a part of results and of failures for
//! each shard, the manifest, and the one file of results. The machine `batch-prediction` calls the [tasks]: plan,
//! predict a shard (many at a time), collect, and fail. Every task may be called twice: what it writes depends on the job
//! and the shard alone, and counts are changed in one transaction with the note that the shard is done.

mod jobs;
#[cfg(feature = "lambda")]
pub mod lambda;
mod routes;
mod state;
pub mod tasks;

use axum::Router;
use mandi_http::openapi;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub use state::{BatchParts, BatchState};

/// The name of the machine that runs a job, as in `infra/statemachines`.
pub const MACHINE: &str = "batch-prediction";

/// The routes, behind the gate.
pub fn router(state: BatchState) -> Router {
    let gate = state.gate.clone();
    gate.guard(routes(state))
}

/// The routes without the gate, for a runner that puts several functions behind one.
pub fn routes(state: BatchState) -> Router {
    routes::all().with_state(state).split_for_parts().0
}

/// The OpenAPI document of these routes.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let described: OpenApiRouter<BatchState> =
        OpenApiRouter::with_openapi(openapi::Base::openapi()).merge(routes::all());
    openapi::completed(described.into_openapi())
}
