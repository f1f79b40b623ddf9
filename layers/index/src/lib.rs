//! The index of chunks: LanceDB tables, one for each collection of each tenant, on disk or on S3.
//!
//! This is the only crate that links LanceDB. [`LanceIndex`] implements
//! [`ChunkIndex`](mandi_retrieval::ports::ChunkIndex):
//!
//! - A table holds a row for each chunk: its document, text, terms, vector, and one nullable typed column for
//!   each metadata field (see `schema`).
//! - What was written is found at once, by vector and by keyword, whether or not an index covers it yet: an
//!   index makes searches quick and never changes what they see.
//! - Replacing documents is one commit; a search works on one committed version from beginning to end.
//! - Small files and indices are looked after in the background, or by a [`Caretaker`] (see [`IndexOptions`]
//!   and [`LanceIndex::maintain`]).

mod convert;
mod index;
mod open_table;
mod options;
mod predicate;
mod problem;
mod schema;
mod search;
mod snapshot;
mod upkeep;
mod write;

pub use index::LanceIndex;
pub use options::{Caretaker, IndexOptions};
pub use upkeep::Upkeep;
