//! Splits text into sentences: of documents at once, of a model's output as it arrives.

use std::ops::Range;

/// Words that a full stop follows without ending the sentence, in lower case, sorted.
const ABBREVIATIONS: &[&str] = &[
    "adv", "al", "approx", "art", "attn", "ave", "bros", "cf", "cl", "co", "corp", "dept", "dr", "e.g", "eg", "encl",
    "est", "etc", "ex", "fig", "gen", "govt", "hon", "i.e", "ie", "inc", "incl", "inv", "jr", "ltd", "m/s", "max",
    "messrs", "min", "mr", "mrs", "ms", "mt", "mts", "mw", "no", "nos", "p", "para", "pp", "prof", "pt", "pvt", "qty",
    "re", "ref", "rev", "rs", "sec", "shri", "sl", "smt", "sr", "st", "v", "viz", "vol", "vs",
];

/// Abbreviations of Indian languages: Rs., Dr., No.
const INDIC_ABBREVIATIONS: &[&str] =
    &["रु", "डॉ", "क्र", "सं", "श्री", "ரூ", "திரு", "எண்", "రూ", "રૂ", "ರೂ", "രൂ", "ਰੁ", "টা", "ডা"];

/// A line at least so long, in characters, that ends within a sentence was wrapped there.
const WRAPPED_LINE_CHARACTERS: usize = 45;

/// The byte ranges of the sentences of `text`, without the blanks around them. They hold every character that
/// is not blank. A sentence ends at `.`, `!`, `?`, `…`, `।`, `॥` (not after an abbreviation, an initial or a
/// list's number, nor inside a number), at a blank line, and at the end of a line that was not wrapped.
#[must_use]
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for (place, character) in text.char_indices() {
        let after = place + character.len_utf8();
        if place < start {
            continue;
        }
        let end = match character {
            '\n' if ends_line(text, start, place) => Some(after),
            _ if is_terminator(character) => sentence_end(text, start, place),
            _ => None,
        };
        if let Some(end) = end {
            push_trimmed(text, start..end, &mut found);
            start = end;
        }
    }
    push_trimmed(text, start..text.len(), &mut found);
    found
}

fn push_trimmed(text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>) {
    let slice = &text[range.clone()];
    let trimmed = slice.trim();
    if !trimmed.is_empty() {
        let start = range.start + (slice.len() - slice.trim_start().len());
        found.push(start..start + trimmed.len());
    }
}

const fn is_terminator(character: char) -> bool {
    matches!(character, '.' | '!' | '?' | '…' | '।' | '॥')
}

/// The end of the sentence whose terminator stands at `place`, with the quotation marks and brackets that
/// close after it; `None` when it does not end there.
fn sentence_end(text: &str, start: usize, place: usize) -> Option<usize> {
    let rest = &text[place..];
    let tail = rest
        .char_indices()
        .take_while(|(_, character)| {
            is_terminator(*character) || matches!(character, '"' | '\'' | '”' | '’' | ')' | ']')
        })
        .last();
    let end = tail.map_or(place, |(offset, character)| place + offset + character.len_utf8());
    let next = text[end..].chars().next();
    if !next.is_none_or(char::is_whitespace) && !rest.starts_with(['।', '॥']) {
        return None;
    }
    let single_stop = rest.starts_with('.') && !rest[1..].starts_with('.');
    (!single_stop || !stop_belongs_to_word(&text[start..place], &text[end..])).then_some(end)
}

