//! What goes out through a signed URL, piece by piece.

use std::fs::File;
use std::io::{self, SeekFrom};
use std::ops::Range;

use bytes::Bytes;
use futures::{Stream, TryFutureExt};
use mandi_core::ports::ObjectsError;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::signed::GetQuery;
use super::{FileObjects, fault, present};

/// How much is read at once, in bytes.
const PIECE_BYTES: usize = 256 * 1024;

/// Why content was not given.
#[derive(Debug, thiserror::Error)]
pub enum SendFault {
    /// The URL was not signed here, was changed, or has run out.
    #[error("the URL is not valid, or not any more")]
    NotAdmitted,
    /// There is no such object.
    #[error("there is no such file any more")]
    Absent,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ObjectsError),
}

/// An object to be given: as it is now, whatever is written meanwhile.
#[derive(Debug)]
pub struct Sending {
    /// How long it is, in bytes.
    pub size_bytes: u64,
    /// The name under which it is to be kept.
    pub filename: String,
    /// What it is, as an HTTP `Content-Type`.
    pub content_type: String,
    file: File,
}

/// What a request asks for of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// These bytes, at least one of them, the end excluded.
    Bytes(Range<u64>),
    /// Only bytes that it does not have.
    Outside,
}

impl FileObjects {
    /// Opens the object that a signed URL leads to.
    ///
    /// # Errors
    /// [`SendFault`].
    pub async fn send(&self, query: GetQuery) -> Result<Sending, SendFault> {
        if !self.0.doorway.admits(&query) {
            return Err(SendFault::NotAdmitted);
        }
        let opened = self.run(&query.key, |_, path| {
            let Some(file) = present(File::open(path))? else { return Ok(None) };
            let size_bytes = file.metadata().map_err(fault)?.len();
            Ok(Some((file, size_bytes)))
        });
        let (file, size_bytes) = opened.await?.ok_or(SendFault::Absent)?;
        Ok(Sending { size_bytes, filename: query.filename, content_type: query.content_type, file })
    }
}

impl Sending {
    /// What the HTTP header `Range` (RFC 9110, section 14.2) asks for. As it allows, a header with several ranges or of
    /// another form asks for all.
    #[must_use]
    pub fn part(&self, range: Option<&str>) -> Part {
        range.and_then(|range| part(range, self.size_bytes)).unwrap_or(Part::Whole)
    }

    /// The bytes of `range` (end excluded), in pieces of bounded size.
    pub fn pieces(self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static {
        let pieces = async move {
            let mut file = tokio::fs::File::from_std(self.file);
            file.seek(SeekFrom::Start(range.start)).await?;
            let part = file.take(range.end.saturating_sub(range.start));
            Ok(ReaderStream::with_capacity(part, PIECE_BYTES))
        };
        Box::pin(pieces.try_flatten_stream())
    }
}

fn part(range: &str, size_bytes: u64) -> Option<Part> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().unwrap_or(u64::MAX))
    };
    let bytes = match (first, last) {
        ("", length) => size_bytes.saturating_sub(number(length)?)..size_bytes,
        (first, "") => number(first)?..size_bytes,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            first..size_bytes.min(last.saturating_add(1))
        }
    };
    Some(if bytes.is_empty() { Part::Outside } else { Part::Bytes(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 9110, section 14.1.2, of an object of 10,000 bytes.
    #[test]
    fn given_a_range_then_its_bytes_are_asked_for() {
        for (range, bytes) in [
            ("bytes=0-499", 0..500),
            ("bytes=500-999", 500..1000),
            ("bytes=-500", 9500..10_000),
            ("bytes=9500-", 9500..10_000),
            ("bytes=0-0", 0..1),
            ("bytes=-20000", 0..10_000),
            ("bytes=9999-99999999999999999999999", 9999..10_000),
        ] {
            assert_eq!(part(range, 10_000), Some(Part::Bytes(bytes)), "{range}");
        }
    }

    #[test]
    fn given_a_range_past_the_end_then_it_is_outside() {
        for (range, size_bytes) in [("bytes=10-", 10), ("bytes=10-20", 10), ("bytes=-0", 10), ("bytes=0-", 0)] {
            assert_eq!(part(range, size_bytes), Some(Part::Outside), "{range} of {size_bytes}");
        }
    }

    #[test]
    fn given_several_ranges_or_another_form_then_it_is_not_heeded() {
        for range in ["bytes=0-1,3-4", "bytes=5-4", "bytes=-", "bytes=a-b", "bytes=+1-2", "lines=1-2", "bytes", ""] {
            assert_eq!(part(range, 10), None, "{range}");
        }
    }
}
