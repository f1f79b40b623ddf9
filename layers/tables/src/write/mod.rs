//! Results in parts, which together are one file: CSV, JSON Lines or Parquet.

mod columnar;
mod layout;
mod output;
mod page;
mod parquet;
mod part;
mod text;

use serde::{Deserialize, Serialize};

use crate::inspect::Format;

pub use layout::{ResultColumn, ResultLayout};
pub use output::{ResultFile, ResultPart};
pub use page::{ResultPage, read_results};
pub use parquet::{ParquetFile, ParquetPart};
pub use part::PartWriter;

/// A format whose parts can be joined byte by byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextFormat {
    /// CSV in UTF-8: commas, double quotes, LF. The header is written once, before the first part.
    Csv,
    /// JSON Lines. NaN and infinities are null, because JSON has no such numbers.
    Jsonl,
}

impl TextFormat {
    /// A format that is text.
    #[must_use]
    pub fn of(format: Format) -> Option<Self> {
        match format {
            Format::Csv => Some(Self::Csv),
            Format::Jsonl => Some(Self::Jsonl),
            Format::Parquet => None,
        }
    }
}
