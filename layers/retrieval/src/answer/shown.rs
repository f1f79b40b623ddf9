//! What has been shown of an answer: its text, its citations, its first token.

use crate::citations::VerifiedCitation;
use crate::confidence::ConfidenceParts;
use crate::passage::{Passage, Scores};

use super::events::{AnswerEvent, Citation};

/// The answer as it grows. Each sentence that is added gives the events to send.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// The text so far.
    pub(super) text: String,
    /// The passage and quote of each citation; a citation's number is its place from 1.
    citations: Vec<(usize, String)>,
    supports: Vec<f32>,
    cited: Vec<Scores>,
}

impl Shown {
    /// Whether nothing has been shown.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether this quote, or one that holds it, was cited before.
    pub(super) fn has_quoted(&self, passage: usize, quote: &str) -> bool {
        self.citations
            .iter()
            .any(|(place, cited)| *place == passage && (cited.contains(quote) || quote.contains(cited)))
    }

    /// Adds a sentence with its citations: words first, then the citations that are new.
    pub(super) fn sentence(
        &mut self,
        sentence: &str,
        citations: &[VerifiedCitation],
        support: f32,
        passages: &[Passage],
    ) -> Vec<AnswerEvent> {
        let mut markers = String::new();
        let mut new = Vec::new();
        for citation in citations {
            let key = (citation.passage, citation.quote.clone());
            let known = self.citations.iter().position(|known| *known == key);
            let n = known.unwrap_or(self.citations.len()) + 1;
            markers.push_str(&format!("[{n}]"));
            if known.is_none() {
                self.citations.push(key);
                let passage = &passages[citation.passage];
                self.cited.push(passage.scores);
                new.push(AnswerEvent::Citation(Citation {
                    n,
                    collection: passage.collection.clone(),
                    document: passage.document.clone(),
                    chunk: passage.chunk,
                    quote: citation.quote.clone(),
                    score: passage.score,
                }));
            }
        }
        self.supports.push(support);
        let mut events = self.words(&format!("{sentence} {markers}"));
        events.extend(new);
        events
    }

    /// Adds text, word by word.
    pub(super) fn words(&mut self, text: &str) -> Vec<AnswerEvent> {
        let separator = if self.text.is_empty() { "" } else { " " };
        let mut pieces: Vec<String> = text.trim().split_inclusive(char::is_whitespace).map(str::to_owned).collect();
        if let Some(first) = pieces.first_mut() {
            first.insert_str(0, separator);
        }
        self.text.push_str(&pieces.concat());
        pieces.into_iter().map(|text| AnswerEvent::Token { text }).collect()
    }

    /// The confidence of what was shown.
    pub(super) fn confidence(&self) -> ConfidenceParts {
        ConfidenceParts::of(&self.cited, &self.supports)
    }
}
