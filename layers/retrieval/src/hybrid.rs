//! Hybrid search: both lists of the index, fused, without near-duplicates, and ordered anew on request.

mod candidates;
mod opened;

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::try_join_all;
use mandi_core::identity::Principal;
use mandi_core::ports::{Embedder, Reranker};
use mandi_core::{Problem, ProblemKind, Result};

use crate::characters::is_mostly_not_latin;
use crate::filter::MAX_VALUES;
use crate::passage::{CollectionName, DocumentReference, Missing, Named, Passage, Reranking, SearchRequest};
use crate::ports::{ChunkIndex, IndexTable, Search};
use crate::problems::Problems;
use opened::{Opened, candidates, narrowed, passages};

/// How many chunks each list gives to the fusion.
pub const CANDIDATES: usize = 50;
/// How many of the fused passages the reranker orders anew (or `k`, when that is more and a request asks for all): twice
/// as many cost twice as much, and find no more on the whole (docs/retrieval.md).
pub const RERANKED: usize = 10;
/// The most passages that a search returns.
pub const MAX_K: usize = 100;
/// The most collections that one search may name.
pub const MAX_COLLECTIONS: usize = 16;
/// The longest query, in characters.
pub const MAX_QUERY_CHARACTERS: usize = 2000;

/// What search needs to know of a tenant's collections.
#[async_trait]
pub trait Collections: Send + Sync + fmt::Debug {
    /// The collection's table, and the model that its chunks are embedded with.
    ///
    /// # Errors
    /// `not-found` when the tenant has no such collection.
    async fn open(&self, caller: &Principal, collection: &CollectionName) -> Result<(IndexTable, Arc<dyn Embedder>)>;

    /// All collections of the tenant, by name.
    async fn all(&self, caller: &Principal) -> Result<Vec<CollectionName>>;

    /// Whether the tenant has a document.
    async fn has(&self, caller: &Principal, document: &DocumentReference) -> Result<bool>;
}

/// Search over an index in this process.
#[derive(Clone, Debug)]
pub struct HybridSearch {
    index: Arc<dyn ChunkIndex>,
    collections: Arc<dyn Collections>,
    reranker: Option<Arc<dyn Reranker>>,
}

impl HybridSearch {
    /// A search. Without a reranker, requests that ask for one get the fused order, and no rerank scores.
    #[must_use]
    pub fn new(
        index: Arc<dyn ChunkIndex>,
        collections: Arc<dyn Collections>,
        reranker: Option<Arc<dyn Reranker>>,
    ) -> Self {
        Self { index, collections, reranker }
    }

    async fn open(&self, caller: &Principal, request: &SearchRequest) -> Result<Vec<Opened>> {
        let open = |name: &CollectionName| {
            let collection = name.clone();
            async move {
                let (table, embedder) = self.collections.open(caller, &collection).await?;
                let named = |problem: Problem| problem.of_what(&format!("collection `{collection}`"));
                let snapshot = self.index.snapshot(&table).await.map_err(named)?;
                let filter = narrowed(request, &collection);
                Ok::<_, Problem>(Opened { collection, snapshot, embedder, filter })
            }
        };
        try_join_all(request.collections.iter().map(open)).await
    }

    /// Orders the first passages by the cross-encoder; the others follow as they were. All stay as they were when it
    /// fails.
    async fn rerank(&self, reranker: &dyn Reranker, query: &str, first: usize, passages: &mut [Passage]) -> Result<()> {
        let first = passages.len().min(first);
        let passages = &mut passages[..first];
        let texts: Vec<String> = passages.iter().map(text_to_rank).collect();
        if texts.is_empty() {
            return Ok(());
        }
        let scores = reranker.scores(query, &texts).await?;
        for (passage, score) in passages.iter_mut().zip(scores) {
            passage.scores.rerank = Some(score);
            passage.score = score;
        }
        passages.sort_by(|one, other| other.score.total_cmp(&one.score));
        Ok(())
    }
}

