//! Why one row cannot be used.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::schema::Kind;

/// The most characters of a value that a fault shows.
const SAMPLE_CHARACTERS: usize = 40;

/// What kind of value was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueClass {
    /// Nothing, null, or a text that stands for nothing.
    Missing,
    /// Text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A date or a time.
    Timestamp,
    /// A list.
    Array,
    /// An object.
    Object,
    /// Bytes that are no text in the input's encoding.
    Undecodable,
    /// A row whose form is wrong.
    Record,
}

impl fmt::Display for ValueClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Missing => "nothing",
            Self::Text => "text",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Timestamp => "a timestamp",
            Self::Array => "an array",
            Self::Object => "an object",
            Self::Undecodable => "bytes that are no text in the input's encoding",
            Self::Record => "a row",
        })
    }
}

/// What should have been there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// A value of this kind.
    Value(Kind),
    /// A row with as many fields as there are columns.
    Fields {
        /// How many columns there are.
        columns: usize,
        /// How many fields the row has.
        found: usize,
    },
    /// A row whose quoted field ends.
    ClosedQuote,
    /// A JSON object.
    JsonObject,
    /// A row within the limit.
    Within {
        /// The limit in bytes.
        record_bytes: usize,
    },
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(kind) => write!(formatter, "{}", kind.described()),
            Self::Fields { columns, found } => write!(formatter, "{columns} fields instead of {found}"),
            Self::ClosedQuote => formatter.write_str("a quote at the end of its last field"),
            Self::JsonObject => formatter.write_str("one JSON object on a line"),
            Self::Within { record_bytes } => {
                write!(formatter, "at most {record_bytes} bytes (is a quote never closed?)")
            }
        }
    }
}

/// One row that cannot be used, and why. The row's other faults are not looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowFault {
    /// The data row in the whole input; the first is 1. Header and blank lines do not count.
    pub row: u64,
    /// The column, if it is about one.
    pub column: Option<String>,
    /// What was found.
    pub found: ValueClass,
    /// The beginning of what was found, at most 40 characters.
    pub sample: String,
    /// What was expected.
    pub expected: Expected,
}

impl fmt::Display for RowFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "row {}", self.row)?;
        if let Some(column) = &self.column {
            write!(formatter, ", column `{column}`")?;
        }
        write!(formatter, ": {} is expected, found {}", self.expected, self.found)?;
        if self.sample.is_empty() { Ok(()) } else { write!(formatter, " {:?}", self.sample) }
    }
}

/// A fault of a cell or a record; the reader adds row and column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) found: ValueClass,
    pub(crate) sample: String,
    pub(crate) expected: Expected,
}

impl Fault {
    /// A fault about these bytes, of which the beginning is kept.
    pub(crate) fn new(found: ValueClass, bytes: &[u8], expected: Expected) -> Self {
        Self { found, sample: sample(bytes), expected }
    }

    /// The fault of a row.
    pub(crate) fn at(self, row: u64, column: Option<&str>) -> RowFault {
        RowFault {
            row,
            column: column.map(str::to_owned),
            found: self.found,
            sample: self.sample,
            expected: self.expected,
        }
    }
}

/// The beginning of bytes as text.
fn sample(bytes: &[u8]) -> String {
    let head = bytes.get(..SAMPLE_CHARACTERS * 4).unwrap_or(bytes);
    let text = String::from_utf8_lossy(head);
    match text.char_indices().nth(SAMPLE_CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}
