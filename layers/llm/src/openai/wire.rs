//! The JSON of the protocol, as far as it is used.

use mandi_core::ports::{ChatMessage, FinishReason, Generation, Role, TokenUsage};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize)]
pub(super) struct ChatRequest<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    max_tokens: u32,
    temperature: f32,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop: &'a [String],
    stream: bool,
    stream_options: StreamOptions,
}

#[derive(Debug, Serialize)]
struct Message<'a> {
    role: Role,
    content: &'a str,
}

#[derive(Debug, Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl<'a> ChatRequest<'a> {
    pub(super) fn new(model: &'a str, generation: &'a Generation) -> Self {
        let message = |message: &'a ChatMessage| Message { role: message.role, content: &message.content };
        Self {
            model,
            messages: generation.messages.iter().map(message).collect(),
            max_tokens: generation.max_tokens,
            temperature: generation.temperature,
            stop: &generation.stop,
            stream: true,
            stream_options: StreamOptions { include_usage: true },
        }
    }
}

/// One event of the stream. Fields that some endpoints leave out or set to null are optional.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Chunk {
    #[serde(default)]
    pub(super) choices: Vec<Choice>,
    pub(super) usage: Option<Usage>,
    pub(super) error: Option<ErrorBody>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub(super) delta: ChoiceDelta,
    pub(super) finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ChoiceDelta {
    pub(super) content: Option<String>,
    pub(super) refusal: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Usage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

impl From<Usage> for TokenUsage {
    fn from(usage: Usage) -> Self {
        Self { input_tokens: usage.prompt_tokens, output_tokens: usage.completion_tokens }
    }
}

/// The body of an HTTP error, and the error inside a stream.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorReply {
    #[serde(default)]
    pub(super) error: ErrorBody,
}

/// What is wrong: an object from most endpoints, a bare text from some.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum ErrorBody {
    Object {
        #[serde(default)]
        message: String,
        #[serde(default, rename = "type")]
        kind: Option<String>,
        /// A text, or for some endpoints the HTTP status as a number.
        #[serde(default)]
        code: Option<serde_json::Value>,
    },
    Text(String),
}

impl Default for ErrorBody {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl ErrorBody {
    pub(super) fn message(&self) -> &str {
        match self {
            Self::Object { message, .. } => message,
            Self::Text(message) => message,
        }
    }

    /// The code, or else the type.
    pub(super) fn code(&self) -> String {
        match self {
            Self::Object { code: Some(serde_json::Value::String(code)), .. } => code.clone(),
            Self::Object { code: Some(serde_json::Value::Number(code)), .. } => code.to_string(),
            Self::Object { kind, .. } => kind.clone().unwrap_or_default(),
            Self::Text(_) => String::new(),
        }
    }
}

/// The port's word for a finish reason. Endpoints differ in how they say that the model had said all, so a
/// word that is not known counts as that.
pub(super) fn finish_reason(word: &str) -> FinishReason {
    match word {
        "length" | "max_tokens" => FinishReason::Length,
        "content_filter" => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    }
}

#[derive(Debug, Serialize)]
pub(super) struct EmbeddingRequest<'a> {
    pub(super) model: &'a str,
    pub(super) input: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dimensions: Option<usize>,
    pub(super) encoding_format: &'static str,
}

#[derive(Debug, Deserialize)]
pub(super) struct EmbeddingReply {
    pub(super) data: Vec<EmbeddingItem>,
    pub(super) usage: Option<Usage>,
}

#[derive(Debug, Deserialize)]
pub(super) struct EmbeddingItem {
    pub(super) index: usize,
    pub(super) embedding: Vec<f32>,
}
