//! Keyword terms of a text, in all ten scripts: the same function for the index and for the query.
//!
//! - The text is brought to NFC and lower case; digits of every script become ASCII digits.
//! - Marks (vowel signs, viramas, nuktas) stay in their words, as Unicode's word rules alone would not
//!   guarantee; joiners inside words go, and letters that can be written with a joiner or as one character
//!   (Malayalam chillus, Bengali khanda ta) become the one character. The nukta of `क़ ख़ ग़ ज़ फ़`, which many leave
//!   out, goes.
//! - Words joined by `-`, `/`, `_` or `.` are found whole and by part when they hold a digit (`SHK6-170`:
//!   `shk6-170`, `shk6170`, `shk6`, `170`); without a digit, by part, and joined when it is a hyphen (`e-mail`:
//!   `e`, `mail`, `email`).
//! - Numbers lose the commas of their thousands, and are also found without the zeros that end their decimals
//!   (`1,250.00`: `1250.00`, `1250`).
//! - English words are stemmed (Snowball English). Function words of English are dropped: in a collection of
//!   few documents BM25 takes a rare `when` or `does` for a telling word; the list holds no word that changes
//!   the sense of a contract (`not`, `no`, `must`, `shall`, `before`, `after` stay).

use std::sync::LazyLock;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;

use crate::characters::{ascii_digit, is_joiner, is_mark, is_word, plain_punctuation};

/// The longest term, in characters; what is longer is cut, so that a blob does not fill the index.
pub const MAX_TERM_CHARACTERS: usize = 64;

static ENGLISH: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::English));

/// English words without content of their own, sorted.
const STOP_WORDS: &[&str] = &[
    "a", "about", "am", "an", "and", "are", "as", "at", "be", "been", "being", "but", "by", "can", "could", "did",
    "do", "does", "doing", "for", "from", "had", "has", "have", "having", "he", "her", "him", "his", "how", "i", "if",
    "in", "into", "is", "it", "its", "me", "my", "of", "on", "or", "our", "please", "she", "should", "so", "such",
    "tell", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "to", "us",
    "was", "we", "were", "what", "when", "where", "which", "who", "whom", "whose", "why", "will", "with", "would",
    "you", "your",
];

/// The terms of a text, in order, with repetitions.
#[must_use]
pub fn terms(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let folded = fold(text);
    for compound in Compounds::of(&folded) {
        add_compound(&folded[compound], &mut found);
    }
    found
}

/// Whether an English word in lower case has no content of its own.
pub(crate) fn is_function_word(word: &str) -> bool {
    STOP_WORDS.binary_search(&word).is_ok()
}

/// The terms separated by spaces: what an index with a whitespace tokeniser is given, for texts and queries.
#[must_use]
pub fn terms_line(text: &str) -> String {
    terms(text).join(" ")
}

/// NFC, lower case, ASCII digits, plain hyphens and apostrophes, one character for one letter, no joiners.
fn fold(text: &str) -> Vec<char> {
    let mut folded: Vec<char> = Vec::with_capacity(text.len());
    for character in text.nfc() {
        if is_joiner(character) {
            compose_with_joiner(character, &mut folded);
            continue;
        }
        if is_optional_nukta(character, folded.last()) {
            continue;
        }
        let character = ascii_digit(plain_punctuation(character));
        if character.is_ascii() {
            folded.push(character.to_ascii_lowercase());
        } else {
            folded.extend(character.to_lowercase());
        }
    }
    folded
}

/// Whether a character is the dot of a Devanagari letter of Persian words, which as many people write as leave out:
/// `काग़ज़` is `कागज`. The dot of `ड़` and `ढ़` makes other letters. (NFC writes all of these with the dot apart.)
fn is_optional_nukta(character: char, before: Option<&char>) -> bool {
    character == '\u{093C}' && matches!(before, Some('क' | 'ख' | 'ग' | 'ज' | 'फ'))
}

/// A consonant, a virama and a zero-width joiner are another way to write some letters.
fn compose_with_joiner(joiner: char, folded: &mut Vec<char>) {
    let [.., consonant, virama] = folded.as_slice() else { return };
    let letter = match (*consonant, *virama, joiner) {
        ('ണ', '\u{0D4D}', '\u{200D}') => 'ൺ',
        ('ന', '\u{0D4D}', '\u{200D}') => 'ൻ',
        ('ര', '\u{0D4D}', '\u{200D}') => 'ർ',
        ('ല', '\u{0D4D}', '\u{200D}') => 'ൽ',
        ('ള', '\u{0D4D}', '\u{200D}') => 'ൾ',
        ('ക', '\u{0D4D}', '\u{200D}') => 'ൿ',
        ('ত', '\u{09CD}', '\u{200D}') => 'ৎ',
        _ => return,
    };
    folded.truncate(folded.len() - 2);
    folded.push(letter);
}

