//! The answers of the server that the command line reads.

use serde::Deserialize;

/// A conversation.
#[derive(Debug, Deserialize)]
pub struct Conversation {
    pub id: String,
}

/// The data of a `token` event.
#[derive(Debug, Deserialize)]
pub struct Token {
    pub text: String,
}

/// The data of a `citation` event.
#[derive(Debug, Deserialize)]
pub struct Citation {
    pub n: u32,
    pub document: Document,
    pub quote: String,
    pub score: f32,
}

/// A document's key.
#[derive(Debug, Deserialize)]
pub struct Document {
    pub entity_type: String,
    pub entity_id: String,
}

/// The data of a `usage` event.
#[derive(Debug, Deserialize)]
pub struct Usage {
    pub provider: String,
    pub model: String,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cost_micro_usd: i64,
}

/// The data of a `done` event.
#[derive(Debug, Deserialize)]
pub struct Done {
    pub confidence: f32,
    pub degraded: bool,
    pub degraded_reason: Option<String>,
}

/// The data of an `error` event.
#[derive(Debug, Deserialize)]
pub struct Failure {
    pub detail: String,
}

/// What became of documents that were sent.
#[derive(Debug, Deserialize)]
pub struct Documents {
    pub job_id: Option<String>,
    pub documents: Vec<Outcome>,
}

/// What became of one document.
#[derive(Debug, Deserialize)]
pub struct Outcome {
    pub status: Status,
    pub error: Option<String>,
}

/// How far a document has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Queued,
    Indexed,
    Unchanged,
    Failed,
}

/// A job.
#[derive(Debug, Deserialize)]
pub struct Job {
    pub state: String,
    pub documents: Vec<Outcome>,
}
