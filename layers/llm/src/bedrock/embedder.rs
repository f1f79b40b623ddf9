//! Embeddings through `InvokeModel`.

use std::fmt;

use async_trait::async_trait;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::primitives::Blob;
use futures::future::try_join_all;
use mandi_core::ports::{Embedder, Embedding, EmbeddingModel, EmbeddingPurpose, ModelError, ModelRef, TimeoutPhase};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{PROVIDER, failure};
use crate::estimate;
use crate::timeouts::Timeouts;
use crate::vector::unit;

/// How many texts Cohere takes in a call.
const COHERE_TEXTS_PER_CALL: usize = 96;
/// How many calls run at a time for Titan, which takes one text in each.
const TITAN_CALLS: usize = 8;
/// The longest text that Titan takes, in characters.
const TITAN_MAX_CHARACTERS: usize = 50_000;

/// Which request and reply a model speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbeddingFamily {
    /// Amazon Titan Text Embeddings V2: 256, 512 or 1024 dimensions, 8192 tokens.
    TitanV2,
    /// Cohere Embed v3: 1024 dimensions, 512 tokens; it tells queries from passages.
    CohereV3,
}

impl EmbeddingFamily {
    /// The family of a model's id.
    #[must_use]
    pub fn of(model: &str) -> Option<Self> {
        if model.contains("amazon.titan-embed-text-v2") {
            Some(Self::TitanV2)
        } else if model.contains("cohere.embed-") && model.contains("-v3") {
            Some(Self::CohereV3)
        } else {
            None
        }
    }

    /// The length of its vectors, where the caller does not choose another.
    #[must_use]
    pub const fn default_dimensions(self) -> usize {
        match self {
            Self::TitanV2 | Self::CohereV3 => 1024,
        }
    }

    const fn max_tokens(self) -> usize {
        match self {
            Self::TitanV2 => 8192,
            Self::CohereV3 => 512,
        }
    }

    fn offers(self, dimensions: usize) -> bool {
        match self {
            Self::TitanV2 => matches!(dimensions, 256 | 512 | 1024),
            Self::CohereV3 => dimensions == 1024,
        }
    }
}

/// An embedding model of Bedrock. Texts that are longer than it takes, by estimate, are cut before they are
/// sent. Titan counts tokens; Cohere does not, and they are estimated.
#[derive(Clone)]
pub struct BedrockEmbedder {
    client: Client,
    family: EmbeddingFamily,
    model: EmbeddingModel,
    timeouts: Timeouts,
}

impl BedrockEmbedder {
    /// A model by its id; `client` comes from [`super::client`].
    ///
    /// # Errors
    /// [`ModelError::BadRequest`] when the id is of no known family, or the family has no vectors of that
    /// length.
    pub fn new(client: Client, model: &str, dimensions: usize, timeouts: Timeouts) -> Result<Self, ModelError> {
        let family = EmbeddingFamily::of(model).ok_or_else(|| {
            ModelError::BadRequest(format!("`{model}` is neither a Titan v2 nor a Cohere v3 embedding model"))
        })?;
        if !family.offers(dimensions) {
            return Err(ModelError::BadRequest(format!("`{model}` has no vectors of {dimensions} dimensions")));
        }
        let reference = ModelRef { provider: PROVIDER.to_owned(), model: model.to_owned() };
        let model = EmbeddingModel { model: reference, dimensions, max_tokens: family.max_tokens() };
        Ok(Self { client, family, model, timeouts })
    }

    async fn invoke<R: DeserializeOwned>(&self, request: &impl Serialize) -> Result<R, ModelError> {
        let body = serde_json::to_vec(request).map_err(|error| ModelError::BadRequest(error.to_string()))?;
        let call = self.client.invoke_model().model_id(&self.model.model.model);
        let call = call.content_type("application/json").accept("application/json").body(Blob::new(body)).send();
        let reply = tokio::time::timeout(self.timeouts.first_token, call)
            .await
            .map_err(|_elapsed| ModelError::TimedOut(TimeoutPhase::FirstToken))?
            .map_err(|error| failure::of_call(&error))?;
        serde_json::from_slice(reply.body.as_ref())
            .map_err(|error| ModelError::Truncated(format!("the reply is not the JSON it should be: {error}")))
    }

