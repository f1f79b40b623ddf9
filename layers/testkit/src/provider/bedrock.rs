//! A stub of Amazon Bedrock's runtime: `ConverseStream` as AWS event-stream frames with checksums, and
//! `InvokeModel` for Titan and Cohere embeddings. A call without a SigV4 signature is refused.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue as EventHeader, Message};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::script::{Call, Streamed};
use super::server::plain;
use super::stub::{Asked, Protocol, Stub};
use super::{number, stub_tokens, stub_vector};

/// The length of Titan's vectors when the request does not say, and of Cohere's.
const DEFAULT_DIMENSIONS: usize = 1024;

/// Bedrock's protocol.
#[derive(Debug)]
pub struct Bedrock;

/// An endpoint of Bedrock's runtime.
///
/// `POST /model/{id}/converse-stream` follows the script. `POST /model/{id}/invoke` answers with
/// [`super::stub_vector`]s in Titan's or Cohere's form, by the model's id, unless the script is an HTTP error,
/// a JSON body or mute.
pub type BedrockStub = Stub<Bedrock>;

impl BedrockStub {
    /// The endpoint, for the SDK's `endpoint_url`.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address())
    }
}

impl Protocol for Bedrock {
    const STREAM_TYPE: &'static str = "application/vnd.amazon.eventstream";

    fn refusal(call: &Call) -> Option<Response> {
        let signed = call.authorization.as_deref().is_some_and(|value| {
            value.starts_with("AWS4-HMAC-SHA256 Credential=") && value.contains("/bedrock/aws4_request")
        });
        let (name, message) = ("UnrecognizedClientException", "the request carries no SigV4 signature");
        (!signed).then(|| Self::error(StatusCode::FORBIDDEN, name, message))
    }

    fn asked(call: &Call) -> Asked {
        match call.path.rsplit('/').next() {
            Some("converse-stream") => Asked::Stream,
            Some("invoke") if call.path.contains("cohere.embed") => Asked::Answer(cohere(&call.body)),
            Some("invoke") => Asked::Answer(titan(&call.body)),
            _ => {
                let (name, message) = ("UnknownOperationException", "there is no such operation");
                Asked::Answer(Self::error(StatusCode::NOT_FOUND, name, message))
            }
        }
    }

    fn error(status: StatusCode, code: &str, message: &str) -> Response {
        let mut response = plain(status, "application/json", json!({"message": message}).to_string());
        if let Ok(value) = HeaderValue::from_str(code) {
            response.headers_mut().insert(HeaderName::from_static("x-amzn-errortype"), value);
        }
        response
    }

    fn opening() -> Bytes {
        event("messageStart", &json!({"role": "assistant"}))
    }

    fn text(text: &str) -> Bytes {
        event("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": text}}))
    }

    fn closing(script: &Streamed) -> Vec<Bytes> {
        let reason = if script.finish_reason.is_empty() { "end_turn" } else { &script.finish_reason };
        let stop = event("contentBlockStop", &json!({"contentBlockIndex": 0}));
        vec![stop, event("messageStop", &json!({"stopReason": reason}))]
    }

    fn mark(script: &Streamed) -> Option<Bytes> {
        let usage = script.usage?;
        let total = usage.input_tokens + usage.output_tokens;
        let usage =
            json!({"inputTokens": usage.input_tokens, "outputTokens": usage.output_tokens, "totalTokens": total});
        Some(event("metadata", &json!({"metrics": {"latencyMs": 1}, "usage": usage})))
    }

    fn malformed() -> Bytes {
        let mut frame = Self::text("its checksum is wrong").to_vec();
        if let Some(last) = frame.last_mut() {
            *last ^= 0xff;
        }
        frame.into()
    }

    fn exception(name: &str) -> Bytes {
        frame("exception", ":exception-type", name, &json!({"message": format!("scripted {name}")}))
    }
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
        return Bedrock::error(StatusCode::BAD_REQUEST, "ValidationException", "`inputText` is needed");
    };
    let vector = stub_vector(text, number(body, "dimensions").unwrap_or(DEFAULT_DIMENSIONS));
    let body = json!({"embedding": vector, "inputTextTokenCount": stub_tokens(text)});
    plain(StatusCode::OK, "application/json", body.to_string())
}

fn cohere(body: &Value) -> Response {
    let kinds = ["search_query", "search_document"];
    if !body.get("input_type").and_then(Value::as_str).is_some_and(|kind| kinds.contains(&kind)) {
        return Bedrock::error(StatusCode::BAD_REQUEST, "ValidationException", "`input_type` is needed");
    }
    let texts: Vec<&str> = match body.get("texts") {
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if texts.is_empty() || texts.len() > 96 {
        return Bedrock::error(StatusCode::BAD_REQUEST, "ValidationException", "`texts` must hold 1 to 96 texts");
    }
    let vectors: Vec<Vec<f32>> = texts.iter().map(|text| stub_vector(text, DEFAULT_DIMENSIONS)).collect();
    let body = json!({"id": "stub", "response_type": "embeddings_floats", "embeddings": vectors, "texts": texts});
    plain(StatusCode::OK, "application/json", body.to_string())
}
