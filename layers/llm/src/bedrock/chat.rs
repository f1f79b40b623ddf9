//! `ConverseStream`.

use std::fmt;

use async_trait::async_trait;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::operation::converse_stream::ConverseStreamOutput as Reply;
use aws_sdk_bedrockruntime::types::{
    ContentBlock, ContentBlockDelta, ConversationRole, ConverseStreamOutput, InferenceConfiguration, Message,
    StopReason, SystemContentBlock,
};
use futures::Stream;
use mandi_core::ports::{
    FinishReason, Generation, GenerationStream, LanguageModel, ModelError, ModelRef, Role, TimeoutPhase, TokenUsage,
};
use tokio::time::{Instant, timeout_at};

use super::{PROVIDER, failure};
use crate::estimate;
use crate::timeouts::Timeouts;
use crate::watched::{Event, watched};

/// A model of Bedrock: a foundation model's id, an inference profile's id or its ARN.
#[derive(Clone)]
pub struct BedrockModel {
    client: Client,
    model: String,
    context_tokens: usize,
    timeouts: Timeouts,
}

impl BedrockModel {
    /// A model. `client` comes from [`super::client`]; `context_tokens` is how many tokens prompt and answer
    /// may have together.
    #[must_use]
    pub fn new(client: Client, model: impl Into<String>, context_tokens: usize, timeouts: Timeouts) -> Self {
        Self { client, model: model.into(), context_tokens, timeouts }
    }

    async fn send(&self, generation: &Generation) -> Result<Reply, ModelError> {
        let inference = InferenceConfiguration::builder()
            .max_tokens(i32::try_from(generation.max_tokens).unwrap_or(i32::MAX))
            .temperature(generation.temperature)
            .set_stop_sequences((!generation.stop.is_empty()).then(|| generation.stop.clone()))
            .build();
        let (system, messages) = prompt(generation)?;
        let call = self.client.converse_stream().model_id(&self.model).inference_config(inference);
        let call = call.set_system(Some(system)).set_messages(Some(messages));
        call.send().await.map_err(|error| failure::of_call(&error))
    }
}

#[async_trait]
impl LanguageModel for BedrockModel {
    fn model(&self) -> ModelRef {
        ModelRef { provider: PROVIDER.to_owned(), model: self.model.clone() }
    }

    fn context_tokens(&self) -> usize {
        self.context_tokens
    }

    async fn generate(&self, generation: Generation) -> Result<GenerationStream, ModelError> {
        let begun = Instant::now();
        let reply = timeout_at(begun + self.timeouts.first_token, self.send(&generation))
            .await
            .map_err(|_elapsed| ModelError::TimedOut(TimeoutPhase::FirstToken))??;
        let reader = Reader { prompt_tokens: estimate::prompt_tokens(&generation.messages), ..Reader::default() };
        Ok(watched(events(reply, reader), self.timeouts, begun))
    }
}

impl fmt::Debug for BedrockModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BedrockModel").field("model", &self.model).finish_non_exhaustive()
    }
}

/// System messages apart, as `Converse` wants them.
fn prompt(generation: &Generation) -> Result<(Vec<SystemContentBlock>, Vec<Message>), ModelError> {
    let mut system = Vec::new();
    let mut messages = Vec::new();
    for message in &generation.messages {
        let role = match message.role {
            Role::System => {
                system.push(SystemContentBlock::Text(message.content.clone()));
                continue;
            }
            Role::User => ConversationRole::User,
            Role::Assistant => ConversationRole::Assistant,
        };
        let message = Message::builder().role(role).content(ContentBlock::Text(message.content.clone())).build();
        messages.push(message.map_err(|error| ModelError::BadRequest(error.to_string()))?);
    }
    Ok((system, messages))
}

fn events(mut reply: Reply, mut reader: Reader) -> impl Stream<Item = Result<Event, ModelError>> + Send {
    async_stream::try_stream! {
        while let Some(event) = reply.stream.recv().await.map_err(|error| failure::of_stream(&error))? {
            yield reader.read(event)?;
        }
    }
}

/// Follows a stream to its end, which is `metadata` with the usage after `messageStop`: a stream that lacks
/// either was cut.
#[derive(Debug, Default)]
struct Reader {
    prompt_tokens: u64,
    answer_tokens: u64,
    finish: Option<FinishReason>,
}

impl Reader {
    fn read(&mut self, event: ConverseStreamOutput) -> Result<Event, ModelError> {
        match event {
            ConverseStreamOutput::ContentBlockDelta(event) => match event.delta {
                Some(ContentBlockDelta::Text(text)) => {
                    self.answer_tokens += estimate::tokens(&text);
                    Ok(Event::Text(text))
                }
                _ => Ok(Event::Alive),
            },
            ConverseStreamOutput::MessageStop(event) => {
                self.finish = Some(finish_reason(&event.stop_reason)?);
                Ok(Event::Alive)
            }
            ConverseStreamOutput::Metadata(event) => {
                let reason = self
                    .finish
                    .ok_or_else(|| ModelError::Truncated("its usage came before its finish reason".to_owned()))?;
                let count = |tokens: i32| u64::try_from(tokens).unwrap_or(0);
                let usage = event.usage.map_or(
                    TokenUsage { input_tokens: self.prompt_tokens, output_tokens: self.answer_tokens },
                    |usage| TokenUsage {
                        input_tokens: count(usage.input_tokens),
                        output_tokens: count(usage.output_tokens),
                    },
                );
                Ok(Event::Finish(reason, usage))
            }
            _ => Ok(Event::Alive),
        }
    }
}

fn finish_reason(reason: &StopReason) -> Result<FinishReason, ModelError> {
    match reason {
        StopReason::MaxTokens | StopReason::ModelContextWindowExceeded => Ok(FinishReason::Length),
        StopReason::ContentFiltered | StopReason::GuardrailIntervened => Ok(FinishReason::ContentFilter),
        StopReason::MalformedModelOutput | StopReason::MalformedToolUse => {
            Err(ModelError::Truncated("the model's output could not be read by Bedrock".to_owned()))
        }
        _ => Ok(FinishReason::Stop),
    }
}
