//! Whether a quote stands in a source, word for word, and where.
//!
//! Two texts are the same, word for word, when they differ in nothing but: canonical composition (NFC), runs
//! of white space (a line break, a no-break space and two spaces are one space), the shape of quotation marks
//! and dashes, zero-width joiners and other invisible characters, and upper and lower case. They are not the
//! same when a letter is another one that looks alike (Cyrillic `а` for Latin `a`, a full-width or ligature
//! form), when a digit is of another script, or when a word or number is cut in the middle. What is shown
//! is the source's own text, so its case and its signs stand.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use crate::characters::{is_invisible, is_mark, is_word, plain_punctuation};

/// A source, prepared for looking up quotes.
#[derive(Clone, Debug)]
pub struct Haystack<'a> {
    text: &'a str,
    folded: Vec<Folded>,
}

/// A character as it is compared, and the bytes of the source that it comes from.
#[derive(Clone, Copy, Debug)]
struct Folded {
    character: char,
    start: usize,
    end: usize,
}

/// Punctuation that a quotation may have at its ends in place of the source's: the sentence it was taken into
/// brings its own.
const TRIMMED: [char; 12] = ['"', '\'', '.', ',', ';', ':', '…', '।', '॥', '!', '?', ' '];

impl<'a> Haystack<'a> {
    /// Prepares a source.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, folded: fold(text) }
    }

    /// The source's own text that `quote` repeats word for word: the first place that has it.
    #[must_use]
    pub fn find(&self, quote: &str) -> Option<&'a str> {
        self.find_range(quote).map(|range| &self.text[range])
    }

    /// The byte range of [`Self::find`].
    #[must_use]
    pub fn find_range(&self, quote: &str) -> Option<Range<usize>> {
        let needle: Vec<char> = fold(quote).into_iter().map(|folded| folded.character).collect();
        let start = needle.iter().position(|character| !TRIMMED.contains(character))?;
        let end = needle.iter().rposition(|character| !TRIMMED.contains(character))? + 1;
        let needle = &needle[start..end];
        let windows = self.folded.windows(needle.len()).enumerate();
        let mut places = windows.filter(|(place, window)| {
            window.iter().map(|folded| &folded.character).eq(needle) && self.is_whole(*place, *place + needle.len())
        });
        places.next().map(|(_, window)| window[0].start..window[window.len() - 1].end)
    }

    /// Whether neither end of the place cuts a word or a number.
    fn is_whole(&self, start: usize, end: usize) -> bool {
        let at = |place: usize| self.folded.get(place).map(|folded| folded.character);
        let word = |character: Option<char>| character.is_some_and(is_word);
        let digit = |character: Option<char>| character.is_some_and(char::is_numeric);
        let point = |character: Option<char>| matches!(character, Some('.' | ','));
        let before = start.checked_sub(1).and_then(at);
        let (first, last, after) = (at(start), at(end - 1), at(end));
        let cuts_before = (word(before) && word(first))
            || (digit(first) && point(before) && digit(start.checked_sub(2).and_then(at)));
        let cuts_after = (word(last) && word(after))
            || (digit(last) && point(after) && digit(at(end + 1)))
            || after.is_some_and(is_mark);
        !cuts_before && !cuts_after
    }
}

/// The source's own text that `quote` repeats word for word; see the module for what that means.
#[must_use]
pub fn find_verbatim<'a>(source: &'a str, quote: &str) -> Option<&'a str> {
    Haystack::new(source).find(quote)
}

/// Characters to compare: grapheme by grapheme in NFC, so that each knows its place in the source.
fn fold(text: &str) -> Vec<Folded> {
    let mut folded: Vec<Folded> = Vec::with_capacity(text.len());
    for (start, grapheme) in text.grapheme_indices(true) {
        let end = start + grapheme.len();
        if grapheme.starts_with(char::is_whitespace) {
            match folded.last_mut() {
                Some(last) if last.character == ' ' => last.end = end,
                _ => folded.push(Folded { character: ' ', start, end }),
            }
            continue;
        }
        let visible = grapheme.chars().filter(|character| !is_invisible(*character)).nfc();
        for character in visible.flat_map(char::to_lowercase) {
            folded.push(Folded { character: plain_punctuation(character), start, end });
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "The Buyer shall pay  Rs. 1,300.50\nwithin thirty (30) days – “net”. The Seller ships.";

    #[test]
    fn white_space_case_quotes_and_dashes_do_not_matter_and_the_sources_text_comes_back() {
        assert_eq!(
            find_verbatim(SOURCE, "the buyer shall pay rs. 1,300.50 within"),
            Some("The Buyer shall pay  Rs. 1,300.50\nwithin")
        );
        assert_eq!(find_verbatim(SOURCE, "days - \"net\""), Some("days – “net"));
        assert_eq!(find_verbatim(SOURCE, "“The Seller ships!”"), Some("The Seller ships"));
    }

    #[test]
    fn a_word_or_a_number_is_never_cut() {
        for quote in ["pay Rs. 1", "pay Rs. 1,300", "300.50 within", "uyer shall", "The Seller ship", "1,300.5"] {
            assert_eq!(find_verbatim(SOURCE, quote), None, "{quote}");
        }
    }

    #[test]
    fn look_alike_characters_are_others() {
        assert_eq!(find_verbatim(SOURCE, "The Sеller ships"), None, "Cyrillic e");
        assert_eq!(find_verbatim(SOURCE, "thirty (３０) days"), None, "full width");
    }

    #[test]
    fn composed_and_decomposed_letters_and_joiners_are_the_same() {
        assert_eq!(
            find_verbatim("\u{0958}लम श्री\u{200D}मान", "\u{0915}\u{093C}लम श्रीमान"),
            Some("\u{0958}लम श्री\u{200D}मान")
        );
        assert_eq!(find_verbatim("café au lait", "cafe\u{301} au"), Some("café au"));
    }

    #[test]
    fn an_indic_word_is_not_cut_before_its_vowel_sign() {
        assert_eq!(find_verbatim("भुगतान होगा", "भुगतान हो"), None);
        assert_eq!(find_verbatim("भुगतान होगा।", "भुगतान होगा"), Some("भुगतान होगा"));
    }

    #[test]
    fn an_empty_quote_is_nowhere() {
        assert_eq!(find_verbatim(SOURCE, " ... "), None);
    }
}
