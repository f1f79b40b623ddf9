//! The routes of the batch prediction function.

mod events;
mod jobs;
mod results;
mod start;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::BatchState;

/// All of them, with their descriptions.
pub(crate) fn all() -> OpenApiRouter<BatchState> {
    OpenApiRouter::new()
        .routes(routes!(start::start))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::get, jobs::cancel))
        .routes(routes!(results::page))
        .routes(routes!(results::download))
        .routes(routes!(results::failures))
        .routes(routes!(results::manifest))
}
