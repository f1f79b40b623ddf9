//! Whether the platform says "not enough data" where it should, and only there.

use serde_json::json;

use super::licences::{COLLECTION, Licences, Part};
use crate::Client;

/// How many decisions were wrong.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// Questions that the documents do not answer, and were answered.
    pub wrongly_answered: Vec<String>,
    /// How many questions there were that the documents do not answer.
    pub unanswerable: usize,
    /// Questions that the documents answer, and were declined.
    pub wrongly_declined: Vec<String>,
    /// How many questions there were that the documents answer.
    pub answerable: usize,
}

impl Decisions {
    /// Both counts, in words.
    #[must_use]
    pub fn told(&self) -> String {
        let Self { wrongly_answered, unanswerable, wrongly_declined, answerable } = self;
        let (wrong, declined) = (wrongly_answered.len(), wrongly_declined.len());
        format!(
            "wrongly answered {wrong} of {unanswerable} {wrongly_answered:?}; \
             wrongly declined {declined} of {answerable} {wrongly_declined:?}"
        )
    }
}

/// Asks each question of a part for an answer made of quotes, and counts what was decided wrongly.
pub async fn decisions(client: &Client, licences: &Licences, part: Part, rerank: bool) -> Decisions {
    let mut decisions = Decisions::default();
    for (place, question) in licences.not_in_the_documents.iter().enumerate() {
        if part.has(place) {
            decisions.unanswerable += 1;
            if is_answered(client, question, &[COLLECTION], rerank).await {
                decisions.wrongly_answered.push(question.clone());
            }
        }
    }
    for (place, question) in licences.questions.iter().enumerate() {
        if part.has(place) {
            decisions.answerable += 1;
            if !is_answered(client, &question.question, &[COLLECTION], rerank).await {
                decisions.wrongly_declined.push(question.id.clone());
            }
        }
    }
    decisions
}

/// Questions near to the demo tenant's documents that these do not answer.
///
/// # Panics
/// The file is not as it should be.
#[must_use]
pub fn near_misses() -> Vec<String> {
    serde_json::from_str(include_str!("../../fixtures/retrieval/near_misses.json")).unwrap()
}

/// Asks each near miss, over all collections of the demo tenant, and counts those that are answered.
pub async fn near_miss_decisions(client: &Client, rerank: bool) -> Decisions {
    let mut decisions = Decisions::default();
    for question in near_misses() {
        decisions.unanswerable += 1;
        if is_answered(client, &question, &[], rerank).await {
            decisions.wrongly_answered.push(question);
        }
    }
    decisions
}

async fn is_answered(client: &Client, question: &str, collections: &[&str], rerank: bool) -> bool {
    let body = json!({"query": question, "collections": collections, "rerank": rerank});
    let answer = client.post("/v1/answers", &body).await.expect(200);
    !answer["citations"].as_array().unwrap().is_empty()
}
