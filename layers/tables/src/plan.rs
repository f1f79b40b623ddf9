//! Cutting an input into shards at the boundaries of records.

use std::io::{Read, Write};
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use crate::csv::{CsvBoundaries, Delimiter, Dialect, Header, Quote};
use crate::encoding::{self, TextEncoding};
use crate::error::TableError;
use crate::inspect::{Inspection, SourceColumn, Storage, TextForm};
use crate::jsonl::LineBoundaries;
use crate::limits::Limits;
use crate::parquet;
use crate::range::{Input, RangeReader};
use crate::records::Boundaries;

/// How many bytes are looked at at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Which bytes the shards are ranges of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The input itself.
    Input,
    /// The plain UTF-8 copy that planning wrote.
    Copy,
}

/// What has to be known to read a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// CSV.
    Csv {
        /// Which bytes to read.
        place: Place,
        /// Their encoding.
        encoding: TextEncoding,
        /// What separates fields.
        delimiter: Delimiter,
        /// What encloses fields.
        quote: Quote,
    },
    /// JSON Lines.
    Jsonl {
        /// Which bytes to read.
        place: Place,
        /// Their encoding.
        encoding: TextEncoding,
    },
    /// Parquet.
    Parquet,
}

/// What all shards of a plan have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// How to read.
    pub form: Form,
    /// The length of what the shards are ranges of, in bytes.
    pub size_bytes: u64,
    /// The columns of the input in their order.
    pub columns: Vec<SourceColumn>,
}

impl Reading {
    /// Which bytes to read.
    #[must_use]
    pub fn place(&self) -> Place {
        match self.form {
            Form::Csv { place, .. } | Form::Jsonl { place, .. } => place,
            Form::Parquet => Place::Input,
        }
    }
}

/// Where a shard's rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// In this range of bytes.
    Bytes {
        /// The first byte.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// Where Parquet's own directory says.
    Rows,
}

/// Some rows of an input, one behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Its place among the shards; the first is 0.
    pub index: usize,
    /// Its first data row in the whole input; the input's first is 1.
    pub first_row: u64,
    /// How many rows it has.
    pub rows: u64,
    /// Where they are.
    pub extent: Extent,
}

/// An input, cut into shards that are read independently of one another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What all shards have in common.
    pub reading: Reading,
    /// How many data rows the input has.
    pub rows: u64,
    /// The shards in the input's order.
    pub shards: Vec<Shard>,
}

/// Where a plain copy of an input goes that cannot be read from the middle ([`TextForm::is_cut_in_place`]).
pub enum Copy<'a> {
    /// Nowhere; such an input is refused.
    Refused,
    /// Here. Nothing is written if no copy is needed.
    To(&'a mut dyn Write),
}

/// Cuts an input into shards of `shard_rows` rows; the last one of the input, and those that end at a boundary of row
/// groups in Parquet, may have less. Text is read once, from its beginning to its end.
///
/// # Errors
/// The input cannot be read or decompressed, there would be too many shards, or a copy is needed and refused.
pub fn plan(
    input: &Input,
    inspection: &Inspection,
    shard_rows: NonZeroU64,
    copy: Copy<'_>,
    limits: &Limits,
) -> Result<Plan, TableError> {
    let columns = inspection.columns.clone();
    match inspection.storage {
        Storage::Csv { text, dialect: Dialect { delimiter, quote, header } } => {
            let (delimiter, quote) = (delimiter.value, quote.value);
            let mut cutter = Cutter::new(CsvBoundaries::new(delimiter, quote), shard_rows, limits.shards);
            cutter.is_header_next = header.value == Header::Present;
            let (shards, rows, source) = cut(input, text, cutter, copy, limits)?;
            let form = Form::Csv { place: source.place, encoding: source.encoding, delimiter, quote };
            Ok(Plan { reading: Reading { form, size_bytes: source.size_bytes, columns }, rows, shards })
        }
        Storage::Jsonl { text } => {
            let cutter = Cutter::new(LineBoundaries, shard_rows, limits.shards);
            let (shards, rows, source) = cut(input, text, cutter, copy, limits)?;
            let form = Form::Jsonl { place: source.place, encoding: source.encoding };
            Ok(Plan { reading: Reading { form, size_bytes: source.size_bytes, columns }, rows, shards })
        }
        Storage::Parquet { .. } => {
            let shards = parquet::shards(input, shard_rows, limits)?;
            let rows = shards.iter().map(|shard| shard.rows).sum();
            Ok(Plan { reading: Reading { form: Form::Parquet, size_bytes: input.len(), columns }, rows, shards })
        }
    }
}

