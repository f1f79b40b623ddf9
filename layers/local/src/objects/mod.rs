//! Objects as files: written under a temporary name, made durable, then renamed.

mod listing;
mod names;
mod received;
mod sent;
mod signed;
mod writer;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use mandi_core::ports::{
    GetGrant, ObjectKey, ObjectPage, ObjectPrefix, ObjectWriter, Objects, ObjectsError, PutGrant, PutOutcome, SignedPut,
};
use tempfile::{NamedTempFile, PersistError};

use crate::data_dir::{DataDir, DataDirError};
use crate::faults::is_full;

pub use received::ReceiveFault;
pub use sent::{Part, SendFault, Sending};
pub use signed::{Doorway, GetQuery, PutQuery};

/// The longest key, in bytes: that of S3.
const MAX_KEY_BYTES: usize = 1024;

/// How often a write begins again when a delete removed its folder in the meantime.
const TRIES: usize = 16;

/// The store of objects in a data folder.
#[derive(Clone, Debug)]
pub struct FileObjects(Arc<Store>);

#[derive(Debug)]
struct Store {
    root: PathBuf,
    temporary: PathBuf,
    doorway: Doorway,
    /// Holds the folder's lock.
    _data: Arc<DataDir>,
}

impl FileObjects {
    /// Opens the store, and removes what a process that was killed left half written. Signed URLs lead to `doorway`.
    ///
    /// # Errors
    /// [`DataDirError::Io`].
    pub fn open(data: &Arc<DataDir>, doorway: Doorway) -> Result<Self, DataDirError> {
        let root = data.objects_folder();
        let temporary = root.join(".temporary");
        let failed = |source| DataDirError::Io { path: temporary.clone(), source };
        match fs::remove_dir_all(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => fs::create_dir_all(&temporary).map_err(failed)?,
        }
        Ok(Self(Arc::new(Store { root, temporary, doorway, _data: Arc::clone(data) })))
    }

    async fn run<T: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(&Store, PathBuf) -> Result<T, ObjectsError> + Send + 'static,
    ) -> Result<T, ObjectsError> {
        check(key)?;
        let store = Arc::clone(&self.0);
        let path = names::path_of(&store.root, key);
        let work = tokio::task::spawn_blocking(move || work(&store, path));
        work.await.map_err(|error| ObjectsError::Unavailable(Box::new(error)))?
    }
}