const fn is_connector(character: char) -> bool {
    matches!(character, '-' | '/' | '_' | '.' | ',' | '\'')
}

/// Runs of word characters that single connectors join.
struct Compounds<'a> {
    characters: &'a [char],
    at: usize,
}

impl<'a> Compounds<'a> {
    const fn of(characters: &'a [char]) -> Self {
        Self { characters, at: 0 }
    }
}

impl Iterator for Compounds<'_> {
    type Item = std::ops::Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let word_at = |at: usize| self.characters.get(at).is_some_and(|character| is_word(*character));
        while self.at < self.characters.len() && !word_at(self.at) {
            self.at += 1;
        }
        let start = self.at;
        while word_at(self.at)
            || (self.characters.get(self.at).is_some_and(|character| is_connector(*character)) && word_at(self.at + 1))
        {
            self.at += 1;
        }
        (self.at > start).then_some(start..self.at)
    }
}

fn add_compound(compound: &[char], found: &mut Vec<String>) {
    // A comma joins nothing but the digits of a number, and an apostrophe nothing but letters.
    let joined = |at: usize| match compound[at] {
        ',' => digit_at(compound, at.wrapping_sub(1)) && digit_at(compound, at + 1),
        _ => true,
    };
    let mut start = 0;
    for at in 0..compound.len() {
        if compound[at] == ',' && !joined(at) {
            add_unit(&compound[start..at], found);
            start = at + 1;
        }
    }
    add_unit(&compound[start..], found);
}

fn digit_at(characters: &[char], at: usize) -> bool {
    characters.get(at).is_some_and(char::is_ascii_digit)
}

fn add_unit(unit: &[char], found: &mut Vec<String>) {
    if unit.iter().all(|character| character.is_ascii_digit() || matches!(character, '.' | ',')) {
        add_number(unit, found);
        return;
    }
    let unit: Vec<char> = without_apostrophes(unit);
    let parts: Vec<&[char]> =
        unit.split(|character| is_connector(*character)).filter(|part| !part.is_empty()).collect();
    if let [word] = parts.as_slice() {
        add_word(word, found);
        return;
    }
    let has_digit = unit.iter().any(char::is_ascii_digit);
    if has_digit {
        push(unit.iter().filter(|character| **character != ','), found);
    }
    if has_digit || unit.contains(&'-') {
        push(parts.iter().copied().flatten(), found);
    }
    for part in parts {
        add_word(part, found);
    }
}

/// `buyer's` is `buyer`, `don't` is `dont`.
fn without_apostrophes(unit: &[char]) -> Vec<char> {
    let possessive = unit.strip_suffix(&['\'', 's']).unwrap_or(unit);
    possessive.iter().copied().filter(|character| *character != '\'').collect()
}

fn add_number(unit: &[char], found: &mut Vec<String>) {
    let number: String = unit.iter().filter(|character| **character != ',').collect();
    let short = match number.split_once('.') {
        Some((whole, decimals)) if !decimals.contains('.') => match decimals.trim_end_matches('0') {
            "" => whole.to_owned(),
            rest => format!("{whole}.{rest}"),
        },
        _ => number.clone(),
    };
    if short != number {
        found.push(cut(&short));
    }
    found.push(cut(&number));
}

fn add_word(word: &[char], found: &mut Vec<String>) {
    let ascii_letters = word.iter().all(char::is_ascii_lowercase);
    if !ascii_letters {
        // A mark alone, with no letter to belong to, is not a word.
        if !word.iter().all(|character| is_mark(*character)) {
            push(word, found);
        }
        return;
    }
    let word: String = word.iter().take(MAX_TERM_CHARACTERS).collect();
    if !is_function_word(&word) {
        found.push(ENGLISH.stem(&word).into_owned());
    }
}

fn push<'a>(characters: impl IntoIterator<Item = &'a char>, found: &mut Vec<String>) {
    found.push(characters.into_iter().take(MAX_TERM_CHARACTERS).collect());
}

fn cut(term: &str) -> String {
    term.chars().take(MAX_TERM_CHARACTERS).collect()
}

#[cfg(test)]
mod tests;
