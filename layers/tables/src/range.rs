//! How the bytes of an input are reached.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};

/// How many bytes are asked for at a time when an input is read from one end to the other.
const CHUNK_BYTES: usize = 1 << 20;

/// An input as ranges of bytes: an object in a store, a file, or memory. It does not change while it is read.
pub trait RangeRead: Send + Sync {
    /// Its length in bytes.
    fn len(&self) -> u64;

    /// Exactly `length` bytes from `offset` on.
    ///
    /// # Errors
    /// The store fails, or the range goes beyond the end ([`io::ErrorKind::UnexpectedEof`]).
    fn read(&self, offset: u64, length: usize) -> io::Result<Bytes>;

    /// Whether it has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An input that is shared by readers.
pub type Input = Arc<dyn RangeRead>;

/// An input in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryRange(Bytes);

impl MemoryRange {
    /// These bytes as an input.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }
}

impl RangeRead for MemoryRange {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let start = usize::try_from(offset).map_err(|_| beyond(offset, length))?;
        let end = start.checked_add(length).filter(|&end| end <= self.0.len()).ok_or_else(|| beyond(offset, length))?;
        Ok(self.0.slice(start..end))
    }
}

/// A file on this machine.
#[derive(Debug)]
pub struct FileRange {
    file: File,
    length: u64,
}

impl FileRange {
    /// An opened file, with the length that it has now.
    ///
    /// # Errors
    /// The file does not tell its length.
    pub fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }
}

impl RangeRead for FileRange {
    fn len(&self) -> u64 {
        self.length
    }

    fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let left = self.length.checked_sub(offset).ok_or_else(|| beyond(offset, length))?;
        if length as u64 > left {
            return Err(beyond(offset, length));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes.into())
    }
}

fn beyond(offset: u64, length: usize) -> io::Error {
    let message = format!("{length} bytes at {offset} are beyond the end");
    io::Error::new(io::ErrorKind::UnexpectedEof, message)
}

/// A range, from one end to the other.
pub(crate) struct RangeReader {
    input: Input,
    chunk: Bytes,
    position: u64,
    end: u64,
    chunk_bytes: usize,
}

impl RangeReader {
    /// The bytes from `offset` on, `length` at most.
    pub(crate) fn new(input: &Input, offset: u64, length: u64) -> Self {
        let end = offset.saturating_add(length).min(input.len());
        Self { input: Arc::clone(input), chunk: Bytes::new(), position: offset.min(end), end, chunk_bytes: CHUNK_BYTES }
    }

    /// Asks for so many bytes at a time.
    pub(crate) fn in_chunks_of(self, chunk_bytes: usize) -> Self {
        Self { chunk_bytes, ..self }
    }

    /// The next bytes, as they come from the input.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        if self.chunk.is_empty() && self.position < self.end {
            let length = usize::try_from(self.end - self.position).unwrap_or(self.chunk_bytes).min(self.chunk_bytes);
            self.chunk = self.input.read(self.position, length)?;
            if self.chunk.len() != length {
                return Err(beyond(self.position, length));
            }
            self.position += length as u64;
        }
        Ok(Some(std::mem::take(&mut self.chunk)).filter(|chunk| !chunk.is_empty()))
    }
}

impl Read for RangeReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            self.chunk = self.next_chunk()?.unwrap_or_default();
        }
        let count = self.chunk.len().min(into.len());
        self.chunk.split_to(count).copy_to_slice(into.get_mut(..count).unwrap_or_default());
        Ok(count)
    }
}
