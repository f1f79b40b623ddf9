//! Object keys as paths of files, so that any text is safe and its parts stay readable.
//!
//! A part becomes a folder whose name ends in `@`, the last part a file. Bytes other than `a-z`, `0-9`, `_`,
//! `-` and `.` (not at the start) are written `%` and two hexadecimal digits; capitals too, for file systems
//! that do not tell them apart. The empty part is `%` alone. A part that is too long for one name begins
//! in folders whose names end in `+`.

use std::path::{Path, PathBuf};

/// The longest name in encoded bytes, without its mark. File systems allow 255.
const LONGEST_NAME: usize = 200;

const EMPTY: &str = "%";
const FOLDER: char = '@';
const CONTINUED: char = '+';

/// The file of a key.
pub fn path_of(root: &Path, key: &str) -> PathBuf {
    let (parts, last) = key.rsplit_once('/').map_or((None, key), |(parts, last)| (Some(parts), last));
    let mut path = parts.map_or_else(|| root.to_owned(), |parts| folder_of(root, parts));
    push(&mut path, last, "");
    path
}

/// The folder of the keys that begin with `parts` and a slash.
pub fn folder_of(root: &Path, parts: &str) -> PathBuf {
    let mut path = root.to_owned();
    for part in parts.split('/') {
        push(&mut path, part, "@");
    }
    path
}

fn push(path: &mut PathBuf, part: &str, mark: &str) {
    let mut name = String::new();
    for (place, byte) in part.bytes().enumerate() {
        if name.len() + 3 > LONGEST_NAME {
            name.push(CONTINUED);
            path.push(std::mem::take(&mut name));
        }
        let plain =
            matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-') || (byte == b'.' && place > 0 && !name.is_empty());
        if plain {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02x}"));
        }
    }
    if part.is_empty() {
        name.push_str(EMPTY);
    }
    name.push_str(mark);
    path.push(name);
}

/// What a name in a folder stands for.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    /// The last part of a key, or the end of it.
    Object(Vec<u8>),
    /// Another part of keys, or the end of it.
    Folder(Vec<u8>),
    /// The beginning of a long part.
    Continued(Vec<u8>),
}

/// Reads a name; `None` when it is none of ours.
pub fn read(name: &str) -> Option<Entry> {
    if let Some(name) = name.strip_suffix(FOLDER) {
        return decode(name).map(Entry::Folder);
    }
    if let Some(name) = name.strip_suffix(CONTINUED) {
        return decode(name).map(Entry::Continued);
    }
    decode(name).map(Entry::Object)
}

fn decode(name: &str) -> Option<Vec<u8>> {
    if name == EMPTY {
        return Some(Vec::new());
    }
    if name.is_empty() || name.starts_with('.') {
        return None;
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        rest = match first {
            b'%' => {
                let digits = std::str::from_utf8(others.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                &others[2..]
            }
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' => {
                bytes.push(*first);
                others
            }
            _ => return None,
        };
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(key: &str) -> String {
        path_of(Path::new("/r"), key).display().to_string()
    }

    #[test]
    fn plain_parts_stay_readable() {
        assert_eq!(path("t/demo/contracts/rice-2026.pdf"), "/r/t@/demo@/contracts@/rice-2026.pdf");
    }

    #[test]
    fn no_part_can_leave_the_folder_or_hide() {
        assert_eq!(path("t/../.x"), "/r/t@/%2e.@/%2ex");
        assert_eq!(path("t/."), "/r/t@/%2e");
        assert_eq!(path("t//a"), "/r/t@/%@/a");
    }

    #[test]
    fn capitals_and_other_scripts_are_escaped() {
        assert_eq!(path("A@+%"), "/r/%41%40%2b%25");
        assert_eq!(path("दर"), "/r/%e0%a4%a6%e0%a4%b0");
    }

    #[test]
    fn a_long_part_is_spread_over_names_that_fit() {
        let key = "ख".repeat(300);
        let path = path_of(Path::new("/r"), &key);
        assert!(path.iter().all(|name| name.len() <= 255));

        let mut bytes = Vec::new();
        for name in path.iter().skip(2) {
            match read(&name.to_string_lossy()) {
                Some(Entry::Continued(part) | Entry::Object(part)) => bytes.extend(part),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(bytes, key.as_bytes());
    }

    #[test]
    fn names_of_others_are_not_read() {
        for name in [".tmp", "README", "a b", "%", "%zz", "%4", "", "@"] {
            let read = read(name);
            assert!(read.is_none() || name == "%", "{name:?}: {read:?}");
        }
    }
}
