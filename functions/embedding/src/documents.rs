//! Documents: from what was sent to chunks in the index, and a record of how it went.

mod input;
mod object;
mod store;

use std::sync::Arc;

use mandi_core::ports::{EmbeddingPurpose, Objects, Records, TokenSpans};
use mandi_core::{Clock, Principal, Problem, ProblemKind, Result, TenantId, Timestamp};
use mandi_retrieval::chunk::{self, ChunkSize};
use mandi_retrieval::ports::{DocumentChunks, IndexTable, IndexedChunk};
use mandi_retrieval::{Chunk, ChunkIndex, CollectionName, DocumentKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::collections::Collection;
use crate::embedders::Embedders;

pub(crate) use input::{DocumentInput, File, ManyDocuments, NewDocuments, NewDocumentsSchema, OneOfMany, checked};
pub(crate) use store::key as record_key;

/// How far a document has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DocumentStatus {
    /// It waits for its job.
    Queued,
    /// It is found by searches.
    Indexed,
    /// It was there already, with the same content: nothing was done.
    Unchanged,
    /// While it waited for its job, a newer version of it was sent or it was deleted: nothing was done.
    Superseded,
    /// It was not taken; `error` says why. What was there before is as it was.
    Failed,
}

/// A document of a collection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Document {
    /// What it is.
    pub(crate) entity_type: String,
    /// Which one.
    pub(crate) entity_id: String,
    /// How far it has come.
    pub(crate) status: DocumentStatus,
    /// How many chunks it has in the index.
    pub(crate) chunks: u32,
    /// Its title, if it has one.
    pub(crate) title: Option<String>,
    /// The SHA-256 of what was indexed, in hex: the same content need not be sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_sha256: Option<String>,
    /// When it was indexed, queued or refused.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) updated_at: Timestamp,
    /// When it was sent.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) accepted_at: Timestamp,
    /// Why what was sent last was not taken: the reason and the way out. With status `indexed`, the version that was
    /// taken before it is still found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// What became of a document that was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct DocumentOutcome {
    /// What it is.
    pub(crate) entity_type: String,
    /// Which one.
    pub(crate) entity_id: String,
    /// How far it has come.
    pub(crate) status: DocumentStatus,
    /// How many chunks it has in the index.
    pub(crate) chunks: u32,
    /// Why it failed: the reason and the way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// Indexes documents.
#[derive(Clone)]
pub(crate) struct Documents {
    pub(crate) records: Arc<dyn Records>,
    pub(crate) objects: Arc<dyn Objects>,
    pub(crate) index: Arc<dyn ChunkIndex>,
    pub(crate) embedders: Embedders,
    pub(crate) tokens: Arc<dyn TokenSpans>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Whose documents, and where they go.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) table: IndexTable,
    pub(crate) user: String,
    pub(crate) embedding_model: String,
    pub(crate) dimensions: usize,
    /// When the documents were sent: of two versions the one that was sent later counts.
    pub(crate) accepted_at: Timestamp,
}

impl Target {
    pub(crate) fn new(owner: &Principal, collection: &Collection, accepted_at: Timestamp) -> Self {
        Self {
            table: collection.table(&owner.tenant),
            user: owner.user.clone(),
            embedding_model: collection.embedding_model.clone(),
            dimensions: collection.dimensions,
            accepted_at,
        }
    }
}

/// A document that is ready to be embedded.
struct Prepared {
    key: DocumentKey,
    title: Option<String>,
    content_sha256: String,
    chunks: Vec<Chunk>,
}

