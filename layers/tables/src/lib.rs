//! Tables in shards: CSV, JSON Lines and Parquet read into typed columns, and results written in parts.
//!
//! The steps, in the order in which a batch job takes them:
//!
//! 1. [`inspect`] looks at the beginning of an input and says what it found: format, compression, encoding,
//!    delimiter, header, columns. What the caller states wins.
//! 2. [`match_columns`] compares the columns with a [`Schema`] before anything runs.
//! 3. [`plan`] cuts the input into shards at the boundaries of records, in one pass and in bounded memory.
//! 4. [`ShardReader`] reads a shard into a [`Batch`] again and again. A bad row is a [`RowFault`]; the others go on.
//! 5. [`ResultPart`] writes a shard's results as CSV, JSON Lines or Parquet, and [`ResultFile`] makes one file of the
//!    parts of all shards. ([`PartWriter`] is its half for text; behind [`ResultLayout::head`] such parts are one file.)
//! 6. [`read_results`] reads a page of results back as JSON objects.
//!
//! The crate is synchronous and opens nothing by itself: the input is reached through [`RangeRead`].
//!
//! An input that is compressed, or in an encoding whose characters may hold the byte of a delimiter, cannot be read from
//! the middle. [`plan`] then writes a plain UTF-8 copy of it, and the shards are ranges of the copy. The other way, to
//! decompress from the beginning for each shard, takes time that grows with the square of the size.

mod batch;
mod cell;
mod compression;
mod csv;
mod encoding;
mod error;
mod fault;
mod inspect;
mod jsonl;
mod limits;
mod matching;
mod number;
mod parquet;
mod plan;
mod range;
mod read;
mod records;
mod schema;
mod time;
mod write;

pub use batch::{Batch, Cells, Column, Strings};
pub use compression::Compression;
pub use csv::{Delimiter, Dialect, Header, Quote};
pub use encoding::TextEncoding;
pub use error::TableError;
pub use fault::{Expected, RowFault, ValueClass};
pub use inspect::{Evidence, Format, Found, Inspection, SourceColumn, Stated, Storage, StoredType, TextForm, inspect};
pub use limits::Limits;
pub use matching::{Absent, Matching, Mistyped, Projection, match_columns};
pub use plan::{Copy, Extent, Form, Place, Plan, Reading, Shard, plan};
pub use range::{FileRange, Input, MemoryRange, RangeRead};
pub use read::ShardReader;
pub use schema::{ColumnSpec, Kind, Missing, Schema};
pub use write::{
    ParquetFile, ParquetPart, PartWriter, ResultColumn, ResultFile, ResultLayout, ResultPage, ResultPart, TextFormat,
    read_results,
};
