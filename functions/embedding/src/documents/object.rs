//! Documents that lie in the store of objects: a file in the tenant's own folder there.

use bytes::Bytes;
use mandi_core::ports::Objects;
use mandi_core::{Problem, ProblemKind, Result, TenantId, files};

/// The field that names a file.
pub(crate) const POINTER: &str = "/object";

/// The longest file, in bytes: as long as a request may be.
pub(crate) const MAX_OBJECT_BYTES: usize = mandi_http::gate::MAX_BODY_BYTES;

/// Reads a file whole. The inner error is the document's, the outer one the store's.
///
/// # Errors
/// Inner: `unprocessable` when there is no such file, `too-large` when it is longer than [`MAX_OBJECT_BYTES`].
pub(crate) async fn read(objects: &dyn Objects, tenant: &TenantId, object: &str) -> Result<Result<Bytes>> {
    let key = match files::key(tenant, object, POINTER) {
        Ok(key) => key,
        Err(problem) => return Ok(Err(problem)),
    };
    let read = objects.get_range(&key, 0..MAX_OBJECT_BYTES as u64 + 1).await?;
    Ok(match read {
        None => Err(files::missing(object, POINTER)),
        Some(bytes) if bytes.len() > MAX_OBJECT_BYTES => {
            let detail = format!("`{object}` is over {MAX_OBJECT_BYTES} bytes; send it in parts, as several documents");
            Err(Problem::field(POINTER, detail).of_kind(ProblemKind::TooLarge))
        }
        Some(bytes) => Ok(bytes),
    })
}

/// How long a file is, in bytes. One that cannot be read has none.
pub(crate) async fn size_bytes(objects: &dyn Objects, tenant: &TenantId, object: &str) -> Result<usize> {
    let Ok(key) = files::key(tenant, object, POINTER) else { return Ok(0) };
    let size_bytes = objects.size_bytes(&key).await?.unwrap_or(0);
    Ok(usize::try_from(size_bytes).unwrap_or(usize::MAX))
}