impl Documents {
    /// Indexes documents in one step. A document that fails is an outcome, and does not harm the others; an
    /// error is ours or the store's, and leaves every document as it was.
    pub(crate) async fn index(
        &self,
        target: &Target,
        inputs: Vec<DocumentInput>,
    ) -> Result<Vec<Result<DocumentOutcome>>> {
        let mut outcomes = Vec::with_capacity(inputs.len());
        let mut prepared: Vec<(usize, Prepared)> = Vec::new();
        for (place, input) in inputs.into_iter().enumerate() {
            let key = input.key();
            match self.read(target, input).await? {
                Ok(Read::Settled(outcome)) => outcomes.push(Ok(outcome)),
                Ok(Read::Prepared(document)) => {
                    // Of two versions in one call the last one counts, as if they had come one after the other.
                    prepared.retain(|(_, earlier)| earlier.key != key);
                    let chunks = u32::try_from(document.chunks.len()).unwrap_or(u32::MAX);
                    outcomes.push(Ok(Self::outcome(&key, DocumentStatus::Indexed, chunks)));
                    prepared.push((place, document));
                }
                Err(problem) => {
                    self.note(target, &key, DocumentStatus::Failed, Some(problem.detail.clone())).await?;
                    outcomes.push(Err(problem));
                }
            }
        }
        let documents = prepared.into_iter().map(|(_, document)| document).collect();
        self.store(target, documents).await?;
        Ok(outcomes)
    }

    /// Reads one document, as far as its chunks. The inner error is the document's own.
    async fn read(&self, target: &Target, input: DocumentInput) -> Result<Result<Read>> {
        let input = match self.whole(&target.table.tenant, input).await? {
            Ok(input) => input,
            Err(problem) => return Ok(Err(problem)),
        };
        let key = input.key();
        let sha256 = input.sha256();
        if self.deleted_at(&target.table, &key).await?.is_some_and(|deleted| deleted > target.accepted_at) {
            return Ok(Ok(Read::Settled(Self::outcome(&key, DocumentStatus::Superseded, 0))));
        }
        if let Some(known) = self.find(&target.table, &key).await? {
            let same = known.content_sha256.as_ref() == Some(&sha256);
            if same || known.accepted_at > target.accepted_at {
                let status = if same { DocumentStatus::Unchanged } else { DocumentStatus::Superseded };
                self.forget_note(&target.table, &key).await?;
                return Ok(Ok(Read::Settled(Self::outcome(&key, status, known.chunks))));
            }
        } else if let Some(other) = self.types_of(&target.table, &key.entity_id).await?.first() {
            return Ok(Err(taken(&key, &target.table.collection, other)));
        }
        Ok(self.prepare(input, sha256).await.map(Read::Prepared))
    }

    /// The document with what its file holds, if it is one that lies in the store.
    async fn whole(&self, tenant: &TenantId, input: DocumentInput) -> Result<Result<DocumentInput>> {
        let Some(object) = input.object.clone() else { return Ok(Ok(input)) };
        let read = object::read(self.objects.as_ref(), tenant, &object).await?;
        Ok(read.and_then(|bytes| input.with_file(&object, &bytes)))
    }

