//! A stub of Amazon Bedrock's runtime: `ConverseStream` as AWS event-stream frames with checksums, and
//! `InvokeModel` for Titan and Cohere embeddings. A call without a SigV4 signature is refused.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue as EventHeader, Message};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::script::{Call, End, Script, Streamed};
use super::server::{Ledger, Part, Server, plain, streamed};
use super::{number, stub_tokens, stub_vector};

/// The length of Titan's vectors when the request does not say, and of Cohere's.
const DEFAULT_DIMENSIONS: usize = 1024;

/// A running endpoint. It stops when it is dropped.
///
/// `POST /model/{id}/converse-stream` follows the script. `POST /model/{id}/invoke` answers with
/// [`super::stub_vector`]s in Titan's or Cohere's form, by the model's id, unless the script is an HTTP error,
/// a JSON body or mute.
#[derive(Debug)]
pub struct BedrockStub(Server);

impl BedrockStub {
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

    /// The endpoint, for the SDK's `endpoint_url`.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.0.address())
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
}

fn speak(call: &Call, script: Script, ledger: &Arc<Ledger>) -> Response {
    let signed = call.authorization.as_deref().is_some_and(|value| {
        value.starts_with("AWS4-HMAC-SHA256 Credential=") && value.contains("/bedrock/aws4_request")
    });
    if !signed {
        return error(403, None, "UnrecognizedClientException", "the request carries no SigV4 signature");
    }
    match script {
        Script::Status { status, retry_after, code, message } => error(status, retry_after.as_deref(), &code, &message),
        Script::Json(body) => plain(StatusCode::OK, "application/json", body.to_string()),
        Script::Mute => plain(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "mute scripts are not spoken"),
        Script::Stream(stream) => match call.path.rsplit('/').next() {
            Some("converse-stream") => converse(&stream, ledger),
            Some("invoke") if call.path.contains("cohere.embed") => cohere(&call.body),
            Some("invoke") => titan(&call.body),
            _ => error(404, None, "UnknownOperationException", "there is no such operation"),
        },
    }
}

fn error(status: u16, retry_after: Option<&str>, name: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = plain(status, "application/json", json!({"message": message}).to_string());
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(name) {
        headers.insert(HeaderName::from_static("x-amzn-errortype"), value);
    }
    if let Some(value) = retry_after.and_then(|value| HeaderValue::from_str(value).ok()) {
        headers.insert(header::RETRY_AFTER, value);
    }
    response
}

fn converse(script: &Streamed, ledger: &Arc<Ledger>) -> Response {
    let mut parts = vec![Part::Bytes(event("messageStart", &json!({"role": "assistant"})))];
    parts.push(Part::Wait(script.before_first));
    for (index, text) in script.chunks.iter().enumerate() {
        if index > 0 && !script.between.is_zero() {
            parts.push(Part::Wait(script.between));
        }
        parts.push(Part::Bytes(text_event(text)));
    }
    let reason = if script.finish_reason.is_empty() { "end_turn" } else { &script.finish_reason };
    match &script.end {
        End::Complete | End::WithoutMark => {
            parts.push(Part::Bytes(event("contentBlockStop", &json!({"contentBlockIndex": 0}))));
            parts.push(Part::Bytes(event("messageStop", &json!({"stopReason": reason}))));
            if let (End::Complete, Some(usage)) = (&script.end, script.usage) {
                let total = usage.input_tokens + usage.output_tokens;
                let metadata = json!({"metrics": {"latencyMs": 1}, "usage": {"inputTokens": usage.input_tokens,
                    "outputTokens": usage.output_tokens, "totalTokens": total}});
                parts.push(Part::Bytes(event("metadata", &metadata)));
            }
        }
        End::Silent => {}
        End::Cut => {
            let frame = text_event("never seen whole");
            parts.push(Part::Bytes(frame.slice(..frame.len() / 2)));
            // The pause lets what was written leave before the connection goes.
            parts.push(Part::Wait(Duration::from_millis(20)));
            parts.push(Part::Cut);
        }
        End::Stall => parts.push(Part::Stall),
        End::Malformed => {
            let mut frame = text_event("its checksum is wrong").to_vec();
            if let Some(last) = frame.last_mut() {
                *last ^= 0xff;
            }
            parts.push(Part::Bytes(frame.into()));
        }
        End::Exception(name) => {
            let body = json!({"message": format!("scripted {name}")});
            parts.push(Part::Bytes(frame("exception", ":exception-type", name, &body)));
        }
    }
    streamed("application/vnd.amazon.eventstream", parts, script.split_bytes, ledger)
}

fn text_event(text: &str) -> Bytes {
    event("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": text}}))
}

fn event(kind: &str, body: &Value) -> Bytes {
    frame("event", ":event-type", kind, body)
}

/// One frame: prelude with its checksum, headers, payload, checksum of the message.
fn frame(message_type: &'static str, kind_header: &'static str, kind: &str, body: &Value) -> Bytes {
    let message = Message::new(Bytes::from(body.to_string()))
        .add_header(Header::new(":message-type", EventHeader::String(message_type.into())))
        .add_header(Header::new(kind_header, EventHeader::String(kind.to_owned().into())))
        .add_header(Header::new(":content-type", EventHeader::String("application/json".into())));
    let mut bytes = Vec::new();
    match write_message_to(&message, &mut bytes) {
        Ok(()) => bytes.into(),
        // Only a header over 32 kB does this; an empty frame makes the test that wrote it fail.
        Err(_) => Bytes::new(),
    }
}

fn titan(body: &Value) -> Response {
    let Some(text) = body.get("inputText").and_then(Value::as_str).filter(|text| !text.is_empty()) else {
        return error(400, None, "ValidationException", "`inputText` is needed");
    };
    let vector = stub_vector(text, number(body, "dimensions").unwrap_or(DEFAULT_DIMENSIONS));
    let body = json!({"embedding": vector, "inputTextTokenCount": stub_tokens(text)});
    plain(StatusCode::OK, "application/json", body.to_string())
}

fn cohere(body: &Value) -> Response {
    let kinds = ["search_query", "search_document"];
    if !body.get("input_type").and_then(Value::as_str).is_some_and(|kind| kinds.contains(&kind)) {
        return error(400, None, "ValidationException", "`input_type` is needed");
    }
    let texts: Vec<&str> = match body.get("texts") {
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if texts.is_empty() || texts.len() > 96 {
        return error(400, None, "ValidationException", "`texts` must hold 1 to 96 texts");
    }
    let vectors: Vec<Vec<f32>> = texts.iter().map(|text| stub_vector(text, DEFAULT_DIMENSIONS)).collect();
    let body = json!({"id": "stub", "response_type": "embeddings_floats", "embeddings": vectors, "texts": texts});
    plain(StatusCode::OK, "application/json", body.to_string())
}