    /// What is sent of a text.
    fn cut<'a>(&self, text: &'a str) -> &'a str {
        let text = estimate::cut(text, self.model.max_tokens);
        match text.char_indices().nth(TITAN_MAX_CHARACTERS) {
            Some((end, _)) if self.family == EmbeddingFamily::TitanV2 => &text[..end],
            _ => text,
        }
    }

    fn embedding(
        &self,
        text: &str,
        sent: &str,
        vector: Vec<f32>,
        tokens: Option<u64>,
    ) -> Result<Embedding, ModelError> {
        let truncated = sent.len() < text.len();
        let tokens = tokens.filter(|_| !truncated).unwrap_or_else(|| estimate::tokens(text));
        Ok(Embedding { vector: unit(vector, self.model.dimensions)?, tokens, truncated })
    }

    async fn titan(&self, text: &str) -> Result<Embedding, ModelError> {
        let sent = self.cut(text);
        let request = TitanRequest { input_text: sent, dimensions: self.model.dimensions, normalize: true };
        let reply: TitanReply = self.invoke(&request).await?;
        self.embedding(text, sent, reply.embedding, Some(reply.input_text_token_count))
    }

    async fn cohere(&self, texts: &[String], purpose: EmbeddingPurpose) -> Result<Vec<Embedding>, ModelError> {
        let sent: Vec<&str> = texts.iter().map(|text| self.cut(text)).collect();
        let input_type = match purpose {
            EmbeddingPurpose::Query => "search_query",
            EmbeddingPurpose::Passage => "search_document",
        };
        let request = CohereRequest { texts: &sent, input_type, truncate: "END" };
        let reply: CohereReply = self.invoke(&request).await?;
        if reply.embeddings.len() != texts.len() {
            return Err(ModelError::Truncated("the reply has another number of vectors than texts".to_owned()));
        }
        let pairs = texts.iter().zip(&sent).zip(reply.embeddings);
        pairs.map(|((text, sent), vector)| self.embedding(text, sent, vector, None)).collect()
    }
}

#[async_trait]
impl Embedder for BedrockEmbedder {
    fn model(&self) -> &EmbeddingModel {
        &self.model
    }

    async fn embed(&self, texts: &[String], purpose: EmbeddingPurpose) -> Result<Vec<Embedding>, ModelError> {
        if texts.iter().any(String::is_empty) {
            return Err(ModelError::BadRequest("an empty text has no embedding".to_owned()));
        }
        let mut embeddings = Vec::with_capacity(texts.len());
        match self.family {
            EmbeddingFamily::TitanV2 => {
                for batch in texts.chunks(TITAN_CALLS) {
                    embeddings.extend(try_join_all(batch.iter().map(|text| self.titan(text))).await?);
                }
            }
            EmbeddingFamily::CohereV3 => {
                for batch in texts.chunks(COHERE_TEXTS_PER_CALL) {
                    embeddings.extend(self.cohere(batch, purpose).await?);
                }
            }
        }
        Ok(embeddings)
    }
}

impl fmt::Debug for BedrockEmbedder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BedrockEmbedder").field("model", &self.model).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TitanRequest<'a> {
    input_text: &'a str,
    dimensions: usize,
    normalize: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TitanReply {
    embedding: Vec<f32>,
    input_text_token_count: u64,
}

#[derive(Serialize)]
struct CohereRequest<'a> {
    texts: &'a [&'a str],
    input_type: &'static str,
    truncate: &'static str,
}

#[derive(Deserialize)]
struct CohereReply {
    embeddings: Vec<Vec<f32>>,
}
