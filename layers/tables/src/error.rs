//! Why a whole table cannot be read or written; a single row that is bad is a [`crate::RowFault`].

use std::io;

/// A table that cannot be read, planned or written. The variant says what the caller can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The store did not give the bytes; the same call may succeed later.
    #[error("the input cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The sink did not take the bytes; the same call may succeed later.
    #[error("the output cannot be written: {0}")]
    Write(#[source] io::Error),
    /// There is nothing in it.
    #[error("the input is empty; send a table with at least its column names")]
    Empty,
    /// It is not what it should be.
    #[error("the input is not a readable {format} file: {reason}")]
    Malformed {
        /// The format as a name.
        format: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// What the caller states contradicts itself or names nothing that is known.
    #[error("{0}")]
    Stated(String),
    /// A compressed input becomes too large.
    #[error(
        "the compressed input becomes too large: {read_bytes} bytes became more than {expanded_bytes}, and at most \
         {limit_bytes} are allowed here; send it in several files or uncompressed"
    )]
    Expansion {
        /// What was read of it, in bytes.
        read_bytes: u64,
        /// What that became, in bytes.
        expanded_bytes: u64,
        /// What it may become, in bytes.
        limit_bytes: u64,
    },
    /// There is more of something than is allowed.
    #[error("the input has more than {limit} {what}; {advice}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
        /// The way out.
        advice: &'static str,
    },
    /// The input cannot be read from the middle, and no sink for a copy was given.
    #[error("the input is compressed or in {encoding}; planning it needs a sink for a plain copy")]
    NeedsCopy {
        /// The encoding.
        encoding: &'static str,
    },
    /// Its columns do not fit the schema.
    #[error("the columns do not fit: {0}")]
    Columns(String),
    /// It is not the input that was planned.
    #[error("the input has {found_bytes} bytes, and {planned_bytes} when it was planned; plan it again")]
    Changed {
        /// When it was planned, in bytes.
        planned_bytes: u64,
        /// Now, in bytes.
        found_bytes: u64,
    },
    /// Results do not fit the columns that they are written to, or the columns do not fit each other.
    #[error("the results cannot be written: {0}")]
    Results(String),
}

impl TableError {
    /// An error of a chain of readers; what we put in ourselves comes out as it was.
    pub(crate) fn from_reader(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(other) => Self::Read(other),
        }
    }
}

impl From<TableError> for io::Error {
    fn from(error: TableError) -> Self {
        Self::other(error)
    }
}
