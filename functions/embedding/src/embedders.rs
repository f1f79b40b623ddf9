//! The embedding models, each behind a cache by content: the same text in the same tenant is computed once.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mandi_core::ids::CallId;
use mandi_core::metering::{CallStatus, Meter, MeteredCall, Task};
use mandi_core::ports::{
    Condition, Embedder, Embedding, EmbeddingModel, EmbeddingPurpose, Key, ModelError, Partition, Record, Records,
    TokenUsage, Value,
};
use mandi_core::{Clock, Problem, Result, TenantId};
use sha2::{Digest, Sha256};

/// How long a vector is kept in the cache.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// How many cache entries are read or written at the same time.
const CONCURRENCY: usize = 16;

/// The embedding models of this process.
#[derive(Clone)]
pub struct Embedders {
    models: Arc<[Arc<dyn Embedder>]>,
    records: Arc<dyn Records>,
    meter: Meter,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Embedders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Embedders").field("models", &self.models).finish_non_exhaustive()
    }
}

impl Embedders {
    /// The models; the first is the default.
    #[must_use]
    pub fn new(models: Vec<Arc<dyn Embedder>>, records: Arc<dyn Records>, meter: Meter, clock: Arc<dyn Clock>) -> Self {
        Self { models: models.into(), records, meter, clock }
    }

    /// A model's name: `provider/model`.
    #[must_use]
    pub fn name(model: &EmbeddingModel) -> String {
        format!("{}/{}", model.model.provider, model.model.model)
    }

    /// The model of a name, or the default.
    ///
    /// # Errors
    /// There is no such model: the error lists those that there are.
    pub fn model(&self, name: Option<&str>) -> Result<&EmbeddingModel> {
        Ok(self.find(name)?.model())
    }

    fn find(&self, name: Option<&str>) -> Result<&Arc<dyn Embedder>> {
        let found = match name {
            None => self.models.first(),
            Some(name) => self.models.iter().find(|embedder| Self::name(embedder.model()) == name),
        };
        found.ok_or_else(|| {
            let known: Vec<String> =
                self.models.iter().map(|embedder| format!("`{}`", Self::name(embedder.model()))).collect();
            Problem::field(
                "/model",
                format!("it is not an embedding model that there is; there is {}", known.join(", ")),
            )
        })
    }

    /// The model of a name, or the default, with the tenant's cache, and metered for the user.
    ///
    /// # Errors
    /// There is no such model.
    pub fn bound(&self, tenant: &TenantId, user: &str, name: Option<&str>) -> Result<Arc<dyn Embedder>> {
        Ok(Arc::new(BoundEmbedder {
            inner: self.find(name)?.clone(),
            tenant: tenant.clone(),
            user: user.to_owned(),
            records: self.records.clone(),
            meter: self.meter.clone(),
            clock: self.clock.clone(),
        }))
    }
}

/// An embedder for one tenant's user.
#[derive(Debug)]
struct BoundEmbedder {
    inner: Arc<dyn Embedder>,
    tenant: TenantId,
    user: String,
    records: Arc<dyn Records>,
    meter: Meter,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Embedder for BoundEmbedder {
    fn model(&self) -> &EmbeddingModel {
        self.inner.model()
    }

    async fn embed(&self, texts: &[String], purpose: EmbeddingPurpose) -> Result<Vec<Embedding>, ModelError> {
        let started = Instant::now();
        let keys: Vec<Key> = texts.iter().map(|text| self.key(text, purpose)).collect();
        let mut found = self.cached(&keys).await;
        let mut missing: Vec<usize> = (0..texts.len()).filter(|place| found[*place].is_none()).collect();
        // The same text twice in one call is computed once.
        missing.sort_by(|a, b| keys[*a].cmp(&keys[*b]));
        missing.dedup_by(|a, b| keys[*a] == keys[*b]);
        let wanted: Vec<String> = missing.iter().map(|place| texts[*place].clone()).collect();
        let computed = if wanted.is_empty() { Vec::new() } else { self.inner.embed(&wanted, purpose).await? };
        let tokens = computed.iter().map(|embedding| embedding.tokens).sum();
        self.account(tokens, wanted.is_empty(), started).await;
        self.remember(missing.iter().map(|place| &keys[*place]).zip(&computed)).await;
        for (place, embedding) in missing.iter().zip(computed) {
            let same = (0..keys.len()).filter(|other| keys[*other] == keys[*place]);
            same.for_each(|other| found[other] = Some(embedding.clone()));
        }
        found
            .into_iter()
            .map(|embedding| embedding.ok_or_else(|| ModelError::Broken("a text got no vector".to_owned())))
            .collect()
    }
}

impl BoundEmbedder {
    fn key(&self, text: &str, purpose: EmbeddingPurpose) -> Key {
        let mut hash = Sha256::new();
        hash.update([u8::from(purpose == EmbeddingPurpose::Query)]);
        hash.update(text.as_bytes());
        let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Key::new(Partition::of(&self.tenant, &["embedding-cache", &Embedders::name(self.inner.model())]), digest)
    }

    /// What the cache holds. A cache that fails is a cache that holds nothing.
    async fn cached(&self, keys: &[Key]) -> Vec<Option<Embedding>> {
        use futures::StreamExt;
        let dimensions = self.inner.model().dimensions;
        let reads = keys.iter().cloned().map(|key| {
            let records = self.records.clone();
            async move {
                match records.get(&key).await {
                    Ok(record) => record.and_then(|record| read(&record, dimensions)),
                    Err(error) => {
                        tracing::warn!(%error, "the embedding cache could not be read");
                        None
                    }
                }
            }
        });
        futures::stream::iter(reads).buffered(CONCURRENCY).collect().await
    }

    async fn remember<'a>(&self, computed: impl Iterator<Item = (&'a Key, &'a Embedding)>) {
        use futures::StreamExt;
        let expires_at = self.clock.now().plus(KEPT_FOR);
        let writes = computed.map(|(key, embedding)| {
            let bytes = embedding.vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            let record = Record::new(key.clone())
                .with("vector", Value::Bytes(bytes))
                .with("tokens", i64::try_from(embedding.tokens).unwrap_or(i64::MAX))
                .with("truncated", embedding.truncated)
                .expiring(expires_at);
            let records = self.records.clone();
            async move {
                if let Err(error) = records.put(record, Condition::Always).await {
                    tracing::warn!(%error, "the embedding cache could not be written");
                }
            }
        });
        let writes: Vec<_> = writes.collect();
        futures::stream::iter(writes).buffer_unordered(CONCURRENCY).collect::<Vec<()>>().await;
    }

    async fn account(&self, input_tokens: u64, cache_hit: bool, started: Instant) {
        let call = MeteredCall {
            id: CallId::generate(),
            at: self.clock.now(),
            model: self.inner.model().model.clone(),
            task: Task::Embeddings,
            usage: TokenUsage { input_tokens, output_tokens: 0 },
            latency_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            first_token_ms: None,
            status: CallStatus::Ok,
            cache_hit,
            user: self.user.clone(),
            assistant: None,
            language: None,
        };
        if let Err(problem) = self.meter.record(&self.tenant, &call).await {
            tracing::error!(causes = problem.causes(), "an embedding call was not metered");
        }
    }
}

fn read(record: &Record, dimensions: usize) -> Option<Embedding> {
    let Some(Value::Bytes(bytes)) = record.fields.get("vector") else { return None };
    let vector: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number)).collect();
    let tokens = u64::try_from(record.int("tokens")?).ok()?;
    (vector.len() == dimensions).then(|| Embedding { vector, tokens, truncated: record.flag("truncated") })
}
