//! Server-sent events from a stored stream.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use futures::Stream;
use mandi_core::streams::{Reader, StoredEvent};
use mandi_core::{Problem, Result};

/// The header with which a client says what it has.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Whether the client asks for events rather than for one JSON answer.
#[must_use]
pub fn wanted(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|part| part.split(';').next().unwrap_or_default().trim() == "text/event-stream")
}

/// The last event that the client has; 0 when it has none.
///
/// # Errors
/// The header is not an event id.
pub fn last_event_id(headers: &HeaderMap) -> Result<u64> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(0) };
    let id = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    id.ok_or_else(|| Problem::field("Last-Event-ID", "it is not the id of an event of this stream (a whole number)"))
}

/// An event on the wire.
#[must_use]
pub fn encode(event: &StoredEvent) -> Bytes {
    Bytes::from(format!("id: {}\nevent: {}\ndata: {}\n\n", event.id, event.event, event.data))
}

/// A response that shows a stream as it grows. The body is read as fast as the client takes it, and no faster:
/// what the client has not taken yet is in the store, not in memory. `guard` lives as long as the client does.
pub fn response<G: Send + 'static>(reader: Reader, keep_alive: Duration, guard: G) -> Response {
    let mut response = Response::new(Body::from_stream(wire(reader, keep_alive, guard)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn wire<G: Send + 'static>(
    reader: Reader,
    keep_alive: Duration,
    guard: G,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    futures::stream::unfold(Some((reader, guard)), move |state| async move {
        let (mut reader, guard) = state?;
        match tokio::time::timeout(keep_alive, reader.next()).await {
            Ok(Ok(Some(event))) => Some((Ok(encode(&event)), Some((reader, guard)))),
            Ok(Ok(None)) => None,
            Ok(Err(problem)) => {
                // The store failed, not the stream: without a last event the client knows to resume.
                tracing::error!(causes = problem.causes(), "a stream could not be read on");
                None
            }
            Err(_) => Some((Ok(Bytes::from_static(b": keep-alive\n\n")), Some((reader, guard)))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_block_of_lines() {
        let event = StoredEvent { id: 3, event: "token".to_owned(), data: r#"{"text":"a\nb"}"#.to_owned() };
        assert_eq!(encode(&event), "id: 3\nevent: token\ndata: {\"text\":\"a\\nb\"}\n\n");
    }

    #[test]
    fn events_are_wanted_when_the_client_says_so() {
        let accepts =
            |value: &'static str| wanted(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))]));
        assert!(accepts("text/event-stream") && accepts("application/json;q=0.1, text/event-stream; charset=utf-8"));
        assert!(!accepts("application/json") && !wanted(&HeaderMap::new()));
    }
}
