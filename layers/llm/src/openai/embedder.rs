//! Embeddings.

use async_trait::async_trait;
use mandi_core::ports::{Embedder, Embedding, EmbeddingModel, EmbeddingPurpose, ModelError, ModelRef, TimeoutPhase};

use super::wire::{EmbeddingReply, EmbeddingRequest};
use super::{Endpoint, PROVIDER, failure};
use crate::estimate;
use crate::vector::unit;

/// How many texts go into one call; OpenAI takes 2048, some gateways fewer.
const TEXTS_PER_CALL: usize = 128;

/// Which model of the endpoint, and what it takes and gives.
#[derive(Clone, Debug)]
pub struct OpenAiEmbeddings {
    /// The model's name at the endpoint.
    pub model: String,
    /// The length of its vectors.
    pub dimensions: usize,
    /// Whether the endpoint takes a `dimensions` field, by which a model's vectors can be shortened.
    pub asks_dimensions: bool,
    /// The longest text, in tokens.
    pub max_tokens: usize,
}

/// An embedding model behind an OpenAI-compatible endpoint. It does not tell queries from passages.
///
/// The endpoint reports tokens for a whole call: a text's share is by its estimated length. A text that is
/// longer than the model takes, by that estimate, is cut before it is sent.
#[derive(Clone, Debug)]
pub struct OpenAiEmbedder {
    endpoint: Endpoint,
    model: EmbeddingModel,
    asks_dimensions: bool,
}

impl OpenAiEmbedder {
    /// An embedding model of an endpoint.
    #[must_use]
    pub fn new(endpoint: Endpoint, embeddings: OpenAiEmbeddings) -> Self {
        let OpenAiEmbeddings { model, dimensions, asks_dimensions, max_tokens } = embeddings;
        let model = ModelRef { provider: PROVIDER.to_owned(), model };
        Self { endpoint, model: EmbeddingModel { model, dimensions, max_tokens }, asks_dimensions }
    }

    async fn call(&self, texts: &[String]) -> Result<Vec<Embedding>, ModelError> {
        let input: Vec<&str> = texts.iter().map(|text| estimate::cut(text, self.model.max_tokens)).collect();
        let request = EmbeddingRequest {
            model: &self.model.model.model,
            input: &input,
            dimensions: self.asks_dimensions.then_some(self.model.dimensions),
            encoding_format: "float",
        };
        let sending = self.endpoint.client.post(self.endpoint.url("embeddings")).json(&request).send();
        let response = failure::checked(sending.await.map_err(|error| failure::of_send(&error))?).await?;
        let body = response.bytes().await.map_err(|error| failure::of_body(&error))?;
        let reply: EmbeddingReply = serde_json::from_slice(&body)
            .map_err(|error| ModelError::Truncated(format!("the reply is not the JSON it should be: {error}")))?;
        self.embeddings(texts, &input, reply)
    }

    fn embeddings(&self, texts: &[String], sent: &[&str], reply: EmbeddingReply) -> Result<Vec<Embedding>, ModelError> {
        let mut vectors: Vec<Option<Vec<f32>>> = vec![None; texts.len()];
        for item in reply.data {
            if let Some(slot) = vectors.get_mut(item.index) {
                *slot = Some(item.embedding);
            }
        }
        let estimates: Vec<u64> = texts.iter().map(|text| estimate::tokens(text).max(1)).collect();
        let total = reply.usage.map(|usage| mandi_core::ports::TokenUsage::from(usage).input_tokens);
        let shares = shares(&estimates, total);
        let parts = vectors.into_iter().zip(shares).zip(texts.iter().zip(sent));
        parts
            .map(|((vector, tokens), (text, sent))| {
                let missing = || ModelError::Truncated("a text has no embedding in the reply".to_owned());
                let vector = unit(vector.ok_or_else(missing)?, self.model.dimensions)?;
                Ok(Embedding { vector, tokens, truncated: sent.len() < text.len() })
            })
            .collect()
    }
}

/// Divides `total` in proportion to `weights`; the parts add up to it. Without a total, the weights stand.
fn shares(weights: &[u64], total: Option<u64>) -> Vec<u64> {
    let Some(total) = total.filter(|total| *total > 0) else {
        return weights.to_vec();
    };
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let mut before = 0_u128;
    let mut given = 0_u64;
    weights
        .iter()
        .map(|weight| {
            before += u128::from(*weight);
            let until = u64::try_from(u128::from(total) * before / sum.max(1)).unwrap_or(total);
            let share = until - given;
            given = until;
            share
        })
        .collect()
}

#[async_trait]
impl Embedder for OpenAiEmbedder {
    fn model(&self) -> &EmbeddingModel {
        &self.model
    }

    async fn embed(&self, texts: &[String], _purpose: EmbeddingPurpose) -> Result<Vec<Embedding>, ModelError> {
        if texts.iter().any(String::is_empty) {
            return Err(ModelError::BadRequest("an empty text has no embedding".to_owned()));
        }
        let mut embeddings = Vec::with_capacity(texts.len());
        for batch in texts.chunks(TEXTS_PER_CALL) {
            let call = tokio::time::timeout(self.endpoint.timeouts.first_token, self.call(batch)).await;
            embeddings.extend(call.map_err(|_elapsed| ModelError::TimedOut(TimeoutPhase::FirstToken))??);
        }
        Ok(embeddings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_total_in_proportion() {
        assert_eq!(shares(&[1, 1, 2], Some(8)), [2, 2, 4]);
        assert_eq!(shares(&[3, 3, 3], Some(10)).iter().sum::<u64>(), 10);
        assert_eq!(shares(&[5, 7], None), [5, 7]);
    }
}
