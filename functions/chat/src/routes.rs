//! The routes of the chat function.

mod context;
mod conversations;
mod health;
mod messages;
mod usage;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::ChatState;

/// All of them, with their descriptions.
pub(crate) fn all() -> OpenApiRouter<ChatState> {
    OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(health::openapi))
        .routes(routes!(conversations::create, conversations::list))
        .routes(routes!(conversations::get, conversations::rename, conversations::delete))
        .routes(routes!(messages::list, messages::send))
        .routes(routes!(messages::stream))
        .routes(routes!(context::get, context::put))
        .routes(routes!(usage::summary))
        .routes(routes!(usage::daily))
}
