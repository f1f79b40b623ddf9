//! Puts down which models were called, and what it took: for metering, also when nobody waits for the end.

use std::sync::{Arc, Mutex, PoisonError};

use mandi_core::ids::CallId;
use mandi_core::metering::{CallStatus, MeteredCall, Task};
use mandi_core::ports::{ChatMessage, ModelRef, TokenUsage};
use mandi_core::{Clock, Timestamp};

use crate::prompts::estimated_tokens;

/// One call of a language model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelCall {
    /// Which model.
    pub model: ModelRef,
    /// What for.
    pub task: Task,
    /// Its tokens; estimated when the call did not come to its end.
    pub usage: TokenUsage,
    /// From the request to the end, in ms.
    pub latency_ms: u64,
    /// From the request to the first token, in ms.
    pub first_token_ms: Option<u64>,
    /// How it ended.
    pub status: CallStatus,
}

impl ModelCall {
    /// The call as it is metered for a user: outside a conversation, and in no language. It ended at `at`.
    #[must_use]
    pub fn metered(&self, user: &str, at: Timestamp) -> MeteredCall {
        MeteredCall {
            id: CallId::generate(),
            at,
            model: self.model.clone(),
            task: self.task,
            usage: self.usage,
            latency_ms: self.latency_ms,
            first_token_ms: self.first_token_ms,
            status: self.status,
            cache_hit: false,
            user: user.to_owned(),
            assistant: None,
            language: None,
        }
    }
}

/// The calls of one question, shared with whoever meters them.
#[derive(Clone, Debug, Default)]
pub struct CallLog(Arc<Mutex<Vec<ModelCall>>>);

impl CallLog {
    /// The calls that have ended so far, in order.
    #[must_use]
    pub fn ended(&self) -> Vec<ModelCall> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, call: ModelCall) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

/// A call that goes on. Dropped before its end, it is put down as cancelled.
pub(super) struct OpenCall {
    log: CallLog,
    clock: Arc<dyn Clock>,
    started: Timestamp,
    call: Option<ModelCall>,
}

impl OpenCall {
    /// Begins a call with a prompt.
    pub(super) fn begin(
        log: &CallLog,
        clock: &Arc<dyn Clock>,
        model: ModelRef,
        task: Task,
        prompt: &[ChatMessage],
    ) -> Self {
        let input: usize = prompt.iter().map(|message| estimated_tokens(&message.content)).sum();
        let usage = TokenUsage { input_tokens: u64::try_from(input).unwrap_or(u64::MAX), output_tokens: 0 };
        let call = ModelCall { model, task, usage, latency_ms: 0, first_token_ms: None, status: CallStatus::Cancelled };
        Self { log: log.clone(), clock: clock.clone(), started: clock.now(), call: Some(call) }
    }

    /// More output came; its tokens are estimated until the provider says how many there were.
    pub(super) fn output(&mut self, text: &str) {
        let elapsed = self.elapsed_ms();
        if let Some(call) = &mut self.call {
            call.first_token_ms.get_or_insert(elapsed);
            call.usage.output_tokens += u64::try_from(estimated_tokens(text)).unwrap_or(u64::MAX);
        }
    }

    /// The call came to its end.
    pub(super) fn finished(&mut self, usage: TokenUsage) {
        if let Some(call) = &mut self.call {
            call.usage = usage;
        }
        self.end(CallStatus::Ok);
    }

    /// The call failed.
    pub(super) fn failed(&mut self) {
        self.end(CallStatus::Failed);
    }

    fn end(&mut self, status: CallStatus) {
        let latency_ms = self.elapsed_ms();
        if let Some(call) = self.call.take() {
            self.log.add(ModelCall { latency_ms, status, ..call });
        }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.clock.now().since(self.started).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.end(CallStatus::Cancelled);
    }
}
