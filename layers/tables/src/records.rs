//! Records in a stream of bytes: where each begins and ends, one at a time, in bounded memory.

use std::io::Read;

use crate::error::TableError;

/// How many bytes are read at a time.
const CHUNK_BYTES: usize = 1 << 18;
/// What is kept of a record that is too long, in bytes.
const SAMPLE_BYTES: usize = 256;

/// How a format separates its records. The same code cuts an input into shards and a shard into records.
pub(crate) trait Boundaries {
    /// How many bytes from the start on belong to no record: terminators and blank lines.
    fn blanks(&self, bytes: &[u8]) -> usize;

    /// A record begins with the next byte.
    fn begin(&mut self);

    /// Looks at the next bytes of the record that began: how many belong to it with one byte of its terminator, if the
    /// terminator is among them.
    fn end(&mut self, bytes: &[u8]) -> Option<usize>;
}

/// A record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    /// Without its terminator.
    Whole(&'a [u8]),
    /// The beginning of one that is longer than allowed.
    TooLong {
        /// Its first bytes.
        start: &'a [u8],
        /// The limit.
        record_bytes: usize,
    },
}

/// The records of a stream.
pub(crate) struct Records<'a, B> {
    input: Box<dyn Read + Send + 'a>,
    pub(crate) boundaries: B,
    buffer: Vec<u8>,
    start: usize,
    scanned: usize,
    is_within: bool,
    is_at_end: bool,
    record_bytes: usize,
    sample: Vec<u8>,
    /// How many bytes of the stream came before the buffer.
    dropped: u64,
}

/// What the buffer holds next.
enum Next {
    /// A record that ends here.
    Ended(usize),
    /// A record that is too long, whole.
    TooLong,
    /// The beginning of one that is too long.
    TooLongYet,
    /// Too little to say.
    More,
    /// The end of the stream.
    None,
}

impl<'a, B: Boundaries> Records<'a, B> {
    /// The records of `input`, which begins with one.
    pub(crate) fn new(input: Box<dyn Read + Send + 'a>, boundaries: B, record_bytes: usize) -> Self {
        Self {
            input,
            boundaries,
            buffer: Vec::new(),
            start: 0,
            scanned: 0,
            is_within: false,
            is_at_end: false,
            record_bytes,
            sample: Vec::new(),
            dropped: 0,
        }
    }

    /// How many bytes of the stream come before what follows the last record that was given.
    pub(crate) fn position(&self) -> u64 {
        self.dropped + self.start as u64
    }

    /// The next record.
    ///
    /// # Errors
    /// The stream cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, TableError> {
        loop {
            match self.look() {
                Next::Ended(end) => {
                    let record = self.start..end;
                    self.start = self.scanned;
                    self.is_within = false;
                    return Ok(self.buffer.get(record).map(Record::Whole));
                }
                Next::TooLong => {
                    self.keep_sample();
                    self.start = self.scanned;
                    self.is_within = false;
                    return Ok(Some(Record::TooLong { start: &self.sample, record_bytes: self.record_bytes }));
                }
                Next::TooLongYet => {
                    self.keep_sample();
                    self.pass_over()?;
                    return Ok(Some(Record::TooLong { start: &self.sample, record_bytes: self.record_bytes }));
                }
                Next::None => return Ok(None),
                Next::More => self.fill()?,
            }
        }
    }

    /// Looks for the end of the next record in what is buffered.
    fn look(&mut self) -> Next {
        if !self.is_within {
            self.start += self.boundaries.blanks(self.buffer.get(self.start..).unwrap_or_default());
            if self.start == self.buffer.len() {
                return if self.is_at_end { Next::None } else { Next::More };
            }
            self.boundaries.begin();
            self.scanned = self.start;
            self.is_within = true;
        }
        let found = self.boundaries.end(self.buffer.get(self.scanned..).unwrap_or_default());
        self.scanned = found.map_or(self.buffer.len(), |length| self.scanned + length);
        let is_too_long = self.scanned - self.start > self.record_bytes;
        match found {
            Some(_) if is_too_long => Next::TooLong,
            Some(_) => Next::Ended(self.scanned - 1),
            None if is_too_long => Next::TooLongYet,
            None if self.is_at_end => Next::Ended(self.scanned),
            None => Next::More,
        }
    }

    fn keep_sample(&mut self) {
        let record = self.buffer.get(self.start..self.scanned).unwrap_or_default();
        self.sample.clear();
        self.sample.extend_from_slice(record.get(..SAMPLE_BYTES).unwrap_or(record));
    }

    /// Reads to the end of a record without keeping it.
    fn pass_over(&mut self) -> Result<(), TableError> {
        while !self.is_at_end {
            self.start = self.scanned;
            self.fill()?;
            let found = self.boundaries.end(&self.buffer);
            self.scanned = found.unwrap_or(self.buffer.len());
            if found.is_some() {
                break;
            }
        }
        self.start = self.scanned;
        self.is_within = false;
        Ok(())
    }

    /// Drops what has been used up and reads some more.
    fn fill(&mut self) -> Result<(), TableError> {
        self.dropped += self.start as u64;
        self.buffer.drain(..self.start);
        self.scanned = self.scanned.saturating_sub(self.start);
        self.start = 0;
        let length = self.buffer.len();
        self.buffer.resize(length + CHUNK_BYTES, 0);
        let into = self.buffer.get_mut(length..).unwrap_or_default();
        let count = self.input.read(into).map_err(TableError::from_reader)?;
        self.buffer.truncate(length + count);
        self.is_at_end = count == 0;
        Ok(())
    }
}
