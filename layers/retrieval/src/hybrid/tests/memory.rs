//! An index in memory, for these tests alone: exact cosine, and BM25 over all chunks.

use std::collections::HashMap;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use mandi_core::Result;

use crate::filter::Filter;
use crate::passage::{Chunk, CollectionName, DocumentKey};
use crate::ports::{ChunkIndex, DocumentChunks, Hit, IndexTable, VectorRow};
use crate::terms::terms;

#[derive(Debug)]
pub(super) struct MemoryIndex(HashMap<CollectionName, Vec<(Chunk, Vec<f32>)>>);

impl MemoryIndex {
    pub(super) fn of(chunks: impl IntoIterator<Item = (CollectionName, Chunk, Vec<f32>)>) -> Self {
        let mut tables: HashMap<CollectionName, Vec<(Chunk, Vec<f32>)>> = HashMap::new();
        for (collection, chunk, vector) in chunks {
            tables.entry(collection).or_default().push((chunk, vector));
        }
        Self(tables)
    }

    fn rows(&self, table: &IndexTable, filter: Option<&Filter>) -> Vec<&(Chunk, Vec<f32>)> {
        let rows = self.0.get(&table.collection).into_iter().flatten();
        rows.filter(|(chunk, _)| filter.is_none_or(|filter| filter.matches(&chunk.metadata))).collect()
    }
}

fn best(mut hits: Vec<Hit>, k: usize) -> Vec<Hit> {
    hits.sort_by(|one, other| other.score.total_cmp(&one.score));
    hits.truncate(k);
    hits
}

/// BM25 with k1 = 1.2 and b = 0.75 (Robertson and Zaragoza 2009).
#[expect(clippy::cast_precision_loss, reason = "a handful of short texts")]
fn bm25(query: &[String], text: &[String], all: &[Vec<String>]) -> f32 {
    let average = all.iter().map(Vec::len).sum::<usize>() as f32 / all.len() as f32;
    let score = |term: &String| {
        let holds = all.iter().filter(|text| text.contains(term)).count() as f32;
        let count = text.iter().filter(|other| *other == term).count() as f32;
        let rarity = ((all.len() as f32 - holds + 0.5) / (holds + 0.5)).ln_1p();
        rarity * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * text.len() as f32 / average))
    };
    query.iter().map(score).sum()
}

#[async_trait]
impl ChunkIndex for MemoryIndex {
    async fn create(&self, _table: &IndexTable, _dimensions: usize) -> Result<()> {
        Ok(())
    }

    async fn drop(&self, _table: &IndexTable) -> Result<()> {
        Ok(())
    }

    async fn upsert(&self, _table: &IndexTable, _documents: Vec<DocumentChunks>) -> Result<()> {
        Ok(())
    }

    async fn delete(&self, _table: &IndexTable, _document: &DocumentKey) -> Result<u64> {
        Ok(0)
    }

    async fn nearest(&self, table: &IndexTable, vector: &[f32], k: usize, filter: Option<&Filter>) -> Result<Vec<Hit>> {
        let cosine = |other: &[f32]| vector.iter().zip(other).map(|(one, other)| one * other).sum();
        let rows = self.rows(table, filter).into_iter();
        Ok(best(rows.map(|(chunk, vector)| Hit { chunk: chunk.clone(), score: cosine(vector) }).collect(), k))
    }

    async fn keyword(&self, table: &IndexTable, query: &str, k: usize, filter: Option<&Filter>) -> Result<Vec<Hit>> {
        let query = terms(query);
        let all: Vec<Vec<String>> = self.rows(table, None).iter().map(|(chunk, _)| terms(&chunk.text)).collect();
        let rows = self.rows(table, filter).into_iter();
        let hits = rows.map(|(chunk, _)| Hit { chunk: chunk.clone(), score: bm25(&query, &terms(&chunk.text), &all) });
        Ok(best(hits.filter(|hit| hit.score > 0.0).collect(), k))
    }

    async fn count(&self, table: &IndexTable) -> Result<u64> {
        Ok(self.rows(table, None).len() as u64)
    }

    async fn vectors(&self, _table: &IndexTable) -> Result<BoxStream<'static, Result<Vec<VectorRow>>>> {
        Ok(futures::stream::empty().boxed())
    }
}
