//! Bodies that are too large.

use std::time::Duration;

use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use mandi_core::{Problem, ProblemKind};

use crate::gate::MAX_BODY_BYTES;
use crate::problem::ApiError;

/// Up to this size a body is read to its end before it is refused.
const READ_BYTES: usize = 256 * 1024 * 1024;
/// For so long at most.
const READ_TIME: Duration = Duration::from_secs(30);

/// The problem of a body that is too large.
pub(crate) fn too_large() -> Problem {
    let detail = format!(
        "the body is over {MAX_BODY_BYTES} bytes; split the request, or send a file to an upload (`POST /v1/uploads`)"
    );
    Problem::new(ProblemKind::TooLarge, detail)
}

/// The middleware. A body whose length says that it is too large is read and thrown away before the answer: a client
/// that is still sending would see a broken connection in its place.
pub(crate) async fn refuse_too_large(request: Request, next: Next) -> Response {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let Some(length) = length.filter(|length| *length > MAX_BODY_BYTES) else {
        return next.run(request).await;
    };
    if length <= READ_BYTES {
        let mut body = request.into_body().into_data_stream();
        // Whether it comes to an end or not, the answer is the same.
        let _ = tokio::time::timeout(READ_TIME, async { while let Some(Ok(_)) = body.next().await {} }).await;
    }
    ApiError(too_large()).into_response()
}
