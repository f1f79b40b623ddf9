//! How far a source says what a sentence says, by their words: cheap, in any language, and on the safe side.
//!
//! The sentence's keyword terms are looked up in the evidence: `coverage` is the share that is there, `order`
//! the share in the longest common subsequence, so that "the seller pays the buyer" is not supported by "the
//! buyer pays the seller". A negation on one side only is no support at all.

use std::ops::Range;

use super::facts::Facts;
use super::sentence_splitter::sentences;
use crate::terms::terms;

/// The least share of a sentence's terms that its evidence must hold.
pub const MIN_COVERAGE: f32 = 0.6;

/// The least share of a sentence's terms that its evidence must hold in the same order.
pub const MIN_ORDER: f32 = 0.5;

/// How far evidence supports a sentence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Support {
    /// Share of the sentence's terms that the evidence has, 0 to 1.
    pub coverage: f32,
    /// Share of the sentence's terms that the evidence has in the same order, 0 to 1.
    pub order: f32,
    /// One of the two says "not" and the other does not.
    pub negation_differs: bool,
}

impl Support {
    /// Whether it is enough.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.coverage >= MIN_COVERAGE && self.order >= MIN_ORDER && !self.negation_differs
    }
}

/// How far `evidence` says what `sentence` says.
#[must_use]
pub fn support(sentence: &str, evidence: &str) -> Support {
    support_of_terms(&terms(sentence), &terms(evidence))
}

fn support_of_terms(sentence: &[String], evidence: &[String]) -> Support {
    // Numbers are compared as facts, whatever their format.
    let has_digit = |term: &str| term.bytes().any(|byte| byte.is_ascii_digit());
    let content: Vec<&String> = sentence.iter().filter(|term| !is_negation(term) && !has_digit(term)).collect();
    let only_numbers = content.is_empty() && sentence.iter().any(|term| has_digit(term));
    let places: Vec<usize> =
        content.iter().filter_map(|term| evidence.iter().position(|other| alike(term, other))).collect();
    // Negations count near the words that both have: not those of another clause.
    let window = match (places.iter().min(), places.iter().max()) {
        (Some(first), Some(last)) => &evidence[first.saturating_sub(2)..=*last],
        _ => evidence,
    };
    let negated = |terms: &[String]| terms.iter().any(|term| is_negation(term));
    let share_of_content = |part: usize| if only_numbers { 1.0 } else { share(part, content.len()) };
    Support {
        coverage: share_of_content(places.len()),
        order: share_of_content(common_subsequence(&content, evidence)),
        negation_differs: negated(sentence) != negated(window),
    }
}

/// The same term, or, in languages that we do not stem, words that share all but their endings.
pub(crate) fn alike(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    if one.is_ascii() || other.is_ascii() {
        return false;
    }
    let shared = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let longest = one.chars().count().max(other.chars().count());
    shared >= 3 && shared * 10 >= longest * 6
}

/// Words that say "not" in ten languages, as terms.
pub(crate) fn is_negation(term: &str) -> bool {
    const WORDS: [&str; 39] = [
        "not",
        "no",
        "never",
        "without",
        "neither",
        "nor",
        "cannot",
        "dont",
        "doesnt",
        "isnt",
        "arent",
        "wont",
        "cant",
        "shant",
        "mustnt",
        "shouldnt",
        "didnt",
        "wasnt",
        "unless",
        "नहीं",
        "न",
        "मत",
        "बिना",
        "नाही",
        "नको",
        "இல்லை",
        "அல்ல",
        "கூடாது",
        "முடியாது",
        "లేదు",
        "కాదు",
        "નથી",
        "નહીં",
        "ಇಲ್ಲ",
        "ಅಲ್ಲ",
        "ഇല്ല",
        "ਨਹੀਂ",
        "না",
        "নয়",
    ];
    WORDS.contains(&term)
}

#[expect(clippy::cast_precision_loss, reason = "counts of terms are far below 2^24")]
fn share(part: usize, whole: usize) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}

/// The length of the longest common subsequence (Wagner and Fischer, 1974).
fn common_subsequence(one: &[&String], other: &[String]) -> usize {
    let mut row = vec![0; other.len() + 1];
    for term in one {
        let mut diagonal = 0;
        for (place, candidate) in other.iter().enumerate() {
            let above = row[place + 1];
            row[place + 1] = if alike(term, candidate) { diagonal + 1 } else { above.max(row[place]) };
            diagonal = above;
        }
    }
    row[other.len()]
}

/// The sentence of `text` (or two that follow each other) that supports `sentence` best and holds its numbers
/// and dates; `None` when none is enough.
#[must_use]
pub fn best_span(sentence: &str, text: &str) -> Option<(Range<usize>, Support)> {
    let claimed = terms(sentence);
    let mut facts = Facts::of(sentence);
    // A code names the document, which need not repeat it in each sentence.
    facts.codes.clear();
    let ranges = sentences(text);
    let pairs = ranges.windows(2).map(|pair| pair[0].start..pair[1].end);
    let mut best: Option<(Range<usize>, Support)> = None;
    for span in ranges.iter().cloned().chain(pairs) {
        let evidence = &text[span.clone()];
        let support = support_of_terms(&claimed, &terms(evidence));
        let better =
            best.as_ref().is_none_or(|(_, best)| support.coverage + support.order > best.coverage + best.order);
        if better && support.holds() && facts.missing_from(&Facts::of(evidence)).is_none() {
            best = Some((span, support));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests state what must hold")]

    use super::*;

    const TEXT: &str = "The Buyer shall pay within thirty (30) days of the invoice date. The Seller shall not be liable for \
                        delay caused by rain. Payment after 60 days bears interest.";

    #[test]
    fn a_sentence_in_nearly_the_words_of_the_source_is_supported_by_the_sentence_there() {
        let (span, support) = best_span("The buyer must pay within 30 days of the invoice.", TEXT).unwrap();
        assert_eq!(&TEXT[span], "The Buyer shall pay within thirty (30) days of the invoice date.");
        assert!(support.coverage > 0.7);
    }

    #[test]
    fn another_number_another_order_or_a_lost_negation_is_no_support() {
        for sentence in [
            "The buyer must pay within 60 days of the invoice.",
            "The seller shall be liable for delay caused by rain.",
            "The buyer shall not pay within 30 days of the invoice date.",
            "Settlement is expected a month after shipment.",
            "",
        ] {
            assert_eq!(best_span(sentence, TEXT), None, "{sentence}");
        }
        let swapped = support("The seller pays the buyer", "The buyer pays the seller");
        assert!(!swapped.holds(), "{swapped:?}");
    }

    #[test]
    fn indian_words_match_without_their_endings() {
        assert!(support("क्रेता 30 दिन में भुगतान करेगा", "क्रेता 30 दिनों में भुगतान करेगा।").coverage > 0.99);
    }
}
