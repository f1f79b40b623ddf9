//! The limits that every store of records keeps, checked before anything is sent or written, so that the
//! same call succeeds or fails on each of them.

use sha2::{Digest, Sha256};

use super::records::{
    Key, MAX_RECORD_BYTES, MAX_SORT_BYTES, MAX_TRANSACTION_WRITES, Record, RecordsError, Value, Write,
};

/// The longest partition, in bytes.
pub const MAX_PARTITION_BYTES: usize = 2048;

/// The size of all records of one transaction together, in bytes.
pub const MAX_TRANSACTION_BYTES: usize = 4 * 1024 * 1024;

/// The longest transaction token, in bytes.
pub const MAX_TOKEN_BYTES: usize = 256;

impl Record {
    /// Its size as [`MAX_RECORD_BYTES`] counts it: keys, names and values, in bytes. A number counts 21
    /// bytes and a flag 1, the most that DynamoDB counts for them.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let fields = self.fields.iter().map(|(name, value)| name.len() + value.size_bytes());
        self.key.partition.as_str().len() + self.key.sort.len() + fields.sum::<usize>()
    }
}

impl Value {
    fn size_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Int(_) => 21,
            Self::Bool(_) => 1,
        }
    }
}

/// A transaction that no store takes, for a reason other than its size: a mistake of the calling code.
#[derive(Debug, thiserror::Error)]
#[error("the transaction is malformed: {0}")]
pub struct MalformedTransaction(pub String);

/// Checks the lengths of a key's parts.
///
/// # Errors
/// [`RecordsError::TooLarge`].
pub fn check_key(key: &Key) -> Result<(), RecordsError> {
    at_most("the partition's name", key.partition.as_str().len(), MAX_PARTITION_BYTES)?;
    at_most("the sort key", key.sort.len(), MAX_SORT_BYTES)
}

/// Checks a record's keys and size.
///
/// # Errors
/// [`RecordsError::TooLarge`].
pub fn check_record(record: &Record) -> Result<(), RecordsError> {
    check_key(&record.key)?;
    at_most("the record", record.size_bytes(), MAX_RECORD_BYTES)
}

/// Checks the shape of a transaction: the number of writes (a token takes the place of one), their keys and
/// sizes, and that none names the key of another.
///
/// # Errors
/// [`RecordsError::TooLarge`], or [`RecordsError::Unavailable`] with a [`MalformedTransaction`] when two
/// writes name one key.
pub fn check_writes(writes: &[Write], token: Option<&str>) -> Result<(), RecordsError> {
    let places = writes.len() + usize::from(token.is_some());
    if places > MAX_TRANSACTION_WRITES {
        let counted = if token.is_some() { "writes and a token" } else { "writes" };
        return Err(RecordsError::TooLarge(format!(
            "{} {counted} in a transaction; {MAX_TRANSACTION_WRITES} places are there",
            writes.len()
        )));
    }
    at_most("the transaction's token", token.map_or(0, str::len), MAX_TOKEN_BYTES)?;
    let mut keys = std::collections::BTreeSet::new();
    let mut bytes = 0;
    for write in writes {
        if let Write::Put(record, _) = write {
            check_record(record)?;
            bytes += record.size_bytes();
        }
        check_key(write.key())?;
        if !keys.insert(write.key()) {
            let reason = MalformedTransaction(format!("two of its writes name {:?}", write.key()));
            return Err(RecordsError::Unavailable(Box::new(reason)));
        }
    }
    at_most("the transaction", bytes, MAX_TRANSACTION_BYTES)
}

/// A digest of a transaction's writes, by which a store knows a repeated call from another one under the same
/// token.
#[must_use]
pub fn digest_of_writes(writes: &[Write]) -> [u8; 32] {
    // The derived form names every field of every write; it is compared for ten minutes only, so it does
    // not matter that a later version of this code may write it differently.
    Sha256::digest(format!("{writes:?}")).into()
}

fn at_most(what: &str, bytes: usize, limit: usize) -> Result<(), RecordsError> {
    if bytes <= limit {
        return Ok(());
    }
    Err(RecordsError::TooLarge(format!("{what} has {bytes} bytes; {limit} are allowed")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use crate::identity::TenantId;
    use crate::ports::{Condition, Partition};

    fn record(sort: &str) -> Record {
        Record::new(Key::new(Partition::of(&TenantId::from_stored("demo").unwrap(), &["x"]), sort))
    }

    fn puts(count: usize) -> Vec<Write> {
        (0..count).map(|index| Write::Put(record(&index.to_string()), Condition::Always)).collect()
    }

    #[test]
    fn a_record_of_exactly_the_limit_fits_and_one_byte_more_does_not() {
        let room = MAX_RECORD_BYTES - record("a").size_bytes() - "f".len();
        assert!(check_record(&record("a").with("f", "x".repeat(room))).is_ok());
        assert!(matches!(check_record(&record("a").with("f", "x".repeat(room + 1))), Err(RecordsError::TooLarge(_))));
    }

    #[test]
    fn a_token_takes_one_of_the_hundred_places() {
        assert!(check_writes(&puts(100), None).is_ok());
        assert!(check_writes(&puts(99), Some("t")).is_ok());
        assert!(matches!(check_writes(&puts(100), Some("t")), Err(RecordsError::TooLarge(_))));
    }

    #[test]
    fn two_writes_of_one_key_are_refused() {
        let twice = vec![Write::Put(record("a"), Condition::Always), Write::Delete(record("a").key, Condition::Always)];
        assert!(matches!(check_writes(&twice, None), Err(RecordsError::Unavailable(_))));
    }

    #[test]
    fn other_writes_have_another_digest() {
        assert_eq!(digest_of_writes(&puts(2)), digest_of_writes(&puts(2)));
        assert_ne!(digest_of_writes(&puts(2)), digest_of_writes(&puts(3)));
    }
}
