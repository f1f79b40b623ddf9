//! The tables of the database, and one transaction over them.

use mandi_core::ports::{Key, Partition, Record};
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use super::codec::{decode, decode_end, encode, end_of};
use super::fault::Fault;

/// The records by partition and sort key, as [`super::codec`] writes them.
pub const RECORDS: TableDefinition<'_, (&str, &[u8]), &[u8]> = TableDefinition::new("records");

/// The ends of records, in seconds since the epoch, with their keys: what a sweep reads.
pub const ENDS: TableDefinition<'_, (i64, &str, &[u8]), ()> = TableDefinition::new("ends");

/// The tokens of finished transactions: until which second they are kept, and the digest of the writes.
pub const TOKENS: TableDefinition<'_, &str, (i64, [u8; 32])> = TableDefinition::new("tokens");

/// The tables, open for writing.
pub struct Tables<'txn> {
    records: Table<'txn, (&'static str, &'static [u8]), &'static [u8]>,
    ends: Table<'txn, (i64, &'static str, &'static [u8]), ()>,
    tokens: Table<'txn, &'static str, (i64, [u8; 32])>,
}

impl<'txn> Tables<'txn> {
    /// Opens the tables, and makes them the first time.
    pub fn open(transaction: &'txn WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            records: transaction.open_table(RECORDS)?,
            ends: transaction.open_table(ENDS)?,
            tokens: transaction.open_table(TOKENS)?,
        })
    }

    /// The record, unless it is absent or expired at `now_s`.
    pub fn live(&self, key: &Key, now_s: i64) -> Result<Option<Record>, Fault> {
        match self.records.get(named(key))? {
            Some(found) if is_live(decode_end(found.value())?, now_s) => decode(key.clone(), found.value()).map(Some),
            _ => Ok(None),
        }
    }

    /// Puts a record in place of what is there.
    pub fn put(&mut self, record: &Record) -> Result<(), Fault> {
        let end = end_of(record);
        let bytes = encode(record);
        let old = self.records.insert(named(&record.key), bytes.as_slice())?;
        let old_end = old.map(|old| decode_end(old.value())).transpose()?.flatten();
        if old_end != end {
            self.forget_end(&record.key, old_end)?;
            if let Some(end) = end {
                self.ends.insert((end, record.key.partition.as_str(), record.key.sort.as_bytes()), ())?;
            }
        }
        Ok(())
    }

    /// Removes a record, expired or not. Says whether there was one.
    pub fn remove(&mut self, key: &Key) -> Result<bool, Fault> {
        let old = self.records.remove(named(key))?;
        let found = old.is_some();
        let old_end = old.map(|old| decode_end(old.value())).transpose()?.flatten();
        self.forget_end(key, old_end)?;
        Ok(found)
    }

    fn forget_end(&mut self, key: &Key, end: Option<i64>) -> Result<(), Fault> {
        if let Some(end) = end {
            self.ends.remove((end, key.partition.as_str(), key.sort.as_bytes()))?;
        }
        Ok(())
    }

    /// The digest of the writes that were done under a token, while it is kept.
    pub fn done_under(&self, token: &str, now_s: i64) -> Result<Option<[u8; 32]>, Fault> {
        let found = self.tokens.get(token)?.map(|found| found.value());
        Ok(found.and_then(|(until_s, digest)| (until_s > now_s).then_some(digest)))
    }

    /// Keeps a token until `until_s`.
    pub fn keep_token(&mut self, token: &str, until_s: i64, digest: [u8; 32]) -> Result<(), Fault> {
        self.tokens.insert(token, (until_s, digest))?;
        Ok(())
    }

    /// Removes up to `limit` records that are expired at `now_s`, and the tokens of which the time is over.
    pub fn sweep(&mut self, now_s: i64, limit: usize) -> Result<usize, Fault> {
        let mut due = Vec::new();
        for entry in self.ends.range(..(now_s.saturating_add(1), "", &[][..]))?.take(limit) {
            let (end, _) = entry?;
            let (_, partition, sort) = end.value();
            due.push((partition.to_owned(), sort.to_vec(), end.value().0));
        }
        for (partition, sort, end) in &due {
            self.records.remove((partition.as_str(), sort.as_slice()))?;
            self.ends.remove((*end, partition.as_str(), sort.as_slice()))?;
        }
        self.tokens.retain(|_, (until_s, _)| until_s > now_s)?;
        Ok(due.len())
    }
}

/// Whether a record with this end is there at `now_s`.
pub const fn is_live(end: Option<i64>, now_s: i64) -> bool {
    match end {
        Some(end) => end > now_s,
        None => true,
    }
}

/// A key as the table of records has it.
pub fn named(key: &Key) -> (&str, &[u8]) {
    in_partition(&key.partition, key.sort.as_bytes())
}

/// A place in a partition as the table of records has it.
pub fn in_partition<'a>(partition: &'a Partition, sort: &'a [u8]) -> (&'a str, &'a [u8]) {
    (partition.as_str(), sort)
}
