//! Documents that lie in the store of objects: a file in the tenant's own folder there.

use bytes::Bytes;
use mandi_core::ports::{ObjectKey, Objects};
use mandi_core::{Problem, ProblemKind, Result, TenantId};

/// The folder of a tenant's files, within what the store keeps of the tenant.
const FOLDER: &str = "files";
/// The longest key of a file, in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 512;
/// The longest file, in bytes: as long as a request may be.
pub(crate) const MAX_OBJECT_BYTES: usize = mandi_http::gate::MAX_BODY_BYTES;

/// The parts of a file's key.
///
/// # Errors
/// `unprocessable`: it is none, or would lead out of the tenant's folder.
pub(crate) fn parts(object: &str) -> Result<Vec<&str>> {
    let wrong = |why: &str| Problem::field("/object", why).of_kind(ProblemKind::Unprocessable);
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

fn key(tenant: &TenantId, object: &str) -> Result<ObjectKey> {
    let mut all = vec![FOLDER];
    all.extend(parts(object)?);
    Ok(ObjectKey::of(tenant, &all))
}

/// Reads a file whole. The inner error is the document's, the outer one the store's.
///
/// # Errors
/// Inner: `unprocessable` when there is no such file, `too-large` when it is longer than [`MAX_OBJECT_BYTES`].
pub(crate) async fn read(objects: &dyn Objects, tenant: &TenantId, object: &str) -> Result<Result<Bytes>> {
    let key = match key(tenant, object) {
        Ok(key) => key,
        Err(problem) => return Ok(Err(problem)),
    };
    let read = objects.get_range(&key, 0..MAX_OBJECT_BYTES as u64 + 1).await?;
    Ok(match read {
        None => Err(missing(object)),
        Some(bytes) if bytes.len() > MAX_OBJECT_BYTES => {
            let detail = format!("`{object}` is over {MAX_OBJECT_BYTES} bytes; send it in parts, as several documents");
            Err(Problem::field("/object", detail).of_kind(ProblemKind::TooLarge))
        }
        Some(bytes) => Ok(bytes),
    })
}

/// How long a file is, in bytes; of a longer one than `most` no more than that is read. One that cannot be read has
/// none.
pub(crate) async fn size_bytes(objects: &dyn Objects, tenant: &TenantId, object: &str, most: usize) -> Result<usize> {
    let Ok(key) = key(tenant, object) else { return Ok(0) };
    let read = objects.get_range(&key, 0..most as u64 + 1).await?;
    Ok(read.map_or(0, |bytes| bytes.len()))
}

fn missing(object: &str) -> Problem {
    let detail = format!("there is no file `{object}` in the tenant's folder of files");
    Problem::field("/object", detail).of_kind(ProblemKind::Unprocessable)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_key_lies_in_the_tenants_folder_as_it_is_written() {
        let tenant = TenantId::from_stored("demo").unwrap();
        let found = key(&tenant, "imports/Vertrag 1.md").unwrap();
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
            let problem = parts(object).unwrap_err();
            assert_eq!((problem.kind, problem.errors[0].pointer.as_str()), (ProblemKind::Unprocessable, "/object"));
        }
    }
}
