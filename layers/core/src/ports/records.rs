//! The single-table store: records under a partition and a sort key.
//!
//! The semantics are those of a DynamoDB table with one key schema, so that the same code is right on both
//! adapters. An expired record counts as absent in every call, whether it was removed already or not.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

use crate::error::{Problem, ProblemKind};
use crate::identity::TenantId;
use crate::time::Timestamp;

/// The largest record, keys and fields together, in bytes (the limit of a DynamoDB item).
pub const MAX_RECORD_BYTES: usize = 400 * 1024;

/// The most writes in one transaction (the limit of `TransactWriteItems`).
pub const MAX_TRANSACTION_WRITES: usize = 100;

/// The longest sort key, in bytes.
pub const MAX_SORT_BYTES: usize = 1024;

/// A partition. Records of one partition are ordered by their sort key; a query reads one partition.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(String);

impl Partition {
    /// A tenant's partition: `parts` name it within the tenant. Parts may hold any characters.
    #[must_use]
    pub fn of(tenant: &TenantId, parts: &[&str]) -> Self {
        Self(join("t", std::iter::once(tenant.as_str()).chain(parts.iter().copied())))
    }

    /// A partition of the platform itself (queues, leases). It never holds a tenant's content.
    #[must_use]
    pub fn of_platform(parts: &[&str]) -> Self {
        Self(join("p", parts.iter().copied()))
    }

    /// Its text, for adapters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Joins with `/`, which is escaped inside parts, so that no two lists of parts give the same text.
pub(super) fn join<'a>(root: &str, parts: impl Iterator<Item = &'a str>) -> String {
    let mut text = root.to_owned();
    for part in parts {
        text.push('/');
        text.push_str(&part.replace('%', "%25").replace('/', "%2F"));
    }
    text
}

impl fmt::Debug for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The key of one record. The sort key may be any text of up to [`MAX_SORT_BYTES`], also the empty one;
/// order is that of its UTF-8 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The partition.
    pub partition: Partition,
    /// The sort key.
    pub sort: String,
}

impl Key {
    /// A key.
    pub fn new(partition: Partition, sort: impl Into<String>) -> Self {
        Self { partition, sort: sort.into() }
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}
impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}
impl From<Timestamp> for Value {
    fn from(moment: Timestamp) -> Self {
        Self::Int(moment.unix_ms())
    }
}

/// The fields of a record, by name.
pub type Fields = BTreeMap<String, Value>;

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: Key,
    /// Its fields.
    pub fields: Fields,
    /// When it expires, to the second (rounded up); never when `None`.
    pub expires_at: Option<Timestamp>,
}

impl Record {
    /// A record without fields.
    #[must_use]
    pub const fn new(key: Key) -> Self {
        Self { key, fields: Fields::new(), expires_at: None }
    }

    /// With a field more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// With an end.
    #[must_use]
    pub const fn expiring(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// A text field.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.fields.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A number field.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.fields.get(name) {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        }
    }

    /// A true-or-false field; absent is false.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.fields.get(name), Some(Value::Bool(true)))
    }

    /// A field that [`Record::with_json`] wrote.
    ///
    /// # Errors
    /// The field is absent or holds something else: a stored format that this version does not read.
    pub fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, Problem> {
        let text =
            self.text(name).ok_or_else(|| Problem::internal(format!("record {:?} has no field `{name}`", self.key)))?;
        serde_json::from_str(text).map_err(Problem::internal)
    }

    /// With a field that holds a value as JSON text.
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    pub fn with_json<T: serde::Serialize + ?Sized>(self, name: &str, value: &T) -> Result<Self, Problem> {
        let text = serde_json::to_string(value).map_err(Problem::internal)?;
        Ok(self.with(name, text))
    }
}

/// What must hold of the present record for a write to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// There is no such record.
    Absent,
    /// There is such a record.
    Present,
    /// The field has this value.
    Equals(String, Value),
    /// The field is a number smaller than this.
    LessThan(String, i64),
    /// The record, or the field in it, is absent.
    FieldAbsent(String),
    /// All of them hold.
    All(Vec<Condition>),
    /// One of them holds.
    Any(Vec<Condition>),
}

impl Condition {
    /// The field has this value.
    pub fn equals(field: &str, value: impl Into<Value>) -> Self {
        Self::Equals(field.to_owned(), value.into())
    }

    /// Whether it holds of a record (`None`: absent or expired). For adapters that evaluate it themselves.
    #[must_use]
    pub fn holds(&self, record: Option<&Record>) -> bool {
        match self {
            Self::Always => true,
            Self::Absent => record.is_none(),
            Self::Present => record.is_some(),
            Self::Equals(field, value) => record.is_some_and(|found| found.fields.get(field) == Some(value)),
            Self::LessThan(field, bound) => {
                record.and_then(|found| found.int(field)).is_some_and(|number| number < *bound)
            }
            Self::FieldAbsent(field) => record.is_none_or(|found| !found.fields.contains_key(field)),
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(record)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(record)),
        }
    }
}

/// Changes to single fields. A record that is absent is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Fields to set.
    pub set: Fields,
    /// Numbers to add to; an absent field counts as 0.
    pub add: BTreeMap<String, i64>,
    /// Fields to remove.
    pub remove: Vec<String>,
    /// A new end, when `Some`.
    pub expires_at: Option<Timestamp>,
}

