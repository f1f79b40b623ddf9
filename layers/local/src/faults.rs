//! What the file system says, in the terms of the ports.

use std::io;

/// Whether an error means that there is no room: the disk, the quota, or the file's largest size.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}
