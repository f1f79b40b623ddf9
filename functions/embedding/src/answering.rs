//! Answers to single questions, told into a stored stream like those of conversations.

use async_trait::async_trait;
use mandi_core::metering::MeteredCall;
use mandi_core::ports::Write;
use mandi_core::streams::{Orphan, OrphanHandler, StreamId, Writer};
use mandi_core::{Language, Principal, Problem, ProblemKind, Result};
use mandi_retrieval::answer::tell::{End, done_data, error_data, tell};
use mandi_retrieval::answer::{AnswerRequest, ModelCall};
use tokio_util::sync::CancellationToken;

use crate::state::EmbeddingState;

/// What answers a question.
pub(crate) struct Answering {
    pub(crate) state: EmbeddingState,
    pub(crate) id: StreamId,
    pub(crate) writer: Writer,
    pub(crate) request: AnswerRequest,
}

impl Answering {
    /// Tells the answer to its end.
    pub(crate) async fn run(self) {
        let stream = self.id.name.clone();
        if let Err(problem) = self.write().await {
            let (kind, causes) = (problem.kind.name(), problem.causes());
            tracing::error!(%stream, kind, causes, "an answer was not stored to its end");
        }
    }

    async fn write(self) -> Result<()> {
        let Self { state, id, mut writer, request } = self;
        let caller = request.caller.clone();
        let language = request.language;
        let told = tell(state.engine.answer(request), &mut writer, &state.meter, &CancellationToken::new()).await?;
        let (event, data, calls) = match told.end {
            End::Done(answered) => ("done", done_data(&id.name, &answered)?, answered.calls),
            End::Failed { problem, calls } => ("error", error_data(&problem)?, calls),
            End::Cancelled => ("error", error_data(&interrupted())?, Vec::new()),
        };
        let metered = calls.iter().map(|call| metered(&state, &caller, call, language));
        let writes: Vec<Write> = metered.flat_map(|call| state.meter.writes(&id.tenant, &call)).collect();
        writer.finish(event, data, mandi_core::metering::merged(writes)).await
    }
}

/// A model call of an answer outside a conversation.
pub(crate) fn metered(state: &EmbeddingState, caller: &Principal, call: &ModelCall, language: Language) -> MeteredCall {
    MeteredCall { language: Some(language), ..call.metered(&caller.user, state.clock.now()) }
}

fn interrupted() -> Problem {
    Problem::new(ProblemKind::StreamInterrupted, "the process that wrote this answer stopped: ask again")
}

/// Ends the stream of an answer whose writer died.
#[derive(Debug)]
pub(crate) struct AbandonedAnswer;

#[async_trait]
impl OrphanHandler for AbandonedAnswer {
    async fn close(&self, _: &Orphan) -> Result<((String, String), Vec<Write>)> {
        Ok((("error".to_owned(), error_data(&interrupted())?), Vec::new()))
    }
}
