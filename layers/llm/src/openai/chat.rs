//! Chat completions.

use async_trait::async_trait;
use futures::{Stream, StreamExt};
use mandi_core::ports::{
    FinishReason, Generation, GenerationStream, LanguageModel, ModelError, ModelRef, TimeoutPhase, TokenUsage,
};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tokio::time::{Instant, timeout_at};

use super::wire::{ChatRequest, Chunk, finish_reason};
use super::{Endpoint, PROVIDER, failure};
use crate::estimate;
use crate::sse::SseParser;
use crate::watched::{Event, watched};

/// A model behind an OpenAI-compatible endpoint.
#[derive(Clone, Debug)]
pub struct OpenAiCompatible {
    endpoint: Endpoint,
    model: String,
    context_tokens: usize,
}

impl OpenAiCompatible {
    /// A model of an endpoint. `context_tokens` is how many tokens prompt and answer may have together.
    #[must_use]
    pub fn new(endpoint: Endpoint, model: impl Into<String>, context_tokens: usize) -> Self {
        Self { endpoint, model: model.into(), context_tokens }
    }

    async fn send(&self, generation: &Generation) -> Result<Response, ModelError> {
        let request = self.endpoint.client.post(self.endpoint.url("chat/completions"));
        let request = request.json(&ChatRequest::new(&self.model, generation));
        let response = request.send().await.map_err(|error| failure::of_send(&error))?;
        let response = failure::checked(response).await?;
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if content_type.is_some_and(|value| value.starts_with("text/event-stream")) {
            Ok(response)
        } else {
            Err(ModelError::BadRequest("the endpoint does not stream: it answered with another content type".into()))
        }
    }
}

#[async_trait]
impl LanguageModel for OpenAiCompatible {
    fn model(&self) -> ModelRef {
        ModelRef { provider: PROVIDER.to_owned(), model: self.model.clone() }
    }

    fn context_tokens(&self) -> usize {
        self.context_tokens
    }

    async fn generate(&self, generation: Generation) -> Result<GenerationStream, ModelError> {
        let begun = Instant::now();
        let deadline = begun + self.endpoint.timeouts.first_token;
        let response = timeout_at(deadline, self.send(&generation))
            .await
            .map_err(|_elapsed| ModelError::TimedOut(TimeoutPhase::FirstToken))??;
        let reader = Reader { prompt_tokens: estimate::prompt_tokens(&generation.messages), ..Reader::default() };
        Ok(watched(events(response, reader), self.endpoint.timeouts, begun))
    }
}

fn events(response: Response, mut reader: Reader) -> impl Stream<Item = Result<Event, ModelError>> + Send {
    async_stream::try_stream! {
        let mut body = response.bytes_stream();
        let mut parser = SseParser::default();
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|error| failure::of_body(&error))?;
            for data in parser.push(&bytes).map_err(|error| ModelError::Truncated(error.to_string()))? {
                yield reader.read(&data)?;
            }
        }
    }
}

/// Follows a stream to its end. The end is `[DONE]` after a finish reason: usage comes between the two, and a
/// stream that lacks either was cut.
#[derive(Debug, Default)]
struct Reader {
    prompt_tokens: u64,
    answer_tokens: u64,
    finish: Option<FinishReason>,
    usage: Option<TokenUsage>,
}

impl Reader {
    fn read(&mut self, data: &str) -> Result<Event, ModelError> {
        if data.trim() == "[DONE]" {
            let reason =
                self.finish.ok_or_else(|| ModelError::Truncated("it ended without a finish reason".to_owned()))?;
            let estimated = TokenUsage { input_tokens: self.prompt_tokens, output_tokens: self.answer_tokens };
            return Ok(Event::Finish(reason, self.usage.unwrap_or(estimated)));
        }
        let chunk: Chunk = serde_json::from_str(data)
            .map_err(|error| ModelError::Truncated(format!("an event is not the JSON it should be: {error}")))?;
        if let Some(error) = &chunk.error {
            return Err(failure::of_stream(error));
        }
        if let Some(usage) = chunk.usage {
            self.usage = Some(usage.into());
        }
        let Some(choice) = chunk.choices.into_iter().next() else {
            return Ok(Event::Alive);
        };
        if choice.delta.refusal.is_some_and(|refusal| !refusal.is_empty()) {
            return Err(ModelError::Refused("the model declined".to_owned()));
        }
        if let Some(word) = choice.finish_reason.filter(|word| !word.is_empty()) {
            self.finish = Some(finish_reason(&word));
        }
        let text = choice.delta.content.unwrap_or_default();
        self.answer_tokens += estimate::tokens(&text);
        Ok(Event::Text(text))
    }
}
