//! Builders of tables, documents and vectors.

use mandi_core::{Result, TenantId, Timestamp};
use mandi_index::{IndexOptions, LanceIndex};
use mandi_retrieval::ports::{Candidate, ChunkIndex as _, DocumentChunks, IndexTable, IndexedChunk, Snapshot};
use mandi_retrieval::{Chunk, CollectionName, DocumentKey, Filter, Metadata};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tempfile::TempDir;

/// The length of the vectors of most tests.
pub const DIMENSIONS: usize = 8;

/// An index with one table, in a folder that goes when it is dropped.
pub struct Fixture {
    pub folder: TempDir,
    pub index: LanceIndex,
    pub table: IndexTable,
}

impl Fixture {
    pub async fn new() -> Self {
        Self::with(IndexOptions { background_upkeep: false, ..IndexOptions::default() }, DIMENSIONS).await
    }

    pub async fn with(options: IndexOptions, dimensions: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let index = LanceIndex::open(folder.path().to_str().unwrap(), options).unwrap();
        let table = table("demo", "contracts");
        index.create(&table, dimensions).await.unwrap();
        Self { folder, index, table }
    }

    /// Another index over the same folder, as another process has it: nothing is shared but the files.
    pub fn other_process(&self) -> LanceIndex {
        let options = IndexOptions { background_upkeep: false, ..IndexOptions::default() };
        LanceIndex::open(self.folder.path().to_str().unwrap(), options).unwrap()
    }

    pub async fn upsert(&self, documents: Vec<DocumentChunks>) {
        self.index.upsert(&self.table, documents).await.unwrap();
    }

    pub async fn keyword(&self, query: &str) -> Vec<Hit> {
        keyword(&self.index, &self.table, query, 50, None).await.unwrap()
    }

    pub async fn nearest(&self, vector: &[f32], k: usize) -> Vec<Hit> {
        nearest(&self.index, &self.table, vector, k, None).await.unwrap()
    }
}

/// A chunk that a list found, with its score.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    pub chunk: Chunk,
    pub score: f32,
}

/// The `k` best by keyword at the newest version, with their chunks.
pub async fn keyword(
    index: &LanceIndex,
    table: &IndexTable,
    query: &str,
    k: usize,
    filter: Option<&Filter>,
) -> Result<Vec<Hit>> {
    let snapshot = index.snapshot(table).await?;
    hits(snapshot.as_ref(), snapshot.keyword(query, k, filter).await?).await
}

/// The `k` nearest at the newest version, with their chunks.
pub async fn nearest(
    index: &LanceIndex,
    table: &IndexTable,
    vector: &[f32],
    k: usize,
    filter: Option<&Filter>,
) -> Result<Vec<Hit>> {
    let snapshot = index.snapshot(table).await?;
    hits(snapshot.as_ref(), snapshot.nearest(vector, k, filter).await?).await
}

async fn hits(snapshot: &dyn Snapshot, found: Vec<Candidate>) -> Result<Vec<Hit>> {
    let rows: Vec<u64> = found.iter().map(|candidate| candidate.row).collect();
    let read = snapshot.read(&rows, None).await?;
    Ok(read.into_iter().zip(found).map(|(read, candidate)| Hit { chunk: read.chunk, score: candidate.score }).collect())
}

pub fn table(tenant: &str, collection: &str) -> IndexTable {
    let tenant = TenantId::from_stored(tenant).unwrap();
    IndexTable { tenant, collection: CollectionName::parse(collection).unwrap(), made_at: Timestamp::from_unix_ms(1) }
}

pub fn key(id: &str) -> DocumentKey {
    DocumentKey { entity_type: "contract".to_owned(), entity_id: id.to_owned() }
}

/// A document of these texts, one chunk each, with vectors that follow from id and place.
pub fn document(id: &str, texts: &[&str]) -> DocumentChunks {
    document_with(id, texts, &Metadata::new())
}

pub fn document_with(id: &str, texts: &[&str], metadata: &Metadata) -> DocumentChunks {
    let chunks = texts.iter().zip(0u32..).map(|(text, number)| {
        let seed = id.bytes().fold(u64::from(number), |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let length = u32::try_from(text.chars().count()).unwrap();
        let chunk = Chunk {
            document: key(id),
            number,
            title: None,
            text: (*text).to_owned(),
            characters: 0..length,
            metadata: metadata.clone(),
        };
        IndexedChunk { chunk, vector: direction(&mut StdRng::seed_from_u64(seed), DIMENSIONS) }
    });
    DocumentChunks { document: key(id), chunks: chunks.collect() }
}

/// A document of one chunk with a given vector.
pub fn point(id: &str, vector: &[f32]) -> DocumentChunks {
    let mut document = document(id, &["a point"]);
    document.chunks[0].vector = vector.to_vec();
    document
}

/// A random vector of length 1.
pub fn direction(random: &mut StdRng, dimensions: usize) -> Vec<f32> {
    let mut vector: Vec<f32> = (0..dimensions).map(|_| random.random_range(-1.0f32..1.0)).collect();
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|value| *value /= norm);
    vector
}

/// The ids of hits, in their order.
pub fn ids(hits: &[Hit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.chunk.document.entity_id.as_str()).collect()
}

/// The texts of a document's chunks that a search sees, by number.
pub fn texts(hits: &[Hit]) -> Vec<String> {
    let mut found: Vec<(u32, String)> = hits.iter().map(|hit| (hit.chunk.number, hit.chunk.text.clone())).collect();
    found.sort();
    found.into_iter().map(|(_, text)| text).collect()
}