impl Update {
    /// No change yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a field.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set.insert(name.to_owned(), value.into());
        self
    }

    /// Adds to a number.
    #[must_use]
    pub fn add(mut self, name: &str, amount: i64) -> Self {
        self.add.insert(name.to_owned(), amount);
        self
    }

    /// Removes a field.
    #[must_use]
    pub fn remove(mut self, name: &str) -> Self {
        self.remove.push(name.to_owned());
        self
    }

    /// Sets the end.
    #[must_use]
    pub const fn expiring(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// Applies the changes. For adapters that do it themselves.
    pub fn apply(&self, record: &mut Record) {
        for (name, value) in &self.set {
            record.fields.insert(name.clone(), value.clone());
        }
        for (name, amount) in &self.add {
            let sum = record.int(name).unwrap_or(0).saturating_add(*amount);
            record.fields.insert(name.clone(), Value::Int(sum));
        }
        for name in &self.remove {
            record.fields.remove(name);
        }
        if self.expires_at.is_some() {
            record.expires_at = self.expires_at;
        }
    }
}

/// One write of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Puts a whole record.
    Put(Record, Condition),
    /// Changes fields.
    Update(Key, Update, Condition),
    /// Removes a record; removing an absent one is no error.
    Delete(Key, Condition),
    /// Writes nothing; the transaction fails unless the condition holds.
    Check(Key, Condition),
}

impl Write {
    /// The key of the record that it is about.
    #[must_use]
    pub const fn key(&self) -> &Key {
        match self {
            Self::Put(record, _) => &record.key,
            Self::Update(key, ..) | Self::Delete(key, _) | Self::Check(key, _) => key,
        }
    }
}

/// Which sort keys a query reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// All of the partition.
    All,
    /// Those that begin with this text.
    Prefix(String),
    /// Those from the first to the second, both included.
    Between(String, String),
}

/// In which order a query reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Smallest sort key first.
    #[default]
    Ascending,
    /// Largest sort key first.
    Descending,
}

/// A range query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The partition to read.
    pub partition: Partition,
    /// Which of its sort keys.
    pub range: Range,
    /// In which order.
    pub order: Order,
    /// At most so many records in the page (at least 1).
    pub limit: usize,
    /// Go on after this sort key, in the query's order.
    pub after: Option<String>,
}

impl Query {
    /// All of a partition, 100 records a page.
    #[must_use]
    pub const fn all(partition: Partition) -> Self {
        Self { partition, range: Range::All, order: Order::Ascending, limit: 100, after: None }
    }
}

/// A page of a query's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The records, in order.
    pub records: Vec<Record>,
    /// The sort key to go on after; `None` when there are no more.
    pub next: Option<String>,
}

/// What a store answers when it does not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// A condition does not hold; nothing was written. `write` is its place in the transaction (0 alone).
    #[error("the condition of write {write} does not hold")]
    ConditionFailed {
        /// The first write whose condition failed.
        write: usize,
    },
    /// Too many writers at once; try again.
    #[error("another writer was at it at the same time")]
    Contended,
    /// The record, a key or the transaction is over a limit.
    #[error("over a limit of the store: {0}")]
    TooLarge(String),
    /// The store asks us to slow down.
    #[error("the store asks to slow down")]
    Throttled,
    /// The disk is full.
    #[error("no space is left for the store")]
    Full,
    /// The store cannot be reached or is broken.
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<RecordsError> for Problem {
    fn from(error: RecordsError) -> Self {
        let (kind, detail) = match &error {
            RecordsError::ConditionFailed { .. } | RecordsError::Contended => {
                (ProblemKind::Conflict, "it was changed at the same time; read it again and retry")
            }
            RecordsError::TooLarge(_) => (ProblemKind::TooLarge, "the data is larger than one record may be"),
            RecordsError::Throttled => (ProblemKind::Throttled, "the store is busy; try again"),
            RecordsError::Full => {
                (ProblemKind::StorageFull, "no space is left in the data directory; free some and retry")
            }
            RecordsError::Unavailable(_) => (ProblemKind::Unavailable, "the store cannot be reached; try again"),
        };
        let problem = Self::new(kind, detail).caused_by(error);
        if kind == ProblemKind::Throttled { problem.retry_after(1) } else { problem }
    }
}

/// The single-table store.
#[async_trait]
pub trait Records: Send + Sync + fmt::Debug {
    /// Reads a record, as the last finished write left it. Absent and expired are both `None`.
    async fn get(&self, key: &Key) -> Result<Option<Record>, RecordsError>;

    /// Writes a whole record in place of what is there, if `condition` holds.
    async fn put(&self, record: Record, condition: Condition) -> Result<(), RecordsError>;

    /// Changes fields, if `condition` holds, and returns the record as it is then.
    async fn update(&self, key: &Key, update: Update, condition: Condition) -> Result<Record, RecordsError>;

    /// Removes a record, if `condition` holds. Removing an absent one is no error.
    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), RecordsError>;

    /// Reads a page of a partition. A page may be shorter than the limit and still have a `next`.
    async fn query(&self, query: Query) -> Result<Page, RecordsError>;

    /// Does all writes, or none. At most [`MAX_TRANSACTION_WRITES`], each of another key. `token`, when
    /// given, makes a repeated call with the same writes within ten minutes have no second effect; it takes
    /// the place of one write, and is an error with other writes.
    async fn transact(&self, writes: Vec<Write>, token: Option<&str>) -> Result<(), RecordsError>;
}