/// Which bytes the shards are ranges of.
struct Source {
    place: Place,
    encoding: TextEncoding,
    size_bytes: u64,
}

/// Reads text once, copies it if it has to be, and notes where shards begin.
fn cut<B: Boundaries>(
    input: &Input,
    text: TextForm,
    mut cutter: Cutter<B>,
    copy: Copy<'_>,
    limits: &Limits,
) -> Result<(Vec<Shard>, u64, Source), TableError> {
    let mut plain = text.compression.value.expand(RangeReader::new(input, 0, input.len()), limits)?;
    let mut mark = Vec::new();
    plain.by_ref().take(text.mark_bytes as u64).read_to_end(&mut mark).map_err(TableError::from_reader)?;
    let (mut reader, mut sink, mut source) = if text.is_cut_in_place() {
        cutter.position = text.mark_bytes as u64;
        let source = Source { place: Place::Input, encoding: text.encoding.value, size_bytes: input.len() };
        (plain, None, source)
    } else {
        let Copy::To(sink) = copy else {
            return Err(TableError::NeedsCopy { encoding: text.encoding.value.name() });
        };
        let source = Source { place: Place::Copy, encoding: TextEncoding::UTF_8, size_bytes: 0 };
        (encoding::as_utf8(plain, text.encoding.value), Some(sink), source)
    };
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = reader.read(&mut chunk).map_err(TableError::from_reader)?;
        let bytes = chunk.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        if let Some(sink) = &mut sink {
            sink.write_all(bytes).map_err(TableError::Write)?;
            source.size_bytes += count as u64;
        }
        cutter.look(bytes)?;
    }
    if let Some(sink) = &mut sink {
        sink.flush().map_err(TableError::Write)?;
    }
    let (shards, rows) = cutter.finish();
    Ok((shards, rows, source))
}

/// Counts rows, and notes where each `shard_rows`-th begins.
struct Cutter<B> {
    boundaries: B,
    shard_rows: u64,
    most_shards: usize,
    is_header_next: bool,
    is_within: bool,
    position: u64,
    rows: u64,
    /// The offset and the first row of each shard.
    starts: Vec<(u64, u64)>,
}

impl<B: Boundaries> Cutter<B> {
    fn new(boundaries: B, shard_rows: NonZeroU64, most_shards: usize) -> Self {
        Self {
            boundaries,
            shard_rows: shard_rows.get(),
            most_shards,
            is_header_next: false,
            is_within: false,
            position: 0,
            rows: 0,
            starts: Vec::new(),
        }
    }

    fn look(&mut self, bytes: &[u8]) -> Result<(), TableError> {
        let mut place = 0;
        loop {
            let rest = |place: usize| bytes.get(place..).unwrap_or_default();
            if !self.is_within {
                place += self.boundaries.blanks(rest(place));
                if rest(place).is_empty() {
                    break;
                }
                self.boundaries.begin();
                self.is_within = true;
                self.begin_record(self.position + place as u64)?;
            }
            let Some(length) = self.boundaries.end(rest(place)) else { break };
            place += length;
            self.is_within = false;
        }
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn begin_record(&mut self, offset: u64) -> Result<(), TableError> {
        if self.is_header_next {
            self.is_header_next = false;
            return Ok(());
        }
        if self.rows.is_multiple_of(self.shard_rows) {
            if self.starts.len() == self.most_shards {
                return Err(too_many_shards(self.most_shards));
            }
            self.starts.push((offset, self.rows + 1));
        }
        self.rows += 1;
        Ok(())
    }

    fn finish(self) -> (Vec<Shard>, u64) {
        let ends = self.starts.iter().skip(1).copied().chain([(self.position, self.rows + 1)]);
        let mut shards = Vec::with_capacity(self.starts.len());
        for (&(offset, first_row), (end, next_row)) in self.starts.iter().zip(ends) {
            let extent = Extent::Bytes { offset, length: end - offset };
            shards.push(Shard { index: shards.len(), first_row, rows: next_row - first_row, extent });
        }
        (shards, self.rows)
    }
}

/// There would be more shards than are allowed.
pub(crate) fn too_many_shards(limit: usize) -> TableError {
    TableError::TooMany { what: "shards", limit: limit as u64, advice: "raise the rows of a shard" }
}
