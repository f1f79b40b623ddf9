//! Captured predictions in files: `captures/<tenant>/<day>.jsonl`, one line of JSON for each.
//!
//! A batch is written and made durable (`fdatasync`) before it counts as captured: once for each file of the batch, so
//! that lines which come while one is under way share the next. What a killed process left half written, a line without
//! its end, is cut off when the store is opened; it never counted as captured.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use mandi_core::ports::{CaptureError, CaptureLine, CaptureStore};

use crate::data_dir::{DataDir, DataDirError};
use crate::faults::is_full;

/// How much is read at a time when the last end of a line is looked for, in bytes.
const WINDOW_BYTES: u64 = 64 * 1024;

/// The store of captures in a data folder.
#[derive(Clone, Debug)]
pub struct CaptureFiles(Arc<Store>);

#[derive(Debug)]
struct Store {
    root: PathBuf,
    /// Held by who writes.
    writing: Mutex<()>,
    /// Holds the folder's lock.
    _data: Arc<DataDir>,
}

/// The lines of a batch that go to one file: its path within the store, and their places in the batch.
type Parts = BTreeMap<PathBuf, Vec<usize>>;

impl CaptureFiles {
    /// Opens the store, and cuts off what a process that was killed left half written.
    ///
    /// # Errors
    /// [`DataDirError::Io`].
    pub fn open(data: &Arc<DataDir>) -> Result<Self, DataDirError> {
        let root = data.captures_folder();
        make_folder(&root).map_err(|source| DataDirError::Io { path: root.clone(), source })?;
        for tenant in listed(&root)? {
            // A file that somebody put beside the tenants' folders is none of ours.
            if !tenant.is_dir() {
                continue;
            }
            for file in listed(&tenant)?.into_iter().filter(|file| file.extension().is_some_and(|end| end == "jsonl")) {
                let torn_bytes = mend(&file).map_err(|source| DataDirError::Io { path: file.clone(), source })?;
                if torn_bytes > 0 {
                    tracing::warn!(path = %file.display(), torn_bytes, "cut a half-written line off a file of captures");
                }
            }
        }
        Ok(Self(Arc::new(Store { root, writing: Mutex::new(()), _data: Arc::clone(data) })))
    }
}

#[async_trait]
impl CaptureStore for CaptureFiles {
    async fn append(&self, lines: &[CaptureLine]) -> Vec<Result<(), CaptureError>> {
        let (store, batch) = (Arc::clone(&self.0), lines.to_vec());
        match tokio::task::spawn_blocking(move || store.append(&batch)).await {
            Ok(outcomes) => outcomes,
            Err(error) => lines.iter().map(|_| Err(CaptureError::Unavailable(error.to_string().into()))).collect(),
        }
    }
}

impl Store {
    fn append(&self, batch: &[CaptureLine]) -> Vec<Result<(), CaptureError>> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parts = Parts::new();
        for (place, line) in batch.iter().enumerate() {
            let path = Path::new(line.tenant().as_str()).join(format!("{}.jsonl", line.at().day()));
            parts.entry(path).or_default().push(place);
        }
        let mut outcomes: Vec<_> = batch.iter().map(|_| Ok(())).collect();
        for (path, places) in parts {
            let lines: Vec<&Bytes> =
                places.iter().filter_map(|place| batch.get(*place)).map(CaptureLine::bytes).collect();
            let Err(error) = self.append_to(&path, &lines) else { continue };
            for place in places {
                if let Some(outcome) = outcomes.get_mut(place) {
                    *outcome = Err(fault(&error, &path));
                }
            }
        }
        outcomes
    }

    fn append_to(&self, path: &Path, lines: &[&Bytes]) -> io::Result<()> {
        let path = self.root.join(path);
        let folder = path.parent().unwrap_or(&self.root);
        if !folder.is_dir() {
            make_folder(folder)?;
            File::open(&self.root)?.sync_all()?;
        }
        let is_new = !path.exists();
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        if is_new {
            File::open(folder)?.sync_all()?;
        }
        let length = file.metadata()?.len();
        let content = lines.iter().map(|line| line.as_ref()).collect::<Vec<&[u8]>>().concat();
        let written = file.write_all(&content).and_then(|()| file.sync_data());
        if written.is_err() {
            // Lines that do not count as captured are not to be read either, least of all the half of one.
            if let Err(error) = file.set_len(length) {
                tracing::error!(path = %path.display(), %error, "a failed write of captures could not be undone");
            }
        }
        written
    }
}

fn fault(error: &io::Error, path: &Path) -> CaptureError {
    if is_full(error) {
        return CaptureError::Full;
    }
    CaptureError::Unavailable(format!("captures/{}: {error}", path.display()).into())
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, DataDirError> {
    let failed = |source| DataDirError::Io { path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(failed)?;
    entries.map(|entry| Ok(entry.map_err(failed)?.path())).collect()
}

/// Cuts a file off after its last end of a line. Returns how many bytes that were.
fn mend(path: &Path) -> io::Result<u64> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let mut end = length;
    while end > 0 {
        let begin = if end == length { length - 1 } else { end.saturating_sub(WINDOW_BYTES) };
        file.seek(SeekFrom::Start(begin))?;
        let mut window = Vec::new();
        (&mut file).take(end - begin).read_to_end(&mut window)?;
        if let Some(place) = window.iter().rposition(|byte| *byte == b'\n') {
            end = begin + u64::try_from(place).map_err(io::Error::other)? + 1;
            break;
        }
        end = begin;
    }
    if end < length {
        file.set_len(end)?;
        file.sync_all()?;
    }
    Ok(length - end)
}
