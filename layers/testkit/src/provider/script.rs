//! What a stub provider answers, in the same words for every wire protocol.

use std::time::Duration;

use mandi_core::ports::TokenUsage;
use serde_json::Value;

/// How a stream ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// As the protocol wants it: reason, usage, end mark.
    #[default]
    Complete,
    /// The response ends properly, but without the finish reason and the end mark.
    Silent,
    /// All is there but the protocol's end mark (`[DONE]`; Bedrock's `metadata` event).
    WithoutMark,
    /// The connection is cut, in the middle of an event.
    Cut,
    /// Nothing more comes, and the connection stays open.
    Stall,
    /// An event that cannot be read: broken JSON; for Bedrock a frame with a wrong checksum.
    Malformed,
    /// An error inside the stream: OpenAI's `error` object with this code, or Bedrock's exception event of this
    /// name.
    Exception(String),
}

/// A streamed answer.
#[derive(Clone, Debug)]
pub struct Streamed {
    /// The pieces of text, one event each.
    pub chunks: Vec<String>,
    /// The wait before the first piece.
    pub before_first: Duration,
    /// The wait between two pieces.
    pub between: Duration,
    /// Write the body in pieces of so many bytes, whatever they cut: lines, JSON, characters.
    pub split_bytes: Option<usize>,
    /// The finish reason, in the protocol's word.
    pub finish_reason: String,
    /// The usage that is reported, if any.
    pub usage: Option<TokenUsage>,
    /// How it ends.
    pub end: End,
}

/// What the stub does with one call.
#[derive(Clone, Debug)]
pub enum Script {
    /// Streams an answer.
    Stream(Streamed),
    /// Answers with an HTTP error.
    Status {
        /// The status.
        status: u16,
        /// The `Retry-After` header.
        retry_after: Option<String>,
        /// The error's code: OpenAI's `error.code`, AWS's exception name.
        code: String,
        /// The error's message.
        message: String,
    },
    /// Answers with status 200 and this body as it is, as `application/json`.
    Json(Value),
    /// Takes the request and never answers.
    Mute,
}

impl Script {
    /// Streams a text, word by word, and ends as it should. Usage is one token for each word, and 10 for the
    /// prompt.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let chunks: Vec<String> = text.split_inclusive(' ').map(str::to_owned).collect();
        Self::chunks(chunks)
    }

    /// Streams these pieces, and ends as it should. Usage is one token for each, and 10 for the prompt.
    #[must_use]
    pub fn chunks(chunks: Vec<String>) -> Self {
        let usage = TokenUsage { input_tokens: 10, output_tokens: chunks.len() as u64 };
        Self::Stream(Streamed {
            chunks,
            before_first: Duration::ZERO,
            between: Duration::ZERO,
            split_bytes: None,
            finish_reason: String::new(),
            usage: Some(usage),
            end: End::Complete,
        })
    }

    /// An HTTP error.
    #[must_use]
    pub fn status(status: u16, code: &str) -> Self {
        Self::Status { status, retry_after: None, code: code.to_owned(), message: format!("scripted {code}") }
    }

    /// The same error with a `Retry-After` header.
    #[must_use]
    pub fn retry_after(self, value: &str) -> Self {
        match self {
            Self::Status { status, code, message, .. } => {
                Self::Status { status, retry_after: Some(value.to_owned()), code, message }
            }
            other => other,
        }
    }

    /// The same stream with another end.
    #[must_use]
    pub fn ending(self, end: End) -> Self {
        self.changed(|stream| stream.end = end)
    }

    /// The same stream, written in pieces of so many bytes.
    #[must_use]
    pub fn split_every(self, bytes: usize) -> Self {
        self.changed(|stream| stream.split_bytes = Some(bytes.max(1)))
    }

    /// The same stream with waits: before the first piece, and between pieces.
    #[must_use]
    pub fn paced(self, before_first: Duration, between: Duration) -> Self {
        self.changed(|stream| {
            stream.before_first = before_first;
            stream.between = between;
        })
    }

    /// The same stream with another finish reason, in the protocol's word.
    #[must_use]
    pub fn finishing(self, reason: &str) -> Self {
        self.changed(|stream| reason.clone_into(&mut stream.finish_reason))
    }

    /// The same stream with another usage, or none.
    #[must_use]
    pub fn using(self, usage: Option<TokenUsage>) -> Self {
        self.changed(|stream| stream.usage = usage)
    }

    fn changed(mut self, change: impl FnOnce(&mut Streamed)) -> Self {
        if let Self::Stream(stream) = &mut self {
            change(stream);
        }
        self
    }
}

/// One call, as the responder of a stub sees it.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its number, from 0.
    pub number: u64,
    /// The path that was called.
    pub path: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The body.
    pub body: Value,
}
