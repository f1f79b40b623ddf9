//! The quality report of a collection: what is wrong with its vectors, in one pass with bounded memory.

mod sample;
mod scan;

use futures::StreamExt;
use mandi_core::Result;
use mandi_retrieval::DocumentKey;
use mandi_retrieval::ports::IndexTable;
use serde::Serialize;
use utoipa::ToSchema;

use crate::documents::Documents;
use scan::Scan;

/// How many examples a finding names.
const EXAMPLES: usize = 5;

/// What is wrong with a collection's vectors.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QualityReport {
    /// 0 to 100: 100 times what is left of 1 after the shares of zero vectors, vectors of another length or
    /// norm, documents without chunks, and half the share of duplicates are taken away.
    pub(crate) score: f64,
    /// Vectors in the index.
    pub(crate) vectors: u64,
    /// Documents that the collection has records of.
    pub(crate) documents: u64,
    /// The length that its vectors should have.
    pub(crate) dimensions: usize,
    /// Vectors of another length.
    pub(crate) wrong_dimensions: u64,
    /// Vectors of nothing but zeros.
    pub(crate) zero_vectors: u64,
    /// Vectors that hold a number which is not finite.
    pub(crate) not_finite: u64,
    /// Vectors whose norm is not 1 (by more than 0.01), zero vectors aside.
    pub(crate) wrong_norm: u64,
    /// The share of vectors that are equal, byte for byte, to one before.
    pub(crate) duplicate_rate: f64,
    /// The distribution of the norms.
    pub(crate) norms: Norms,
    /// The share of documents whose chunks are all in the index.
    pub(crate) coverage: f64,
    /// Whether duplicates and coverage were estimated from a sample, since there are too many to remember.
    pub(crate) estimated: bool,
    /// What is wrong, in words, worst first; empty when nothing is.
    pub(crate) findings: Vec<String>,
}

/// The distribution of norms.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Norms {
    /// The smallest.
    pub(crate) min: f64,
    /// The largest.
    pub(crate) max: f64,
    /// The mean.
    pub(crate) mean: f64,
    /// The standard deviation.
    pub(crate) std: f64,
}

/// Reads the index once, then the records of the documents, and reports.
pub(crate) async fn report(documents: &Documents, table: &IndexTable, dimensions: usize) -> Result<QualityReport> {
    let mut scan = Scan::new(dimensions);
    let mut batches = documents.index.vectors(table).await?;
    while let Some(batch) = batches.next().await {
        for row in batch? {
            scan.vector(&row);
        }
    }
    let mut after = None;
    loop {
        let (page, next) = documents.page(table, after).await?;
        for document in page {
            let key = DocumentKey { entity_type: document.entity_type, entity_id: document.entity_id };
            scan.document(&key, document.chunks);
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(scan.report()),
        }
    }
}
