//! An object that is written piece by piece: to a temporary file, which gets its name at the end.

use std::io::Write;

use async_trait::async_trait;
use bytes::Bytes;
use mandi_core::ports::{ObjectKey, ObjectWriter, ObjectsError};
use tempfile::NamedTempFile;

use super::{FileObjects, fault};

/// How much is gathered before it goes to the file, in bytes.
const GATHERED_BYTES: usize = 256 * 1024;

/// Dropping it removes the file.
#[derive(Debug)]
pub(super) struct FileWriter {
    store: FileObjects,
    key: ObjectKey,
    /// `None` after a write that failed or was cut off.
    draft: Option<Draft>,
}

#[derive(Debug)]
struct Draft {
    file: NamedTempFile,
    /// What the file does not have yet.
    gathered: Vec<u8>,
}

impl FileObjects {
    /// Begins an object.
    pub(super) async fn begin(&self, key: ObjectKey) -> Result<FileWriter, ObjectsError> {
        let begun = self.run(key.as_str(), |store, _| NamedTempFile::new_in(&store.temporary).map_err(fault));
        let draft = Some(Draft { file: begun.await?, gathered: Vec::new() });
        Ok(FileWriter { store: self.clone(), key, draft })
    }
}

#[async_trait]
impl ObjectWriter for FileWriter {
    async fn write(&mut self, piece: Bytes) -> Result<(), ObjectsError> {
        let mut draft = self.draft.take().ok_or_else(broken)?;
        if draft.gathered.len() + piece.len() < GATHERED_BYTES {
            draft.gathered.extend_from_slice(&piece);
            self.draft = Some(draft);
            return Ok(());
        }
        let written = self.store.run(self.key.as_str(), move |_, _| {
            draft.flush()?;
            draft.file.write_all(&piece).map_err(fault)?;
            Ok(draft)
        });
        self.draft = Some(written.await?);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), ObjectsError> {
        let mut draft = self.draft.take().ok_or_else(broken)?;
        let named = self.store.run(self.key.as_str(), move |store, path| {
            draft.flush()?;
            store.name(draft.file, &path, |file, path| file.persist(path)).map_err(fault)
        });
        named.await
    }

    async fn abort(mut self: Box<Self>) -> Result<(), ObjectsError> {
        match self.draft.take() {
            Some(draft) => self.store.run(self.key.as_str(), move |_, _| draft.file.close().map_err(fault)).await,
            None => Ok(()),
        }
    }
}

impl Draft {
    fn flush(&mut self) -> Result<(), ObjectsError> {
        self.file.write_all(&self.gathered).map_err(fault)?;
        self.gathered.clear();
        Ok(())
    }
}

fn broken() -> ObjectsError {
    ObjectsError::Unavailable("an earlier piece of the object was not written".into())
}
