//! An input as the Parquet library wants it, with a bound on what is asked of it.

use std::io::{Cursor, Read};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::expansion::Expansion;
use crate::error::TableError;
use crate::limits::Limits;
use crate::range::{Input, RangeReader};

/// The longest header of a page that is looked at: three numbers with their tags.
const HEADER_BYTES: u64 = 18;

/// An input and its bounds.
pub(crate) struct Source {
    input: Input,
    longest: usize,
    page_bytes: usize,
    expansion: Expansion,
}

impl Source {
    pub(crate) fn new(input: &Input, limits: &Limits) -> Self {
        let longest = limits.footer_bytes.max(limits.page_bytes);
        Self { input: Input::clone(input), longest, page_bytes: limits.page_bytes, expansion: Expansion::default() }
    }

    /// Looks at the pages of these codecs before they are decompressed.
    pub(super) fn guarding(self, expansion: Expansion) -> Self {
        Self { expansion, ..self }
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.input.len()
    }
}

impl ChunkReader for Source {
    type T = Box<dyn Read>;

    /// The library reads headers of pages so, and the last eight bytes.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut head = Vec::new();
        RangeReader::new(&self.input, start, HEADER_BYTES).read_to_end(&mut head).map_err(external)?;
        if let Some(size) = expanded_size(&head).filter(|&size| size > self.page_bytes as u64) {
            let reason = format!("a page expands to {size} bytes, and at most {} are allowed here", self.page_bytes);
            return Err(ParquetError::External(Box::new(super::malformed(reason))));
        }
        let rest = RangeReader::new(&self.input, start.saturating_add(head.len() as u64), 1 << 16);
        Ok(Box::new(Cursor::new(head).chain(rest)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if length > self.longest {
            let reason = format!("it has a part of {length} bytes, and at most {} are allowed here", self.longest);
            return Err(ParquetError::External(Box::new(super::malformed(reason))));
        }
        let bytes = self.input.read(start, length).map_err(external)?;
        if self.expansion.is_within(&bytes, self.page_bytes as u64) {
            Ok(bytes)
        } else {
            let reason = format!("a page expands to more than the {} bytes that are allowed here", self.page_bytes);
            Err(ParquetError::External(Box::new(super::malformed(reason))))
        }
    }
}

fn external(error: std::io::Error) -> ParquetError {
    ParquetError::External(Box::new(TableError::from_reader(error)))
}

/// The second field of a page's header (Thrift's compact protocol: each field a tag of one byte and a number of
/// variable length in zigzag): the size of the page when it is decompressed.
fn expanded_size(head: &[u8]) -> Option<u64> {
    let (&0x15, rest) = head.split_first()? else { return None };
    let (_, rest) = number(rest)?;
    let (&0x15, rest) = rest.split_first()? else { return None };
    number(rest).map(|(size, _)| size >> 1)
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (place, &byte) in bytes.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Some((value, bytes.get(place + 1..)?));
        }
    }
    None
}
