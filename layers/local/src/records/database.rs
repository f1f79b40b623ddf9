//! The database file: opened, read, written, and opened again after a fault.
//!
//! redb refuses all work after an input or output error, such as a full disk, until the file is opened anew.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::{ReadTransaction, ReadableDatabase, WriteTransaction};

use super::fault::Fault;
use super::tables::Tables;

/// Memory for pages of the database, in bytes.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// The database of one file.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    /// `None` while it could not be opened again after a fault.
    open: RwLock<Option<redb::Database>>,
}

impl Database {
    /// Opens the file, or makes it with its tables. After a crash this repairs it.
    pub fn open(path: PathBuf) -> Result<Self, redb::Error> {
        let database = open(&path)?;
        Ok(Self { path, open: RwLock::new(Some(database)) })
    }

    /// Makes the tables, so that reading can count on them.
    pub fn make_tables(&self) -> Result<(), Fault> {
        self.write(|transaction| Tables::open(transaction).map(|_| ((), true)))
    }

    /// Reads in a snapshot of what is committed.
    pub fn read<T>(&self, work: impl FnOnce(&ReadTransaction) -> Result<T, Fault>) -> Result<T, Fault> {
        let guard = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let database = guard.as_ref().ok_or(Fault::Stale)?;
        work(&database.begin_read()?)
    }

    /// Writes in one transaction, which is durable when this returns. `work` says whether it changed anything;
    /// if not, nothing is committed and nothing waits for the disk.
    pub fn write<T>(&self, work: impl FnOnce(&WriteTransaction) -> Result<(T, bool), Fault>) -> Result<T, Fault> {
        let guard = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let database = guard.as_ref().ok_or(Fault::Stale)?;
        let transaction = database.begin_write()?;
        let (value, changed) = work(&transaction)?;
        if changed {
            transaction.commit()?;
        } else {
            transaction.abort()?;
        }
        Ok(value)
    }

    /// Closes the file, when nobody reads, and opens it again.
    pub fn reopen(&self) -> Result<(), Fault> {
        let mut guard = self.open.write().unwrap_or_else(PoisonError::into_inner);
        *guard = None;
        *guard = Some(open(&self.path)?);
        Ok(())
    }
}

fn open(path: &Path) -> Result<redb::Database, redb::Error> {
    Ok(redb::Builder::new().set_cache_size(CACHE_BYTES).create(path)?)
}