/// Whether the full stop after `before` is part of an abbreviation, an initial or a list's number.
fn stop_belongs_to_word(before: &str, after: &str) -> bool {
    let word =
        before.rsplit(|character: char| character.is_whitespace() || matches!(character, '(' | '"' | '“')).next();
    let word = word.unwrap_or_default();
    let more = after.trim_start().chars().next();
    let Some(next) = more else { return false };
    let mut letters = word.chars();
    let initial = letters.next().is_some_and(char::is_uppercase) && letters.next().is_none();
    let begins_sentence = before.trim_start() == word;
    let list_number = begins_sentence && !word.is_empty() && word.chars().all(|c| c.is_numeric() || c == '.');
    let lower = word.to_lowercase();
    let always = ABBREVIATIONS.binary_search(&lower.as_str()).is_ok() || INDIC_ABBREVIATIONS.contains(&word);
    // "Co." and "etc." may end a sentence, and "no" is a word too: then a capital follows.
    let may_end = matches!(lower.as_str(), "co" | "ltd" | "inc" | "corp" | "etc" | "al") || word == "no";
    initial || list_number || (always && !(may_end && next.is_uppercase()))
}

/// Whether the line break at `place` ends a sentence that began at `start`.
fn ends_line(text: &str, start: usize, place: usize) -> bool {
    let line_start = text[start..place].rfind('\n').map_or(start, |offset| start + offset + 1);
    let line = text[line_start..place].trim();
    let next = text[place + 1..].lines().next().unwrap_or_default();
    if line.is_empty() || next.trim().is_empty() || is_item(next) || labelled(next).is_some() {
        return true;
    }
    let continued = next.trim_start().chars().next().is_some_and(char::is_lowercase);
    let wrapped = line.chars().count() >= WRAPPED_LINE_CHARACTERS && !line.ends_with(':');
    !(wrapped || (continued && !line.ends_with(':')))
}

/// `- text`, `* text`, `• text`, `(a) text`, `3. text`.
fn is_item(line: &str) -> bool {
    let line = line.trim_start();
    if line.starts_with(['-', '*', '•', '#', '|']) {
        return true;
    }
    let marker = line.split_whitespace().next().unwrap_or_default();
    let short = marker.chars().count() <= 5;
    let inner = marker.trim_start_matches('(').trim_end_matches(['.', ')']);
    short && marker.ends_with(['.', ')']) && (inner.chars().all(char::is_numeric) || inner.chars().count() == 1)
}

/// The label and the value of `Label: value`, with a label of at most four words.
pub(crate) fn labelled(line: &str) -> Option<(&str, &str)> {
    line.split_once(": ").filter(|(label, _)| {
        label.chars().next().is_some_and(|first| !first.is_lowercase()) && label.split_whitespace().count() <= 4
    })
}

/// Collects a model's output and gives back its sentences as they become complete. A citation that follows a
/// full stop belongs to the sentence before it.
#[derive(Debug, Default)]
pub struct SentenceBuffer {
    text: String,
}

impl SentenceBuffer {
    /// Adds output; returns the sentences that are complete now, without the blanks around them.
    pub fn push(&mut self, output: &str) -> Vec<String> {
        self.text.push_str(output);
        let mut complete = Vec::new();
        while let Some(end) = self.first_end() {
            let sentence = self.text[..end].trim().to_owned();
            self.text.drain(..end);
            if !sentence.is_empty() {
                complete.push(sentence);
            }
        }
        complete
    }

    /// What is left at the end, if it is not blank.
    #[must_use]
    pub fn rest(self) -> Option<String> {
        let rest = self.text.trim();
        (!rest.is_empty()).then(|| rest.to_owned())
    }

    /// The end of the first sentence, once the character that begins the next one is there.
    fn first_end(&self) -> Option<usize> {
        let mut brackets = Brackets::default();
        let mut ended: Option<usize> = None;
        for (place, character) in self.text.char_indices() {
            let inside = brackets.inside();
            brackets.step(character);
            if let Some(end) = ended {
                match character {
                    '[' => {}
                    _ if character.is_whitespace() || inside || is_terminator(character) => {}
                    '"' | '\'' | '”' | '’' | ')' => {}
                    _ => return Some(if end <= place { self.end_before(place) } else { end }),
                }
                continue;
            }
            if inside {
                continue;
            }
            let ends = if character == '\n' {
                !self.text[..place].trim().is_empty()
            } else {
                is_terminator(character) && sentence_end(&self.text, 0, place).is_some()
            };
            if ends {
                ended = Some(place + character.len_utf8());
            }
        }
        None
    }

