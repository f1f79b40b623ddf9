//! Objects in a plain folder, for definitions that are run by hand: `Bucket` and `Key` are a path under it.

use std::path::{Component, Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use mandi_core::Timestamp;
use mandi_states::engine::{ItemStore, Listed};

/// Files under a folder as objects: `s3://<bucket>/<key>` is the file `<folder>/<bucket>/<key>`.
#[derive(Clone, Debug)]
pub struct FolderItems {
    folder: PathBuf,
}

impl FolderItems {
    /// The files under this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The file of an object. No bucket and no key leads out of the folder.
    fn file(&self, bucket: &str, key: &str) -> Result<PathBuf, String> {
        let path = Path::new(bucket).join(key);
        if bucket.is_empty() || !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(format!(
                "`{bucket}/{key}` is not a file under {}: it may hold no `..` and begin with no `/`",
                self.folder.display()
            ));
        }
        Ok(self.folder.join(path))
    }
}

/// The files under a folder, with their paths in it, in the order of those.
fn files(root: &Path) -> std::io::Result<Vec<Listed>> {
    let (mut found, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file()
                && let Ok(key) = entry.path().strip_prefix(root)
            {
                let metadata = entry.metadata()?;
                let modified =
                    metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
                let modified = modified.and_then(|since| i64::try_from(since.as_millis()).ok());
                found.push(Listed {
                    key: key.to_string_lossy().replace('\\', "/"),
                    size_bytes: metadata.len(),
                    modified_at: modified.map(Timestamp::from_unix_ms),
                });
            }
        }
    }
    found.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(found)
}

#[async_trait]
impl ItemStore for FolderItems {
    async fn get(&self, bucket: &str, key: &str) -> Result<Bytes, String> {
        let file = self.file(bucket, key)?;
        let content = tokio::fs::read(&file).await;
        content.map(Bytes::from).map_err(|error| format!("{} cannot be read: {error}", file.display()))
    }

    async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Listed>, String> {
        let root = self.file(bucket, "")?;
        let found = tokio::task::spawn_blocking(move || {
            files(&root).map_err(|error| format!("{} cannot be listed: {error}", root.display()))
        });
        let mut found = found.await.map_err(|error| error.to_string())??;
        found.retain(|listed| listed.key.starts_with(prefix));
        Ok(found)
    }

    async fn put(&self, bucket: &str, key: &str, content: Bytes) -> Result<(), String> {
        let file = self.file(bucket, key)?;
        let unwritten = |error: std::io::Error| format!("{} cannot be written: {error}", file.display());
        if let Some(folder) = file.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(unwritten)?;
        }
        tokio::fs::write(&file, content).await.map_err(unwritten)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[tokio::test]
    async fn given_an_object_that_was_put_then_it_is_read_and_listed() {
        let folder = tempfile::tempdir().unwrap();
        let items = FolderItems::new(folder.path());
        items.put("b", "in/x.json", Bytes::from_static(b"[]")).await.unwrap();
        items.put("b", "out/y", Bytes::new()).await.unwrap();
        assert_eq!(items.get("b", "in/x.json").await.unwrap(), Bytes::from_static(b"[]"));
        let listed = items.list("b", "in/").await.unwrap();
        assert_eq!(
            listed.iter().map(|listed| (listed.key.as_str(), listed.size_bytes)).collect::<Vec<_>>(),
            [("in/x.json", 2)]
        );
    }

    #[tokio::test]
    async fn given_a_key_that_leads_out_of_the_folder_then_it_is_refused() {
        let items = FolderItems::new("/tmp/none");
        for (bucket, key) in [("b", "../x"), ("..", "x"), ("/etc", "passwd"), ("b", "/etc/passwd"), ("", "x")] {
            assert!(items.get(bucket, key).await.unwrap_err().contains("is not a file under"), "{bucket} {key}");
        }
    }
}
