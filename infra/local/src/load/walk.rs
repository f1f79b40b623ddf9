//! The files under a path: those that are loaded, those that cannot be, and what is passed over.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use mandi_core::{Problem, Result};
use walkdir::{DirEntry, WalkDir};

const NOT_UTF_8: &str = "its name is not UTF-8 text, so that no id can be made of it; rename it";

/// A file to load.
pub(super) struct File {
    pub(super) path: PathBuf,
    /// The path within the folder.
    pub(super) id: String,
}

impl File {
    /// The last part of its path.
    pub(super) fn name(&self) -> &str {
        self.id.rsplit('/').next().unwrap_or(&self.id)
    }
}

/// What was found under a path.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) files: Vec<File>,
    /// Files and folders that cannot be loaded, each with the reason.
    pub(super) failures: Vec<(String, String)>,
    pub(super) passed_over: PassedOver,
}

/// Looks at a file, or at all that is in a folder.
///
/// # Errors
/// The path itself cannot be read, or there is nothing to load.
pub(super) fn walk(path: &Path) -> Result<Walk> {
    let refused = |why: String| Problem::field("path", format!("`{}` {why}", path.display()));
    let found = std::fs::metadata(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
    if found.is_file() {
        let id = path.file_name().and_then(OsStr::to_str).ok_or_else(|| refused(format!("fails: {NOT_UTF_8}")))?;
        return Ok(Walk { files: vec![File { path: path.to_owned(), id: id.to_owned() }], ..Walk::default() });
    }
    if !found.is_dir() {
        return Err(refused("is neither a file nor a folder".to_owned()));
    }
    let mut walk = Walk::default();
    let mut entries = WalkDir::new(path).min_depth(1).sort_by_file_name().into_iter();
    while let Some(entry) = entries.next() {
        match entry {
            Ok(entry) => {
                if !walk.take(path, &entry) && entry.file_type().is_dir() {
                    entries.skip_current_dir();
                }
            }
            Err(error) => {
                let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                match error.path() {
                    Some(inner) if inner != path => walk.fail(path, inner, format!("it cannot be read: {reason}")),
                    _ => return Err(refused(format!("cannot be read: {reason}"))),
                }
            }
        }
    }
    if walk.files.is_empty() && walk.failures.is_empty() {
        let passed_over = walk.passed_over.words().map_or_else(String::new, |words| format!("; {words}"));
        return Err(refused(format!("holds no files to load{passed_over}")));
    }
    Ok(walk)
}

impl Walk {
    /// Takes an entry. Returns whether it is a folder to look into.
    fn take(&mut self, root: &Path, entry: &DirEntry) -> bool {
        if let Some(kind) = Kind::of(entry) {
            self.passed_over.count(kind);
            return false;
        }
        let is_folder = entry.file_type().is_dir();
        match within(root, entry.path()).to_str() {
            Some(_) if is_folder => return true,
            Some(id) => self.files.push(File { path: entry.path().to_owned(), id: id.to_owned() }),
            None => self.fail(root, entry.path(), NOT_UTF_8.to_owned()),
        }
        false
    }

    fn fail(&mut self, root: &Path, path: &Path, reason: String) {
        let within = within(root, path);
        // Bytes that are not UTF-8 are shown as `\xFF`, so that two such names differ.
        let shown = within.to_str().map_or_else(|| format!("{within:?}"), str::to_owned);
        self.failures.push((shown, reason));
    }
}

fn within<'a>(root: &Path, path: &'a Path) -> &'a Path {
    path.strip_prefix(root).unwrap_or(path)
}

/// A kind of entry that is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Hidden,
    Link,
    Pipe,
    Socket,
    Device,
}

impl Kind {
    /// What the entry is passed over as; `None` for files and folders that are not hidden.
    fn of(entry: &DirEntry) -> Option<Self> {
        let kind = entry.file_type();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            Some(Self::Hidden)
        } else if kind.is_dir() || kind.is_file() {
            None
        } else if kind.is_symlink() {
            Some(Self::Link)
        } else if kind.is_fifo() {
            Some(Self::Pipe)
        } else if kind.is_socket() {
            Some(Self::Socket)
        } else {
            Some(Self::Device)
        }
    }

    const fn words(self, count: usize) -> &'static str {
        match (self, count) {
            (Self::Hidden, 1) => "hidden file or folder",
            (Self::Hidden, _) => "hidden files or folders",
            (Self::Link, 1) => "symbolic link",
            (Self::Link, _) => "symbolic links",
            (Self::Pipe, 1) => "pipe",
            (Self::Pipe, _) => "pipes",
            (Self::Socket, 1) => "socket",
            (Self::Socket, _) => "sockets",
            (Self::Device, 1) => "device",
            (Self::Device, _) => "devices",
        }
    }
}

/// How many entries of each kind were passed over.
#[derive(Default)]
pub(super) struct PassedOver(BTreeMap<Kind, usize>);

impl PassedOver {
    fn count(&mut self, kind: Kind) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// A line that says so; `None` when nothing was passed over.
    pub(super) fn words(&self) -> Option<String> {
        let parts: Vec<String> = self.0.iter().map(|(kind, count)| format!("{count} {}", kind.words(*count))).collect();
        (!parts.is_empty()).then(|| format!("passed over: {}", parts.join(", ")))
    }
}
