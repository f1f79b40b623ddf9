//! The keys under a prefix, in the order of their bytes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::names::{Entry, read};

/// A name in a folder: the part it stands for, as it sorts among whole keys.
struct Child {
    /// The part; that of a folder ends with the slash that follows it in every key.
    text: String,
    /// The folder, if it is one.
    folder: Option<PathBuf>,
}

/// Lists up to `limit` keys that begin with `prefix` (which ends with a slash and names `folder`), after
/// `after`.
pub fn list(folder: &Path, prefix: &str, after: Option<&str>, limit: usize) -> io::Result<Vec<String>> {
    let mut listing = Listing { after, limit, keys: Vec::new() };
    listing.walk(folder, prefix)?;
    Ok(listing.keys)
}

struct Listing<'a> {
    after: Option<&'a str>,
    limit: usize,
    keys: Vec<String>,
}

impl Listing<'_> {
    fn walk(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        let mut children = Vec::new();
        collect(folder, &[], &mut children)?;
        children.sort_unstable_by(|left, right| left.text.cmp(&right.text));
        for child in children {
            if self.keys.len() >= self.limit {
                break;
            }
            let key = format!("{prefix}{}", child.text);
            match child.folder {
                Some(folder) if self.may_hold_more(&key) => self.walk(&folder, &key)?,
                None if self.after.is_none_or(|after| after < key.as_str()) => self.keys.push(key),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether some key that begins with `prefix` comes after the cursor.
    fn may_hold_more(&self, prefix: &str) -> bool {
        self.after.is_none_or(|after| after <= prefix || after.starts_with(prefix))
    }
}

/// The parts that lie in a folder; `begun` is the part's beginning, when the folder continues a long one.
fn collect(folder: &Path, begun: &[u8], children: &mut Vec<Child>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // A delete that runs at the same time removes folders that it leaves empty.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Some(known) = entry.file_name().to_str().and_then(read) else { continue };
        let whole = |part: Vec<u8>| String::from_utf8([begun, &part].concat()).ok();
        match known {
            Entry::Continued(part) => collect(&entry.path(), &[begun, &part].concat(), children)?,
            Entry::Object(part) => children.extend(whole(part).map(|text| Child { text, folder: None })),
            Entry::Folder(part) => {
                let text = whole(part).map(|text| text + "/");
                children.extend(text.map(|text| Child { text, folder: Some(entry.path()) }));
            }
        }
    }
    Ok(())
}
