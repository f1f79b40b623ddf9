//! A stub of an OpenAI-compatible endpoint: chat completions as server-sent events, and embeddings.

use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::script::{Call, Streamed};
use super::server::plain;
use super::stub::{Asked, Protocol, Stub};
use super::{number, stub_tokens, stub_vector};

/// The length of the stub's vectors when the request does not say.
const DEFAULT_DIMENSIONS: usize = 8;

/// OpenAI's protocol.
#[derive(Debug)]
pub struct OpenAi;

/// An OpenAI-compatible endpoint.
///
/// `POST /v1/chat/completions` follows the script. `POST /v1/embeddings` answers with [`super::stub_vector`]s,
/// unless the script is an HTTP error, a JSON body or mute.
pub type OpenAiStub = Stub<OpenAi>;

impl OpenAiStub {
    /// The base URL, to which `/chat/completions` is added.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address())
    }
}

impl Protocol for OpenAi {
    const STREAM_TYPE: &'static str = "text/event-stream";

    fn refusal(_: &Call) -> Option<Response> {
        None
    }

    fn asked(call: &Call) -> Asked {
        match call.path.as_str() {
            "/v1/chat/completions" if call.body.get("stream") == Some(&Value::Bool(true)) => Asked::Stream,
            "/v1/chat/completions" => {
                Asked::Answer(Self::error(StatusCode::BAD_REQUEST, "invalid_request_error", "the stub only streams"))
            }
            "/v1/embeddings" => Asked::Answer(embeddings(&call.body)),
            other => Asked::Answer(Self::error(StatusCode::NOT_FOUND, "not_found", &format!("there is no {other}"))),
        }
    }

    fn error(status: StatusCode, code: &str, message: &str) -> Response {
        let body = json!({"error": {"message": message, "type": code, "param": null, "code": code}});
        plain(status, "application/json", body.to_string())
    }

    fn opening() -> Bytes {
        event(&delta(&json!({"role": "assistant", "content": ""}), None))
    }

    fn text(text: &str) -> Bytes {
        event(&delta(&json!({"content": text}), None))
    }

    fn closing(script: &Streamed) -> Vec<Bytes> {
        let reason = if script.finish_reason.is_empty() { "stop" } else { &script.finish_reason };
        let mut events = vec![event(&delta(&json!({}), Some(reason)))];
        if let Some(usage) = script.usage {
            let total = usage.input_tokens + usage.output_tokens;
            let usage = json!({"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens,
                "total_tokens": total});
            events
                .push(event(&json!({"id": "stub", "object": "chat.completion.chunk", "choices": [], "usage": usage})));
        }
        events
    }

    fn mark(_: &Streamed) -> Option<Bytes> {
        Some(Bytes::from_static(b"data: [DONE]\n\n"))
    }

    fn malformed() -> Bytes {
        Bytes::from_static(b"data: {\"choices\": [{\n\n")
    }

    fn exception(name: &str) -> Bytes {
        event(&json!({"error": {"message": format!("scripted {name}"), "type": name, "code": name}}))
    }
}

fn delta(delta: &Value, finish_reason: Option<&str>) -> Value {
    json!({"id": "stub", "object": "chat.completion.chunk", "model": "stub",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})
}

fn event(data: &Value) -> Bytes {
    Bytes::from(format!("data: {data}\n\n"))
}

fn embeddings(body: &Value) -> Response {
    let texts: Vec<&str> = match body.get("input") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if texts.is_empty() || texts.iter().any(|text| text.is_empty()) {
        return OpenAi::error(
            StatusCode::BAD_REQUEST,
            "invalid_request_error",
            "`input` must be a text or a list of texts, none empty",
        );
    }
    let dimensions = number(body, "dimensions").unwrap_or(DEFAULT_DIMENSIONS);
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| json!({"object": "embedding", "index": index, "embedding": stub_vector(text, dimensions)}))
        .collect();
    let tokens: u64 = texts.iter().map(|text| stub_tokens(text)).sum();
    let body = json!({"object": "list", "model": "stub", "data": data,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens}});
    plain(StatusCode::OK, "application/json", body.to_string())
}
