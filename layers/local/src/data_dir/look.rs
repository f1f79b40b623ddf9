//! A look at a data folder that makes and changes nothing.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::{DataDirError, SECRET_BYTES, has_format, in_use};

/// What a look at a data folder finds, where nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is not there yet, and can be made.
    Nothing,
    /// It is there, and no process holds it.
    Free,
}

/// Looks whether a data folder could be opened, or made, by [`DataDir::open`](super::DataDir::open).
///
/// # Errors
/// Why it could not; see [`DataDirError`].
pub fn look(root: &Path) -> Result<Found, DataDirError> {
    if !root.exists() {
        let parent = nearest_that_exists(root);
        check_writable_folder(&parent)?;
        return Ok(Found::Nothing);
    }
    check_writable_folder(root)?;
    check_not_held(root)?;
    has_format(root)?;
    check_length_of_secret(root)?;
    Ok(Found::Free)
}

/// The error of a folder that is not there: as it was named, and where it was looked for.
pub(super) fn not_there(folder: &Path) -> DataDirError {
    let here = if folder.is_absolute() { None } else { std::env::current_dir().ok() };
    let parent = || folder.parent().unwrap_or(folder).to_owned();
    DataDirError::NotThere { folder: folder.to_owned(), looked_in: here.unwrap_or_else(parent) }
}

/// The folder in which the missing part of a path would be made.
fn nearest_that_exists(root: &Path) -> PathBuf {
    let whole = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    whole.ancestors().find(|folder| folder.exists()).unwrap_or(&whole).to_owned()
}

fn check_writable_folder(folder: &Path) -> Result<(), DataDirError> {
    if !folder.is_dir() {
        return Err(DataDirError::NotAFolder(folder.to_owned()));
    }
    access(folder, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|errno| DataDirError::Io { path: folder.to_owned(), source: errno.into() })
}

/// The lock is tried for a moment, as a reader, and let go of at once.
fn check_not_held(root: &Path) -> Result<(), DataDirError> {
    let path = root.join("lock");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(DataDirError::Io { path, source }),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(in_use(root, file)),
        Err(TryLockError::Error(source)) => Err(DataDirError::Io { path, source }),
    }
}

fn check_length_of_secret(root: &Path) -> Result<(), DataDirError> {
    let path = root.join("secret");
    match fs::metadata(&path) {
        Ok(found) if found.len() != SECRET_BYTES as u64 => Err(DataDirError::DamagedSecret(path)),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(DataDirError::Io { path, source }),
    }
}
