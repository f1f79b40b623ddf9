//! Questions about the licences that every Debian system has, each with the words that answer it.

use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use super::searching::{Asked, Found, Outcome};
use crate::Client;

/// Where Debian's package `base-files` keeps the licences.
const FOLDER: &str = "/usr/share/common-licenses";
/// The collection that they are loaded into.
pub const COLLECTION: &str = "licences";

/// The documents, the questions, and what the documents do not say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licences {
    /// The documents.
    pub documents: Vec<Licence>,
    /// Questions that the documents answer.
    pub questions: Vec<Question>,
    /// Questions that they do not answer.
    pub not_in_the_documents: Vec<String>,
}

/// A licence.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// The name of its file, and its id.
    pub id: String,
    /// What it is called.
    pub title: String,
}

/// A question.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// A short name for reports.
    pub id: String,
    /// How it is put.
    pub kind: Kind,
    /// Its words.
    pub question: String,
    /// What it needs.
    pub gold: Vec<Gold>,
}

/// How a question is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// In other words than the text's.
    Paraphrase,
    /// In words of the text.
    Words,
    /// For a number or a date.
    Number,
}

/// What meets a need: a passage that holds one of the quotes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gold {
    /// Verbatim quotes, white space as single spaces; any of them is the answer.
    pub quotes: Vec<String>,
    /// In which documents; none stands for all that hold the quote.
    #[serde(default)]
    pub documents: Vec<String>,
}

impl Gold {
    /// Whether a passage meets the need: it is of one of the documents, and the longest run of a quote's words that it
    /// holds is at least half of the quote.
    #[must_use]
    pub fn is_met_by(&self, found: &Found) -> bool {
        self.shares_a_run_with(found, |quote, _| quote)
    }

    /// Whether what an answer quotes meets the need: the same, and a sentence that is shorter than the quote must have
    /// half of its own words in the quote.
    #[must_use]
    pub fn is_quoted_by(&self, found: &Found) -> bool {
        self.shares_a_run_with(found, usize::min)
    }

    /// Whether the text is of one of the documents and has half of so many words in one run with one of the quotes,
    /// given the words of the quote and of the text.
    fn shares_a_run_with(&self, found: &Found, words_of: impl Fn(usize, usize) -> usize) -> bool {
        let of_document = self.documents.is_empty() || self.documents.contains(&found.document);
        let words: Vec<&str> = found.text.split_whitespace().collect();
        let holds = |quote: &String| {
            let quote: Vec<&str> = quote.split_whitespace().collect();
            2 * longest_common_run(&quote, &words) >= words_of(quote.len(), words.len())
        };
        of_document && self.quotes.iter().any(holds)
    }
}

/// The length of the longest run of words that both have.
fn longest_common_run(one: &[&str], other: &[&str]) -> usize {
    let mut longest = 0;
    let mut ending_before = vec![0; other.len() + 1];
    for word in one {
        let mut ending_here = vec![0; other.len() + 1];
        for (place, candidate) in other.iter().enumerate() {
            if candidate == word {
                ending_here[place + 1] = ending_before[place] + 1;
                longest = longest.max(ending_here[place + 1]);
            }
        }
        ending_before = ending_here;
    }
    longest
}

/// Which of the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of them.
    All,
    /// Every second one from the first on: what settings may be chosen by.
    Tuning,
    /// The others: what nobody looked at while choosing.
    HeldOut,
}

impl Part {
    /// Whether the question at a place, from 0, belongs to it.
    #[must_use]
    pub const fn has(self, place: usize) -> bool {
        match self {
            Self::All => true,
            Self::Tuning => place.is_multiple_of(2),
            Self::HeldOut => !place.is_multiple_of(2),
        }
    }
}

impl Licences {
    /// Reads the questions.
    ///
    /// # Panics
    /// The file is not as it should be.
    #[must_use]
    pub fn read() -> Self {
        serde_json::from_str(include_str!("../../fixtures/retrieval/licences.json")).unwrap()
    }