    fn end_before(&self, place: usize) -> usize {
        self.text[..place].trim_end().len()
    }
}

/// Whether a character stands inside `[...]`, where quotes may hold brackets and full stops.
#[derive(Debug, Default)]
struct Brackets {
    open: bool,
    quoted: bool,
}

impl Brackets {
    const fn inside(&self) -> bool {
        self.open
    }

    const fn step(&mut self, character: char) {
        match character {
            '[' if !self.open => self.open = true,
            '"' | '“' | '”' if self.open => self.quoted = !self.quoted,
            ']' if self.open && !self.quoted => self.open = false,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|range| &text[range]).collect()
    }

    fn streamed(text: &str, piece: usize) -> Vec<String> {
        let mut buffer = SentenceBuffer::default();
        let characters: Vec<char> = text.chars().collect();
        let mut found: Vec<String> =
            characters.chunks(piece).flat_map(|piece| buffer.push(&piece.iter().collect::<String>())).collect();
        found.extend(buffer.rest());
        found
    }

    #[test]
    fn sentences_end_at_stops_in_every_script() {
        assert_eq!(split("One. Two! Three? Four… Five"), ["One.", "Two!", "Three?", "Four…", "Five"]);
        assert_eq!(split("भुगतान होगा। माल भेजेगा॥ ठीक है।और"), ["भुगतान होगा।", "माल भेजेगा॥", "ठीक है।", "और"]);
        assert_eq!(split("பணம் செலுத்த வேண்டும். சரி."), ["பணம் செலுத்த வேண்டும்.", "சரி."]);
    }

    #[test]
    fn abbreviations_initials_and_decimals_do_not_end_a_sentence() {
        for text in [
            "The price is Rs. 1,250.50 per quintal.",
            "See No. 5 and cl. 4.2 of the contract.",
            "Mr. A. K. Sharma of M/s. Sharma Traders Pvt. Ltd. signs.",
            "रु. 500 प्रति क्विंटल।",
            "Rice, e.g. basmati, is included.",
        ] {
            assert_eq!(split(text), [text]);
        }
        assert_eq!(
            split("It was bought from Rao & Co. The price is fixed."),
            ["It was bought from Rao & Co.", "The price is fixed."]
        );
        assert_eq!(split("1. First item.\n2. Second item."), ["1. First item.", "2. Second item."]);
    }

    #[test]
    fn lines_of_a_form_are_sentences_and_wrapped_lines_are_not() {
        assert_eq!(
            split("Invoice: INV-1\nTotal: INR 500\n- rice\n- wheat"),
            ["Invoice: INV-1", "Total: INR 500", "- rice", "- wheat"]
        );
        let wrapped = "This License refers to version three of the General Public\nLicense and to nothing else at all.";
        assert_eq!(split(wrapped), [wrapped]);
        assert_eq!(split("Heading\n\nText"), ["Heading", "Text"]);
    }

    #[test]
    fn a_streamed_answer_gives_the_same_sentences_at_any_cut() {
        let text = "The buyer pays in 30 days [1: \"within 30 days. No later\"]. It is Rs. 5.50 a kg. [2] \
                    Then? [3][4] भुगतान होगा। [1] End";
        let expected = [
            "The buyer pays in 30 days [1: \"within 30 days. No later\"].",
            "It is Rs. 5.50 a kg. [2]",
            "Then? [3][4]",
            "भुगतान होगा। [1]",
            "End",
        ];
        for piece in 1..12 {
            assert_eq!(streamed(text, piece), expected, "pieces of {piece}");
        }
    }

    #[test]
    fn a_sentence_is_held_back_until_the_next_one_begins() {
        let mut buffer = SentenceBuffer::default();
        assert!(buffer.push("The buyer pays.").is_empty());
        assert!(buffer.push(" ").is_empty());
        assert!(buffer.push("[1]").is_empty());
        assert_eq!(buffer.push(" The"), ["The buyer pays. [1]"]);
        assert_eq!(buffer.rest().as_deref(), Some("The"));
    }
}
