//! Tells an answer into a stored stream, event by event, for whoever reads it now or later.

use futures::StreamExt;
use mandi_core::metering::Meter;
use mandi_core::ports::TokenUsage;
use mandi_core::streams::Writer;
use mandi_core::{Problem, ProblemKind, Result};
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{AnswerDone, AnswerEvent, AnswerStream, Citation, DegradedReason, Finish, ModelCall};

/// What was told.
#[derive(Debug)]
pub struct Told {
    /// The text.
    pub text: String,
    /// The citations.
    pub citations: Vec<Citation>,
    /// How it ended. The last event is not in the stream yet: it goes there with the writes that end the work.
    pub end: End,
}

/// How an answer ended.
#[derive(Debug)]
pub enum End {
    /// It is whole.
    Done(Box<AnswerDone>),
    /// It is not.
    Failed {
        /// Why.
        problem: Problem,
        /// The model calls that were made, as far as they are known.
        calls: Vec<ModelCall>,
    },
    /// The client went away and had not asked to resume.
    Cancelled,
}

/// Tells tokens and citations as they come, and the usage. Returns what is left to be told: the end.
///
/// # Errors
/// The stream's lease was lost, or the store fails.
pub async fn tell(
    mut events: AnswerStream,
    writer: &mut Writer,
    meter: &Meter,
    cancelled: &CancellationToken,
) -> Result<Told> {
    let mut text = String::new();
    let mut citations = Vec::new();
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = tokio::time::sleep(writer.wait()) => {
                writer.flush().await?;
                continue;
            }
            () = cancelled.cancelled() => return Ok(Told { text, citations, end: End::Cancelled }),
        };
        let end = match event {
            Some(AnswerEvent::Token { text: token }) => {
                writer.add("token", data(&json!({"text": token}))?).await?;
                text.push_str(&token);
                continue;
            }
            Some(AnswerEvent::Citation(citation)) => {
                writer.add("citation", data(&citation)?).await?;
                citations.push(citation);
                continue;
            }
            Some(AnswerEvent::Done(answered)) => End::Done(answered),
            Some(AnswerEvent::Failed { problem, calls }) => End::Failed { problem, calls },
            None => {
                let problem = Problem::internal("the answer engine ended without an end");
                End::Failed { problem, calls: Vec::new() }
            }
        };
        let calls = match &end {
            End::Done(answered) => &answered.calls,
            End::Failed { calls, .. } => calls,
            End::Cancelled => return Ok(Told { text, citations, end }),
        };
        writer.add("usage", usage_data(meter, calls)?).await?;
        return Ok(Told { text, citations, end });
    }
}

/// The problem of an answer whose client went away.
#[must_use]
pub fn cancelled_problem() -> Problem {
    Problem::new(ProblemKind::StreamInterrupted, "the client went away and had not asked to resume")
}

/// The data of the `done` event.
///
/// # Errors
/// It cannot be written as JSON.
pub fn done_data(message_id: &str, answered: &AnswerDone) -> Result<String> {
    data(&Done {
        message_id,
        finish_reason: answered.finish_reason,
        confidence: answered.confidence,
        degraded: answered.degraded,
        degraded_reason: answered.degraded_reason,
    })
}

/// The data of the `error` event.
///
/// # Errors
/// It cannot be written as JSON.
pub fn error_data(problem: &Problem) -> Result<String> {
    let kind = format!("/problems/{}", problem.kind.name());
    let mut event = json!({"type": kind, "title": problem.kind.title(), "detail": problem.detail});
    if let Some(seconds) = problem.retry_after_s {
        event["retry_after_s"] = seconds.into();
    }
    data(&event)
}

/// The data of the `usage` event: all calls of the answer together, under the model that was called last.
fn usage_data(meter: &Meter, calls: &[ModelCall]) -> Result<String> {
    let last = calls.last();
    let sum = calls.iter().fold(TokenUsage::default(), |sum, call| TokenUsage {
        input_tokens: sum.input_tokens + call.usage.input_tokens,
        output_tokens: sum.output_tokens + call.usage.output_tokens,
    });
    data(&Usage {
        provider: last.map_or("none", |call| &call.model.provider),
        model: last.map_or("extractive", |call| &call.model.model),
        input_tokens: sum.input_tokens,
        output_tokens: sum.output_tokens,
        cost_micro_usd: calls.iter().map(|call| meter.cost(&call.model, call.usage).0).sum(),
        latency_ms: calls.iter().map(|call| call.latency_ms).sum(),
        first_token_ms: last.and_then(|call| call.first_token_ms),
        cache: "none",
    })
}

fn data(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(Problem::internal)
}

#[derive(Serialize)]
struct Usage<'a> {
    provider: &'a str,
    model: &'a str,
    input_tokens: u64,
    output_tokens: u64,
    cost_micro_usd: i64,
    latency_ms: u64,
    first_token_ms: Option<u64>,
    cache: &'a str,
}

#[derive(Serialize)]
struct Done<'a> {
    message_id: &'a str,
    finish_reason: Finish,
    confidence: f32,
    degraded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded_reason: Option<DegradedReason>,
}
