//! Objects as the readers of tables see them: ranges of bytes, read from a thread that may wait.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use mandi_core::ports::{ObjectKey, ObjectWriter, Objects, ObjectsError};
use mandi_core::{Problem, Result};
use mandi_tables::{Input, RangeRead};
use tokio::runtime::Handle;

/// An object. Its bytes are waited for: only for threads that may block.
#[derive(Debug)]
pub(crate) struct ObjectRange {
    objects: Arc<dyn Objects>,
    key: ObjectKey,
    size_bytes: u64,
    runtime: Handle,
}

impl ObjectRange {
    /// An object of this length.
    pub(crate) fn new(objects: Arc<dyn Objects>, key: ObjectKey, size_bytes: u64) -> Self {
        Self { objects, key, size_bytes, runtime: Handle::current() }
    }
}

impl RangeRead for ObjectRange {
    fn len(&self) -> u64 {
        self.size_bytes
    }

    fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let range = offset..offset.saturating_add(length as u64);
        let found = self.runtime.block_on(self.objects.get_range(&self.key, range)).map_err(io::Error::other)?;
        let found = found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the object is gone"))?;
        if found.len() == length { Ok(found) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// An input of which a part is in memory already.
struct Ahead {
    whole: Input,
    offset: u64,
    bytes: Bytes,
}

impl RangeRead for Ahead {
    fn len(&self) -> u64 {
        self.whole.len()
    }

    fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let start = offset.checked_sub(self.offset).and_then(|start| usize::try_from(start).ok());
        let there = start.and_then(|start| Some(start..start.checked_add(length)?));
        match there.filter(|range| range.end <= self.bytes.len()) {
            Some(range) => Ok(self.bytes.slice(range)),
            None => self.whole.read(offset, length),
        }
    }
}

/// Reads a range in one call, so that the reader of it waits for the store once.
pub(super) fn ahead(whole: Input, offset: u64, length: usize) -> io::Result<Input> {
    let bytes = whole.read(offset, length)?;
    Ok(Arc::new(Ahead { whole, offset, bytes }))
}

/// An object that is written from a thread that may wait.
pub(super) struct Sink {
    writer: Option<Box<dyn ObjectWriter>>,
    buffer: Vec<u8>,
    runtime: Handle,
}

/// How much is handed on at a time, in bytes.
const PIECE_BYTES: usize = 4 << 20;

impl fmt::Debug for Sink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sink").finish_non_exhaustive()
    }
}

impl Sink {
    /// Nothing is begun in the store before the first byte.
    pub(super) fn new(writer: Box<dyn ObjectWriter>) -> Self {
        Self { writer: Some(writer), buffer: Vec::with_capacity(PIECE_BYTES), runtime: Handle::current() }
    }

    fn hand_on(&mut self) -> Result<(), ObjectsError> {
        let piece = Bytes::from(std::mem::take(&mut self.buffer));
        match &mut self.writer {
            Some(writer) if !piece.is_empty() => self.runtime.block_on(writer.write(piece)),
            _ => Ok(()),
        }
    }

    /// Gives the object its name.
    pub(super) fn finish(mut self) -> Result<()> {
        self.hand_on()?;
        match self.writer.take() {
            Some(writer) => Ok(self.runtime.block_on(writer.finish())?),
            None => Err(Problem::internal("a sink was finished twice")),
        }
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE_BYTES {
            self.hand_on().map_err(io::Error::other)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
