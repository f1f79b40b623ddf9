//! Answers made of sentences of the sources, each cited word for word: without a language model, in any language.
//!
//! Each sentence of the passages is scored by how much of the question it covers. A term weighs the more the fewer
//! of the candidate passages have it, so that what the question shares with every passage counts half, and a
//! term that no passage has counts most, against all of them. The score adds
//! - 0.8 times the covered share of the question's weight, where a term counts whole in the sentence itself, 0.6 in
//!   the sentence before it (which often names what "it" is) or the document's title, 0.3 elsewhere in the passage,
//! - 0.2 times how well the passage fits the question as a whole: the cross-encoder's probability, or a cosine that
//!   has a scale,
//! - 0.15 when the sentence has the kind of thing asked for (a time for "when"), less 0.15 when it does not.
//!
//! Scores of a cross-encoder for single sentences, if the caller has them, take half of the weight.
//!
//! Nothing is relevant, and there is no answer, when neither words nor models see a relation: see
//! [`Reading::relevant`].

use std::collections::HashSet;
use std::ops::Range;

use crate::characters::is_mostly_not_latin;
use crate::citations::{alike, sentences};
use crate::passage::Passage;
use crate::question::{Asked, topic_terms};
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

/// At most so many sentences make an answer.
const MAX_SENTENCES: usize = 3;
/// A further sentence must score at least this share of the best one,
const NEXT_SCORE: f32 = 0.75;
/// and add at least this share of the question's weight.
const NEXT_GAIN: f32 = 0.15;
/// The longest sentence that is shown whole, in characters.
const MAX_SENTENCE_CHARACTERS: usize = 600;

/// A sentence of a passage.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The passage, by its place.
    pub passage: usize,
    /// Where the sentence lies in the passage's text, in bytes.
    pub bytes: Range<usize>,
    /// How well it answers, higher is better.
    pub score: f32,
    /// The share of the question's weight that the sentence covers in its context, 0 to 1.
    pub coverage: f32,
    /// Which of the question's terms it covers itself.
    covered: Vec<usize>,
    /// Which of them the sentence before it and the title cover.
    named_before: Vec<usize>,
}

/// A question's terms with their weights.
#[derive(Debug)]
struct Weights {
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

    fn covered(&self, others: &[String]) -> Vec<usize> {
        let covers = |place: &usize| others.iter().any(|other| related(&self.terms[*place], other));
        (0..self.terms.len()).filter(covers).collect()
    }

    fn share(&self, covered: &[usize]) -> f32 {
        let total: f32 = self.weights.iter().sum();
        let part: f32 = covered.iter().map(|place| self.weights[*place]).sum();
        if total > 0.0 { part / total } else { 0.0 }
    }
}

/// Whether a word of the text stands for a word of the question: the same term, or the same stem with another
/// ending (`pay`, `payment`; Indian words by their beginnings).
fn related(asked: &str, found: &str) -> bool {
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

fn passage_terms(passage: &Passage) -> Vec<String> {
    let mut found = terms(passage.title.as_deref().unwrap_or_default());
    found.extend(terms(&passage.document.entity_id));
    found.extend(terms(&passage.text));
    found
}

/// How well a passage fits the question as a whole, 0 to 1, by what scores it has.
fn fit(passage: &Passage, foreign: bool) -> f32 {
    let cosine = passage.scores.measured_cosine().filter(|_| !foreign).map(|(cosine, _)| cosine);
    passage.scores.rerank.or(cosine).unwrap_or(0.0).clamp(0.0, 1.0)
}

/// A question read against the passages that were found for it.
#[derive(Debug)]
pub struct Reading<'a> {
    question: &'a str,
    passages: &'a [Passage],
    terms: Vec<Vec<String>>,
    weights: Weights,
    /// Codes that the person named; a passage must hold one of them, in its text, title or document's id.
    codes: Vec<String>,
    foreign: bool,
}

impl<'a> Reading<'a> {
    /// Reads a question against all passages that a search found.
    #[must_use]
    pub fn of(question: &'a str, passages: &'a [Passage]) -> Self {
        let terms: Vec<Vec<String>> = passages.iter().map(passage_terms).collect();
        let weights = Weights::of(question, &terms);
        Self { question, passages, terms, weights, codes: codes(question), foreign: is_mostly_not_latin(question) }
    }

