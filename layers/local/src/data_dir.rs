//! The data folder: who holds it, which format it has, and the secret that signs local tokens.

mod look;

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mandi_core::{Problem, ProblemKind};
use rand::TryRng;
use tempfile::NamedTempFile;

use crate::faults::is_full;
pub use look::{Found, look};

/// The version of what lies in a data folder. A later one that reads this one too counts on from here.
const FORMAT: &str = "1";

/// The length of the secret, in bytes: that of the digest of HS256 (RFC 7518, section 3.2).
const SECRET_BYTES: usize = 32;

/// The way out for who needs a data folder that is there.
const FIND_IT: &str = "type this in the folder where `make run` or `mandi up` was typed, or name its data folder with \
                       --data or MANDI_DATA";

/// Why a data folder cannot be used, and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataDirError {
    /// Another process has it open.
    #[error(
        "the data folder {folder} is in use by {holder}; stop that process, or set MANDI_DATA to another folder",
        folder = folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The process, as far as it is known.
        holder: String,
    },
    /// It is not there, and is not to be made.
    #[error("the data folder {} is not there (looked in {}); {FIND_IT}", folder.display(), looked_in.display())]
    NotThere {
        /// The folder.
        folder: PathBuf,
        /// The folder that it would lie in.
        looked_in: PathBuf,
    },
    /// It is there, and no process made a secret in it yet.
    #[error("{} is no data folder of Mandi: it holds no secret; {FIND_IT}", .0.display())]
    NoSecret(PathBuf),
    /// There is something of that name, and it is no folder.
    #[error("{} is not a folder; set MANDI_DATA to another place", .0.display())]
    NotAFolder(PathBuf),
    /// It was written by another version of Mandi.
    #[error(
        "the data folder {folder} has format {found:?} and this version reads {FORMAT:?}; use the version that wrote \
         it, or set MANDI_DATA to another folder",
        folder = folder.display()
    )]
    OtherFormat {
        /// The folder.
        folder: PathBuf,
        /// What its format file says.
        found: String,
    },
    /// The secret is there and is not one.
    #[error(
        "{} does not hold {SECRET_BYTES} bytes; remove it to have a new one made (tokens signed before stop working)",
        .0.display()
    )]
    DamagedSecret(PathBuf),
    /// A database in it cannot be opened.
    #[error("{path} cannot be opened: {reason}", path = path.display())]
    DamagedDatabase {
        /// The file.
        path: PathBuf,
        /// What the database says.
        reason: String,
    },
    /// The file system refuses.
    #[error(
        "the data folder cannot be used: {path} ({source}); mend that, or set MANDI_DATA to another folder",
        path = path.display()
    )]
    Io {
        /// What was being opened or made.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl From<DataDirError> for Problem {
    fn from(error: DataDirError) -> Self {
        let kind = match &error {
            DataDirError::InUse { .. } => ProblemKind::Conflict,
            DataDirError::Io { source, .. } if is_full(source) => ProblemKind::StorageFull,
            _ => ProblemKind::Unavailable,
        };
        Self::new(kind, error.to_string()).caused_by(error)
    }
}

/// A secret of 32 random bytes. Its bytes are never printed.
#[derive(Clone)]
pub struct Secret([u8; SECRET_BYTES]);

impl Secret {
    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// A data folder that this process holds until the last copy of this is dropped.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    secret: Secret,
    _lock: File,
}

