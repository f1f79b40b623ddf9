//! Whether the platform says "not enough data" where it should, and only there.

use serde_json::{Value, json};

use super::licences::{COLLECTION, Licences, Part};
use super::searching::Found;
use crate::Client;

/// How the questions were answered, and which of them wrongly.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// How many questions there were that the documents do not answer.
    pub unanswerable: usize,
    /// Those of them that were answered.
    pub wrongly_answered: Vec<String>,
    /// How many questions there were that the documents answer.
    pub answerable: usize,
    /// Those of them whose answer quotes something else than what answers.
    pub misled: Vec<String>,
    /// Those of them that were declined.
    pub declined: Vec<String>,
}

impl Decisions {
    /// How many questions were answered by a quote that answers them.
    #[must_use]
    pub const fn rightly_answered(&self) -> usize {
        self.answerable - self.misled.len() - self.declined.len()
    }

    /// All counts, in words.
    #[must_use]
    pub fn told(&self) -> String {
        let Self { unanswerable, wrongly_answered, answerable, misled, declined } = self;
        format!(
            "without an answer: {} of {unanswerable} answered {wrongly_answered:?}; with an answer: {} of {answerable} \
             answered rightly, {} by another quote {misled:?}, {} declined {declined:?}",
            wrongly_answered.len(),
            self.rightly_answered(),
            misled.len(),
            declined.len(),
        )
    }
}

/// Asks each question of a part for an answer made of quotes, and counts how it was answered.
pub async fn decisions(client: &Client, licences: &Licences, part: Part) -> Decisions {
    let mut decisions = Decisions::default();
    for (place, question) in licences.not_in_the_documents.iter().enumerate() {
        if part.has(place) {
            decisions.unanswerable += 1;
            if !quotes(client, question, &[COLLECTION]).await.is_empty() {
                decisions.wrongly_answered.push(question.clone());
            }
        }
    }
    for (place, question) in licences.questions.iter().enumerate() {
        if part.has(place) {
            decisions.answerable += 1;
            let quotes = quotes(client, &question.question, &[COLLECTION]).await;
            if quotes.is_empty() {
                decisions.declined.push(question.id.clone());
            } else if !quotes.iter().any(|quote| question.gold.iter().any(|gold| gold.is_quoted_by(quote))) {
                decisions.misled.push(question.id.clone());
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
pub async fn near_miss_decisions(client: &Client) -> Decisions {
    let mut decisions = Decisions::default();
    for question in near_misses() {
        decisions.unanswerable += 1;
        if !quotes(client, &question, &[]).await.is_empty() {
            decisions.wrongly_answered.push(question);
        }
    }
    decisions
}

async fn quotes(client: &Client, question: &str, collections: &[&str]) -> Vec<Found> {
    let body = json!({"query": question, "collections": collections});
    let answer = client.post("/v1/answers", &body).await.expect(200);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let quote =
        |citation: &Value| Found { document: text(&citation["document"]["entity_id"]), text: text(&citation["quote"]) };
    answer["citations"].as_array().unwrap().iter().map(quote).collect()
}