    /// The questions of a part as searches.
    #[must_use]
    pub fn asked(&self, part: Part) -> Vec<Asked> {
        let chosen = self.questions.iter().enumerate().filter(|(place, _)| part.has(*place));
        let asked = chosen.map(|(_, question)| question.clone()).map(|question| {
            let (id, query, needs) = (question.id.clone(), question.question.clone(), question.gold.len());
            let meets = move |found: &Found| {
                question
                    .gold
                    .iter()
                    .enumerate()
                    .filter(|(_, gold)| gold.is_met_by(found))
                    .map(|(need, _)| need)
                    .collect()
            };
            Asked { id, query, needs, meets: Box::new(meets) }
        });
        asked.collect()
    }

    /// Those of the outcomes whose question is of a part and a kind (none stands for all).
    #[must_use]
    pub fn choose<'a>(&self, outcomes: &'a [Outcome], part: Part, kind: Option<Kind>) -> Vec<&'a Outcome> {
        let chosen = |outcome: &&Outcome| {
            let mut places = self.questions.iter().enumerate();
            places.any(|(place, question)| {
                question.id == outcome.id && part.has(place) && kind.is_none_or(|kind| kind == question.kind)
            })
        };
        outcomes.iter().filter(chosen).collect()
    }

    /// What is wrong with the quotes, in words: those that a document which should hold them does not, and those that
    /// none holds.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let texts: Vec<(&str, String)> =
            self.documents.iter().map(|licence| (licence.id.as_str(), one_line(&text(&licence.id)))).collect();
        let mut faults = Vec::new();
        for question in &self.questions {
            for gold in &question.gold {
                for quote in &gold.quotes {
                    let holders = texts.iter().filter(|(_, text)| text.contains(quote.as_str())).map(|(id, _)| *id);
                    let holders: Vec<&str> = holders.collect();
                    let missing = gold.documents.iter().any(|document| !holders.contains(&document.as_str()));
                    if holders.is_empty() || missing {
                        faults.push(format!(
                            "{}: {:?} should hold `{quote}`; {holders:?} do. Has the package base-files changed?",
                            question.id, gold.documents
                        ));
                    }
                }
            }
        }
        faults
    }

    /// Loads the licences, as contracts in plain text whose first line is the title.
    ///
    /// # Panics
    /// A licence is missing, or cannot be loaded.
    pub async fn load(&self, client: &Client) {
        client.put(&format!("/v1/collections/{COLLECTION}"), &json!({})).await;
        for licence in &self.documents {
            let content = format!("{}\n\n{}", licence.title, text(&licence.id));
            let document = json!({"entity_type": "contract", "entity_id": licence.id, "content": content});
            client.load(COLLECTION, &document).await;
        }
    }
}

fn text(id: &str) -> String {
    let path = Path::new(FOLDER).join(id);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; the package base-files has it", path.display()))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTE: &str = "the buyer shall pay the price within thirty days";

    fn is_met(document: &str, text: &str) -> bool {
        let gold = Gold { quotes: vec![QUOTE.to_owned()], documents: vec!["C-1".to_owned()] };
        gold.is_met_by(&Found { document: document.to_owned(), text: text.to_owned() })
    }

    #[test]
    fn given_a_passage_with_half_of_the_quote_when_it_is_judged_then_it_meets_the_need() {
        assert!(is_met("C-1", "Clause 4:\n the buyer  shall pay\nthe"));
    }

    #[test]
    fn given_a_passage_with_less_than_half_of_the_quote_when_it_is_judged_then_it_does_not() {
        assert!(!is_met("C-1", "the buyer shall pay and the price is fixed"));
    }

    #[test]
    fn given_the_quote_in_another_document_when_it_is_judged_then_it_does_not_count() {
        assert!(!is_met("C-2", QUOTE));
    }
}
