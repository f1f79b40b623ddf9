//! What an input is, by its beginning and by what the caller states.

use std::io::{Cursor, Read};

use serde::{Deserialize, Serialize};

use crate::compression::Compression;
use crate::csv::{self, Delimiter, Dialect, Header, Hints, Quote};
use crate::encoding::{self, TextEncoding};
use crate::error::TableError;
use crate::limits::Limits;
use crate::range::{Input, RangeReader};
use crate::schema::Kind;
use crate::{jsonl, parquet};

/// How much of an input is looked at when its records are short, in bytes.
const SAMPLE_BYTES: usize = 256 << 10;

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Values between delimiters.
    Csv,
    /// One JSON object on each line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

/// How something about an input is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The caller says so.
    Stated,
    /// The bytes show it.
    Detected,
    /// Nothing speaks against what is usual.
    Assumed,
}

/// Something about an input, and how it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found<T> {
    /// What it is.
    pub value: T,
    /// How it is known.
    pub by: Evidence,
}

impl<T> Found<T> {
    pub(crate) fn stated(value: T) -> Self {
        Self { value, by: Evidence::Stated }
    }

    fn detected(value: T) -> Self {
        Self { value, by: Evidence::Detected }
    }

    fn assumed(value: T) -> Self {
        Self { value, by: Evidence::Assumed }
    }
}

/// What the caller states about an input; what is left open is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stated {
    /// The format.
    pub format: Option<Format>,
    /// The compression.
    pub compression: Option<Compression>,
    /// The encoding of text.
    pub encoding: Option<TextEncoding>,
    /// What separates the fields of CSV.
    pub delimiter: Option<Delimiter>,
    /// What encloses the fields of CSV.
    pub quote: Option<Quote>,
    /// Whether the first record of CSV names the columns.
    pub header: Option<Header>,
    /// The names of the columns of CSV, in their order, in the place of the header's.
    pub names: Option<Vec<String>>,
    /// Names that are wanted. A first record that has one of them is a header.
    pub wanted: Vec<String>,
}

/// The type of a column in a format that has types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredType {
    /// As the format names it.
    pub name: String,
    /// The kinds that it can be read as.
    pub kinds: Vec<Kind>,
}

/// A column of an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceColumn {
    /// Its name.
    pub name: String,
    /// Its type, in Parquet.
    pub stored: Option<StoredType>,
    /// The kind by which its cells are copied as they are.
    pub copied: Kind,
}

impl SourceColumn {
    /// Whether its cells can be copied: not those of a nested type of Parquet.
    #[must_use]
    pub fn can_be_copied(&self) -> bool {
        self.stored.as_ref().is_none_or(|stored| stored.kinds.contains(&self.copied))
    }

    /// A column whose cells are text.
    pub(crate) fn of_text(name: impl Into<String>) -> Self {
        Self { name: name.into(), stored: None, copied: Kind::Verbatim }
    }
}

/// How text is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextForm {
    /// The compression of the whole input.
    pub compression: Found<Compression>,
    /// The encoding of what is decompressed.
    pub encoding: Found<TextEncoding>,
    /// The length of the byte order mark before the text, in bytes.
    pub mark_bytes: usize,
}

impl TextForm {
    /// Whether it can be read from the middle as it is, so that planning needs no copy.
    #[must_use]
    pub fn is_cut_in_place(&self) -> bool {
        self.compression.value == Compression::None && self.encoding.value.is_cut_as_bytes()
    }
}

/// How a table is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// As CSV.
    Csv {
        /// As which text.
        text: TextForm,
        /// In which dialect.
        dialect: Dialect,
    },
    /// As JSON Lines.
    Jsonl {
        /// As which text.
        text: TextForm,
    },
    /// As Parquet.
    Parquet {
        /// How many rows it says that it has.
        rows: u64,
    },
}

/// What an input is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// The format.
    pub format: Found<Format>,
    /// How the table is stored.
    pub storage: Storage,
    /// Its columns in their order. JSON Lines has those that its first 1,000 rows name.
    pub columns: Vec<SourceColumn>,
}

/// Looks at the beginning of an input, and at the end of Parquet.
///
/// # Errors
/// It is empty or of no known format, has too many columns, or what is stated does not fit.
pub fn inspect(input: &Input, stated: &Stated, limits: &Limits) -> Result<Inspection, TableError> {
    if input.is_empty() {
        return Err(TableError::Empty);
    }
    let mut start = Vec::new();
    RangeReader::new(input, 0, 8).read_to_end(&mut start).map_err(TableError::from_reader)?;
    let format = match stated.format {
        Some(format) => Some(Found::stated(format)),
        None if parquet::is_one(&start) => Some(Found::detected(Format::Parquet)),
        None => None,
    };
    let inspection = match format {
        Some(format) if format.value == Format::Parquet => {
            if stated.compression.is_some_and(|compression| compression != Compression::None) {
                let reason = "Parquet compresses its columns by itself; state no compression";
                return Err(TableError::Stated(reason.to_owned()));
            }
            let (rows, columns) = parquet::inspect(input, limits)?;
            Inspection { format, storage: Storage::Parquet { rows }, columns }
        }
        text => inspect_text(input, stated, text, &start, limits)?,
    };
    if inspection.columns.len() > limits.columns {
        let advice = "send the columns that the model needs alone";
        return Err(TableError::TooMany { what: "columns", limit: limits.columns as u64, advice });
    }
    Ok(inspection)
}

