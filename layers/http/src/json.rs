//! Typed bodies and query strings, with errors that name the field.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use mandi_core::{Problem, ProblemKind, Result};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

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

/// Reads a JSON object, and names the field that is wrong.
///
/// # Errors
/// `invalid-request` with a JSON pointer.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    if let Err(error) = std::str::from_utf8(body) {
        let detail = format!("the body is not UTF-8 (byte {}); send UTF-8", error.valid_up_to());
        return Err(Problem::new(ProblemKind::InvalidRequest, detail));
    }
    // A list would do for an object whose fields are in its order, or all have defaults.
    if body.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        serde_json::from_slice::<IgnoredAny>(body).map_err(|error| not_json(&error, body))?;
        return Err(Problem::new(ProblemKind::InvalidRequest, "the body is not a JSON object: send `{...}`"));
    }
    // What is good is read at once; what is not is read again, to find where the fault is.
    match serde_json::from_slice(body) {
        Ok(value) => Ok(value),
        Err(_) => at_fault(body),
    }
}

fn at_fault<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| named(&error, body))?;
    deserializer.end().map_err(|error| {
        Problem::new(ProblemKind::InvalidRequest, format!("the body goes on after the JSON value: {error}"))
    })?;
    Ok(value)
}

fn not_json(error: &serde_json::Error, body: &[u8]) -> Problem {
    let line = body.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    // The place is that of the byte that cannot be there: the first of a word, or one within it.
    let around = &line[error.column().saturating_sub(2).min(line.len())..];
    let is_word = |word: &&str| around.windows(word.len()).take(3).any(|found| found == word.as_bytes());
    let hint = match ["NaN", "Infinity"].iter().any(is_word) {
        true => "; JSON has neither NaN nor Infinity: send null for a missing value",
        false => "",
    };
    Problem::new(ProblemKind::InvalidRequest, format!("the body is not valid JSON: {error}{hint}"))
}

fn named(error: &serde_path_to_error::Error<serde_json::Error>, body: &[u8]) -> Problem {
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
    let detail = match serde_json::from_slice::<IgnoredAny>(body) {
        Err(fault) if cause.is_syntax() || cause.is_eof() => return not_json(&fault, body),
        _ if cause.to_string().starts_with("recursion limit") => "it nests too deep; at most 127 levels".to_owned(),
        _ if cause.to_string().starts_with("number out of range") => {
            "the number is out of range; a 64-bit float ends at 1.8e308".to_owned()
        }
        _ if cause.is_syntax() && ["surrogate", "hex escape"].iter().any(|part| cause.to_string().contains(part)) => {
            "the text has half of a surrogate pair (`\\ud800` to `\\udfff`), which is no character".to_owned()
        }
        // What the reader of a choice says of an object with two keys, or of none.
        _ if cause.is_syntax() || cause.is_eof() => {
            "an object with exactly one of the known keys is expected".to_owned()
        }
        _ => in_words(&cause.to_string()),
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

/// The reader's message without its place, and without the names that our types have in the code.
fn in_words(message: &str) -> String {
    let message = message.rfind(" at line ").map_or(message, |end| &message[..end]);
    let Some((found, expected)) = message.rsplit_once(", expected ") else { return message.to_owned() };
    let kinds = [
        ("struct ", "an object"),
        ("a map", "an object"),
        ("a sequence", "a list"),
        ("a string", "a text"),
        ("a boolean", "true or false"),
        ("u", "a whole number that is not negative"),
        ("i", "a whole number"),
        ("f", "a number"),
    ];
    let is_number = matches!(expected, "u8" | "u16" | "u32" | "u64" | "usize" | "i32" | "i64" | "f32" | "f64");
    let kind = kinds.iter().find(|(name, _)| expected.starts_with(name) && (name.len() > 1 || is_number));
    let Some((_, words)) = kind else { return message.to_owned() };
    format!("{found}, expected {words}")
}

/// A number that may be given, such as a limit: 1 to `most`.
///
/// # Errors
/// `invalid-request` at `pointer` when it is out of range.
pub fn up_to(pointer: &str, given: Option<i64>, default: usize, most: usize) -> Result<usize> {
    let Some(given) = given else { return Ok(default) };
    let refused = || Problem::field(pointer, format!("{given} is out of range; it is 1 to {most}"));
    usize::try_from(given).ok().filter(|number| (1..=most).contains(number)).ok_or_else(refused)
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
            let reason = if reason.contains("invalid digit") { "it is not a whole number" } else { reason };
            ApiError(Problem::field(name, reason))
        })
    }
}

