//! Embeddings, collections of documents, search, answers, and the quality of vectors.
//!
//! `router` serves Lambda and laptop alike; what it needs of the outside is in [`EmbeddingState`]. Documents
//! that are too many or too long for one request are indexed by jobs, which [`EmbeddingState::jobs`] runs.

mod answering;
mod collections;
mod documents;
mod embedders;
mod jobs;
#[cfg(feature = "lambda")]
pub mod lambda;
mod quality;
mod routes;
mod state;

use axum::Router;
use mandi_http::openapi;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub use collections::Collections;
pub use embedders::Embedders;
pub use jobs::{JobRunner, Jobs, RunJob};
pub use state::{EmbeddingParts, EmbeddingState};

/// The routes, behind the gate.
pub fn router(state: EmbeddingState) -> Router {
    let gate = state.gate.clone();
    gate.guard(routes(state))
}

/// The routes without the gate, for a runner that puts several functions behind one.
pub fn routes(state: EmbeddingState) -> Router {
    routes::all().with_state(state).split_for_parts().0
}

/// What the document names besides what its routes name: the parts of recursive and of hand-read bodies.
#[derive(OpenApi)]
#[openapi(components(schemas(
    documents::DocumentInput,
    documents::ManyDocuments,
    mandi_retrieval::filter::FieldName,
    mandi_retrieval::filter::FieldRange,
    mandi_retrieval::filter::FieldValue,
    mandi_retrieval::filter::FieldValues
)))]
struct Parts;

/// The OpenAPI document of these routes.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let described: OpenApiRouter<EmbeddingState> =
        OpenApiRouter::with_openapi(openapi::Base::openapi().merge_from(Parts::openapi())).merge(routes::all());
    openapi::completed(described.into_openapi())
}