/// How many passages, from the first on, the cross-encoder orders anew.
fn to_rerank(request: &SearchRequest, passages: &[Passage]) -> usize {
    let unmeasured = |passage: &Passage| passage.scores.vector.is_some() && passage.scores.cosine_scale.is_none();
    let shown = &passages[..passages.len().min(request.k)];
    match request.rerank {
        Reranking::Always => RERANKED.max(request.k),
        Reranking::Never => 0,
        Reranking::Unmeasured | Reranking::Judging if is_mostly_not_latin(&request.query) => 0,
        Reranking::Unmeasured if !shown.iter().any(unmeasured) => 0,
        Reranking::Unmeasured | Reranking::Judging => RERANKED,
    }
}

/// What the cross-encoder reads: the title helps where a clause does not say what it is about.
fn text_to_rank(passage: &Passage) -> String {
    match &passage.title {
        Some(title) if !passage.text.starts_with(title.as_str()) => format!("{title}\n{}", passage.text),
        _ => passage.text.clone(),
    }
}

/// Checks a request; pointers are those of the search route's body.
///
/// # Errors
/// `invalid-request` with a pointer for each field that is wrong.
pub fn validate(request: &SearchRequest) -> Result<()> {
    let mut problems = Problems::default();
    if !(1..=MAX_K).contains(&request.k) {
        problems.add("/k", format!("{} is not between 1 and {MAX_K}", request.k));
    }
    if !request.query.chars().any(char::is_alphanumeric) {
        problems.add("/query", "give a question or some words; it has no letters or digits");
    }
    if request.query.chars().count() > MAX_QUERY_CHARACTERS {
        problems.add("/query", format!("it is longer than {MAX_QUERY_CHARACTERS} characters"));
    }
    let distinct: HashSet<&CollectionName> = request.collections.iter().collect();
    if request.collections.len() > MAX_COLLECTIONS {
        problems.add("/collections", format!("name at most {MAX_COLLECTIONS} collections; none stands for all"));
    } else if distinct.len() < request.collections.len() {
        problems.add("/collections", "a collection is named twice");
    }
    if request.documents.len() > MAX_VALUES {
        problems.add("/documents", format!("name at most {MAX_VALUES} documents; none stands for all"));
    }
    problems.into_result()?;
    request.filter.as_ref().map_or(Ok(()), |filter| filter.validate("/filter"))
}

#[async_trait]
impl Search for HybridSearch {
    async fn search(&self, caller: &Principal, mut request: SearchRequest) -> Result<Vec<Passage>> {
        validate(&request)?;
        if !request.documents.is_empty() {
            let named: BTreeSet<_> = request.documents.iter().map(|document| document.collection.clone()).collect();
            request.collections = named.into_iter().collect();
        } else if request.collections.is_empty() {
            request.collections = self.collections.all(caller).await?;
        }
        let depth = CANDIDATES.max(request.k);
        let opened = self.open(caller, &request).await?;
        let (candidates, vectors) = candidates(&opened, &request, depth).await?;
        let fused = candidates.fuse(request.mode);
        let mut passages = passages(&opened, &vectors, &request, fused).await?;
        let first = to_rerank(&request, &passages);
        if let Some(reranker) = self.reranker.as_deref().filter(|_| first > 0) {
            match self.rerank(reranker, &request.query, first, &mut passages).await {
                Err(problem) if request.rerank != Reranking::Always => {
                    tracing::warn!(%problem, "the cross-encoder failed; words alone tell what is relevant");
                }
                reranked => reranked?,
            }
        }
        passages.truncate(request.k);
        Ok(passages)
    }

    async fn missing(&self, caller: &Principal, named: &Named) -> Result<Missing> {
        let there = |name| async move {
            match self.collections.open(caller, name).await {
                Ok(_) => Ok(true),
                Err(problem) if problem.kind == ProblemKind::NotFound => Ok(false),
                Err(problem) => Err(problem),
            }
        };
        let collections = try_join_all(named.collections.iter().map(there)).await?;
        let has = |document| self.collections.has(caller, document);
        let documents = try_join_all(named.documents.iter().map(has)).await?;
        let absent = |there: Vec<bool>| (0..there.len()).filter(|place| !there[*place]).collect();
        Ok(Missing { collections: absent(collections), documents: absent(documents) })
    }
}

#[cfg(test)]
mod tests;