/// The parameters of a path.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> std::result::Result<Self, ApiError> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|found| Self(found.0)).map_err(|rejection| match rejection {
            PathRejection::FailedToDeserializePathParams(fault) => {
                let detail = format!("the path cannot be read: {}", fault.body_text());
                ApiError(Problem::new(ProblemKind::InvalidRequest, detail))
            }
            other => ApiError(Problem::internal(other)),
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
    fn what_is_expected_is_said_in_words_of_json() {
        let detail = |body: &str| parse::<Body>(body.as_bytes()).unwrap_err().errors[0].detail.clone();
        assert!(detail(r#"{"name": "a", "items": [-1]}"#).ends_with("expected a whole number that is not negative"));
        assert!(detail(r#"{"name": 1, "items": []}"#).ends_with("expected a text"));
        assert!(detail(r#"{"name": "a", "items": {}}"#).ends_with("expected a list"));
    }

    #[test]
    fn a_list_is_not_an_object() {
        assert!(parse::<Body>(br#"["a", []]"#).unwrap_err().detail.contains("not a JSON object"));
    }

    #[test]
    fn a_choice_with_two_keys_is_named_by_its_path_and_is_not_called_broken() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Choice {
            #[expect(dead_code, reason = "only its reading is tested")]
            One(u8),
        }
        #[derive(Debug, serde::Deserialize)]
        struct Chosen {
            #[expect(dead_code, reason = "only its reading is tested")]
            choice: Choice,
        }
        for body in [r#"{"choice": {"one": 1, "other": 2}}"#, r#"{"choice": [1]}"#] {
            let problem = parse::<Chosen>(body.as_bytes()).unwrap_err();
            assert_eq!(problem.errors[0].pointer, "/choice", "{problem}");
            assert!(problem.detail.contains("exactly one"), "{problem}");
        }
    }

    #[test]
    fn numbers_and_texts_that_json_allows_and_nobody_can_hold_are_named() {
        let said = |body: &str| {
            let problem = parse::<std::collections::BTreeMap<String, serde_json::Value>>(body.as_bytes()).unwrap_err();
            (problem.errors[0].pointer.clone(), problem.errors[0].detail.clone())
        };
        let (pointer, detail) = said(r#"{"a": 1, "price": 1e400}"#);
        assert_eq!((pointer.as_str(), detail.contains("out of range")), ("/price", true), "{detail}");
        let (pointer, detail) = said(r#"{"a": 1, "name": "x\ud800y"}"#);
        assert_eq!((pointer.as_str(), detail.contains("surrogate")), ("/name", true), "{detail}");
    }

    #[test]
    fn numbers_that_python_writes_and_json_lacks_are_told_from_other_faults() {
        let detail = |body: &str| parse::<serde_json::Value>(body.as_bytes()).unwrap_err().detail;
        for number in ["NaN", "Infinity", "-Infinity"] {
            let told = detail(&format!("{{\"a\": 1,\n \"b\": [2, {number}]}}"));
            assert!(told.contains("send null"), "{number}: {told}");
        }
        assert!(!detail(r#"{"a": Nothing}"#).contains("send null"));
    }

    #[test]
    fn json_that_is_broken_or_too_deep_is_refused_with_its_place() {
        assert!(parse::<Body>(b"{").unwrap_err().detail.contains("not valid JSON"));
        for deep in [r#"{"a":"#.repeat(100_000), "[".repeat(100_000)] {
            assert!(parse::<serde_json::Value>(deep.as_bytes()).unwrap_err().detail.contains("not valid JSON"));
        }
        let whole = format!("{}1{}", r#"{"a":"#.repeat(1_000), "}".repeat(1_000));
        assert!(parse::<serde_json::Value>(whole.as_bytes()).unwrap_err().detail.contains("too deep"));
        assert!(parse::<Body>(b"\xff{}").unwrap_err().detail.contains("UTF-8"));
    }
}
