//! The loop of one generation, on a thread of its own.

use mandi_core::ports::{FinishReason, ModelError, TokenUsage};
use tokio::sync::mpsc::UnboundedSender;

use super::decoder::Utf8Decoder;
use super::llama::{Interrupted, Llama};
use super::sampler;
use super::stop::{Passed, StopFilter};
use super::tokenizer::GgufTokenizer;
use crate::watched::Event;

/// A generation, ready to run.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) prompt: Vec<u32>,
    pub(super) max_tokens: usize,
    pub(super) temperature: f32,
    pub(super) stop: Vec<String>,
}

type Sender = UnboundedSender<Result<Event, ModelError>>;

/// Runs a generation to its end, or until nobody listens.
pub(super) fn run(llama: &Llama, tokenizer: &GgufTokenizer, job: &Job, sender: &Sender) {
    match steps(llama, tokenizer, job, sender) {
        Ok(()) | Err(Interrupted::Cancelled) => {}
        Err(Interrupted::Failed(error)) => {
            // A closed channel means that nobody wants to know.
            let _ = sender.send(Err(ModelError::Broken(error.to_string())));
        }
    }
}

fn steps(llama: &Llama, tokenizer: &GgufTokenizer, job: &Job, sender: &Sender) -> Result<(), Interrupted> {
    let cancelled = || sender.is_closed();
    let emit = |event: Event| sender.send(Ok(event)).map_err(|_| Interrupted::Cancelled);
    let mut session = llama.session(job.prompt.len() + job.max_tokens);
    let mut decoder = Utf8Decoder::default();
    let mut filter = StopFilter::new(&job.stop);
    let mut logits = llama.forward(&job.prompt, &mut session, &cancelled)?;
    let mut output_tokens = 0;
    let reason = loop {
        let token = sampler::next(&logits, job.temperature)?;
        if tokenizer.ends(token) {
            break FinishReason::Stop;
        }
        output_tokens += 1;
        match filter.push(&decoder.push(tokenizer.bytes(token))) {
            Passed::Text(text) => emit(Event::Text(text))?,
            Passed::Stopped(text) => {
                emit(Event::Text(text))?;
                break FinishReason::Stop;
            }
        }
        if output_tokens == job.max_tokens {
            break FinishReason::Length;
        }
        logits = llama.forward(&[token], &mut session, &cancelled)?;
    };
    emit(Event::Text(filter.finish()))?;
    let usage = TokenUsage { input_tokens: job.prompt.len() as u64, output_tokens: output_tokens as u64 };
    emit(Event::Finish(reason, usage))
}
