//! The routes of the embedding function.

mod answers;
mod collections;
mod documents;
mod embeddings;
mod search;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::EmbeddingState;

/// All of them, with their descriptions.
pub(crate) fn all() -> OpenApiRouter<EmbeddingState> {
    OpenApiRouter::new()
        .routes(routes!(embeddings::create))
        .routes(routes!(collections::list))
        .routes(routes!(collections::put, collections::get, collections::delete))
        .routes(routes!(collections::quality))
        .routes(routes!(documents::create))
        .routes(routes!(documents::get, documents::delete))
        .routes(routes!(documents::job))
        .routes(routes!(search::search))
        .routes(routes!(answers::create))
}
