//! Names in texts of Latin script: capitalised words and acronyms.

use std::collections::HashSet;

use crate::citations::is_month;
use crate::reading::related;
use crate::terms::{is_function_word, terms};

/// The names in a text, each once, in order: words with a capital within a sentence, acronyms anywhere, and years. Months
/// are no names, since dates are written in many ways. A text in capitals or in Title Case has none that can be told.
#[must_use]
pub fn names(text: &str) -> Vec<String> {
    let words = words(text);
    let lower_case = words.iter().any(|word| word.text.chars().all(char::is_lowercase));
    let title_case = words.iter().any(|word| {
        !word.begins_sentence
            && word.text != "I"
            && starts_high(word.text)
            && is_function_word(&word.text.to_lowercase())
    });
    if !lower_case || title_case {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let is_name = |word: &&Word<'_>| {
        let inside = !word.begins_sentence && starts_high(word.text) && word.text.chars().count() > 1;
        (inside || is_acronym(word.text) || is_year(word.text)) && !is_month(&word.text.to_lowercase())
    };
    let found = words.iter().filter(is_name).map(|word| word.text.to_owned());
    found.filter(|name| seen.insert(name.clone())).collect()
}

/// Whether a text, given with its terms, holds a name: one of its words, or the words that an acronym stands for.
#[must_use]
pub fn holds_name(name: &str, text: &str, found: &HashSet<String>) -> bool {
    let parts = terms(name);
    let mut words = parts.iter().filter(|part| is_year(name) || part.chars().any(char::is_alphabetic)).peekable();
    words.peek().is_none()
        || words.any(|word| found.iter().any(|other| related(word, other)))
        || (is_acronym(name) && initials(text).iter().any(|run| run.contains(name)))
}

struct Word<'a> {
    text: &'a str,
    begins_sentence: bool,
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut begins_sentence = true;
    let mut found = Vec::new();
    for piece in text.split_whitespace() {
        let text = piece.trim_matches(|character: char| !character.is_alphanumeric());
        let text = text.strip_suffix("'s").or_else(|| text.strip_suffix("’s")).unwrap_or(text);
        if text.is_empty() {
            continue;
        }
        found.push(Word { text, begins_sentence });
        begins_sentence = piece.ends_with(['.', '?', '!', ':']);
    }
    found
}

fn starts_high(word: &str) -> bool {
    word.chars().next().is_some_and(char::is_uppercase)
}

/// `GST`, `EU`.
fn is_acronym(word: &str) -> bool {
    word.chars().count() > 1 && word.chars().all(char::is_uppercase)
}

fn is_year(word: &str) -> bool {
    word.len() == 4 && word.parse().is_ok_and(|year: u32| (1900..2200).contains(&year))
}

/// The initials of each run of capitalised words; small words within it have none (`Bank of India`: `BI`).
fn initials(text: &str) -> Vec<String> {
    let mut runs = Vec::new();
    let mut run = String::new();
    for word in words(text) {
        match word.text.chars().next().filter(|first| first.is_uppercase()) {
            Some(first) => run.push(first),
            None if is_function_word(word.text) => {}
            None => runs.push(std::mem::take(&mut run)),
        }
    }
    runs.push(run);
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(name: &str, text: &str) -> bool {
        holds_name(name, text, &terms(text).into_iter().collect())
    }

    #[test]
    fn names_are_words_with_a_capital_that_no_sentence_gave_them() {
        for (text, expected) in [
            ("Why is the seat of arbitration Paris?", vec!["Paris"]),
            ("What does Al Noor Foods' contract say?", vec!["Al", "Noor", "Foods"]),
            ("What is Malwa's GST number?", vec!["Malwa", "GST"]),
            ("GST is due. Who pays it in March?", vec!["GST"]),
            ("What was the price in 2019, and in 0420?", vec!["2019"]),
            ("may I pay in bitcoin?", vec![]),
            ("What Is The Seat Of Arbitration?", vec![]),
            ("WHERE IS THE RICE?", vec![]),
            ("भुगतान कब होगा?", vec![]),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    #[test]
    fn a_name_is_held_by_its_word_or_by_the_words_that_it_stands_for() {
        assert!(holds("Erode", "Warehouse: Erode, turmeric godown"));
        assert!(holds("EU", "the limits of the European Union"));
        assert!(holds("Shankar-6", "variety Shankar"));
        assert!(holds("2026", "Date: 2026-11-05"));
        assert!(!holds("2019", "Date: 2026-11-05"));
        assert!(!holds("Paris", "the seat is Singapore"));
        assert!(!holds("SAARC", "Singapore International Arbitration Centre"));
    }
}
