//! Searches over HTTP, and how well they did.

use std::time::Instant;

use serde_json::{Value, json};

use super::metrics::{gains, ndcg_at, recall_at};
use crate::Client;

/// How many results are asked for: what [`Outcome::ndcg_at_10`] needs.
const RESULTS: usize = 10;

/// A way to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Its name in reports.
    pub name: &'static str,
    /// The `mode` of the request.
    pub mode: &'static str,
    /// The `rerank` of the request.
    pub rerank: bool,
}

/// Keywords alone.
pub const KEYWORD: Way = Way { name: "keyword", mode: "keyword", rerank: false };
/// Vectors alone.
pub const VECTOR: Way = Way { name: "vector", mode: "vector", rerank: false };
/// Both lists, fused.
pub const HYBRID: Way = Way { name: "hybrid", mode: "hybrid", rerank: false };
/// Both lists, fused, and ordered anew by the cross-encoder.
pub const RERANKED: Way = Way { name: "hybrid + rerank", mode: "hybrid", rerank: true };

/// A passage that a search gave.
#[derive(Clone, Debug)]
pub struct Found {
    /// The document's id.
    pub document: String,
    /// The passage.
    pub text: String,
}

/// Which of a question's needs a passage meets, by their places.
pub type Meets = Box<dyn Fn(&Found) -> Vec<usize> + Send + Sync>;

/// What is searched for.
pub struct Asked {
    /// A name for reports.
    pub id: String,
    /// The query.
    pub query: String,
    /// How many things it needs.
    pub needs: usize,
    /// Which of them a passage meets.
    pub meets: Meets,
}

/// How one search did.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The question's name.
    pub id: String,
    /// The share of the needs that the first five results meet, 0 to 1.
    pub recall_at_5: f64,
    /// Normalised discounted cumulative gain of the first ten, 0 to 1.
    pub ndcg_at_10: f64,
    /// From which place on, from 1, something is found; none when it is not in the first ten.
    pub rank: Option<usize>,
    /// From request to response, in milliseconds.
    pub milliseconds: f64,
}

/// Searches for each, one after the other.
pub async fn outcomes(client: &Client, collection: &str, way: Way, asked: &[Asked]) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(asked.len());
    for one in asked {
        let started = Instant::now();
        let found = search(client, collection, way, &one.query).await;
        let milliseconds = started.elapsed().as_secs_f64() * 1_000.0;
        let met: Vec<Vec<usize>> = found.iter().map(|passage| (one.meets)(passage)).collect();
        outcomes.push(Outcome {
            id: one.id.clone(),
            recall_at_5: recall_at(5, &met, one.needs),
            ndcg_at_10: ndcg_at(10, &gains(&met), &vec![1.0; one.needs]),
            rank: met.iter().position(|needs| !needs.is_empty()).map(|place| place + 1),
            milliseconds,
        });
    }
    outcomes
}

async fn search(client: &Client, collection: &str, way: Way, query: &str) -> Vec<Found> {
    let body = json!({"query": query, "k": RESULTS, "mode": way.mode, "rerank": way.rerank});
    let results = client.post(&format!("/v1/collections/{collection}/search"), &body).await.expect(200);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let passage =
        |result: &Value| Found { document: text(&result["document"]["entity_id"]), text: text(&result["text"]) };
    results["results"].as_array().unwrap().iter().map(passage).collect()
}
