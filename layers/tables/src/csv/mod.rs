//! CSV: what separates fields and records, and how it is found out.
//!
//! Fields are read as Python's module `csv` and csv-core read them: a quote opens a quoted field only as its first byte,
//! two quotes within one are a quote, and what follows the closing quote up to the delimiter belongs to the field. A
//! record ends with LF, CRLF or CR. Blank lines are no records.

mod boundaries;
mod fields;
mod read;
mod sniff;

use serde::{Deserialize, Serialize};

use crate::error::TableError;
use crate::inspect::Found;

pub(crate) use boundaries::CsvBoundaries;
pub(crate) use fields::Fields;
pub(crate) use read::CsvReader;
pub(crate) use sniff::{Hints, sniff};

/// The byte between two fields: any byte of ASCII but a quote, a letter, a digit, or the end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "char", into = "char")]
pub struct Delimiter(u8);

impl Delimiter {
    /// The usual one.
    pub const COMMA: Self = Self(b',');

    /// A delimiter.
    ///
    /// # Errors
    /// The character cannot be one ([`TableError::Stated`]).
    pub fn new(character: char) -> Result<Self, TableError> {
        let is_usable =
            character.is_ascii() && !character.is_ascii_alphanumeric() && !"\"'\n\r\0.+-".contains(character);
        let byte = u8::try_from(character).ok().filter(|_| is_usable);
        let reason = "a delimiter is one character of ASCII, and no letter, digit, quote, sign, point or end of line";
        byte.map(Self).ok_or_else(|| TableError::Stated(format!("{character:?} cannot separate fields; {reason}")))
    }

    pub(crate) fn byte(self) -> u8 {
        self.0
    }
}

impl TryFrom<char> for Delimiter {
    type Error = TableError;

    fn try_from(character: char) -> Result<Self, TableError> {
        Self::new(character)
    }
}

impl From<Delimiter> for char {
    fn from(delimiter: Delimiter) -> Self {
        Self::from(delimiter.0)
    }
}

/// What encloses a field that holds delimiters or ends of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quote {
    /// `"`
    Double,
    /// `'`
    Single,
    /// Nothing does: each quote is an ordinary character.
    None,
}

impl Quote {
    pub(crate) fn byte(self) -> Option<u8> {
        match self {
            Self::Double => Some(b'"'),
            Self::Single => Some(b'\''),
            Self::None => None,
        }
    }
}

/// Whether the first record names the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Header {
    /// It does.
    Present,
    /// It is a row already; the columns are `column_1`, `column_2` and so on, unless the caller names them.
    Absent,
}

/// How a CSV file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialect {
    /// What separates fields.
    pub delimiter: Found<Delimiter>,
    /// What encloses fields.
    pub quote: Found<Quote>,
    /// Whether the first record names the columns.
    pub header: Found<Header>,
}
