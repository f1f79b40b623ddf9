//! Splits a text into chunks that fit the embedding model, at sentence ends where it can.

use std::ops::Range;

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

pub use mandi_core::ports::TokenSpans;

use crate::citations::sentences;

/// How long chunks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkSize {
    /// At most so many tokens, special tokens not counted.
    pub tokens: usize,
    /// About so many tokens of the end of a chunk begin the next one; less than half of `tokens`.
    pub overlap: usize,
}

impl Default for ChunkSize {
    /// 200 tokens with 40 of overlap: with special tokens and a title it fits the 256 of MiniLM.
    fn default() -> Self {
        Self { tokens: 200, overlap: 40 }
    }
}

/// The longest chunk in characters, for texts whose tokens are huge (a word that the model does not know is
/// one token, however long).
pub const MAX_CHUNK_CHARACTERS: usize = 4000;

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextChunk {
    /// Its text, verbatim; never blank, and without blanks at its ends.
    pub text: String,
    /// Where it lies in the whole, in bytes.
    pub bytes: Range<usize>,
    /// Where it lies in the whole, in characters (Unicode scalar values).
    pub characters: Range<u32>,
    /// How many tokens of the whole begin in it.
    pub tokens: usize,
}

/// Splits `text`. Every character that is not blank is in at least one chunk; a chunk begins and ends between
/// two characters as people see them (grapheme clusters).
#[must_use]
pub fn chunks(text: &str, tokenizer: &dyn TokenSpans, size: ChunkSize) -> Vec<TextChunk> {
    let limit = size.tokens.max(1);
    let layout = Layout::new(text, tokenizer.token_spans(text));
    let mut chunks = Vec::new();
    let mut characters = CharacterCounter::new(text);
    let mut start = layout.skip_blank(0);
    while start < text.len() {
        let end = layout.chunk_end(start, limit);
        let slice = text[start..end].trim_end();
        let bytes = start..start + slice.len();
        chunks.push(TextChunk {
            text: slice.to_owned(),
            characters: characters.range(&bytes),
            tokens: layout.tokens_in(&bytes),
            bytes,
        });
        let next = layout.skip_blank(end);
        if next >= text.len() {
            break;
        }
        start = layout.overlap_start(start, end, size.overlap.min(limit / 2)).unwrap_or(next);
    }
    chunks
}

/// Where a text may be cut.
struct Layout<'a> {
    text: &'a str,
    tokens: Vec<Range<usize>>,
    /// Starts of sentences, in bytes.
    sentence_starts: Vec<usize>,
    /// Starts of words, in bytes.
    word_starts: Vec<usize>,
}

impl<'a> Layout<'a> {
    fn new(text: &'a str, tokens: Vec<Range<usize>>) -> Self {
        let sentence_starts = sentences(text).into_iter().map(|sentence| sentence.start).collect();
        let word_starts = text.split_word_bound_indices().map(|(start, _)| start).collect();
        Self { text, tokens, sentence_starts, word_starts }
    }

    fn skip_blank(&self, at: usize) -> usize {
        self.text[at..].find(|character: char| !character.is_whitespace()).map_or(self.text.len(), |skip| at + skip)
    }

    fn first_token_from(&self, at: usize) -> usize {
        self.tokens.partition_point(|token| token.start < at)
    }

    fn tokens_in(&self, bytes: &Range<usize>) -> usize {
        self.first_token_from(bytes.end) - self.first_token_from(bytes.start)
    }

    /// The furthest end of a chunk that begins at `start`: before the token that is one too many.
    fn hard_end(&self, start: usize, limit: usize) -> usize {
        let by_tokens =
            self.tokens.get(self.first_token_from(start) + limit).map_or(self.text.len(), |token| token.start);
        let by_characters =
            self.text[start..].char_indices().nth(MAX_CHUNK_CHARACTERS).map_or(self.text.len(), |(end, _)| start + end);
        by_tokens.min(by_characters)
    }

    /// The best end: that of a sentence in the second half, else of a word, else of a grapheme.
    fn chunk_end(&self, start: usize, limit: usize) -> usize {
        let hard = self.hard_end(start, limit);
        if hard >= self.text.len() {
            return self.text.len();
        }
        let half = start + (hard - start) / 2;
        let last_up_to = |places: &[usize]| {
            places[..places.partition_point(|place| *place <= hard)].last().copied().filter(|place| *place > half)
        };
        last_up_to(&self.sentence_starts)
            .or_else(|| last_up_to(&self.word_starts))
            .unwrap_or_else(|| self.grapheme_end(start, hard))
    }

    fn grapheme_end(&self, start: usize, hard: usize) -> usize {
        let mut cursor = GraphemeCursor::new(hard, self.text.len(), true);
        if cursor.is_boundary(self.text, 0).unwrap_or(true) && hard > start {
            return hard;
        }
        let before = cursor.prev_boundary(self.text, 0).ok().flatten().filter(|place| *place > start);
        // One grapheme of more tokens than a chunk may have is cut inside, between two characters.
        before.or_else(|| Some(hard).filter(|hard| *hard > start)).unwrap_or_else(|| self.next_character(start))
    }

    fn next_character(&self, at: usize) -> usize {
        self.text[at..].chars().next().map_or(self.text.len(), |character| at + character.len_utf8())
    }

    /// Where the next chunk begins so that it repeats at most `overlap` tokens: at a sentence; at a word only when the
    /// chunk before it ends within a sentence, so that no chunk begins with the tail of one that is whole elsewhere.
    fn overlap_start(&self, start: usize, end: usize, overlap: usize) -> Option<usize> {
        let earliest_token = self.first_token_from(end).saturating_sub(overlap);
        let earliest = self.tokens.get(earliest_token)?.start.max(start + 1);
        let first_from = |places: &[usize]| {
            let from = places.partition_point(|place| *place < earliest);
            places[from..]
                .iter()
                .copied()
                .map(|place| self.skip_blank(place))
                .find(|place| *place > start && *place < end)
        };
        let ends_sentence = self.sentence_starts.binary_search(&self.skip_blank(end)).is_ok();
        let by_word = || first_from(&self.word_starts).filter(|_| !ends_sentence);
        first_from(&self.sentence_starts).or_else(by_word).filter(|_| overlap > 0)
    }
}

/// Counts characters up to byte offsets that seldom go back, and then not far.
struct CharacterCounter<'a> {
    text: &'a str,
    at: usize,
    characters: u32,
}

impl<'a> CharacterCounter<'a> {
    const fn new(text: &'a str) -> Self {
        Self { text, at: 0, characters: 0 }
    }

    fn range(&mut self, bytes: &Range<usize>) -> Range<u32> {
        let start = self.up_to(bytes.start);
        start..self.up_to(bytes.end)
    }

    fn up_to(&mut self, byte: usize) -> u32 {
        let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        if byte >= self.at {
            self.characters += count(&self.text[self.at..byte]);
        } else {
            self.characters -= count(&self.text[byte..self.at]);
        }
        self.at = byte;
        self.characters
    }
}

#[cfg(test)]
mod tests;
