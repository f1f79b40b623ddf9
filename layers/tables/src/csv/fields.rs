//! The fields of one CSV record.

use std::ops::Range;

use memchr::memchr;

use super::{Delimiter, Quote};

/// How many bytes are compared with the delimiter at a time.
const WORD_BYTES: usize = 8;
const LOW_BITS: u64 = u64::from_ne_bytes([0x7f; WORD_BYTES]);

/// Splits records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    delimiter: u8,
    quote: Option<u8>,
}

/// Whether the last quoted field of a record ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    Yes,
    No,
}

impl Fields {
    pub(crate) fn new(delimiter: Delimiter, quote: Quote) -> Self {
        Self { delimiter: delimiter.byte(), quote: quote.byte() }
    }

    /// Adds a record's fields to `text` without their quotes, and where each of them is there to `spans`.
    pub(crate) fn split(self, record: &[u8], text: &mut Vec<u8>, spans: &mut Vec<Range<usize>>) -> Closed {
        let Some(quote) = self.quote.filter(|&quote| memchr(quote, record).is_some()) else {
            let first = text.len();
            text.extend_from_slice(record);
            let mut start = first;
            each_place(self.delimiter, record, |place| {
                spans.push(start..first + place);
                start = first + place + 1;
            });
            spans.push(start..text.len());
            return Closed::Yes;
        };
        let mut rest = record;
        let mut closed = Closed::Yes;
        loop {
            let start = text.len();
            let length = match rest.split_first() {
                Some((first, inner)) if *first == quote => {
                    let (length, is_closed) = self.join(inner, quote, text);
                    closed = is_closed;
                    length + 1
                }
                _ => {
                    let length = memchr(self.delimiter, rest).unwrap_or(rest.len());
                    text.extend_from_slice(rest.get(..length).unwrap_or_default());
                    length
                }
            };
            spans.push(start..text.len());
            match rest.get(length + 1..) {
                Some(after) => rest = after,
                None => return closed,
            }
        }
    }

    /// Adds a quoted field from behind its first quote; how many bytes it has, without its delimiter.
    fn join(self, inner: &[u8], quote: u8, text: &mut Vec<u8>) -> (usize, Closed) {
        let mut place = 0;
        while let Some(rest) = inner.get(place..) {
            let Some(length) = memchr(quote, rest) else {
                text.extend_from_slice(rest);
                return (inner.len(), Closed::No);
            };
            text.extend_from_slice(rest.get(..length).unwrap_or_default());
            place += length + 1;
            if inner.get(place) != Some(&quote) {
                break;
            }
            text.push(quote);
            place += 1;
        }
        // What follows the closing quote belongs to the field.
        let rest = inner.get(place..).unwrap_or_default();
        let length = memchr(self.delimiter, rest).unwrap_or(rest.len());
        text.extend_from_slice(rest.get(..length).unwrap_or_default());
        (place + length, Closed::Yes)
    }
}

/// Gives each place of a byte. Fields are short, so that looking at eight bytes at a time is quicker here than beginning
/// a search anew behind each one.
#[inline]
fn each_place(byte: u8, bytes: &[u8], mut take: impl FnMut(usize)) {
    let pattern = u64::from_ne_bytes([byte; WORD_BYTES]);
    let (words, rest) = bytes.as_chunks::<WORD_BYTES>();
    let mut first = 0;
    for word in words {
        let differences = u64::from_le_bytes(*word) ^ pattern;
        // The highest bit of each byte that does not differ (H. Warren, "Hacker's Delight", 6-1).
        let mut found = !((differences & LOW_BITS).wrapping_add(LOW_BITS) | differences | LOW_BITS);
        while found != 0 {
            take(first + found.trailing_zeros() as usize / 8);
            found &= found.wrapping_sub(1);
        }
        first += WORD_BYTES;
    }
    for (place, _) in rest.iter().enumerate().filter(|(_, other)| **other == byte) {
        take(first + place);
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    #[test]
    fn given_random_bytes_when_one_is_looked_for_then_each_of_its_places_is_found() {
        let mut random = StdRng::seed_from_u64(3);
        for _ in 0..2_000 {
            let bytes: Vec<u8> = (0..random.random_range(0..40))
                .map(|_| [b',', b'-', b',' | 0x80, 0, 0xff][random.random_range(0..5)])
                .collect();
            let mut places = Vec::new();
            each_place(b',', &bytes, |place| places.push(place));
            assert_eq!(places, memchr::memchr_iter(b',', &bytes).collect::<Vec<_>>(), "{bytes:?}");
        }
    }
}