    /// Tells what was asked from what a rewrite carried over from the conversation: codes that passages must hold
    /// are those that were asked for, and what was carried over says what the answer is about, not what it is.
    #[must_use]
    pub fn asked(mut self, asked: &str) -> Self {
        self.codes = codes(asked);
        let own = topic_terms(asked);
        for (term, weight) in self.weights.terms.iter().zip(&mut self.weights.weights) {
            if !own.contains(term) {
                *weight *= CARRIED_WEIGHT;
            }
        }
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
    #[must_use]
    pub fn relevant(&self) -> Vec<usize> {
        (0..self.passages.len()).filter(|place| self.is_relevant(*place)).collect()
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

    fn coverage_in_context(&self, sentence: &[usize], before: &[usize], passage: &[usize]) -> f32 {
        let places = || 0..self.weights.terms.len();
        let near: Vec<usize> = places().filter(|place| before.contains(place) && !sentence.contains(place)).collect();
        let elsewhere = |place: &usize| passage.contains(place) && !before.contains(place) && !sentence.contains(place);
        let far: Vec<usize> = places().filter(elsewhere).collect();
        self.weights.share(sentence) + 0.6 * self.weights.share(&near) + 0.3 * self.weights.share(&far)
    }

    /// The sentences of the relevant passages, best first.
    #[must_use]
    pub fn candidates(&self) -> Vec<Candidate> {
        let asked = Asked::by(self.question);
        let mut found: Vec<Candidate> = Vec::new();
        for place in self.relevant() {
            let passage = &self.passages[place];
            let in_passage = self.weights.covered(&self.terms[place]);
            let in_title = self.weights.covered(&terms(passage.title.as_deref().unwrap_or_default()));
            let mut before: Vec<usize> = Vec::new();
            for bytes in sentences(&passage.text) {
                let bytes = without_list_number(&passage.text, bytes);
                let sentence = &passage.text[bytes.clone()];
                let covered = self.weights.covered(&terms(sentence));
                let previous = std::mem::replace(&mut before, covered.clone());
                if !is_statement(sentence, passage.title.as_deref()) {
                    continue;
                }
                let named_before = [previous, in_title.clone()].concat();
                let coverage = self.coverage_in_context(&covered, &named_before, &in_passage);
                let cue = match asked.is_answered_by(sentence) {
                    Some(true) => 0.15,
                    Some(false) => -0.15,
                    None => 0.0,
                };
                let score = 0.8 * coverage + 0.2 * fit(passage, self.foreign) + cue;
                found.push(Candidate { passage: place, bytes, score, coverage, covered, named_before });
            }
        }
        sort(&mut found);
        found
    }

    /// The one to three sentences that answer best; none when there are no candidates.
    #[must_use]
    pub fn pick(&self, candidates: &[Candidate]) -> Vec<Pick> {
        let Some(best) = candidates.first() else { return Vec::new() };
        let mut chosen: Vec<&Candidate> = Vec::new();
        let mut covered: Vec<usize> = Vec::new();
        let mut said: HashSet<Vec<String>> = HashSet::new();
        for candidate in candidates {
            let new: Vec<usize> = candidate.covered.iter().copied().filter(|place| !covered.contains(place)).collect();
            let adds = candidate.score >= NEXT_SCORE * best.score && self.weights.share(&new) >= NEXT_GAIN;
            let words = terms(&self.passages[candidate.passage].text[candidate.bytes.clone()]);
            if (chosen.is_empty() || adds) && said.insert(words) {
                covered.extend(new);
                covered.extend(&candidate.named_before);
                chosen.push(candidate);
            }
            if chosen.len() == MAX_SENTENCES {
                break;
            }
        }
        chosen.into_iter().map(|candidate| picked(candidate, self.passages)).collect()
    }
}

fn sort(candidates: &mut [Candidate]) {
    candidates.sort_by(|one, other| other.score.total_cmp(&one.score));
}

/// Whether a sentence says something: no heading, no bare label, not the title.
fn is_statement(sentence: &str, title: Option<&str>) -> bool {
    let words = sentence.split_whitespace().count();
    let short_heading = words <= 6 && !sentence.contains([':', '.', '।', '॥', '!', '?', '=']);
    let has_number = sentence.chars().any(char::is_numeric);
    Some(sentence) != title
        && !sentence.ends_with([':', '?'])
        && (!short_heading || has_number)
        && !sentence.starts_with('#')
        && words >= 2
}

/// Gives half of the weight to a cross-encoder's probabilities for the first candidates.
#[must_use]
pub fn with_sentence_scores(mut candidates: Vec<Candidate>, probabilities: &[f32]) -> Vec<Candidate> {
    for (candidate, probability) in candidates.iter_mut().zip(probabilities) {
        candidate.score = 0.5 * candidate.score + 0.5 * probability;
    }
    candidates.truncate(probabilities.len());
    sort(&mut candidates);
    candidates
}

/// A sentence of an extractive answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Pick {
    /// The passage, by its place.
    pub passage: usize,
    /// Where the sentence lies in the passage's text, in bytes.
    pub bytes: Range<usize>,
    /// The sentence, verbatim.
    pub sentence: String,
    /// The share of the question's weight that it covers in its context, 0 to 1.
    pub coverage: f32,
}

fn picked(candidate: &Candidate, passages: &[Passage]) -> Pick {
    let text = &passages[candidate.passage].text;
    let bytes = shortened(text, candidate.bytes.clone());
    Pick { passage: candidate.passage, sentence: text[bytes.clone()].to_owned(), bytes, coverage: candidate.coverage }
}

/// A clause's number (`5.2`, `2.`, `(3)`) before a sentence is not part of what it says.
fn without_list_number(text: &str, bytes: Range<usize>) -> Range<usize> {
    let sentence = &text[bytes.clone()];
    let Some((marker, rest)) = sentence.split_once(' ') else { return bytes };
    let digits = |character: char| character.is_numeric() || matches!(character, '.' | '(' | ')');
    let closed = marker.ends_with(['.', ')']);
    let begins_sentence =
        rest.chars().next().is_some_and(|first| first.is_uppercase() || (closed && first.is_alphabetic()));
    let is_marker = marker.chars().all(digits) && (closed || marker.contains('.')) && begins_sentence;
    if is_marker { bytes.start + marker.len() + 1..bytes.end } else { bytes }
}

/// A sentence that is too long to show ends at a word.
fn shortened(text: &str, bytes: Range<usize>) -> Range<usize> {
    let sentence = &text[bytes.clone()];
    let Some((limit, _)) = sentence.char_indices().nth(MAX_SENTENCE_CHARACTERS) else { return bytes };
    let end = sentence[..limit].rfind(char::is_whitespace).unwrap_or(limit);
    bytes.start..bytes.start + sentence[..end].trim_end().len()
}

/// The extractive answer without a cross-encoder for sentences.
#[must_use]
pub fn extract_answer(question: &str, passages: &[Passage]) -> Vec<Pick> {
    let reading = Reading::of(question, passages);
    reading.pick(&reading.candidates())
}

#[cfg(test)]
mod tests;