fn inspect_text(
    input: &Input,
    stated: &Stated,
    format: Option<Found<Format>>,
    start: &[u8],
    limits: &Limits,
) -> Result<Inspection, TableError> {
    let compression = stated.compression.map_or_else(|| Found::detected(Compression::of(start)), Found::stated);
    let whole = RangeReader::new(input, 0, input.len());
    let sample_bytes = SAMPLE_BYTES.max(limits.record_bytes);
    let mut sample = Vec::new();
    compression
        .value
        .expand(whole, limits)?
        .take(sample_bytes as u64)
        .read_to_end(&mut sample)
        .map_err(TableError::from_reader)?;
    if parquet::is_one(&sample) {
        let reason = match compression.value {
            Compression::None => "it is a Parquet file; state the format `parquet`, or none",
            _ => "it is a Parquet file that is compressed as a whole; send the Parquet file itself",
        };
        return Err(TableError::Malformed { format: "text", reason: reason.to_owned() });
    }
    let (encoding, mark_bytes) = find_encoding(&sample, stated.encoding);
    let text = TextForm { compression, encoding, mark_bytes };
    let is_whole = sample.len() < sample_bytes;
    let sample = sample.get(mark_bytes..).unwrap_or_default();
    let sample = if encoding.value == TextEncoding::UTF_8 {
        sample.to_vec()
    } else {
        encoding::decode_start(sample, encoding.value)
    };
    let first = sample.iter().find(|byte| !byte.is_ascii_whitespace());
    let Some(first) = first else { return Err(TableError::Empty) };
    if sample.iter().take(1000).filter(|&&byte| byte == 0).count() * 4 > sample.len().min(1000) {
        let reason = "every other byte is 0: it may be UTF-16 without a byte order mark; state the encoding".to_owned();
        return Err(TableError::Malformed { format: "text", reason });
    }
    let format = format.unwrap_or(match first {
        b'{' => Found::detected(Format::Jsonl),
        _ => Found::assumed(Format::Csv),
    });
    if format.value == Format::Jsonl {
        if *first != b'{' {
            let reason = "its first line is no JSON object; is it CSV?".to_owned();
            return Err(TableError::Malformed { format: "JSON Lines", reason });
        }
        let columns = jsonl::columns(Cursor::new(sample), limits)?;
        return Ok(Inspection { format, storage: Storage::Jsonl { text }, columns });
    }
    if format.by == Evidence::Assumed && *first == b'[' {
        let reason = "it begins like a JSON array; send one JSON object on each line".to_owned();
        return Err(TableError::Malformed { format: "table", reason });
    }
    let hints =
        Hints { delimiter: stated.delimiter, quote: stated.quote, header: stated.header, names: &stated.wanted };
    let (dialect, first) = csv::sniff(&sample, &hints);
    if !is_whole && memchr::memchr2(b'\n', b'\r', &sample).is_none() {
        let reason = format!("its first record is longer than {} bytes", limits.record_bytes);
        return Err(TableError::Malformed { format: "CSV", reason });
    }
    let columns = csv_columns(&first, dialect.header.value, stated.names.as_deref())?;
    Ok(Inspection { format, storage: Storage::Csv { text, dialect }, columns })
}

fn find_encoding(sample: &[u8], stated: Option<TextEncoding>) -> (Found<TextEncoding>, usize) {
    let mark = TextEncoding::of_mark(sample);
    match (stated, mark) {
        (Some(stated), Some((marked, length))) if stated == marked => (Found::stated(stated), length),
        (Some(stated), _) => (Found::stated(stated), 0),
        (None, Some((marked, length))) => (Found::detected(marked), length),
        (None, None) => (Found::assumed(TextEncoding::UTF_8), 0),
    }
}

fn csv_columns(first: &[Vec<u8>], header: Header, stated: Option<&[String]>) -> Result<Vec<SourceColumn>, TableError> {
    if let Some(names) = stated {
        if names.len() != first.len() {
            let reason = format!("{} names are stated for {} columns", names.len(), first.len());
            return Err(TableError::Stated(reason));
        }
        return Ok(names.iter().map(SourceColumn::of_text).collect());
    }
    let name = |(place, cell): (usize, &Vec<u8>)| {
        let text = str::from_utf8(cell).map_err(|_| {
            let reason =
                format!("the name of column {} is no text in the input's encoding; state the encoding", place + 1);
            TableError::Malformed { format: "CSV", reason }
        })?;
        let text = text.trim();
        let is_named = header == Header::Present && !text.is_empty();
        Ok(if is_named { text.to_owned() } else { format!("column_{}", place + 1) })
    };
    first.iter().enumerate().map(|cell| name(cell).map(SourceColumn::of_text)).collect()
}