    /// Whether documents have at most so many bytes together. Of files no more than that is read.
    pub(crate) async fn fit(
        &self,
        tenant: &TenantId,
        inputs: impl Iterator<Item = &DocumentInput>,
        most: usize,
    ) -> Result<bool> {
        let mut bytes = 0;
        for input in inputs {
            bytes += input.size_bytes();
            if let Some(object) = &input.object {
                bytes = bytes.saturating_add(object::size_bytes(self.objects.as_ref(), tenant, object).await?);
            }
            if bytes > most {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn outcome(key: &DocumentKey, status: DocumentStatus, chunks: u32) -> DocumentOutcome {
        DocumentOutcome {
            entity_type: key.entity_type.clone(),
            entity_id: key.entity_id.clone(),
            status,
            chunks,
            error: None,
        }
    }

    /// Extracts and chunks, off the threads that serve requests.
    async fn prepare(&self, input: DocumentInput, content_sha256: String) -> Result<Prepared> {
        let tokens = self.tokens.clone();
        let work = move || {
            let key = input.key();
            let extracted = input.extract()?;
            let pieces = chunk::chunks(&extracted.text, tokens.as_ref(), ChunkSize::default());
            let mut chunks = Vec::with_capacity(pieces.len());
            for (number, piece) in pieces.into_iter().enumerate() {
                chunks.push(Chunk {
                    document: key.clone(),
                    number: u32::try_from(number).map_err(Problem::internal)?,
                    title: extracted.title.clone(),
                    text: piece.text,
                    characters: piece.characters,
                    metadata: extracted.metadata.clone(),
                });
            }
            Ok(Prepared { key, title: extracted.title, content_sha256, chunks })
        };
        tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?
    }

    async fn store(&self, target: &Target, prepared: Vec<Prepared>) -> Result<()> {
        if prepared.is_empty() {
            return Ok(());
        }
        let model = (target.embedding_model.as_str(), target.dimensions);
        let embedder = self.embedders.of_collection(&target.table.tenant, &target.user, model)?;
        let texts: Vec<String> =
            prepared.iter().flat_map(|document| document.chunks.iter().map(embedded_text)).collect();
        let embeddings = embedder.embed(&texts, EmbeddingPurpose::Passage).await?;
        let mut vectors = embeddings.into_iter().map(|embedding| embedding.vector);
        let mut documents = Vec::with_capacity(prepared.len());
        let mut records = Vec::with_capacity(prepared.len());
        for document in prepared {
            records.push(Document {
                entity_type: document.key.entity_type.clone(),
                entity_id: document.key.entity_id.clone(),
                status: DocumentStatus::Indexed,
                chunks: u32::try_from(document.chunks.len()).unwrap_or(u32::MAX),
                title: document.title,
                content_sha256: Some(document.content_sha256),
                updated_at: self.clock.now(),
                accepted_at: target.accepted_at,
                error: None,
            });
            let chunks = document.chunks.into_iter().zip(vectors.by_ref());
            let chunks = chunks.map(|(chunk, vector)| IndexedChunk { chunk, vector }).collect();
            documents.push(DocumentChunks { document: document.key, chunks });
        }
        self.index.upsert(&target.table, documents).await?;
        for record in records {
            self.put(&target.table, &record).await?;
        }
        Ok(())
    }

    /// Removes a document from the index and from the records. `false` when it was not there.
    pub(crate) async fn delete(&self, table: &IndexTable, key: &DocumentKey) -> Result<bool> {
        let known = self.find_or_noted(table, key).await?.is_some();
        let removed = self.index.delete(table, key).await?;
        self.forget(table, key).await?;
        let known = known || removed > 0;
        if known {
            self.mark_deleted(table, key).await?;
        }
        Ok(known)
    }

    /// Removes all of a collection's documents.
    pub(crate) async fn delete_all(&self, table: &IndexTable) -> Result<()> {
        self.index.remove(table).await?;
        self.forget_all(table).await
    }
}

/// What became of reading a document.
enum Read {
    /// There is nothing to do.
    Settled(DocumentOutcome),
    Prepared(Prepared),
}

/// What a caller is told whose document has the id of another one.
fn taken(key: &DocumentKey, collection: &CollectionName, other_type: &str) -> Problem {
    let detail = format!(
        "collection `{collection}` has `{}` as a document of type `{other_type}`; give this one another id, or delete \
         that one first",
        key.entity_id
    );
    Problem::field("/entity_id", detail).of_kind(ProblemKind::Conflict)
}

/// What is embedded of a chunk: its text under the document's title, which says what the text is about.
fn embedded_text(chunk: &Chunk) -> String {
    match &chunk.title {
        Some(title) if !chunk.text.starts_with(title.as_str()) => format!("{title}\n{}", chunk.text),
        _ => chunk.text.clone(),
    }
}

/// What a caller is told of a document that is not there.
pub(crate) fn missing(key: &DocumentKey, collection: &CollectionName, other_types: &[String]) -> Problem {
    let mut problem = Problem::not_found("document");
    problem.detail = format!("collection `{collection}` has no `{}` with the id `{}`", key.entity_type, key.entity_id);
    if !other_types.is_empty() {
        let types: Vec<String> = other_types.iter().map(|name| format!("`{name}`")).collect();
        problem.detail.push_str(&format!("; under that id it has a document of type {}", types.join(", ")));
    }
    problem
}
