//! The fields of one CSV record.

use memchr::memchr;

use super::{Delimiter, Quote};

/// Splits one record. A field that has no doubled quotes is a part of the record; another is put together in a buffer.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    delimiter: u8,
    quote: Option<u8>,
    joined: Vec<u8>,
}

/// Whether the last quoted field of a record ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    Yes,
    No,
}

impl Fields {
    pub(crate) fn new(delimiter: Delimiter, quote: Quote) -> Self {
        Self { delimiter: delimiter.byte(), quote: quote.byte(), joined: Vec::new() }
    }

    /// Gives each field with its place; the first is 0.
    pub(crate) fn each(&mut self, record: &[u8], mut take: impl FnMut(usize, &[u8])) -> Closed {
        let Some(quote) = self.quote.filter(|&quote| memchr(quote, record).is_some()) else {
            let mut start = 0;
            let mut place = 0;
            for end in memchr::memchr_iter(self.delimiter, record) {
                take(place, record.get(start..end).unwrap_or_default());
                start = end + 1;
                place += 1;
            }
            take(place, record.get(start..).unwrap_or_default());
            return Closed::Yes;
        };
        let mut rest = record;
        let mut closed = Closed::Yes;
        for place in 0.. {
            let length = match rest.split_first() {
                Some((first, inner)) if *first == quote => {
                    let (length, is_closed) = self.join(inner, quote);
                    closed = is_closed;
                    take(place, &self.joined);
                    length + 1
                }
                _ => {
                    let length = memchr(self.delimiter, rest).unwrap_or(rest.len());
                    take(place, rest.get(..length).unwrap_or_default());
                    length
                }
            };
            match rest.get(length + 1..) {
                Some(after) => rest = after,
                None => break,
            }
        }
        closed
    }

    /// Puts a quoted field together from behind its first quote; how many bytes it has, without its delimiter.
    fn join(&mut self, inner: &[u8], quote: u8) -> (usize, Closed) {
        self.joined.clear();
        let mut place = 0;
        while let Some(rest) = inner.get(place..) {
            let Some(length) = memchr(quote, rest) else {
                self.joined.extend_from_slice(rest);
                return (inner.len(), Closed::No);
            };
            self.joined.extend_from_slice(rest.get(..length).unwrap_or_default());
            place += length + 1;
            if inner.get(place) != Some(&quote) {
                break;
            }
            self.joined.push(quote);
            place += 1;
        }
        // What follows the closing quote belongs to the field.
        let rest = inner.get(place..).unwrap_or_default();
        let length = memchr(self.delimiter, rest).unwrap_or(rest.len());
        self.joined.extend_from_slice(rest.get(..length).unwrap_or_default());
        (place + length, Closed::Yes)
    }
}
