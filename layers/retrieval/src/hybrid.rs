//! Hybrid search: both lists of the index, fused, without near-duplicates, and ordered anew on request.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::{join_all, try_join_all};
use mandi_core::identity::Principal;
use mandi_core::ports::{Embedder, EmbeddingModel, EmbeddingPurpose, ModelRef, Reranker};
use mandi_core::{Problem, ProblemKind, Result};

use crate::characters::is_mostly_not_latin;
use crate::cosine::CosineScale;
use crate::dedupe::without_near_duplicates;
use crate::filter::{Filter, MAX_VALUES};
use crate::fusion::{RankedList, reciprocal_rank_fusion};
use crate::passage::{
    CollectionName, DocumentKey, DocumentReference, Missing, Named, Passage, Reranking, Scores, SearchMode,
    SearchRequest,
};
use crate::ports::{ChunkIndex, Hit, IndexTable, Search};
use crate::problems::Problems;

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

/// What the vector list counts for a query in another script than Latin, when the embedding model knows English
/// alone: its neighbours are little better than chance there, while keywords are exact.
const WEIGHT_OF_FOREIGN_VECTORS: f32 = 0.2;

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

/// A chunk among the candidates.
type Key = (CollectionName, DocumentKey, u32);

/// Hits of one list over all collections, best first.
type HitList = Vec<(CollectionName, Hit)>;

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

    /// Both lists of every collection, all at once; each list merged by its score.
    async fn candidates(&self, caller: &Principal, request: &SearchRequest, depth: usize) -> Result<Candidates> {
        let opened = self.open(caller, request).await?;
        // The lists by keyword do not wait for the query's vectors.
        let (by_vector, by_keyword) =
            futures::join!(self.by_vector(&opened, request, depth), self.by_keyword(&opened, request, depth));
        let english_alone = opened.iter().any(|opened| knows_english_alone(&opened.model().model));
        let foreign = english_alone && is_mostly_not_latin(&request.query);
        let mut candidates = Candidates { foreign, ..Candidates::default() };
        let mut refused = None;
        let mut refusals = 0;
        for ((opened, vector), keyword) in opened.iter().zip(by_vector?).zip(by_keyword) {
            match (vector, keyword) {
                (Ok(vector), Ok(keyword)) => candidates.add(opened, vector, keyword),
                (Err(problem), _) | (_, Err(problem)) if problem.kind == ProblemKind::InvalidRequest => {
                    refusals += 1;
                    refused = Some(problem);
                }
                (Err(problem), _) | (_, Err(problem)) => {
                    return Err(problem.of_what(&format!("collection `{}`", opened.collection)));
                }
            }
        }
        // A field that only some of the collections know is no fault: the others have nothing that passes.
        match refused {
            Some(problem) if refusals == opened.len() => Err(problem),
            _ => {
                candidates.sort();
                Ok(candidates)
            }
        }
    }

    async fn open(&self, caller: &Principal, request: &SearchRequest) -> Result<Vec<Opened>> {
        let open = |name: &CollectionName| {
            let collection = name.clone();
            async move {
                let (table, embedder) = self.collections.open(caller, &collection).await?;
                let filter = narrowed(request, &collection);
                Ok::<_, Problem>(Opened { collection, table, embedder, filter })
            }
        };
        try_join_all(request.collections.iter().map(open)).await
    }

    /// For each collection the chunks nearest to the query; the outer error is that it could not be embedded.
    /// Collections that share a model share the query's vector.
    async fn by_vector(&self, opened: &[Opened], request: &SearchRequest, depth: usize) -> Result<Vec<Found>> {
        if request.mode == SearchMode::Keyword {
            return Ok(opened.iter().map(|_| Ok(Vec::new())).collect());
        }
        let mut vectors: Vec<(&EmbeddingModel, Vec<f32>)> = Vec::new();
        for Opened { embedder, .. } in opened {
            if !vectors.iter().any(|(model, _)| *model == embedder.model()) {
                vectors.push((embedder.model(), embed(embedder.as_ref(), &request.query).await?));
            }
        }
        let nearest = opened.iter().map(|Opened { table, embedder, filter, .. }| {
            let vector =
                vectors.iter().find(|(model, _)| *model == embedder.model()).map(|(_, vector)| vector.as_slice());
            self.index.nearest(table, vector.unwrap_or_default(), depth, filter.as_ref())
        });
        Ok(join_all(nearest).await)
    }

    /// For each collection the chunks that have the query's words.
    async fn by_keyword(&self, opened: &[Opened], request: &SearchRequest, depth: usize) -> Vec<Found> {
        if request.mode == SearchMode::Vector {
            return opened.iter().map(|_| Ok(Vec::new())).collect();
        }
        let keyword = opened
            .iter()
            .map(|Opened { table, filter, .. }| self.index.keyword(table, &request.query, depth, filter.as_ref()));
        join_all(keyword).await
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

/// The request's filter in one collection, with the documents of that collection that alone are searched.
fn narrowed(request: &SearchRequest, collection: &CollectionName) -> Option<Filter> {
    if request.documents.is_empty() {
        return request.filter.clone();
    }
    let here = request.documents.iter().filter(|document| document.collection == *collection);
    let documents = Filter::Documents(here.map(DocumentReference::key).collect());
    Some(match request.filter.clone() {
        Some(filter) => Filter::And(vec![filter, documents]),
        None => documents,
    })
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

/// Whether a model was trained on English alone, by the names of those that we ship or that are usual.
fn knows_english_alone(model: &str) -> bool {
    let name = model.to_ascii_lowercase();
    let english = ["all-minilm", "-en", "english", "gte-small", "e5-small-v2", "e5-base-v2"];
    !name.contains("multilingual") && english.iter().any(|part| name.contains(part))
}

/// A collection that is searched.
struct Opened {
    collection: CollectionName,
    table: IndexTable,
    embedder: Arc<dyn Embedder>,
    /// What its chunks must pass.
    filter: Option<Filter>,
}

impl Opened {
    fn model(&self) -> &ModelRef {
        &self.embedder.model().model
    }
}

/// What a collection has; the filter may be one that it refuses.
type Found = Result<Vec<Hit>>;

async fn embed(embedder: &dyn Embedder, query: &str) -> Result<Vec<f32>> {
    let mut embeddings = embedder.embed(&[query.to_owned()], EmbeddingPurpose::Query).await?;
    let none = || Problem::internal("the embedding model gave no vector for the query");
    embeddings.pop().map(|embedding| embedding.vector).ok_or_else(none)
}

/// What all collections have.
#[derive(Default)]
struct Candidates {
    /// One list for each embedding model: cosines of different models do not compare.
    by_model: Vec<(ModelRef, HitList)>,
    vector: HitList,
    keyword: HitList,
    /// What the cosines in a collection say, where that was measured.
    scales: HashMap<CollectionName, CosineScale>,
    /// Whether the query is in a script that a model does not know.
    foreign: bool,
}

impl Candidates {
    fn add(&mut self, opened: &Opened, vector: Vec<Hit>, keyword: Vec<Hit>) {
        let (name, model) = (&opened.collection, opened.model());
        let vector = vector.into_iter().map(|hit| (name.clone(), hit));
        match self.by_model.iter_mut().find(|(known, _)| known == model) {
            Some((_, list)) => list.extend(vector),
            None => self.by_model.push((model.clone(), vector.collect())),
        }
        self.keyword.extend(keyword.into_iter().map(|hit| (name.clone(), hit)));
        self.scales.extend(CosineScale::of(model).map(|scale| (name.clone(), scale)));
    }

    fn sort(&mut self) {
        let by_score = |(_, one): &(_, Hit), (_, other): &(_, Hit)| other.score.total_cmp(&one.score);
        self.keyword.sort_by(by_score);
        let lists = std::mem::take(&mut self.by_model).into_iter().map(|(_, mut list)| {
            list.sort_by(by_score);
            list
        });
        self.vector = in_turns(lists.collect());
    }

    /// The fused list, each passage with its scores.
    fn fuse(self, mode: SearchMode) -> Vec<Passage> {
        let keys = |list: &HitList| list.iter().map(|(name, hit)| key(name, hit)).collect::<Vec<Key>>();
        let vector_weight = if self.foreign && !self.keyword.is_empty() { WEIGHT_OF_FOREIGN_VECTORS } else { 1.0 };
        let lists = match mode {
            SearchMode::Hybrid => vec![
                RankedList { keys: keys(&self.keyword), weight: 1.0 },
                RankedList { keys: keys(&self.vector), weight: vector_weight },
            ],
            SearchMode::Vector => vec![RankedList { keys: keys(&self.vector), weight: 1.0 }],
            SearchMode::Keyword => vec![RankedList { keys: keys(&self.keyword), weight: 1.0 }],
        };
        let mut found: HashMap<Key, Passage> = HashMap::new();
        for (list, is_vector) in [(self.vector, true), (self.keyword, false)] {
            for (name, hit) in list {
                let score = hit.score;
                let scale = self.scales.get(&name).copied();
                let entry = found.entry(key(&name, &hit)).or_insert_with(|| passage(name, hit));
                if is_vector {
                    entry.scores.vector = Some(score);
                    entry.scores.cosine_scale = scale;
                } else {
                    entry.scores.keyword = Some(score);
                }
            }
        }
        let ranked = reciprocal_rank_fusion(&lists);
        let with_scores = ranked.into_iter().filter_map(|(key, fused)| {
            let mut passage = found.remove(&key)?;
            let own = match mode {
                SearchMode::Hybrid => None,
                SearchMode::Vector => passage.scores.vector,
                SearchMode::Keyword => passage.scores.keyword,
            };
            passage.scores.fused = (mode == SearchMode::Hybrid).then_some(fused);
            passage.score = own.unwrap_or(fused);
            Some(passage)
        });
        with_scores.collect()
    }
}

/// One list of several: the first of each, then the second of each, and so on.
fn in_turns(lists: Vec<HitList>) -> HitList {
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    let mut joined = Vec::new();
    loop {
        let before = joined.len();
        joined.extend(lists.iter_mut().filter_map(Iterator::next));
        if joined.len() == before {
            return joined;
        }
    }
}

fn key(name: &CollectionName, hit: &Hit) -> Key {
    (name.clone(), hit.chunk.document.clone(), hit.chunk.number)
}

fn passage(collection: CollectionName, hit: Hit) -> Passage {
    Passage {
        collection,
        document: hit.chunk.document,
        chunk: hit.chunk.number,
        title: hit.chunk.title,
        text: hit.chunk.text,
        metadata: hit.chunk.metadata,
        score: hit.score,
        scores: Scores::default(),
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
        let candidates = self.candidates(caller, &request, depth).await?;
        let fused = candidates.fuse(request.mode);
        // Comparing texts takes longer than finding them: no more are compared than are shown or judged.
        let most = request.k.max(RERANKED);
        let mut passages = without_near_duplicates(fused, most, |passage| passage.text.as_str());
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
