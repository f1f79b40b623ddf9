//! What every function's HTTP surface shares: authentication, problem documents, JSON bodies, idempotency,
//! server-sent events, paging, logs and the OpenAPI document.

pub mod auth;
mod body;
pub mod cursor;
pub mod gate;
pub mod idempotency;
pub mod json;
pub mod jwks;
pub mod logging;
pub mod openapi;
pub mod problem;
pub mod request_log;
pub mod sse;

pub use auth::Caller;
pub use gate::Gate;
pub use json::{Json, Path, Query};
pub use problem::{ApiError, ApiResult};
