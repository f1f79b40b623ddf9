//! From LanceDB's errors to what the caller can do about them.
//!
//! A fault of the storage is `unavailable` or `storage-full`, a race that was lost too often is `unavailable`
//! with a time to wait, a table that is not there is `not-found`; all else is ours.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use mandi_core::{Problem, ProblemKind, Result};

/// What a caller is told when a table cannot be read.
const DAMAGED: &str = "the collection's index cannot be read: a file of it is missing or damaged; restore it from a \
                       backup, or delete the collection and load its documents again";

/// What a caller is told when the storage does not answer.
const UNREACHABLE: &str = "the storage of the index cannot be reached; try again";

/// The problem that an error of LanceDB is to the caller. The error is kept as its cause.
pub fn from_lance(error: lancedb::Error) -> Problem {
    let (kind, detail, retry_after_s) = read(&error);
    let mut problem = Problem::new(kind, detail).caused_by(error);
    problem.retry_after_s = retry_after_s;
    problem
}

/// The problem that an error is when it comes of connecting, where LanceDB calls a storage that does not answer
/// an invalid input.
pub fn from_connecting(error: lancedb::Error) -> Problem {
    let mut problem = from_lance(error);
    if problem.kind == ProblemKind::Internal {
        problem.kind = ProblemKind::Unavailable;
        UNREACHABLE.clone_into(&mut problem.detail);
        problem.retry_after_s = Some(5);
    }
    problem
}

/// Reads or writes a table. LanceDB panics at some files that are not what it wrote; that is damage too.
///
/// Nothing of ours is left half changed by such a panic: what is shared is behind locks that hold no state.
pub async fn guarded<T>(work: impl Future<Output = Result<T>> + Send) -> Result<T> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| Err(damage(&*panic)))
}

/// The problem of a table at which LanceDB panicked.
pub fn damage(panic: &(dyn std::any::Any + Send)) -> Problem {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    Problem::new(ProblemKind::Unavailable, DAMAGED).caused_by(format!("LanceDB panicked: {text}"))
}

fn read(error: &lancedb::Error) -> (ProblemKind, &'static str, Option<u32>) {
    if is_disk_full(error) {
        return (ProblemKind::StorageFull, "the disk that holds the index is full; make room and try again", None);
    }
    if chain_says(error, &["NoSuchBucket", "bucket does not exist"]) {
        return (ProblemKind::Unavailable, "the bucket that holds the index does not exist", None);
    }
    if is_race(error) {
        return (ProblemKind::Unavailable, "others write to this collection at the moment; try again", Some(1));
    }
    match error {
        lancedb::Error::TableNotFound { .. } => (ProblemKind::NotFound, "there is no such collection", None),
        lancedb::Error::TableAlreadyExists { .. } => (ProblemKind::Conflict, "the collection exists already", None),
        lancedb::Error::TableCorrupted { .. } => (ProblemKind::Unavailable, DAMAGED, None),
        lancedb::Error::Timeout { .. } | lancedb::Error::ObjectStore { .. } | lancedb::Error::CreateDir { .. } => {
            (ProblemKind::Unavailable, UNREACHABLE, Some(5))
        }
        _ if is_damage(error) => (ProblemKind::Unavailable, DAMAGED, None),
        _ if chain_has::<io::Error>(error) || chain_says(error, &["LanceError(IO)"]) => {
            (ProblemKind::Unavailable, UNREACHABLE, Some(5))
        }
        _ => (ProblemKind::Internal, "the cause is in the log, under this request's id", None),
    }
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn chain_has<T: StdError + 'static>(error: &lancedb::Error) -> bool {
    chain(error).any(|cause| cause.downcast_ref::<T>().is_some())
}

/// Some causes reach us as text only.
fn chain_says(error: &lancedb::Error, phrases: &[&str]) -> bool {
    chain(error).any(|cause| {
        let text = cause.to_string();
        phrases.iter().any(|phrase| text.contains(phrase))
    })
}

fn is_disk_full(error: &lancedb::Error) -> bool {
    let full = |cause: &io::Error| matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    chain(error).any(|cause| cause.downcast_ref::<io::Error>().is_some_and(full))
        || chain_says(error, &["No space left on device", "Disk quota exceeded"])
}

fn lance_errors(error: &lancedb::Error) -> impl Iterator<Item = &lance_core::Error> {
    chain(error).filter_map(|cause| cause.downcast_ref::<lance_core::Error>())
}

fn is_race(error: &lancedb::Error) -> bool {
    use lance_core::Error as Lance;
    lance_errors(error).any(|cause| {
        matches!(
            cause,
            Lance::CommitConflict { .. }
                | Lance::RetryableCommitConflict { .. }
                | Lance::TooMuchWriteContention { .. }
                | Lance::IncompatibleTransaction { .. }
                | Lance::Timeout { .. }
        )
    })
}

fn is_damage(error: &lancedb::Error) -> bool {
    use lance_core::Error as Lance;
    lance_errors(error).any(|cause| {
        matches!(
            cause,
            Lance::CorruptFile { .. }
                | Lance::NotFound { .. }
                | Lance::DatasetNotFound { .. }
                | Lance::VersionNotFound { .. }
                | Lance::IndexNotFound { .. }
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lance(error: lance_core::Error) -> Problem {
        from_lance(lancedb::Error::Lance { source: error })
    }

    #[test]
    fn a_full_disk_is_storage_full_however_deep_the_cause_lies() {
        let cause = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(lance(lance_core::Error::io_source(Box::new(cause))).kind, ProblemKind::StorageFull);
        let text = "Unable to write: No space left on device (os error 28)";
        assert_eq!(lance(lance_core::Error::io(text)).kind, ProblemKind::StorageFull);
    }

    #[test]
    fn a_storage_that_fails_is_unavailable_and_never_the_callers_fault() {
        let cause = io::Error::from(io::ErrorKind::PermissionDenied);
        assert_eq!(lance(lance_core::Error::io_source(Box::new(cause))).kind, ProblemKind::Unavailable);
        let gone = lance_core::Error::not_found("data/x.lance");
        assert_eq!(lance(gone).kind, ProblemKind::Unavailable);
    }

    #[test]
    fn a_race_lost_says_when_to_try_again() {
        let problem = lance(lance_core::Error::too_much_write_contention("20 writers"));
        assert_eq!((problem.kind, problem.retry_after_s), (ProblemKind::Unavailable, Some(1)));
    }

    #[test]
    fn a_mistake_of_ours_is_internal_and_keeps_its_cause_for_the_log() {
        let problem = lance(lance_core::Error::internal("the inner cause"));
        assert_eq!(problem.kind, ProblemKind::Internal);
        assert!(problem.causes().contains("the inner cause") && !problem.detail.contains("the inner cause"));
    }
}
