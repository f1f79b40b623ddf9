//! Near-duplicates: passages that say the same in nearly the same words are shown once.
//!
//! Two texts are near-duplicates when their shingles (runs of three words) overlap by a Jaccard index of at least
//! [`THRESHOLD`], and their numbers are the same: two invoices that differ in nothing but number and amount are two
//! invoices. (Broder, "On the resemblance and containment of documents", 1997; the lists here are short enough for the
//! exact index.) Words are compared as they are written, but for case: stemming them was 7 % of a search.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// From which Jaccard index of shingles on two texts are taken for the same.
pub const THRESHOLD: f64 = 0.85;

/// Words in a shingle.
const SHINGLE: usize = 3;

/// What is compared of a text.
struct Fingerprint {
    /// Sorted, each once.
    shingles: Vec<u64>,
    numbers: BTreeSet<String>,
}

impl Fingerprint {
    fn of(text: &str) -> Self {
        let words: Vec<String> =
            text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
        let mut shingles: Vec<u64> = words.windows(SHINGLE.min(words.len()).max(1)).map(hash).collect();
        shingles.sort_unstable();
        shingles.dedup();
        let numbers = words.into_iter().filter(|word| word.contains(char::is_numeric)).collect();
        Self { shingles, numbers }
    }

    fn resembles(&self, other: &Self) -> bool {
        let (short, long) =
            (self.shingles.len().min(other.shingles.len()), self.shingles.len().max(other.shingles.len()));
        if long == 0 || ratio(short, long) < THRESHOLD || self.numbers != other.numbers {
            return false;
        }
        let shared = shared(&self.shingles, &other.shingles);
        ratio(shared, short + long - shared) >= THRESHOLD
    }
}

/// How many numbers two sorted lists share.
fn shared(mut one: &[u64], mut other: &[u64]) -> usize {
    let mut shared = 0;
    while let ([first, one_rest @ ..], [second, other_rest @ ..]) = (one, other) {
        match first.cmp(second) {
            Ordering::Less => one = one_rest,
            Ordering::Greater => other = other_rest,
            Ordering::Equal => {
                shared += 1;
                (one, other) = (one_rest, other_rest);
            }
        }
    }
    shared
}

fn hash(words: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    words.hash(&mut hasher);
    hasher.finish()
}

#[expect(clippy::cast_precision_loss, reason = "counts of words are far below 2^52")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// The texts that were met so far, without near-duplicates.
#[derive(Default)]
pub struct NearDuplicates(Vec<Fingerprint>);

impl NearDuplicates {
    /// Whether a text is no near-duplicate of one that was admitted; it is admitted then.
    pub fn admit(&mut self, text: &str) -> bool {
        let fingerprint = Fingerprint::of(text);
        let new = !self.0.iter().any(|earlier| earlier.resembles(&fingerprint));
        if new {
            self.0.push(fingerprint);
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(texts: &[&'static str]) -> Vec<&'static str> {
        let mut known = NearDuplicates::default();
        texts.iter().copied().filter(|text| known.admit(text)).collect()
    }

    const CLAUSE: &str = "The buyer shall pay the full price within 30 days after the date of the bill of lading by \
                          telegraphic transfer to the account that the seller names in its invoice";

    #[test]
    fn the_same_words_in_other_case_and_spacing_are_kept_once_the_first_of_them() {
        assert_eq!(
            kept(&["The Buyer pays  in cash.", "the buyer pays in cash", "Rice, grade A"]),
            ["The Buyer pays  in cash.", "Rice, grade A"]
        );
    }

    #[test]
    fn a_text_with_one_more_word_is_a_near_duplicate() {
        let longer: &'static str = Box::leak(format!("{CLAUSE} promptly").into_boxed_str());
        assert_eq!(kept(&[CLAUSE, longer]), [CLAUSE]);
    }

    #[test]
    fn a_text_with_another_number_is_not() {
        let other: &'static str = Box::leak(CLAUSE.replace("30", "60").into_boxed_str());
        assert_eq!(kept(&[CLAUSE, other]).len(), 2);
    }

    #[test]
    fn texts_without_words_are_all_kept() {
        assert_eq!(kept(&["—", "…"]).len(), 2);
    }
}
