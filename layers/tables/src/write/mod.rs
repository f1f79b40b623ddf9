//! Results in parts, which together are one file: CSV, JSON Lines or Parquet.

mod layout;
mod part;
mod text;

use serde::{Deserialize, Serialize};

pub use layout::{ResultColumn, ResultLayout};
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