#[async_trait]
impl Objects for FileObjects {
    async fn get(&self, key: &ObjectKey) -> Result<Option<Bytes>, ObjectsError> {
        self.run(key.as_str(), |_, path| present(fs::read(path).map(Bytes::from))).await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Option<Bytes>, ObjectsError> {
        self.run(key.as_str(), move |_, path| {
            let Some(file) = present(File::open(path))? else { return Ok(None) };
            let size_bytes = file.metadata().map_err(fault)?.len();
            if range.start > size_bytes {
                return Err(ObjectsError::OutOfRange { size_bytes });
            }
            read_range(file, &range).map(|content| Some(content.into())).map_err(fault)
        })
        .await
    }

    async fn size_bytes(&self, key: &ObjectKey) -> Result<Option<u64>, ObjectsError> {
        self.run(key.as_str(), |_, path| {
            let found = present(fs::metadata(path))?;
            Ok(found.filter(fs::Metadata::is_file).map(|found| found.len()))
        })
        .await
    }

    async fn sign_put(&self, key: &ObjectKey, grant: &PutGrant) -> Result<SignedPut, ObjectsError> {
        check(key.as_str())?;
        Ok(self.0.doorway.sign_put(key, grant))
    }

    async fn sign_get(&self, key: &ObjectKey, grant: &GetGrant) -> Result<String, ObjectsError> {
        check(key.as_str())?;
        Ok(self.0.doorway.sign_get(key, grant))
    }

    async fn writer(&self, key: &ObjectKey) -> Result<Box<dyn ObjectWriter>, ObjectsError> {
        Ok(Box::new(self.begin(key.clone()).await?))
    }

    async fn put(&self, key: &ObjectKey, content: Bytes) -> Result<(), ObjectsError> {
        self.run(key.as_str(), move |store, path| {
            store.write(&path, &content, |file, path| file.persist(path)).map_err(fault)
        })
        .await
    }

    async fn put_if_absent(&self, key: &ObjectKey, content: Bytes) -> Result<PutOutcome, ObjectsError> {
        self.run(key.as_str(), move |store, path| {
            // Spares the write where it cannot win; who wins is decided by the rename alone.
            if path.exists() {
                return Ok(PutOutcome::Existed);
            }
            match store.write(&path, &content, |file, path| file.persist_noclobber(path)) {
                Ok(()) => Ok(PutOutcome::Written),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(PutOutcome::Existed),
                Err(error) => Err(fault(error)),
            }
        })
        .await
    }

    async fn list(&self, prefix: &ObjectPrefix, after: Option<&str>, limit: usize) -> Result<ObjectPage, ObjectsError> {
        let after = after.map(str::to_owned);
        let prefix = prefix.as_str().to_owned();
        let limit = limit.max(1);
        self.run("", move |store, _| {
            let folder = names::folder_of(&store.root, prefix.strip_suffix('/').unwrap_or(&prefix));
            let mut keys = listing::list(&folder, &prefix, after.as_deref(), limit + 1).map_err(fault)?;
            let more = keys.len() > limit;
            keys.truncate(limit);
            let next = if more { keys.last().cloned() } else { None };
            Ok(ObjectPage { keys: keys.into_iter().map(ObjectKey::from_listed).collect(), next })
        })
        .await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), ObjectsError> {
        self.run(key.as_str(), |store, path| match fs::remove_file(&path) {
            Ok(()) => store.tidy(&path).map_err(fault),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(fault(error)),
        })
        .await
    }
}

impl Store {
    /// Writes the content, then names it.
    fn write(
        &self,
        path: &Path,
        content: &[u8],
        rename: impl Fn(NamedTempFile, &Path) -> Result<File, PersistError>,
    ) -> io::Result<()> {
        let mut file = NamedTempFile::new_in(&self.temporary)?;
        file.write_all(content)?;
        self.name(file, path, rename)
    }

    /// Makes what was written durable, then gives it its name by `rename`.
    fn name(
        &self,
        mut file: NamedTempFile,
        path: &Path,
        rename: impl Fn(NamedTempFile, &Path) -> Result<File, PersistError>,
    ) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.root);
        file.as_file().sync_all()?;
        for _ in 0..TRIES {
            make_folders(folder)?;
            match rename(file, path) {
                Ok(_) => return sync_folder(folder),
                Err(error) if error.error.kind() == io::ErrorKind::NotFound => file = error.file,
                Err(error) => return Err(error.error),
            }
        }
        Err(io::Error::other("the folder of the object was removed again and again"))
    }

    /// Makes a removal durable and removes the folders that it left empty.
    fn tidy(&self, removed: &Path) -> io::Result<()> {
        for folder in removed.ancestors().skip(1).take_while(|folder| *folder != self.root) {
            // Refused when it is not empty, which is the place to stop.
            if fs::remove_dir(folder).is_err() {
                return sync_folder(folder);
            }
        }
        sync_folder(&self.root)
    }
}

/// Makes a folder and those above it, each durable in the one above.
fn make_folders(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            folder.parent().map_or(Err(error), make_folders)?;
            made(folder, fs::create_dir(folder))
        }
        outcome => made(folder, outcome),
    }
}

fn made(folder: &Path, outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Ok(()) => folder.parent().map_or(Ok(()), sync_folder),
        // Made by another write; or the one above was removed by a delete, which the rename will notice.
        Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes what happened in a folder durable, unless the folder is gone again.
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        opened => opened?.sync_all(),
    }
}

fn read_range(mut file: File, range: &Range<u64>) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.seek(SeekFrom::Start(range.start))?;
    file.take(range.end.saturating_sub(range.start)).read_to_end(&mut content)?;
    Ok(content)
}

fn check(key: &str) -> Result<(), ObjectsError> {
    if key.len() > MAX_KEY_BYTES { Err(ObjectsError::KeyTooLong) } else { Ok(()) }
}

fn present<T>(outcome: io::Result<T>) -> Result<Option<T>, ObjectsError> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fault(error)),
    }
}

fn fault(error: io::Error) -> ObjectsError {
    if is_full(&error) { ObjectsError::Full } else { ObjectsError::Unavailable(Box::new(error)) }
}
