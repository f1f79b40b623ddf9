//! What the database says, in the terms of the port.

use std::io;

use mandi_core::ports::RecordsError;

use crate::faults::is_full;

/// Why the database could not do a batch of work. It can be copied, since it goes to everyone in the batch.
#[derive(Clone, Debug)]
pub enum Fault {
    /// No room.
    Full,
    /// An earlier fault; nothing was done, and the database has to be opened again.
    Stale,
    /// Anything else.
    Broken(String),
}

impl From<Fault> for RecordsError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Full => Self::Full,
            Fault::Stale => {
                Self::Unavailable("the database stopped after a fault and could not be opened again".into())
            }
            Fault::Broken(reason) => Self::Unavailable(reason.into()),
        }
    }
}

impl From<redb::Error> for Fault {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) if is_full(&error) => Self::Full,
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => Self::Stale,
            error => Self::Broken(error.to_string()),
        }
    }
}

macro_rules! through_error {
    ($($kind:ident),+) => {$(
        impl From<redb::$kind> for Fault {
            fn from(error: redb::$kind) -> Self {
                redb::Error::from(error).into()
            }
        }
    )+};
}

through_error!(StorageError, TableError, TransactionError, CommitError, DatabaseError);

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::Full } else { Self::Broken(error.to_string()) }
    }
}