impl DataDir {
    /// Opens the folder, and makes it and what belongs in it if need be.
    ///
    /// # Errors
    /// See [`DataDirError`].
    pub fn open(root: impl Into<PathBuf>) -> Result<Arc<Self>, DataDirError> {
        let root = root.into();
        make_folder(&root)?;
        let lock = lock(&root)?;
        check_format(&root)?;
        let secret = read_or_make_secret(&root)?;
        Ok(Arc::new(Self { root, secret, _lock: lock }))
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The secret that signs tokens (HS256). It was made with the folder.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The file of the records.
    #[must_use]
    pub fn records_file(&self) -> PathBuf {
        self.root.join("records.redb")
    }

    /// The folder of the objects.
    #[must_use]
    pub fn objects_folder(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// The folder of captured predictions.
    #[must_use]
    pub fn captures_folder(&self) -> PathBuf {
        self.root.join("captures")
    }

    /// The folder of the vector tables.
    #[must_use]
    pub fn vectors_folder(&self) -> PathBuf {
        self.root.join("vectors")
    }
}

/// The secret of a data folder, also while another process holds it: to sign a token for a running server.
/// Nothing is made: a new secret is none that a server knows.
///
/// # Errors
/// See [`DataDirError`].
pub fn secret_of(root: &Path) -> Result<Secret, DataDirError> {
    let path = root.join("secret");
    match File::open(&path) {
        Ok(file) => read_secret(file, &path),
        Err(error) => Err(match error.kind() {
            io::ErrorKind::NotFound if root.is_dir() => DataDirError::NoSecret(root.to_owned()),
            io::ErrorKind::NotFound => look::not_there(root),
            io::ErrorKind::NotADirectory => DataDirError::NotAFolder(root.to_owned()),
            _ => DataDirError::Io { path, source: error },
        }),
    }
}

fn read_or_make_secret(root: &Path) -> Result<Secret, DataDirError> {
    match secret_of(root) {
        Err(DataDirError::NoSecret(_)) => make_secret(root),
        read => read,
    }
}

fn make_secret(root: &Path) -> Result<Secret, DataDirError> {
    let path = root.join("secret");
    let failed = |source| DataDirError::Io { path: path.clone(), source };
    let mut bytes = [0; SECRET_BYTES];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).map_err(|error| failed(io::Error::other(error)))?;
    let mut file = NamedTempFile::new_in(root).map_err(failed)?;
    file.write_all(&bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(Secret(bytes)),
        // Another process was faster: its secret is the one.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            read_secret(File::open(&path).map_err(failed)?, &path)
        }
        Err(error) => Err(failed(error.error)),
    }
}

fn read_secret(file: File, path: &Path) -> Result<Secret, DataDirError> {
    let failed = |source| DataDirError::Io { path: path.to_owned(), source };
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "the secret was readable by others; tightened its mode to 0600");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    }
    let mut bytes = Vec::new();
    // One byte more than it should have, to notice a longer file without reading it.
    file.take(SECRET_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    bytes.try_into().map(Secret).map_err(|_| DataDirError::DamagedSecret(path.to_owned()))
}

fn make_folder(root: &Path) -> Result<(), DataDirError> {
    if root.exists() && !root.is_dir() {
        return Err(DataDirError::NotAFolder(root.to_owned()));
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(root)
        .map_err(|source| DataDirError::Io { path: root.to_owned(), source })
}

/// Takes the lock; the system lets go of it when the process ends in whatever way.
fn lock(root: &Path) -> Result<File, DataDirError> {
    let path = root.join("lock");
    let failed = |source| DataDirError::Io { path: path.clone(), source };
    let mut options = OpenOptions::new();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(in_use(root, file)),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    // The number is a help for whoever is refused; that it cannot be written is no reason to refuse us.
    let noted = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    if let Err(error) = noted {
        tracing::warn!(path = %path.display(), %error, "could not note the process in the lock file");
    }
    Ok(file)
}

/// The error of a lock that another process has.
fn in_use(root: &Path, mut lock: File) -> DataDirError {
    let mut number = String::new();
    let known = lock.read_to_string(&mut number).is_ok() && !number.trim().is_empty();
    let holder = if known { format!("process {}", number.trim()) } else { "another process".to_owned() };
    DataDirError::InUse { folder: root.to_owned(), holder }
}

fn check_format(root: &Path) -> Result<(), DataDirError> {
    if has_format(root)? {
        return Ok(());
    }
    let path = root.join("format");
    fs::write(&path, format!("{FORMAT}\n")).map_err(|source| DataDirError::Io { path, source })
}

/// Whether the folder says its format, which then is one that this version reads.
fn has_format(root: &Path) -> Result<bool, DataDirError> {
    let path = root.join("format");
    match fs::read_to_string(&path) {
        Ok(text) if text.trim() == FORMAT => Ok(true),
        Ok(text) => Err(DataDirError::OtherFormat { folder: root.to_owned(), found: text.trim().to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(DataDirError::Io { path, source }),
    }
}
