//! Answers made of sentences of the sources, each cited word for word: without a language model, in any language.
//!
//! Each sentence of the passages is scored by how much of the question it covers, by the weights of [`Reading`]. The
//! score adds
//! - 0.8 times the covered share of the question's weight, where a term counts whole in the sentence itself, 0.6 in
//!   the sentence before it (which often names what "it" is) or the document's title and metadata, 0.3 elsewhere in
//!   the passage,
//! - 0.2 times how well the passage fits the question as a whole: the cross-encoder's probability, or a cosine that
//!   has a scale,
//! - 0.15 when the sentence has the kind of thing asked for (a time for "when"), less 0.15 when it does not,
//! - up to 0.3 when it is a line `Label: value` of a record whose label is what the question asks for.
//!
//! A line whose value the question says itself is no answer. A sentence that begins with `These` or such comes with the
//! one before it, which says what is meant.
//!
//! Scores of a cross-encoder for single sentences, if the caller has them, take half of the weight of words and fit.
//!
//! Nothing is relevant, and there is no answer, when neither words nor models see a relation: see
//! [`Reading::relevant`].

use std::collections::HashSet;
use std::ops::Range;

use crate::citations::sentences;
use crate::fields::{field, share_of_label};
use crate::passage::Passage;
use crate::question::{Asked, refers_back};
use crate::reading::{Reading, SURE_COVERAGE, known_terms, related};
use crate::terms::terms;

/// At most so many sentences make an answer.
const MAX_SENTENCES: usize = 3;
/// A further sentence must score at least this share of the best one,
const NEXT_SCORE: f32 = 0.75;
/// and add at least this share of the question's weight.
const NEXT_GAIN: f32 = 0.15;
/// The least probability of the likeliest sentence that is an answer.
const MIN_PROBABILITY: f32 = 0.1;
/// The same for a question with a word that no passage has,
const LIKELY_PROBABILITY: f32 = 0.5;
/// and for one of these that asks for a number.
const SURE_PROBABILITY: f32 = 0.8;
/// What a line scores whose label is what the question asks for.
const LABEL: f32 = 0.3;
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
    /// What of the score is for its form: the kind of thing asked for, a label asked for.
    form: f32,
    /// The cross-encoder's probability that it answers, of the sentence or else of its passage.
    probability: Option<f32>,
    /// The share of the question's weight that the sentence covers in its context, 0 to 1.
    pub coverage: f32,
    /// Which of the question's terms it covers itself.
    covered: Vec<usize>,
    /// Which of them the sentence before it, the title and the metadata cover.
    named_before: Vec<usize>,
}

impl Candidate {
    /// What a cross-encoder reads: the sentence, and the title that says what it is about.
    #[must_use]
    pub fn under_its_title(&self, passages: &[Passage]) -> String {
        let passage = &passages[self.passage];
        let sentence = &passage.text[self.bytes.clone()];
        passage.title.as_ref().map_or_else(|| sentence.to_owned(), |title| format!("{title}\n{sentence}"))
    }
}

/// How well a passage fits the question as a whole, 0 to 1, by what scores it has.
fn fit(passage: &Passage, foreign: bool) -> f32 {
    let cosine = passage.scores.measured_cosine().filter(|_| !foreign).map(|(cosine, _)| cosine);
    passage.scores.rerank.or(cosine).unwrap_or(0.0).clamp(0.0, 1.0)
}

