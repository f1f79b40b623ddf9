//! A language model that streams text.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::error::{Problem, ProblemKind};

/// Which model of which provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModelRef {
    /// The provider (`bedrock`, `openai`, `local`): `gen_ai.provider.name` of OpenTelemetry.
    pub provider: String,
    /// The model's id at that provider.
    pub model: String,
}

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The instructions.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// One message of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMessage {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// What to generate.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// The prompt, system message first.
    pub messages: Vec<ChatMessage>,
    /// At most so many output tokens.
    pub max_tokens: u32,
    /// 0 is greedy.
    pub temperature: f32,
    /// Texts at which the generation ends.
    pub stop: Vec<String>,
}

/// Tokens of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsage {
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens that were generated.
    pub output_tokens: u64,
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model had said all.
    Stop,
    /// `max_tokens` was reached.
    Length,
    /// The provider withheld the rest.
    ContentFilter,
}

/// A piece of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// More text; never empty, always whole characters.
    Text(String),
    /// The end: exactly one, and last.
    Finish {
        /// Why it ended.
        reason: FinishReason,
        /// What it took. Where the provider does not say, it is counted or estimated by the adapter.
        usage: TokenUsage,
    },
}

/// The stream of a generation: text, then one `Finish`; or an error at any point, and then nothing.
/// A stream that ends without `Finish` does not occur: adapters make [`ModelError::Truncated`] of it.
/// Dropping it cancels the call at the provider.
pub type GenerationStream = BoxStream<'static, Result<Delta, ModelError>>;

/// Which wait was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutPhase {
    /// For the connection.
    Connect,
    /// For the first token.
    FirstToken,
    /// Between two tokens.
    BetweenTokens,
}

/// Why a model did not answer, by what the caller does next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Slow down; try again after the time, if one is given.
    #[error("the provider throttles")]
    Throttled {
        /// What the provider asks for.
        retry_after: Option<Duration>,
    },
    /// The provider is overloaded or broken: try again later, or another one.
    #[error("the provider is overloaded or broken: {0}")]
    Overloaded(String),
    /// The provider will not answer this prompt.
    #[error("the provider refuses: {0}")]
    Refused(String),
    /// The provider does not accept the request: correct it.
    #[error("the provider rejects the request: {0}")]
    BadRequest(String),
    /// The credentials do not hold.
    #[error("the provider does not accept the credentials")]
    Unauthorised,
    /// The stream ended before its end, or could not be read on.
    #[error("the stream was cut: {0}")]
    Truncated(String),
    /// The provider cannot be reached.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(String),
    /// The provider took too long.
    #[error("the provider took too long ({0:?})")]
    TimedOut(TimeoutPhase),
    /// The local model cannot run: its files are missing or damaged.
    #[error("the local model cannot run: {0}")]
    Broken(String),
}

impl From<ModelError> for Problem {
    fn from(error: ModelError) -> Self {
        let (kind, detail) = match &error {
            ModelError::Throttled { .. } => (ProblemKind::Throttled, "the model is busy; try again"),
            ModelError::Overloaded(_) | ModelError::Unreachable(_) | ModelError::TimedOut(_) => {
                (ProblemKind::UpstreamFailed, "the model does not answer; try again later")
            }
            ModelError::Refused(_) => (ProblemKind::UpstreamFailed, "the model refuses to answer this"),
            ModelError::BadRequest(_) => {
                (ProblemKind::UpstreamFailed, "the model rejects the request; check its name and its limits")
            }
            ModelError::Unauthorised => {
                (ProblemKind::UpstreamFailed, "the model's provider rejects the configured credentials")
            }
            ModelError::Truncated(_) => (ProblemKind::StreamInterrupted, "the model's answer was cut off; ask again"),
            ModelError::Broken(_) => (ProblemKind::Unavailable, "the local model cannot run; `mandi doctor` says why"),
        };
        let retry_after = match &error {
            ModelError::Throttled { retry_after } => {
                Some(retry_after.map_or(1, |wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).max(1)))
            }
            _ => None,
        };
        let problem = Self::new(kind, detail).caused_by(error);
        match retry_after {
            Some(seconds) => problem.retry_after(seconds),
            None => problem,
        }
    }
}

/// What a model can be relied on for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// The longest prompt that it reads in reasonable time, in tokens.
    pub prompt_tokens: usize,
    /// Whether it writes all our languages; if not, English alone.
    pub multilingual: bool,
    /// Whether it follows instructions well enough to put a question in other words, and to choose among
    /// passages by itself.
    pub careful: bool,
}

impl Default for Abilities {
    /// Those of the large models of providers.
    fn default() -> Self {
        Self { prompt_tokens: usize::MAX, multilingual: true, careful: true }
    }
}

/// A language model.
#[async_trait]
pub trait LanguageModel: Send + Sync + fmt::Debug {
    /// Which model it is, for metering.
    fn model(&self) -> ModelRef;

    /// How many tokens prompt and answer may have together.
    fn context_tokens(&self) -> usize;

    /// What it can be relied on for.
    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    /// Begins to generate. The error of a call that never began comes from here, later ones from the stream.
    async fn generate(&self, generation: Generation) -> Result<GenerationStream, ModelError>;
}
