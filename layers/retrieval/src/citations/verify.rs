//! Verifies a sentence that a model wrote against the passages that it cites.
//!
//! A citation with a quote stands when the quote is in the cited passage word for word (see [`super::verbatim`]).
//! A citation without one stands when a sentence of the passage supports the claim; that sentence becomes the
//! quote. The claim itself stands when at least one citation does, and
//! - its numbers, quantities, dates and codes are all in the passages cited (or their titles),
//! - no quote has another number or date in their place,
//! - no quote is negated where the claim is not, or the other way round,
//! - at least half of its terms are in the passages, when both are written in the same script.

use std::ops::Range;

use super::facts::Facts;
use super::parse::{Citation, Claim};
use super::support::{best_span, support};
use super::verbatim::Haystack;
use crate::characters::is_mostly_not_latin;

/// The least share of a claim's terms that the cited passages must hold when its quotes are verbatim.
const MIN_QUOTED_COVERAGE: f32 = 0.5;

/// How many words before a quote are read for a negation that the quote leaves out.
const WORDS_BEFORE_QUOTE: usize = 3;

/// A passage as the model was shown it.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The title of its document.
    pub title: Option<&'a str>,
    /// Its text.
    pub text: &'a str,
}

/// Why a citation is not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// There is no passage of that number.
    UnknownPassage,
    /// The quote is not in the passage word for word.
    NotVerbatim,
    /// The claim has a number, date or code that the passages cited do not have.
    NumberNotInSource(String),
    /// The claim has another number or date than its quote.
    NumberChanged,
    /// One of claim and quote says "not", the other does not.
    Negated,
    /// The passage does not say what the claim says.
    NotSupported,
}

/// A citation that stands.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedCitation {
    /// The passage, by its place from 0.
    pub passage: usize,
    /// The source's own text.
    pub quote: String,
    /// Where it lies in the passage's text, in bytes.
    pub bytes: Range<usize>,
}

/// A sentence with what is left of its citations.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedClaim {
    /// The sentence, without citations.
    pub text: String,
    /// The citations that stand; none when the claim is not supported.
    pub citations: Vec<VerifiedCitation>,
    /// The passage numbers (from 1) of the citations that do not, and why.
    pub rejected: Vec<(usize, Rejection)>,
    /// The share of the claim's terms that the passages cited hold, 0 to 1; 1 for a claim in another script than
    /// its verbatim quotes.
    pub support: f32,
}

impl VerifiedClaim {
    /// Whether it may be shown.
    #[must_use]
    pub fn is_supported(&self) -> bool {
        !self.citations.is_empty()
    }
}

/// Verifies a claim. One without citations is looked up in all passages.
#[must_use]
pub fn verify(claim: &Claim, passages: &[Source<'_>]) -> VerifiedClaim {
    let mut verified =
        VerifiedClaim { text: claim.text.clone(), citations: Vec::new(), rejected: Vec::new(), support: 0.0 };
    let uncited: Vec<Citation>;
    let citations = if claim.citations.is_empty() {
        uncited = (1..=passages.len()).map(|n| Citation { n, quote: None }).collect();
        &uncited
    } else {
        &claim.citations
    };
    for citation in citations {
        match verify_citation(&claim.text, citation, passages) {
            Ok(found) if !verified.citations.contains(&found) => verified.citations.push(found),
            Ok(_) => {}
            Err(rejection) => verified.rejected.push((citation.n, rejection)),
        }
        // One source is enough for a sentence that names none.
        if claim.citations.is_empty() && !verified.citations.is_empty() {
            break;
        }
    }
    match check_claim(&claim.text, &verified.citations, passages) {
        Ok(support) => verified.support = support,
        Err(rejection) => {
            let fallen = verified.citations.drain(..).map(|citation| (citation.passage + 1, rejection.clone()));
            verified.rejected.extend(fallen);
        }
    }
    verified
}

fn verify_citation(text: &str, citation: &Citation, passages: &[Source<'_>]) -> Result<VerifiedCitation, Rejection> {
    let passage = citation.n.checked_sub(1).filter(|place| *place < passages.len()).ok_or(Rejection::UnknownPassage)?;
    let source = passages[passage].text;
    let bytes = match &citation.quote {
        Some(quote) => Haystack::new(source).find_range(quote).ok_or(Rejection::NotVerbatim)?,
        None => best_span(text, source).ok_or(Rejection::NotSupported)?.0,
    };
    Ok(VerifiedCitation { passage, quote: source[bytes.clone()].to_owned(), bytes })
}

/// What holds for the claim as a whole; gives its support.
fn check_claim(text: &str, citations: &[VerifiedCitation], passages: &[Source<'_>]) -> Result<f32, Rejection> {
    if citations.is_empty() {
        return Ok(0.0);
    }
    let claimed = Facts::of(text);
    let mut in_passages = Facts::default();
    let mut in_quotes = Facts::default();
    let mut evidence = String::new();
    for citation in citations {
        let source = passages[citation.passage];
        in_passages.extend(Facts::of(source.text));
        in_passages.extend(Facts::of(source.title.unwrap_or_default()));
        in_quotes.extend(Facts::of(&citation.quote));
        evidence.push_str(source.title.unwrap_or_default());
        evidence.push('\n');
        evidence.push_str(source.text);
        evidence.push('\n');
    }
    if let Some(missing) = claimed.missing_from(&in_passages) {
        return Err(Rejection::NumberNotInSource(missing));
    }
    if claimed.contradicts(&in_quotes) {
        return Err(Rejection::NumberChanged);
    }
    if is_mostly_not_latin(text) != is_mostly_not_latin(&evidence) {
        return Ok(1.0);
    }
    let negated = citations.iter().all(|citation| {
        let before = before_quote(passages[citation.passage].text, citation.bytes.start);
        support(text, &format!("{before} {}", citation.quote)).negation_differs
    });
    if negated {
        return Err(Rejection::Negated);
    }
    let coverage = support(text, &evidence).coverage;
    if coverage < MIN_QUOTED_COVERAGE {
        return Err(Rejection::NotSupported);
    }
    Ok(coverage)
}

/// The last words of the sentence before the quote begins.
fn before_quote(text: &str, start: usize) -> String {
    let before = &text[..start];
    let same_sentence = before.rsplit(['.', '!', '?', '।', '॥', '\n']).next().unwrap_or_default();
    let words: Vec<&str> = same_sentence.split_whitespace().collect();
    words[words.len().saturating_sub(WORDS_BEFORE_QUOTE)..].join(" ")
}

#[cfg(test)]
mod tests;
