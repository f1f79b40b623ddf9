//! A stub of an OpenAI-compatible endpoint: chat completions as server-sent events, and embeddings.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::script::{Call, End, Script, Streamed};
use super::server::{Ledger, Part, Server, plain, streamed};
use super::{number, stub_tokens, stub_vector};

/// The length of the stub's vectors when the request does not say.
const DEFAULT_DIMENSIONS: usize = 8;

/// A running endpoint. It stops when it is dropped.
///
/// `POST /v1/chat/completions` follows the script. `POST /v1/embeddings` answers with [`super::stub_vector`]s,
/// unless the script is an HTTP error, a JSON body or mute.
#[derive(Debug)]
pub struct OpenAiStub(Server);

impl OpenAiStub {
    /// Every call is answered with this script.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(script: Script) -> io::Result<Self> {
        Self::start_with(move |_| script.clone()).await
    }

    /// The script depends on the call.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start_with(responder: impl Fn(&Call) -> Script + Send + Sync + 'static) -> io::Result<Self> {
        Ok(Self(Server::start(Box::new(responder), speak).await?))
    }

    /// The base URL, to which `/chat/completions` is added.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.0.address())
    }

    /// How many calls came in.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.0.calls()
    }

    /// The calls.
    #[must_use]
    pub fn requests(&self) -> Vec<Call> {
        self.0.requests()
    }

    /// How many clients went away before their answer's end.
    #[must_use]
    pub fn disconnects(&self) -> u64 {
        self.0.disconnects()
    }

    /// How many answers are under way.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.0.open()
    }
}

fn speak(call: &Call, script: Script, ledger: &Arc<Ledger>) -> Response {
    match script {
        Script::Status { status, retry_after, code, message } => error(status, retry_after.as_deref(), &code, &message),
        Script::Json(body) => plain(StatusCode::OK, "application/json", body.to_string()),
        Script::Mute => plain(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "mute scripts are not spoken"),
        Script::Stream(stream) => match call.path.as_str() {
            "/v1/chat/completions" => completions(&call.body, &stream, ledger),
            "/v1/embeddings" => embeddings(&call.body),
            other => error(404, None, "not_found", &format!("there is no {other}")),
        },
    }
}

fn error(status: u16, retry_after: Option<&str>, code: &str, message: &str) -> Response {
    let body = json!({"error": {"message": message, "type": code, "param": null, "code": code}});
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = plain(status, "application/json", body.to_string());
    if let Some(value) = retry_after.and_then(|value| HeaderValue::from_str(value).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

fn completions(body: &Value, script: &Streamed, ledger: &Arc<Ledger>) -> Response {
    if body.get("stream") != Some(&Value::Bool(true)) {
        return error(400, None, "invalid_request_error", "the stub only streams");
    }
    let mut parts = vec![Part::Bytes(event(&delta(&json!({"role": "assistant", "content": ""}), None)))];
    parts.push(Part::Wait(script.before_first));
    for (index, text) in script.chunks.iter().enumerate() {
        if index > 0 && !script.between.is_zero() {
            parts.push(Part::Wait(script.between));
        }
        parts.push(Part::Bytes(event(&delta(&json!({"content": text}), None))));
    }
    let reason = if script.finish_reason.is_empty() { "stop" } else { &script.finish_reason };
    let finish = event(&delta(&json!({}), Some(reason)));
    match &script.end {
        End::Complete | End::WithoutMark => {
            parts.push(Part::Bytes(finish));
            if let Some(usage) = script.usage {
                let total = usage.input_tokens + usage.output_tokens;
                let usage = json!({"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens,
                    "total_tokens": total});
                parts.push(Part::Bytes(event(&json!({"id": "stub", "object": "chat.completion.chunk",
                    "choices": [], "usage": usage}))));
            }
            if script.end == End::Complete {
                parts.push(Part::Bytes(Bytes::from_static(b"data: [DONE]\n\n")));
            }
        }
        End::Silent => {}
        End::Cut => {
            parts.push(Part::Bytes(finish.slice(..finish.len() / 2)));
            // The pause lets what was written leave before the connection goes.
            parts.push(Part::Wait(Duration::from_millis(20)));
            parts.push(Part::Cut);
        }
        End::Stall => parts.push(Part::Stall),
        End::Malformed => parts.push(Part::Bytes(Bytes::from_static(b"data: {\"choices\": [{\n\n"))),
        End::Exception(code) => {
            let error = json!({"error": {"message": format!("scripted {code}"), "type": code, "code": code}});
            parts.push(Part::Bytes(event(&error)));
        }
    }
    streamed("text/event-stream", parts, script.split_bytes, ledger)
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
        return error(400, None, "invalid_request_error", "`input` must be a text or a list of texts, none empty");
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
