//! The collections of one search, each at one version: the lists that they give, and the passages that are read of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::future::{join_all, try_join_all};
use mandi_core::ports::{Embedder, EmbeddingPurpose, ModelRef};
use mandi_core::{Problem, ProblemKind, Result};

use super::RERANKED;
use super::candidates::{Candidates, Found, Key, leading};
use crate::characters::is_mostly_not_latin;
use crate::dedupe::NearDuplicates;
use crate::filter::Filter;
use crate::passage::{CollectionName, DocumentReference, Passage, Scores, SearchMode, SearchRequest};
use crate::ports::{Candidate, Hit, Snapshot};

/// How many passages are read at once at least, when near-duplicates have left too few.
const READ_AT_ONCE: usize = 10;

/// A collection that is searched.
pub struct Opened {
    pub collection: CollectionName,
    /// What both lists and the passages are read from.
    pub snapshot: Arc<dyn Snapshot>,
    pub embedder: Arc<dyn Embedder>,
    /// What its chunks must pass.
    pub filter: Option<Filter>,
}

impl Opened {
    fn model(&self) -> &ModelRef {
        &self.embedder.model().model
    }

    /// A problem of this collection, said to be of it.
    fn name_in(&self, problem: Problem) -> Problem {
        problem.of_what(&format!("collection `{}`", self.collection))
    }
}

/// What a collection lists; the filter may be one that it refuses.
type Listed = Result<Vec<Candidate>>;

