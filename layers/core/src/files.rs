//! The tenant's own folder in the store of objects: files that were put there by other ways than this platform.

use crate::error::{Problem, ProblemKind, Result};
use crate::identity::TenantId;
use crate::ports::ObjectKey;

/// The folder, within what the store keeps of the tenant.
const FOLDER: &str = "files";
/// The longest key of a file, in bytes.
pub const MAX_KEY_BYTES: usize = 512;

/// The parts of a file's key; `pointer` names the field that has it.
///
/// # Errors
/// `unprocessable`: it is none, or would lead out of the tenant's folder.
pub fn parts<'a>(object: &'a str, pointer: &str) -> Result<Vec<&'a str>> {
    let wrong = |why: &str| Problem::field(pointer, why).of_kind(ProblemKind::Unprocessable);
    let parts: Vec<&str> = object.split('/').collect();
    if object.len() > MAX_KEY_BYTES
        || object.chars().any(|character| character.is_control() || "\\%".contains(character))
    {
        return Err(wrong("a key is at most 512 bytes, without `\\`, `%` and control characters"));
    }
    if parts.iter().any(|part| ["", ".", ".."].contains(part)) {
        return Err(wrong(
            "a key is relative to the tenant's folder of files, such as `imports/contract.md`: no `/` at its ends, no \
             part that is empty, `.` or `..`",
        ));
    }
    // The store's own name of the folder: it could be another tenant's.
    if parts[0] == "t" {
        return Err(wrong("a key is relative to the tenant's folder of files; leave out `t/<tenant>/files/`"));
    }
    Ok(parts)
}

/// The key of a file in the store.
///
/// # Errors
/// As [`parts`].
pub fn key(tenant: &TenantId, object: &str, pointer: &str) -> Result<ObjectKey> {
    let mut all = vec![FOLDER];
    all.extend(parts(object, pointer)?);
    Ok(ObjectKey::of(tenant, &all))
}

/// What a caller is told of a file that is not there.
#[must_use]
pub fn missing(object: &str, pointer: &str) -> Problem {
    let detail = format!("there is no file `{object}` in the tenant's folder of files");
    Problem::field(pointer, detail).of_kind(ProblemKind::Unprocessable)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_key_lies_in_the_tenants_folder_as_it_is_written() {
        let tenant = TenantId::from_stored("demo").unwrap();
        let found = key(&tenant, "imports/Vertrag 1.md", "/object").unwrap();
        assert_eq!(found.as_str(), "t/demo/files/imports/Vertrag 1.md");
    }

    #[test]
    fn no_key_leads_out_of_it() {
        for object in [
            "",
            "/etc/passwd",
            "../globex/files/a.md",
            "a/../../b",
            "a//b",
            "a/",
            "./a",
            "..",
            "t/globex/a.md",
            "s3://bucket/a.md",
            "a\\..\\b",
            "%2e%2e/a",
            "a\0b",
            &"x".repeat(513),
        ] {
            let problem = parts(object, "/object").unwrap_err();
            assert_eq!((problem.kind, problem.errors[0].pointer.as_str()), (ProblemKind::Unprocessable, "/object"));
        }
    }
}
