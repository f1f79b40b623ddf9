//! Answers made of sentences of the sources, each cited word for word: without a language model, in any language.
//!
//! Each sentence of the passages is scored by how much of the question it covers. A term's weight is its inverse
//! document frequency over the candidate passages, so that what the question shares with every passage counts
//! little, and a term that no passage has counts most, against all of them. The score adds
//! - the weight of the question's terms that the sentence has (0.6), and that its passage and title have (0.2),
//! - how well the passage fits the question as a whole: the cross-encoder's probability, or cosine (0.2),
//! - 0.15 when the sentence has the kind of thing asked for (a time for "when"), less 0.15 when it does not.
//!
//! Scores of a cross-encoder for single sentences, if the caller has them, take half of the weight.
//!
//! Nothing is relevant, and there is no answer, when neither words nor models see a relation: see
//! [`is_relevant`].

use std::collections::HashMap;
use std::ops::Range;

use crate::characters::is_mostly_not_latin;
use crate::citations::{alike, sentences};
use crate::passage::Passage;
use crate::question::{Asked, topic_terms};
use crate::terms::terms;

/// The least share of the question's weight that a passage must cover when nothing but words speaks for it.
pub const MIN_COVERAGE: f32 = 0.5;
/// The cross-encoder's probability from which on a passage is relevant whatever its words.
pub const MIN_RERANK: f32 = 0.5;
/// The cosine similarity from which on a passage in Latin script is relevant whatever its words.
pub const MIN_COSINE: f32 = 0.5;
/// With a cross-encoder's probability below this, words alone must cover [`SURE_COVERAGE`].
pub const DOUBTFUL_RERANK: f32 = 0.02;
/// The coverage that overrules a doubting cross-encoder.
pub const SURE_COVERAGE: f32 = 0.8;

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
    /// The share of the question's weight that the sentence covers, 0 to 1.
    pub coverage: f32,
    /// Which of the question's terms it covers.
    covered: Vec<usize>,
}

/// A question's terms with their weights.
struct Weights {
    terms: Vec<String>,
    weights: Vec<f32>,
}

