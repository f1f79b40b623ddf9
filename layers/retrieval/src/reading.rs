//! A question read against the passages that were found for it: how far each holds its words, and which are relevant.
//!
//! A term of the question weighs the more the fewer of the passages have it, so that what the question shares with
//! every passage counts half, and a term that no passage has counts most, against all of them.

use std::collections::HashSet;

use crate::characters::is_mostly_not_latin;
use crate::citations::alike;
use crate::filter::Scalar;
use crate::names::{holds_name, names};
use crate::passage::Passage;
use crate::question::topic_terms;
use crate::terms::terms;

/// The least share of the question's weight that a passage must cover when nothing but words speaks for it.
pub const MIN_COVERAGE: f32 = 0.5;
/// The cross-encoder's probability from which on a passage is relevant whatever its words.
pub const MIN_RERANK: f32 = 0.2;
/// With a cross-encoder's probability below this, words alone must cover [`SURE_COVERAGE`].
pub const DOUBTFUL_RERANK: f32 = 0.02;
/// The coverage that overrules a model's doubt.
pub const SURE_COVERAGE: f32 = 0.8;

/// What a term counts that the question carries over from the conversation.
const CARRIED_WEIGHT: f32 = 0.25;

/// A question's terms with their weights.
#[derive(Debug)]
pub(crate) struct Weights {
    terms: Vec<String>,
    weights: Vec<f32>,
}

impl Weights {
    /// Half of a term's weight is the same for all terms; the other half is its inverse document frequency as in
    /// BM25 (Robertson and Zaragoza 2009, section 3.1) over the passages, against that of a term that none has.
    #[expect(clippy::cast_precision_loss, reason = "counts of passages are far below 2^24")]
    fn of(question: &str, passages: &[Vec<String>]) -> Self {
        let terms = topic_terms(question);
        let rarity = |holds: f32| ((passages.len() as f32 - holds + 0.5) / (holds + 0.5)).ln_1p();
        let weights = terms.iter().map(|term| {
            let holds = passages.iter().filter(|passage| passage.iter().any(|other| related(term, other))).count();
            0.5 + 0.5 * rarity(holds as f32) / rarity(0.0)
        });
        let weights = weights.collect();
        Self { terms, weights }
    }

    /// The places of the terms that other terms cover.
    pub(crate) fn covered(&self, others: &[String]) -> Vec<usize> {
        let covers = |place: &usize| others.iter().any(|other| related(&self.terms[*place], other));
        (0..self.terms.len()).filter(covers).collect()
    }

    /// The terms without those that others cover.
    pub(crate) fn terms_without(&self, others: &[String]) -> Vec<&str> {
        let covered = self.covered(others);
        (0..self.terms.len()).filter(|place| !covered.contains(place)).map(|place| self.terms[place].as_str()).collect()
    }

    /// How many terms there are.
    pub(crate) const fn len(&self) -> usize {
        self.terms.len()
    }

    /// The share of the question's weight that some of its terms have, 0 to 1.
    pub(crate) fn share(&self, covered: &[usize]) -> f32 {
        let total: f32 = self.weights.iter().sum();
        let part: f32 = covered.iter().map(|place| self.weights[*place]).sum();
        if total > 0.0 { part / total } else { 0.0 }
    }
}

/// Whether a word of the text stands for a word of the question: the same term, or the same stem with another
/// ending (`pay`, `payment`; Indian words by their beginnings).
pub(crate) fn related(asked: &str, found: &str) -> bool {
    if alike(asked, found) || !asked.is_ascii() || !found.is_ascii() {
        return alike(asked, found);
    }
    let letters = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase());
    let (short, long) = if asked.len() < found.len() { (asked, found) } else { (found, asked) };
    letters(asked) && letters(found) && short.len() >= 3 && long.starts_with(short) && long.len() <= short.len() + 5
}

/// The terms of letters and digits that a question names, such as `shk6-170`.
fn codes(question: &str) -> Vec<String> {
    let is_code = |term: &String| {
        let digits = term.bytes().filter(u8::is_ascii_digit).count();
        digits >= 2 && term.contains('-') && term.bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    topic_terms(question).into_iter().filter(is_code).collect()
}

/// What is said of a passage, as terms: its title, its document's id, and the texts of its metadata.
pub(crate) fn known_terms(passage: &Passage) -> Vec<String> {
    let mut found = terms(passage.title.as_deref().unwrap_or_default());
    found.extend(terms(&passage.document.entity_id));
    for value in passage.metadata.values() {
        if let Scalar::Text(text) = value {
            found.extend(terms(text));
        }
    }
    found
}

fn passage_terms(passage: &Passage) -> Vec<String> {
    let mut found = known_terms(passage);
    found.extend(terms(&passage.text));
    found
}

/// A question read against the passages that were found for it.
#[derive(Debug)]
pub struct Reading<'a> {
    pub(crate) question: &'a str,
    pub(crate) passages: &'a [Passage],
    pub(crate) terms: Vec<Vec<String>>,
    pub(crate) weights: Weights,
    /// Codes that the person named; a passage must hold one of them, in its text, title or document's id.
    codes: Vec<String>,
    /// What the person asked, and what of the question's weights it is.
    asked: &'a str,
    pub(crate) foreign: bool,
    pub(crate) strict: bool,
}

