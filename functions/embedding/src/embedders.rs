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
use mandi_core::{Clock, Problem, ProblemKind, Result, TenantId};
use mandi_llm::providers::Providers;
use sha2::{Digest, Sha256};

/// How long a vector is kept in the cache.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// How many cache entries are read or written at the same time.
const CONCURRENCY: usize = 16;
/// How many texts go to the model in one call: what a call gave is kept when the next one fails.
const TEXTS_PER_CALL: usize = 96;

/// The embedding models: the one of this process, and those that a tenant's provider has.
#[derive(Clone)]
pub struct Embedders {
    local: Arc<dyn Embedder>,
    providers: Arc<Providers>,
    records: Arc<dyn Records>,
    meter: Meter,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Embedders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Embedders").field("local", &self.local).finish_non_exhaustive()
    }
}

impl Embedders {
    /// The models; the local one is the default.
    #[must_use]
    pub fn new(
        local: Arc<dyn Embedder>,
        providers: Arc<Providers>,
        records: Arc<dyn Records>,
        meter: Meter,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { local, providers, records, meter, clock }
    }

    /// A model's name: `provider/model`.
    #[must_use]
    pub fn name(model: &EmbeddingModel) -> String {
        format!("{}/{}", model.model.provider, model.model.model)
    }

    fn offered(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<dyn Embedder>> {
        std::iter::once(&self.local).chain(self.providers.embedders_for(tenant))
    }

    fn names(&self, tenant: &TenantId) -> String {
        let names: Vec<String> =
            self.offered(tenant).map(|embedder| format!("`{}`", Self::name(embedder.model()))).collect();
        names.join(", ")
    }

    fn find(&self, tenant: &TenantId, name: &str) -> Option<&Arc<dyn Embedder>> {
        self.offered(tenant).find(|embedder| Self::name(embedder.model()) == name)
    }

    /// The model that a caller names, or the default. `pointer` is where the name stands in the body.
    ///
    /// # Errors
    /// `unprocessable`: the tenant is offered no such model; the error lists those that it is offered.
    fn chosen(&self, tenant: &TenantId, name: Option<&str>, pointer: &str) -> Result<&Arc<dyn Embedder>> {
        let Some(name) = name else { return Ok(&self.local) };
        self.find(tenant, name).ok_or_else(|| {
            let detail = format!("this is not an embedding model that is offered; offered: {}", self.names(tenant));
            Problem::field(pointer, detail).of_kind(ProblemKind::Unprocessable)
        })
    }

    /// What the model that a caller names is, or the default.
    ///
    /// # Errors
    /// `unprocessable`: the tenant is offered no such model; the error lists those that it is offered.
    pub(crate) fn model(&self, tenant: &TenantId, name: Option<&str>, pointer: &str) -> Result<&EmbeddingModel> {
        Ok(self.chosen(tenant, name, pointer)?.model())
    }

    /// The model that a caller names, or the default, with the tenant's cache, and metered for the user.
    ///
    /// # Errors
    /// `unprocessable`: the tenant is offered no such model; the error lists those that it is offered.
    pub(crate) fn bound(
        &self,
        tenant: &TenantId,
        user: &str,
        name: Option<&str>,
        pointer: &str,
    ) -> Result<Arc<dyn Embedder>> {
        Ok(self.bind(self.chosen(tenant, name, pointer)?, tenant, user))
    }

    /// The model that a collection's vectors are of, with the tenant's cache, and metered for the user.
    ///
    /// # Errors
    /// `conflict`: the model is not offered any more, or gives vectors of another length than it did.
    pub(crate) fn of_collection(
        &self,
        tenant: &TenantId,
        user: &str,
        (name, dimensions): (&str, usize),
    ) -> Result<Arc<dyn Embedder>> {
        let Some(found) = self.find(tenant, name) else {
            let detail = format!(
                "the collection's vectors are of `{name}`, which is not offered any more (offered: {}); have it \
                 configured again, or make another collection",
                self.names(tenant)
            );
            return Err(Problem::conflict(detail));
        };
        if found.model().dimensions != dimensions {
            let detail = format!(
                "the collection's vectors have {dimensions} dimensions, and `{name}` is configured with {} now; have \
                 `{name}={dimensions}` configured, or make another collection",
                found.model().dimensions
            );
            return Err(Problem::conflict(detail));
        }
        Ok(self.bind(found, tenant, user))
    }

    fn bind(&self, inner: &Arc<dyn Embedder>, tenant: &TenantId, user: &str) -> Arc<dyn Embedder> {
        Arc::new(BoundEmbedder {
            inner: inner.clone(),
            tenant: tenant.clone(),
            user: user.to_owned(),
            records: self.records.clone(),
            meter: self.meter.clone(),
            clock: self.clock.clone(),
        })
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
        if missing.is_empty() {
            self.account(CallStatus::Ok, 0, true, started).await;
        }
        for batch in missing.chunks(TEXTS_PER_CALL) {
            let computed = self.compute(batch.iter().map(|place| (&keys[*place], &texts[*place])), purpose).await?;
            for (place, embedding) in batch.iter().zip(computed) {
                let same = (0..keys.len()).filter(|other| keys[*other] == keys[*place]);
                same.for_each(|other| found[other] = Some(embedding.clone()));
            }
        }
        found
            .into_iter()
            .map(|embedding| embedding.ok_or_else(|| ModelError::Broken("a text got no vector".to_owned())))
            .collect()
    }
}

impl BoundEmbedder {
    /// One call of the model, metered however it ends; what it gave is kept under the keys.
    async fn compute<'a>(
        &self,
        texts: impl Iterator<Item = (&'a Key, &'a String)>,
        purpose: EmbeddingPurpose,
    ) -> Result<Vec<Embedding>, ModelError> {
        let (keys, texts): (Vec<&Key>, Vec<String>) = texts.map(|(key, text)| (key, text.clone())).unzip();
        let started = Instant::now();
        let outcome = self.inner.embed(&texts, purpose).await;
        let status = if outcome.is_ok() { CallStatus::Ok } else { CallStatus::Failed };
        let tokens = outcome.iter().flatten().map(|embedding| embedding.tokens).sum();
        let computed = keys.into_iter().zip(outcome.iter().flatten());
        // Neither write waits for the other: a search waits for both.
        futures::join!(self.account(status, tokens, false, started), self.remember(computed));
        outcome
    }

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

    async fn account(&self, status: CallStatus, input_tokens: u64, cache_hit: bool, started: Instant) {
        let call = MeteredCall {
            id: CallId::generate(),
            at: self.clock.now(),
            model: self.inner.model().model.clone(),
            task: Task::Embeddings,
            usage: TokenUsage { input_tokens, output_tokens: 0 },
            latency_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            first_token_ms: None,
            status,
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
