//! What every request passes through on its way to a handler, and what it needs for that.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use mandi_core::Clock;
use mandi_core::identity::Authenticator;
use mandi_core::ports::Records;

use crate::{body, idempotency, problem, request_log};

/// The largest request body, in bytes: what a Lambda invocation takes (6 MB), less its envelope.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// Who may pass, and where it is remembered that they did.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Verifies tokens.
    pub authenticator: Arc<Authenticator>,
    /// Remembers the answers of idempotent requests.
    pub records: Arc<dyn Records>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Gate {
    /// Puts the gate before a function's routes: log, body limit, idempotency, and problem documents for
    /// what no route takes.
    pub fn guard(&self, routes: Router) -> Router {
        routes
            .fallback(problem::no_such_route)
            .method_not_allowed_fallback(problem::method_not_allowed)
            .layer(axum::middleware::from_fn_with_state(self.clone(), idempotency::remember))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .layer(axum::middleware::from_fn(body::refuse_too_large))
            .layer(axum::middleware::from_fn(request_log::log))
    }
}
