//! The routes of the prediction function.

mod alerts;
mod audit;
mod fusion;
mod importance;
mod models;
mod outcomes;
pub(crate) mod predict;
mod rollout;
mod uploads;
mod versions;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::PredictionState;

/// All of them, with their descriptions.
pub(crate) fn all() -> OpenApiRouter<PredictionState> {
    OpenApiRouter::new()
        .routes(routes!(uploads::create))
        .routes(routes!(models::list, models::create))
        .routes(routes!(models::get, models::put, models::delete))
        .routes(routes!(versions::list, versions::create))
        .routes(routes!(versions::get))
        .routes(routes!(rollout::deploy))
        .routes(routes!(rollout::roll_back))
        .routes(routes!(rollout::get))
        .routes(routes!(outcomes::send))
        .routes(routes!(predict::predict))
        .routes(routes!(importance::importance))
        .routes(routes!(fusion::get, fusion::define, fusion::fuse, fusion::delete))
        .routes(routes!(fusion::list))
        .routes(routes!(fusion::learn))
        .routes(routes!(fusion::roll_back))
        .routes(routes!(fusion::freeze))
        .routes(routes!(audit::list))
        .routes(routes!(alerts::list))
}