impl<'a> Reading<'a> {
    /// Reads a question against all passages that a search found.
    #[must_use]
    pub fn of(question: &'a str, passages: &'a [Passage]) -> Self {
        let terms: Vec<Vec<String>> = passages.iter().map(passage_terms).collect();
        let weights = Weights::of(question, &terms);
        let foreign = is_mostly_not_latin(question);
        Self { question, passages, terms, weights, codes: codes(question), asked: question, foreign, strict: false }
    }

    /// Tells what was asked from what a rewrite carried over from the conversation: codes and names that passages must
    /// hold are those that were asked for, and what was carried over says what the answer is about, not what it is.
    #[must_use]
    pub fn asked(mut self, asked: &'a str) -> Self {
        self.codes = codes(asked);
        self.asked = asked;
        let own = topic_terms(asked);
        for (term, weight) in self.weights.terms.iter().zip(&mut self.weights.weights) {
            if !own.contains(term) {
                *weight *= CARRIED_WEIGHT;
            }
        }
        self
    }

    /// Reads as nobody does after whom no careful model looks at the passages: what is about something else than the
    /// question is not relevant, however well it would answer.
    #[must_use]
    pub const fn strictly(mut self) -> Self {
        self.strict = true;
        self
    }

    /// The places of the passages that are relevant to the question, in order.
    ///
    /// Where the question names a code (`INV-2026-1187`), only passages that hold it are: the total of another
    /// invoice is no answer. Else a passage is relevant when its words cover at least [`MIN_COVERAGE`] of the
    /// question's weight, or, in Latin script, where the models know the language, when the cross-encoder gives it
    /// [`MIN_RERANK`]. Below [`DOUBTFUL_RERANK`] words must cover [`SURE_COVERAGE`]. Where there is no cross-encoder's
    /// probability, a cosine stands for it, by the limits of its [`CosineScale`](crate::CosineScale); without a scale
    /// it says nothing. docs/retrieval.md has the figures that these were chosen by.
    ///
    /// Read strictly, its document must be about what is asked, too, as far as the passages found show it: it holds
    /// each name in the question ([`names`]), and each word of the question that stands in the title of another
    /// document that is relevant.
    #[must_use]
    pub fn relevant(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.passages.len()).filter(|place| self.is_relevant(*place)).collect();
        if self.strict {
            let documents = self.documents();
            let subjects = self.subjects(&places);
            places.retain(|place| self.is_about(*place, &documents[*place], &subjects));
        }
        places
    }

    /// Those terms of what was asked that no passage found has.
    #[must_use]
    pub fn unheld(&self) -> Vec<String> {
        let held = |term: &String| self.terms.iter().flatten().any(|other| related(term, other));
        topic_terms(self.asked).into_iter().filter(|term| !held(term)).collect()
    }

    /// For each passage, the terms of all found passages of its document.
    fn documents(&self) -> Vec<HashSet<String>> {
        let of_document =
            |place| self.same_document(place).flat_map(|other| self.terms[other].iter().cloned()).collect();
        (0..self.passages.len()).map(of_document).collect()
    }

    fn same_document(&self, place: usize) -> impl Iterator<Item = usize> {
        let key = |place: usize| (&self.passages[place].collection, &self.passages[place].document);
        (0..self.passages.len()).filter(move |other| key(*other) == key(place))
    }

    /// Those terms of what was asked that a title of these passages has.
    fn subjects(&self, places: &[usize]) -> Vec<String> {
        let title = |place: &usize| terms(self.passages[*place].title.as_deref().unwrap_or_default());
        let titles: Vec<String> = places.iter().flat_map(title).collect();
        topic_terms(self.asked).into_iter().filter(|term| titles.iter().any(|other| related(term, other))).collect()
    }

    fn is_about(&self, place: usize, document: &HashSet<String>, subjects: &[String]) -> bool {
        let held = |term: &String| document.iter().any(|other| related(term, other));
        let named = |name: &String| {
            self.same_document(place).any(|other| holds_name(name, &self.passages[other].text, document))
        };
        names(self.asked).iter().all(named) && subjects.iter().all(held)
    }

    fn coverage(&self, place: usize) -> f32 {
        self.weights.share(&self.weights.covered(&self.terms[place]))
    }

    fn is_relevant(&self, place: usize) -> bool {
        let coverage = self.coverage(place);
        let scores = self.passages[place].scores;
        if !self.codes.is_empty() && !self.codes.iter().any(|code| self.terms[place].contains(code)) {
            return false;
        }
        if self.foreign {
            return coverage >= MIN_COVERAGE;
        }
        let opinion = match (scores.rerank, scores.measured_cosine()) {
            (Some(rerank), _) => Some((rerank, MIN_RERANK, DOUBTFUL_RERANK)),
            (None, Some((cosine, scale))) => Some((cosine, scale.related, scale.doubtful)),
            (None, None) => None,
        };
        match opinion {
            Some((score, sure, _)) if score >= sure => true,
            Some((score, _, doubtful)) if score < doubtful => coverage >= SURE_COVERAGE,
            _ => coverage >= MIN_COVERAGE,
        }
    }
}

#[cfg(test)]
mod tests;
