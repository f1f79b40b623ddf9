//! Writes an answer: it is told into the message's stream, and its end is one transaction.

use mandi_core::Problem;
use mandi_core::Result;
use mandi_core::metering::{CallStatus, Task};
use mandi_core::ports::{Role, TokenUsage};
use mandi_core::streams::Writer;
use mandi_retrieval::answer::tell::{End, cancelled_problem, done_data, error_data, tell};
use mandi_retrieval::answer::{AnswerDone, AnswerRequest, CallLog, Citation, ModelCall};
use mandi_retrieval::confidence::ConfidenceParts;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::conversations::ContextItem;
use crate::messages::{AnswerDetails, Exchange, Message, MessageStatus};
use crate::state::ChatState;

/// What answers an exchange.
pub(crate) struct Answering {
    pub(crate) state: ChatState,
    pub(crate) exchange: Exchange,
    pub(crate) writer: Writer,
    pub(crate) request: AnswerRequest,
    pub(crate) cancelled: CancellationToken,
}

impl Answering {
    /// Writes the answer to its end, whatever that is. What fails here is in the log, and in the stream: its
    /// lease runs out, and a reader closes it.
    pub(crate) async fn run(self) {
        let message = self.exchange.assistant.clone();
        if let Err(problem) = self.write().await {
            let (kind, causes) = (problem.kind.name(), problem.causes());
            tracing::error!(message_id = %message, kind, causes, "an answer was not stored to its end");
        }
    }

    async fn write(self) -> Result<()> {
        let Self { state, exchange, mut writer, request, cancelled } = self;
        writer.add("message", json!({"message_id": exchange.assistant}).to_string()).await?;
        writer.flush().await?;
        let calls: CallLog = request.calls.clone();
        let told = tell(state.engine.answer(request), &mut writer, &state.meter, &cancelled).await?;
        match told.end {
            End::Done(answered) => finish(&state, &exchange, writer, told.citations, *answered).await,
            End::Failed { problem, calls } => {
                fail(&state, &exchange, writer, Partial { text: told.text, citations: told.citations, calls }, &problem)
                    .await
            }
            End::Cancelled => {
                let partial = Partial { text: told.text, citations: told.citations, calls: calls.ended() };
                fail(&state, &exchange, writer, partial, &cancelled_problem()).await
            }
        }
    }
}

/// The model call of an answer that was cut off, as far as its text shows: about four bytes a token.
pub(crate) fn cut_off(exchange: &Exchange, text: &str) -> Option<ModelCall> {
    let tokens = |text: &str| u64::try_from(text.len().div_ceil(4)).unwrap_or(u64::MAX);
    exchange.model.clone().map(|model| ModelCall {
        model,
        task: Task::Chat,
        usage: TokenUsage { input_tokens: tokens(&exchange.user.content), output_tokens: tokens(text) },
        latency_ms: 0,
        first_token_ms: None,
        status: CallStatus::Cancelled,
    })
}

/// What there is of an answer that was cut off.
struct Partial {
    text: String,
    citations: Vec<Citation>,
    calls: Vec<ModelCall>,
}

async fn finish(
    state: &ChatState,
    exchange: &Exchange,
    writer: Writer,
    citations: Vec<Citation>,
    answered: AnswerDone,
) -> Result<()> {
    remember(state, exchange, &citations).await?;
    let data = done_data(exchange.assistant.as_str(), &answered)?;
    let details = AnswerDetails {
        citations,
        confidence: answered.confidence,
        confidence_parts: answered.confidence_parts,
        degraded: answered.degraded,
        degraded_reason: answered.degraded_reason,
        finish_reason: Some(answered.finish_reason),
        retrieved_chunks: answered.retrieved_chunks.len(),
        query_rewrites: answered.query_rewrites,
    };
    let message = ended(exchange, answered.answer, MessageStatus::Complete, Some(details));
    writer.finish("done", data, state.messages.end(exchange, &message, &answered.calls)?).await
}

async fn fail(
    state: &ChatState,
    exchange: &Exchange,
    writer: Writer,
    partial: Partial,
    problem: &Problem,
) -> Result<()> {
    let (kind, causes) = (problem.kind.name(), problem.causes());
    tracing::warn!(message_id = %exchange.assistant, kind, causes, "an answer failed");
    let details = AnswerDetails {
        citations: partial.citations,
        confidence: 0.0,
        confidence_parts: ConfidenceParts::default(),
        degraded: false,
        degraded_reason: None,
        finish_reason: None,
        retrieved_chunks: 0,
        query_rewrites: Vec::new(),
    };
    let message = ended(exchange, partial.text, MessageStatus::Incomplete, Some(details));
    writer.finish("error", error_data(problem)?, state.messages.end(exchange, &message, &partial.calls)?).await
}

/// The assistant's message at its end.
pub(crate) fn ended(
    exchange: &Exchange,
    content: String,
    status: MessageStatus,
    answer: Option<AnswerDetails>,
) -> Message {
    Message {
        id: exchange.assistant.clone(),
        role: Role::Assistant,
        content,
        attachments: Vec::new(),
        status,
        answer,
        ..exchange.user.clone()
    }
}

/// Remembers the documents that the answer cites as entities of the conversation.
async fn remember(state: &ChatState, exchange: &Exchange, citations: &[Citation]) -> Result<()> {
    if citations.is_empty() {
        return Ok(());
    }
    let mut context = state.conversations.context(&exchange.owner, &exchange.conversation).await?;
    for citation in citations.iter().rev() {
        context.cited(ContextItem {
            name: citation.document.entity_type.clone(),
            value: citation.document.entity_id.clone(),
            confidence: f64::from(citation.score.clamp(0.0, 1.0)),
            source: exchange.assistant.as_str().to_owned(),
        });
    }
    state.conversations.put_context(&exchange.owner, &exchange.conversation, &context).await
}