impl Weights {
    /// Inverse document frequency as in BM25 (Robertson and Zaragoza 2009, section 3.1), over the passages.
    #[expect(clippy::cast_precision_loss, reason = "counts of passages are far below 2^24")]
    fn of(question: &str, passages: &[Vec<String>]) -> Self {
        let terms = topic_terms(question);
        let weights = terms.iter().map(|term| {
            let holds =
                passages.iter().filter(|passage| passage.iter().any(|other| related(term, other))).count() as f32;
            ((passages.len() as f32 - holds + 0.5) / (holds + 0.5)).ln_1p()
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

fn passage_terms(passage: &Passage) -> Vec<String> {
    let mut found = terms(passage.title.as_deref().unwrap_or_default());
    found.extend(terms(&passage.text));
    found
}

/// How well a passage fits the question as a whole, 0 to 1, by what scores it has.
fn fit(passage: &Passage, foreign: bool) -> f32 {
    let cosine = passage.scores.vector.filter(|_| !foreign);
    passage.scores.rerank.or(cosine).unwrap_or(0.0).clamp(0.0, 1.0)
}

/// The passages that are relevant to the question, by place, in order.
///
/// A passage is relevant when its words cover at least [`MIN_COVERAGE`] of the question's weight (at least
/// [`SURE_COVERAGE`] when a cross-encoder gives it less than [`DOUBTFUL_RERANK`]); or, in Latin script, where
/// the models know the language, when the cross-encoder gives it [`MIN_RERANK`], or its cosine is
/// [`MIN_COSINE`] and there is no cross-encoder to ask.
#[must_use]
pub fn relevant(question: &str, passages: &[Passage]) -> Vec<usize> {
    let all_terms: Vec<Vec<String>> = passages.iter().map(passage_terms).collect();
    let weights = Weights::of(question, &all_terms);
    let foreign = is_mostly_not_latin(question);
    let places = passages.iter().zip(&all_terms).enumerate();
    let kept =
        places.filter(|(_, (passage, terms))| is_relevant(weights.share(&weights.covered(terms)), passage, foreign));
    kept.map(|(place, _)| place).collect()
}

/// See [`relevant`].
fn is_relevant(coverage: f32, passage: &Passage, foreign: bool) -> bool {
    if foreign {
        return coverage >= MIN_COVERAGE;
    }
    match passage.scores.rerank {
        Some(rerank) if rerank >= MIN_RERANK => true,
        Some(rerank) if rerank < DOUBTFUL_RERANK => coverage >= SURE_COVERAGE,
        Some(_) => coverage >= MIN_COVERAGE,
        None => coverage >= MIN_COVERAGE || passage.scores.vector.is_some_and(|cosine| cosine >= MIN_COSINE),
    }
}

/// The sentences of the relevant passages, best first.
#[must_use]
pub fn candidates(question: &str, passages: &[Passage]) -> Vec<Candidate> {
    let all_terms: Vec<Vec<String>> = passages.iter().map(passage_terms).collect();
    let weights = Weights::of(question, &all_terms);
    let asked = Asked::by(question);
    let foreign = is_mostly_not_latin(question);
    let mut found: Vec<Candidate> = Vec::new();
    for place in relevant(question, passages) {
        let passage = &passages[place];
        let of_passage = weights.share(&weights.covered(&all_terms[place]));
        for bytes in sentences(&passage.text) {
            let sentence = &passage.text[bytes.clone()];
            if !is_statement(sentence, passage.title.as_deref()) {
                continue;
            }
            let covered = weights.covered(&terms(sentence));
            let coverage = weights.share(&covered);
            let cue = match asked.is_answered_by(sentence) {
                Some(true) => 0.15,
                Some(false) => -0.15,
                None => 0.0,
            };
            let score = 0.6 * coverage + 0.2 * of_passage + 0.2 * fit(passage, foreign) + cue;
            found.push(Candidate { passage: place, bytes, score, coverage, covered });
        }
    }
    sort(&mut found);
    found
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
    /// The share of the question's weight that it covers, 0 to 1.
    pub coverage: f32,
}

/// The one to three sentences that answer best; none when there are no candidates. `passages` are those that the
/// candidates were made from.
#[must_use]
pub fn pick(candidates: &[Candidate], question: &str, passages: &[Passage]) -> Vec<Pick> {
    let all_terms: Vec<Vec<String>> = passages.iter().map(passage_terms).collect();
    let weights = Weights::of(question, &all_terms);
    let Some(best) = candidates.first() else { return Vec::new() };
    let mut chosen: Vec<&Candidate> = Vec::new();
    let mut covered: Vec<usize> = Vec::new();
    let mut texts: HashMap<Vec<String>, ()> = HashMap::new();
    for candidate in candidates {
        let gain: Vec<usize> = candidate.covered.iter().copied().filter(|place| !covered.contains(place)).collect();
        let wanted =
            chosen.is_empty() || (candidate.score >= NEXT_SCORE * best.score && weights.share(&gain) >= NEXT_GAIN);
        let words = terms(&passages[candidate.passage].text[candidate.bytes.clone()]);
        if wanted && texts.insert(words, ()).is_none() {
            covered.extend(gain);
            chosen.push(candidate);
        }
        if chosen.len() == MAX_SENTENCES {
            break;
        }
    }
    chosen.into_iter().map(|candidate| picked(candidate, passages)).collect()
}

fn picked(candidate: &Candidate, passages: &[Passage]) -> Pick {
    let text = &passages[candidate.passage].text;
    let bytes = shortened(text, candidate.bytes.clone());
    Pick { passage: candidate.passage, sentence: text[bytes.clone()].to_owned(), bytes, coverage: candidate.coverage }
}

/// A sentence that is too long to show ends at a word.
fn shortened(text: &str, bytes: Range<usize>) -> Range<usize> {
    let sentence = &text[bytes.clone()];
    let Some((limit, _)) = sentence.char_indices().nth(MAX_SENTENCE_CHARACTERS) else { return bytes };
    let end = sentence[..limit].rfind(char::is_whitespace).unwrap_or(limit);
    bytes.start..bytes.start + sentence[..end].trim_end().len()
}

/// The extractive answer without a cross-encoder for sentences: [`candidates`], then [`pick`].
#[must_use]
pub fn extract_answer(question: &str, passages: &[Passage]) -> Vec<Pick> {
    pick(&candidates(question, passages), question, passages)
}

#[cfg(test)]
mod tests;
