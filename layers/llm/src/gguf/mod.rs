//! A small language model that runs in this process: a Llama in GGUF form, such as SmolLM2-135M-Instruct.
//!
//! One generation runs at a time, because one keeps every core busy; a few others wait in line, and leave it
//! when their stream is dropped; whoever comes when the line is full is told so at once.

mod decoder;
mod file;
mod generate;
mod layer;
mod lazy;
mod linear;
mod llama;
mod packed;
mod prompt;
mod sampler;
mod stop;
mod tokenizer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::Stream;
use mandi_core::ports::{Abilities, Generation, GenerationStream, LanguageModel, ModelError, ModelRef};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

pub use file::check;
pub use lazy::LazyGgufModel;

use self::generate::{Job, run};
use self::llama::Llama;
use self::tokenizer::GgufTokenizer;
use crate::timeouts::Timeouts;
use crate::watched::{Event, watched};

/// What a model of some hundred million parameters can be relied on for, on two cores.
const ABILITIES: Abilities = Abilities { prompt_tokens: 500, multilingual: false, careful: false };

/// The provider's name in metering, of which the price table's keys are made.
pub const PROVIDER: &str = "local";

/// How many generations wait for their turn; one more would wait longer than its caller does.
const LINE: usize = 4;

/// More bytes for each token of the context than any text has: what is longer is refused before it is
/// tokenised.
const MAX_BYTES_PER_TOKEN: usize = 32;

/// A model from a GGUF file.
#[derive(Clone)]
pub struct GgufModel {
    name: String,
    parts: Arc<Parts>,
    turn: Arc<Semaphore>,
    /// A place for the generation that runs, and for each that waits.
    places: Arc<Semaphore>,
    timeouts: Timeouts,
}

struct Parts {
    tokenizer: GgufTokenizer,
    llama: Llama,
    /// A generation runs on these: a thread of its own would sleep and be woken for each of its thousands of products,
    /// and what others do with the process's pool would have to wait.
    threads: rayon::ThreadPool,
}

impl GgufModel {
    /// Loads a model; takes about a second, so call it off the async threads. `name` is what metering calls it.
    ///
    /// # Errors
    /// [`ModelError::Broken`] when the file is missing, damaged, or of a kind that is not known, with the way
    /// out.
    pub fn load(path: &Path, name: impl Into<String>, timeouts: Timeouts) -> Result<Self, ModelError> {
        let (content, mut reader) = file::open(path)?;
        let broken = |error: candle_core::Error| file::broken(path, &error.to_string());
        let tokenizer = GgufTokenizer::from_gguf(&content).map_err(broken)?;
        let llama = Llama::load(&content, &mut reader).map_err(broken)?;
        let threads = rayon::ThreadPoolBuilder::new()
            .thread_name(|number| format!("{PROVIDER}-model-{number}"))
            .build()
            .map_err(|error| ModelError::Broken(format!("no threads for the model: {error}")))?;
        Ok(Self {
            name: name.into(),
            parts: Arc::new(Parts { tokenizer, llama, threads }),
            turn: Arc::new(Semaphore::new(1)),
            places: Arc::new(Semaphore::new(1 + LINE)),
            timeouts,
        })
    }

    /// The same model, in the same line, with other timeouts.
    #[must_use]
    pub fn with_timeouts(self, timeouts: Timeouts) -> Self {
        Self { timeouts, ..self }
    }

    fn job(&self, generation: &Generation) -> Result<Job, ModelError> {
        let context = self.context_tokens();
        let bytes: usize = generation.messages.iter().map(|message| message.content.len()).sum();
        if bytes > context * MAX_BYTES_PER_TOKEN {
            return Err(ModelError::BadRequest(format!(
                "the prompt of {bytes} bytes is longer than the {context} tokens that the model takes"
            )));
        }
        let prompt = prompt::tokens(&generation.messages, &self.parts.tokenizer)?;
        let room = context.saturating_sub(prompt.len());
        if room == 0 {
            return Err(ModelError::BadRequest(format!(
                "the prompt has {} tokens, and the model takes {context} with the answer",
                prompt.len()
            )));
        }
        if generation.max_tokens == 0 {
            return Err(ModelError::BadRequest("`max_tokens` must be at least 1".to_owned()));
        }
        let max_tokens = usize::try_from(generation.max_tokens).map_or(room, |wanted| wanted.min(room));
        Ok(Job { prompt, max_tokens, temperature: generation.temperature, stop: generation.stop.clone() })
    }

    fn events(
        &self,
        job: Job,
        place: OwnedSemaphorePermit,
    ) -> impl Stream<Item = Result<Event, ModelError>> + Send + 'static {
        let parts = Arc::clone(&self.parts);
        let turn = Arc::clone(&self.turn);
        async_stream::stream! {
            let _place = place;
            let Ok(permit) = turn.acquire_owned().await else {
                yield Err(ModelError::Broken("the model is shutting down".to_owned()));
                return;
            };
            // The channel holds at most `max_tokens` pieces: a slow reader keeps nobody else waiting.
            let (sender, mut receiver) = mpsc::unbounded_channel();
            let task = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                parts.threads.install(|| run(&parts.llama, &parts.tokenizer, &job, &sender));
            });
            while let Some(event) = receiver.recv().await {
                yield event;
            }
            if let Err(error) = task.await {
                yield Err(ModelError::Broken(format!("the model's thread failed: {error}")));
            }
        }
    }
}

#[async_trait]
impl LanguageModel for GgufModel {
    fn model(&self) -> ModelRef {
        ModelRef { provider: PROVIDER.to_owned(), model: self.name.clone() }
    }

    fn abilities(&self) -> Abilities {
        ABILITIES
    }

    fn context_tokens(&self) -> usize {
        self.parts.llama.context_tokens()
    }

    async fn generate(&self, generation: Generation) -> Result<GenerationStream, ModelError> {
        let begun = Instant::now();
        let job = self.job(&generation)?;
        let full = |_| ModelError::Overloaded(format!("{LINE} answers wait for the local model already"));
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(full)?;
        Ok(watched(self.events(job, place), self.timeouts, begun))
    }
}

impl fmt::Debug for GgufModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GgufModel").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
