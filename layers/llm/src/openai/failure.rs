//! What an HTTP failure means to the caller.

use std::error::Error as _;
use std::time::Duration;

use mandi_core::Timestamp;
use mandi_core::ports::{ModelError, TimeoutPhase};
use mandi_core::time::{Clock, SystemClock};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::wire::{ErrorBody, ErrorReply};

/// How much of a provider's message is kept, in characters: it goes to the log, where prompts must not.
const MAX_MESSAGE_CHARACTERS: usize = 200;

/// A request that got no response.
pub(super) fn of_send(error: &reqwest::Error) -> ModelError {
    if error.is_connect() {
        return if error.is_timeout() {
            ModelError::TimedOut(TimeoutPhase::Connect)
        } else {
            ModelError::Unreachable(root_cause(error))
        };
    }
    ModelError::Unreachable(root_cause(error))
}

/// A body that broke off.
pub(super) fn of_body(error: &reqwest::Error) -> ModelError {
    ModelError::Truncated(root_cause(error))
}

/// The innermost cause: the outer ones repeat the URL, which may hold what should not be logged.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut text = None;
    while let Some(error) = cause {
        text = Some(error.to_string());
        cause = error.source();
    }
    text.unwrap_or_else(|| "the request failed".to_owned())
}

/// The response, or what its status means.
pub(super) async fn checked(response: Response) -> Result<Response, ModelError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_after = retry_after(response.headers(), SystemClock.now());
    let body = response.bytes().await.unwrap_or_default();
    let error = serde_json::from_slice::<ErrorReply>(&body).unwrap_or_default().error;
    Err(of_status(status, retry_after, &error))
}

fn of_status(status: StatusCode, retry_after: Option<Duration>, error: &ErrorBody) -> ModelError {
    let what = described(status.as_str(), error);
    match status.as_u16() {
        401 | 403 => ModelError::Unauthorised,
        429 => ModelError::Throttled { retry_after },
        408 | 409 | 425 | 500.. => ModelError::Overloaded(what),
        _ if is_refusal(&error.code()) => ModelError::Refused(what),
        _ => ModelError::BadRequest(what),
    }
}

/// An error object inside a stream.
pub(super) fn of_stream(error: &ErrorBody) -> ModelError {
    let code = error.code();
    let what = described("in the stream", error);
    match code.as_str() {
        "rate_limit_exceeded" | "rate_limit_error" | "too_many_requests" | "429" => {
            ModelError::Throttled { retry_after: None }
        }
        "invalid_request_error" | "context_length_exceeded" | "400" => ModelError::BadRequest(what),
        "invalid_api_key" | "authentication_error" | "401" | "403" => ModelError::Unauthorised,
        code if is_refusal(code) => ModelError::Refused(what),
        _ => ModelError::Overloaded(what),
    }
}

fn is_refusal(code: &str) -> bool {
    matches!(code, "content_filter" | "content_policy_violation" | "ResponsibleAIPolicyViolation")
}

fn described(place: &str, error: &ErrorBody) -> String {
    let message: String = error.message().chars().take(MAX_MESSAGE_CHARACTERS).collect();
    [place, &error.code(), &message].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}

/// What `Retry-After` asks for: seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    Some(Timestamp::from_unix_ms(date.timestamp().as_millisecond()).since(now))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let wait = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers, Timestamp::parse("2026-11-21T12:00:00Z").unwrap())
        };
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Sat, 21 Nov 2026 12:01:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(wait("Sat, 21 Nov 2026 11:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn an_error_is_read_as_object_with_text_or_number_code_and_as_text() {
        let read = |json: &str| serde_json::from_str::<ErrorReply>(json).unwrap().error;
        let error = read(r#"{"error": {"message": "m", "type": "t", "code": null}}"#);
        assert_eq!((error.code().as_str(), error.message()), ("t", "m"));
        assert_eq!(read(r#"{"error": {"message": "m", "code": 429}}"#).code(), "429");
        assert_eq!(read(r#"{"error": "no such model"}"#).message(), "no such model");
        assert_eq!(read(r#"{"detail": "x"}"#).message(), "");
    }

    #[test]
    fn a_refusal_is_told_from_a_bad_request_by_its_code() {
        let error = |code: &str| ErrorBody::Object {
            message: String::new(),
            kind: None,
            code: Some(serde_json::Value::String(code.to_owned())),
        };
        let of = |code| of_status(StatusCode::BAD_REQUEST, None, &error(code));
        assert!(matches!(of("content_filter"), ModelError::Refused(_)));
        assert!(matches!(of("context_length_exceeded"), ModelError::BadRequest(_)));
    }
}
