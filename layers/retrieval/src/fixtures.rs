//! What tests of several modules share: passages, and models that say what the test says.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made fails its test")]

pub(crate) mod memory;

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use futures::StreamExt;
use mandi_core::identity::{Authenticator, Grant, LocalSecret, Principal, TokenIssuer, Trust};
use mandi_core::ports::{
    Abilities, Delta, Generation, GenerationStream, LanguageModel, ModelError, ModelRef, Reranker, TokenSpans,
};
use mandi_core::{Clock, SystemClock};
use unicode_segmentation::UnicodeSegmentation;

use crate::cosine::CosineScale;
use crate::filter::Metadata;
use crate::passage::{CollectionName, DocumentKey, Passage, Scores};

/// A passage of a document, found by both lists.
pub(crate) fn passage(id: &str, text: &str) -> Passage {
    Passage {
        collection: CollectionName::parse("contracts").unwrap(),
        document: DocumentKey { entity_type: "contract".to_owned(), entity_id: id.to_owned() },
        chunk: 0,
        title: Some(id.to_owned()),
        text: text.to_owned(),
        metadata: Metadata::new(),
        score: 0.9,
        scores: Scores {
            vector: Some(0.4),
            cosine_scale: Some(CosineScale::MINILM),
            keyword: Some(2.0),
            fused: Some(0.9),
            rerank: None,
        },
    }
}

/// A caller of the tenant `demo`.
pub(crate) async fn caller() -> Principal {
    let secret = || LocalSecret::new(vec![7; LocalSecret::MIN_BYTES]).unwrap();
    let issuer = TokenIssuer::new(secret(), "test", "mandi");
    let token = issuer
        .issue(&Grant {
            tenant: "demo",
            user: "asha",
            roles: vec!["admin".to_owned()],
            permissions: Vec::new(),
            not_before: None,
            expires_at: SystemClock.now().plus(std::time::Duration::from_secs(600)),
        })
        .unwrap();
    Authenticator::new(Trust::Secret(secret()), "test", "mandi").verify(&token).await.unwrap()
}

/// A language model that plays one script for each call, and keeps the prompts.
#[derive(Debug, Default)]
pub(crate) struct ScriptedModel {
    scripts: Mutex<VecDeque<Script>>,
    pub(crate) prompts: Mutex<Vec<Generation>>,
    pub(crate) pulled: std::sync::Arc<std::sync::atomic::AtomicUsize>,
    careless: bool,
}

/// What a call does.
pub(crate) type Script = Result<Vec<Result<Delta, ModelError>>, ModelError>;

impl ScriptedModel {
    pub(crate) fn playing(scripts: impl IntoIterator<Item = Script>) -> Self {
        Self { scripts: Mutex::new(scripts.into_iter().collect()), ..Self::default() }
    }

    /// One that does not keep to the passages by itself.
    pub(crate) fn careless(script: Script) -> Self {
        Self { careless: true, ..Self::playing([script]) }
    }
}

#[async_trait]
impl LanguageModel for ScriptedModel {
    fn model(&self) -> ModelRef {
        ModelRef { provider: "test".to_owned(), model: "scripted".to_owned() }
    }

    fn context_tokens(&self) -> usize {
        4096
    }

    fn abilities(&self) -> Abilities {
        Abilities { careful: !self.careless, ..Abilities::default() }
    }

    async fn generate(&self, generation: Generation) -> Result<GenerationStream, ModelError> {
        self.prompts.lock().unwrap().push(generation);
        let script = self.scripts.lock().unwrap().pop_front().unwrap_or_else(|| Ok(Vec::new()));
        let pulled = self.pulled.clone();
        let deltas = futures::stream::iter(script?).inspect(move |_| {
            pulled.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        });
        Ok(deltas.boxed())
    }
}

/// A reranker that finds a passage good when it holds a word.
#[derive(Debug)]
pub(crate) struct WordReranker(pub(crate) &'static str);

#[async_trait]
impl Reranker for WordReranker {
    fn model(&self) -> ModelRef {
        ModelRef { provider: "test".to_owned(), model: "word".to_owned() }
    }

    async fn scores(&self, _query: &str, passages: &[String]) -> Result<Vec<f32>, ModelError> {
        Ok(passages.iter().map(|passage| if passage.contains(self.0) { 0.9 } else { 0.1 }).collect())
    }
}

/// Tokens as a word-piece tokeniser makes them, about: words in pieces of up to six characters.
#[derive(Debug)]
pub(crate) struct SixCharacterPieces;

impl TokenSpans for SixCharacterPieces {
    fn token_spans(&self, text: &str) -> Vec<std::ops::Range<usize>> {
        let mut spans = Vec::new();
        for (start, word) in text.unicode_word_indices() {
            let mut places: Vec<usize> = word.char_indices().map(|(place, _)| start + place).step_by(6).collect();
            places.push(start + word.len());
            spans.extend(places.windows(2).map(|pair| pair[0]..pair[1]));
        }
        spans
    }
}
