//! What a caller wants to read: names, kinds, and what counts as missing.

use serde::{Deserialize, Serialize};

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A number of 64 bits (IEEE 754 binary64); text is read exactly (the nearest value).
    Number,
    /// A number of 32 bits: the number of 64 bits, rounded.
    Single,
    /// A whole number of 64 bits. `3.0` is one too, because pandas writes a column with missing values so.
    Integer,
    /// True or false: `true`, `t`, `yes`, `y`, `1` and their opposites, in any case.
    Boolean,
    /// A moment in microseconds since 1970-01-01T00:00:00Z. Text is RFC 3339, also with a space for the `T`, without an
    /// offset (UTC is meant) or without a time of day (midnight is meant).
    Timestamp,
    /// Text.
    String,
    /// The text of whatever the cell holds; for columns that are copied to results.
    Verbatim,
}

impl Kind {
    /// With its article, for messages.
    pub(crate) fn described(self) -> &'static str {
        match self {
            Self::Number | Self::Single => "a number",
            Self::Integer => "an integer",
            Self::Boolean => "a boolean",
            Self::Timestamp => "a timestamp (RFC 3339)",
            Self::String => "text",
            Self::Verbatim => "a single value",
        }
    }
}

/// Whether a cell may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// A missing cell fails its row.
    Refused,
    /// A missing cell is kept as such.
    Allowed,
}

/// One column that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSpec {
    /// Its name in the input.
    pub name: String,
    /// What its cells are.
    pub kind: Kind,
    /// Whether they may be missing.
    pub missing: Missing,
    /// Texts that stand for a missing cell, besides null. `None` means the empty text, and for kinds other than
    /// [`Kind::String`] and [`Kind::Verbatim`] also what pandas takes for missing. A token that is a value of the kind
    /// (`-999`) stands for the value, however it is written.
    pub tokens: Option<Vec<String>>,
}

impl ColumnSpec {
    /// A column with the usual texts for what is missing.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: Kind, missing: Missing) -> Self {
        Self { name: name.into(), kind, missing, tokens: None }
    }
}

/// The columns that are wanted, in the order in which a batch has them. A name may occur twice, for example once as a
/// number and once to be copied.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schema {
    /// The columns.
    pub columns: Vec<ColumnSpec>,
}

impl Schema {
    /// A schema of these columns.
    #[must_use]
    pub fn new(columns: Vec<ColumnSpec>) -> Self {
        Self { columns }
    }
}
