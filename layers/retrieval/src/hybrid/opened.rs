//! The collections of one search, each at one version: the lists that they give, and the passages that are read of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::future::{join_all, try_join_all};
use mandi_core::ports::{Embedder, EmbeddingModel, EmbeddingPurpose, ModelRef};
use mandi_core::{Problem, ProblemKind, Result};

use super::candidates::{Candidates, Found, Key};
use crate::characters::is_mostly_not_latin;
use crate::dedupe::NearDuplicates;
use crate::filter::Filter;
use crate::passage::{Chunk, CollectionName, DocumentReference, Passage, SearchMode, SearchRequest};
use crate::ports::{Candidate, Snapshot};

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
pub async fn candidates(opened: &[Opened], request: &SearchRequest, depth: usize) -> Result<Candidates> {
    // The lists by keyword do not wait for the query's vectors.
    let (by_vector, by_keyword) = futures::join!(by_vector(opened, request, depth), by_keyword(opened, request, depth));
    let english_alone = opened.iter().any(|opened| knows_english_alone(&opened.model().model));
    let mut candidates = Candidates::new(english_alone && is_mostly_not_latin(&request.query));
    let mut refused = None;
    let mut refusals = 0;
    for ((place, vector), keyword) in by_vector?.into_iter().enumerate().zip(by_keyword) {
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
        _ => Ok(candidates),
    }
}

/// For each collection the rows nearest to the query; the outer error is that it could not be embedded.
/// Collections that share a model share the query's vector.
async fn by_vector(opened: &[Opened], request: &SearchRequest, depth: usize) -> Result<Vec<Listed>> {
    if request.mode == SearchMode::Keyword {
        return Ok(opened.iter().map(|_| Ok(Vec::new())).collect());
    }
    let mut vectors: Vec<(&EmbeddingModel, Vec<f32>)> = Vec::new();
    for Opened { embedder, .. } in opened {
        if !vectors.iter().any(|(model, _)| *model == embedder.model()) {
            vectors.push((embedder.model(), embed(embedder.as_ref(), &request.query).await?));
        }
    }
    let nearest = opened.iter().map(|Opened { snapshot, embedder, filter, .. }| {
        let vector = vectors.iter().find(|(model, _)| *model == embedder.model()).map(|(_, vector)| vector.as_slice());
        snapshot.nearest(vector.unwrap_or_default(), depth, filter.as_ref())
    });
    Ok(join_all(nearest).await)
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

async fn embed(embedder: &dyn Embedder, query: &str) -> Result<Vec<f32>> {
    let mut embeddings = embedder.embed(&[query.to_owned()], EmbeddingPurpose::Query).await?;
    let none = || Problem::internal("the embedding model gave no vector for the query");
    embeddings.pop().map(|embedding| embedding.vector).ok_or_else(none)
}

/// Whether a model was trained on English alone, by the names of those that we ship or that are usual.
fn knows_english_alone(model: &str) -> bool {
    let name = model.to_ascii_lowercase();
    let english = ["all-minilm", "-en", "english", "gte-small", "e5-small-v2", "e5-base-v2"];
    !name.contains("multilingual") && english.iter().any(|part| name.contains(part))
}

/// The first passages, at most so many, without those that say what an earlier one says.
pub async fn passages(opened: &[Opened], found: Vec<Found>, most: usize) -> Result<Vec<Passage>> {
    let (mut passages, mut known) = (Vec::new(), NearDuplicates::default());
    let mut found = found.into_iter();
    while passages.len() < most {
        let next: Vec<Found> = found.by_ref().take((most - passages.len()).max(READ_AT_ONCE)).collect();
        if next.is_empty() {
            break;
        }
        let mut chunks = read(opened, &next).await?;
        for Found { key, score, scores } in next {
            let Some(chunk) = chunks.remove(&key).filter(|chunk| known.admit(&chunk.text)) else { continue };
            let collection = opened[key.0].collection.clone();
            passages.push(Passage {
                collection,
                document: chunk.document,
                chunk: chunk.number,
                title: chunk.title,
                text: chunk.text,
                metadata: chunk.metadata,
                score,
                scores,
            });
        }
    }
    passages.truncate(most);
    Ok(passages)
}

/// The chunks of rows, of all collections at once.
async fn read(opened: &[Opened], rows: &[Found]) -> Result<HashMap<Key, Chunk>> {
    let mut by_collection: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for Found { key: (place, row), .. } in rows {
        by_collection.entry(*place).or_default().push(*row);
    }
    let of_collection = by_collection.into_iter().map(|(place, rows)| async move {
        let opened = &opened[place];
        let chunks = opened.snapshot.chunks(&rows).await.map_err(|problem| opened.name_in(problem))?;
        Ok::<_, Problem>(rows.into_iter().map(move |row| (place, row)).zip(chunks))
    });
    Ok(try_join_all(of_collection).await?.into_iter().flatten().collect())
}
