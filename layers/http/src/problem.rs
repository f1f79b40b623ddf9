//! Errors as problem documents (RFC 9457).

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use mandi_core::{FieldError, Problem, ProblemKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a handler returns.
pub type ApiResult<T> = Result<T, ApiError>;

/// A problem on its way to the caller.
#[derive(Debug)]
pub struct ApiError(pub Problem);

impl<E: Into<Problem>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// A problem document. `type` is stable: programs may rely on it. `title` is the same for each occurrence of a
/// type; `detail` is about this one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemDocument {
    /// The kind of problem, as a URI reference.
    #[serde(rename = "type")]
    #[schema(example = "/problems/invalid-request")]
    pub kind: String,
    /// The kind of problem, in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// This occurrence: the reason and the way out.
    pub detail: String,
    /// The id of the request, as in the log and in the header `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The fields that are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Field>,
}

/// One field that is wrong.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Field {
    /// A JSON pointer (RFC 6901) into the body, or the name of a parameter or header.
    #[schema(example = "/content")]
    pub pointer: String,
    /// What is wrong with it, and what would be right.
    pub detail: String,
}

impl From<FieldError> for Field {
    fn from(error: FieldError) -> Self {
        Self { pointer: error.pointer, detail: error.detail }
    }
}

impl ProblemDocument {
    /// The document of a problem.
    #[must_use]
    pub fn of(problem: &Problem) -> Self {
        Self {
            kind: format!("/problems/{}", problem.kind.name()),
            title: problem.kind.title().to_owned(),
            status: problem.kind.status(),
            detail: problem.detail.clone(),
            instance: None,
            errors: problem.errors.iter().cloned().map(Field::from).collect(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = self.0;
        let causes = problem.causes();
        if problem.kind.status() >= 500 {
            tracing::error!(kind = problem.kind.name(), detail = %problem.detail, causes, "request failed");
        } else {
            tracing::debug!(kind = problem.kind.name(), causes, "request refused");
        }
        let status = StatusCode::from_u16(problem.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut document = ProblemDocument::of(&problem);
        document.instance = crate::request_log::current_request_id();
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = problem.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// For paths that no route takes.
pub(crate) async fn no_such_route(uri: Uri) -> ApiError {
    let detail = format!("there is no route `{}`; `GET /v1/openapi.json` lists them", uri.path());
    ApiError(Problem::new(ProblemKind::NotFound, detail))
}

/// For methods that a route does not take.
pub(crate) async fn method_not_allowed(uri: Uri) -> ApiError {
    let detail = format!("`{}` does not take this method; `GET /v1/openapi.json` lists them", uri.path());
    ApiError(Problem::new(ProblemKind::MethodNotAllowed, detail))
}
