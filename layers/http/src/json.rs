//! Typed bodies and query strings, with errors that name the field.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use mandi_core::{Problem, ProblemKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::body::too_large;
use crate::problem::ApiError;

/// A JSON body, read or written.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> std::result::Result<Self, ApiError> {
        expect_json(&request)?;
        let body = Bytes::from_request(request, state).await.map_err(|rejection| unread(&rejection))?;
        Ok(Self(parse(&body)?))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn expect_json(request: &Request) -> Result<()> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") || media_type.to_ascii_lowercase().ends_with("+json") {
        return Ok(());
    }
    let detail = format!("the content type is `{media_type}`; send `Content-Type: application/json`");
    Err(Problem::new(ProblemKind::UnsupportedMediaType, detail))
}

/// The problem of a body that could not be read.
#[must_use]
pub fn unread(rejection: &BytesRejection) -> Problem {
    if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
        return too_large();
    }
    Problem::new(ProblemKind::InvalidRequest, "the body could not be read to its end; send it again")
}

/// Reads JSON, and names the field that is wrong.
///
/// # Errors
/// `invalid-request` with a JSON pointer.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    if let Err(error) = std::str::from_utf8(body) {
        let detail = format!("the body is not UTF-8 (byte {}); send UTF-8", error.valid_up_to());
        return Err(Problem::new(ProblemKind::InvalidRequest, detail));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| named(&error))?;
    deserializer.end().map_err(|error| {
        Problem::new(ProblemKind::InvalidRequest, format!("the body goes on after the JSON value: {error}"))
    })?;
    Ok(value)
}

fn named(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let cause = error.inner();
    let detail = if cause.is_syntax() || cause.is_eof() {
        return Problem::new(ProblemKind::InvalidRequest, format!("the body is not valid JSON: {cause}"));
    } else {
        without_place(&cause.to_string())
    };
    // A field that is unknown or missing is named by the message; the path ends at its object.
    let quoted = detail.split('`').nth(1);
    let at_object = detail.starts_with("missing field") || detail.starts_with("unknown field");
    if at_object && let Some(name) = quoted.filter(|name| !pointer.ends_with(&format!("/{name}"))) {
        pointer.push('/');
        pointer.push_str(name);
    }
    Problem::field(pointer, detail)
}

fn without_place(message: &str) -> String {
    message.rfind(" at line ").map_or(message, |end| &message[..end]).to_owned()
}

/// A query string.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, ApiError> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|found| Self(found.0)).map_err(|rejection| {
            let text = rejection.body_text();
            let detail = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            let (name, reason) = detail.split_once(": ").unwrap_or(("query", detail));
            ApiError(Problem::field(name, reason))
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[expect(dead_code, reason = "only its reading is tested")]
        name: String,
        #[expect(dead_code, reason = "only its reading is tested")]
        items: Vec<u8>,
    }

    fn pointer(body: &str) -> String {
        parse::<Body>(body.as_bytes()).unwrap_err().errors[0].pointer.clone()
    }

    #[test]
    fn a_wrong_type_is_named_by_its_path() {
        assert_eq!(pointer(r#"{"name": "a", "items": [1, "x"]}"#), "/items/1");
    }

    #[test]
    fn a_missing_and_an_unknown_field_are_named() {
        assert_eq!(pointer(r#"{"name": "a"}"#), "/items");
        assert_eq!(pointer(r#"{"name": "a", "items": [], "more": 1}"#), "/more");
    }

    #[test]
    fn json_that_is_broken_or_too_deep_is_refused_with_its_place() {
        assert!(parse::<Body>(b"{").unwrap_err().detail.contains("not valid JSON"));
        let deep = "[".repeat(100_000);
        assert!(parse::<serde_json::Value>(deep.as_bytes()).unwrap_err().detail.contains("recursion limit"));
        assert!(parse::<Body>(b"\xff{}").unwrap_err().detail.contains("UTF-8"));
    }
}