impl Reading<'_> {
    fn coverage_in_context(&self, sentence: &[usize], before: &[usize], passage: &[usize]) -> f32 {
        let places = || 0..self.weights.len();
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
            let title = terms(passage.title.as_deref().unwrap_or_default());
            let in_passage = self.weights.covered(&self.terms[place]);
            let in_title = self.weights.covered(&known_terms(passage));
            let wanted = self.weights.terms_without(&title);
            let mut before: Option<(Range<usize>, Vec<usize>)> = None;
            for bytes in sentences(&passage.text) {
                let mut bytes = without_list_number(&passage.text, bytes);
                let mut covered = self.weights.covered(&terms(&passage.text[bytes.clone()]));
                let previous = before.replace((bytes.clone(), covered.clone()));
                if !is_statement(&passage.text[bytes.clone()], passage.title.as_deref()) {
                    continue;
                }
                let mut named_before = in_title.clone();
                if let Some((earlier, names)) = previous {
                    let same_line = !passage.text[earlier.end..bytes.start].contains('\n');
                    if same_line && refers_back(&passage.text[bytes.clone()]) {
                        bytes.start = earlier.start;
                        covered
                            .extend(names.iter().filter(|name| !covered.contains(name)).copied().collect::<Vec<_>>());
                    }
                    named_before.extend(names);
                }
                let sentence = &passage.text[bytes.clone()];
                if self.strict && self.foreign && asked == Asked::Name && covered.len() < self.weights.len() {
                    // Scripts without capitals do not show a name: the sentence must say whose it is.
                    continue;
                }
                let label = match field(sentence) {
                    Some(field) if asked != Asked::Whether && self.says(field.value) => continue,
                    Some(field) => share_of_label(field.label, &wanted, asked),
                    None => 0.0,
                };
                let coverage = self.coverage_in_context(&covered, &named_before, &in_passage);
                let cue = match asked.is_answered_by(sentence) {
                    Some(true) => 0.15,
                    Some(false) => -0.15,
                    None => 0.0,
                };
                let form = cue + LABEL * label;
                let score = 0.8 * coverage + 0.2 * fit(passage, self.foreign) + form;
                let probability = passage.scores.rerank;
                found.push(Candidate {
                    passage: place,
                    bytes,
                    score,
                    form,
                    probability,
                    coverage,
                    covered,
                    named_before,
                });
            }
        }
        sort(&mut found);
        found
    }

    /// Whether the question says all of a text.
    fn says(&self, text: &str) -> bool {
        let said = terms(self.question);
        let words = terms(text);
        !words.is_empty() && words.iter().all(|word| said.iter().any(|other| related(other, word)))
    }

    /// Whether one of the candidates answers, by the cross-encoder where it has judged them: with [`MIN_PROBABILITY`]
    /// at least, unless words cover nearly all. A question may have a word that no passage found has: another word for
    /// what they say, or just what they do not say. Then [`LIKELY_PROBABILITY`] is needed, and [`SURE_PROBABILITY`] for
    /// a number, since any number looks like an answer (`the penalty for wheat`).
    fn is_answered_by(&self, candidates: &[Candidate]) -> bool {
        let judged = candidates.iter().filter_map(|candidate| candidate.probability).max_by(f32::total_cmp);
        let Some(probability) = judged.filter(|_| self.strict && !self.foreign) else { return true };
        if !self.unheld().is_empty() {
            let number = matches!(Asked::by(self.question), Asked::Amount | Asked::HowMuch);
            return probability >= if number { SURE_PROBABILITY } else { LIKELY_PROBABILITY };
        }
        let covered = candidates.first().is_some_and(|best| best.coverage >= SURE_COVERAGE);
        probability >= MIN_PROBABILITY || covered
    }

    /// The one to three sentences that answer best; none when there are no candidates or, read strictly, when none
    /// answers.
    #[must_use]
    pub fn pick(&self, candidates: &[Candidate]) -> Vec<Pick> {
        let Some(best) = candidates.first().filter(|_| self.is_answered_by(candidates)) else { return Vec::new() };
        let mut chosen: Vec<&Candidate> = Vec::new();
        let mut covered: Vec<usize> = Vec::new();
        let mut said: HashSet<Vec<String>> = HashSet::new();
        for candidate in candidates {
            let new: Vec<usize> = candidate.covered.iter().copied().filter(|place| !covered.contains(place)).collect();
            let adds = candidate.score >= NEXT_SCORE * best.score && self.weights.share(&new) >= NEXT_GAIN;
            let words = terms(&self.passages[candidate.passage].text[candidate.bytes.clone()]);
            let overlaps = |other: &&Candidate| {
                other.passage == candidate.passage
                    && other.bytes.start < candidate.bytes.end
                    && candidate.bytes.start < other.bytes.end
            };
            if chosen.iter().any(overlaps) {
                continue;
            }
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

/// Gives half of the weight of words and fit to a cross-encoder's probabilities for the first candidates.
#[must_use]
pub fn with_sentence_scores(mut candidates: Vec<Candidate>, probabilities: &[f32]) -> Vec<Candidate> {
    for (candidate, probability) in candidates.iter_mut().zip(probabilities) {
        candidate.score = 0.5 * (candidate.score - candidate.form + probability) + candidate.form;
        candidate.probability = Some(*probability);
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
    let reading = Reading::of(question, passages).strictly();
    reading.pick(&reading.candidates())
}

#[cfg(test)]
mod tests;