/// The request's filter in one collection, with the documents of that collection that alone are searched.
pub fn narrowed(request: &SearchRequest, collection: &CollectionName) -> Option<Filter> {
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

/// Both lists of every collection, all at once.
pub async fn candidates(
    opened: &[Opened],
    request: &SearchRequest,
    depth: usize,
) -> Result<(Candidates, QueryVectors)> {
    // The lists by keyword do not wait for the query's vectors.
    let (by_vector, by_keyword) = futures::join!(by_vector(opened, request, depth), by_keyword(opened, request, depth));
    let (vectors, by_vector) = by_vector?;
    let english_alone = opened.iter().any(|opened| knows_english_alone(&opened.model().model));
    let mut candidates = Candidates::new(english_alone && is_mostly_not_latin(&request.query));
    let mut refused = None;
    let mut refusals = 0;
    for ((place, vector), keyword) in by_vector.into_iter().enumerate().zip(by_keyword) {
        let opened = &opened[place];
        match (vector, keyword) {
            (Ok(vector), Ok(keyword)) => candidates.add(place, opened.model(), vector, keyword),
            (Err(problem), _) | (_, Err(problem)) if problem.kind == ProblemKind::InvalidRequest => {
                refusals += 1;
                refused = Some(problem);
            }
            (Err(problem), _) | (_, Err(problem)) => return Err(opened.name_in(problem)),
        }
    }
    // A field that only some of the collections know is no fault: the others have nothing that passes.
    match refused {
        Some(problem) if refusals == opened.len() => Err(problem),
        _ => Ok((candidates, vectors)),
    }
}

/// The query's vector for each collection, none when vectors are not asked for. Collections that share a model share it.
pub type QueryVectors = Vec<Option<Arc<[f32]>>>;

/// For each collection the rows nearest to the query; the outer error is that it could not be embedded.
async fn by_vector(opened: &[Opened], request: &SearchRequest, depth: usize) -> Result<(QueryVectors, Vec<Listed>)> {
    if request.mode == SearchMode::Keyword {
        return Ok(opened.iter().map(|_| (None, Ok(Vec::new()))).unzip());
    }
    let mut vectors = QueryVectors::new();
    for Opened { embedder, .. } in opened {
        let known = opened.iter().zip(&vectors).find(|(earlier, _)| earlier.embedder.model() == embedder.model());
        let vector = match known {
            Some((_, vector)) => vector.clone(),
            None => Some(embed(embedder.as_ref(), &request.query).await?),
        };
        vectors.push(vector);
    }
    let nearest = opened.iter().zip(&vectors).map(|(Opened { snapshot, filter, .. }, vector)| {
        snapshot.nearest(vector.as_deref().unwrap_or_default(), depth, filter.as_ref())
    });
    let nearest = join_all(nearest).await;
    Ok((vectors, nearest))
}

/// For each collection the rows that have the query's words.
async fn by_keyword(opened: &[Opened], request: &SearchRequest, depth: usize) -> Vec<Listed> {
    if request.mode == SearchMode::Vector {
        return opened.iter().map(|_| Ok(Vec::new())).collect();
    }
    let keyword =
        opened.iter().map(|Opened { snapshot, filter, .. }| snapshot.keyword(&request.query, depth, filter.as_ref()));
    join_all(keyword).await
}

async fn embed(embedder: &dyn Embedder, query: &str) -> Result<Arc<[f32]>> {
    let mut embeddings = embedder.embed(&[query.to_owned()], EmbeddingPurpose::Query).await?;
    let none = || Problem::internal("the embedding model gave no vector for the query");
    embeddings.pop().map(|embedding| embedding.vector.into()).ok_or_else(none)
}

/// Whether a model was trained on English alone, by the names of those that we ship or that are usual.
fn knows_english_alone(model: &str) -> bool {
    let name = model.to_ascii_lowercase();
    let english = ["all-minilm", "-en", "english", "gte-small", "e5-small-v2", "e5-base-v2"];
    !name.contains("multilingual") && english.iter().any(|part| name.contains(part))
}

/// The first passages, as many as are shown or judged: reading and comparing more texts would be a good part of a search's
/// time. None says what an earlier one says.
pub async fn passages(
    opened: &[Opened],
    vectors: &QueryVectors,
    request: &SearchRequest,
    found: Vec<Found>,
) -> Result<Vec<Passage>> {
    let most = request.k.max(RERANKED);
    let (mut passages, mut known) = (Vec::new(), NearDuplicates::default());
    let mut found = found.into_iter();
    while passages.len() < most {
        let next: Vec<Found> = found.by_ref().take((most - passages.len()).max(READ_AT_ONCE)).collect();
        if next.is_empty() {
            break;
        }
        let mut hits = read(opened, vectors, &next).await?;
        for Found { key, scores } in next {
            let Some(hit) = hits.remove(&key).filter(|hit| known.admit(&hit.chunk.text)) else { continue };
            passages.push(passage(opened[key.0].collection.clone(), hit, scores, request.mode));
        }
    }
    // The cosines are exact now, which those of the list of a large table are not.
    if request.mode == SearchMode::Vector && opened.iter().all(|other| other.model() == opened[0].model()) {
        passages.sort_by(|one, other| other.score.total_cmp(&one.score));
    }
    passages.truncate(most);
    Ok(passages)
}

fn passage(collection: CollectionName, hit: Hit, mut scores: Scores, mode: SearchMode) -> Passage {
    scores.vector = scores.vector.map(|listed| hit.cosine.unwrap_or(listed));
    Passage {
        collection,
        document: hit.chunk.document,
        chunk: hit.chunk.number,
        title: hit.chunk.title,
        text: hit.chunk.text,
        metadata: hit.chunk.metadata,
        score: leading(&scores, mode),
        scores,
    }
}

/// Rows, of all collections at once.
async fn read(opened: &[Opened], vectors: &QueryVectors, rows: &[Found]) -> Result<HashMap<Key, Hit>> {
    let mut by_collection: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for Found { key: (place, row), .. } in rows {
        by_collection.entry(*place).or_default().push(*row);
    }
    let of_collection = by_collection.into_iter().map(|(place, rows)| async move {
        let opened = &opened[place];
        let hits = opened.snapshot.read(&rows, vectors[place].as_deref()).await;
        let hits = hits.map_err(|problem| opened.name_in(problem))?;
        Ok::<_, Problem>(rows.into_iter().map(move |row| (place, row)).zip(hits))
    });
    Ok(try_join_all(of_collection).await?.into_iter().flatten().collect())
}
