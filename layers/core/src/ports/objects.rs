//! The store of artefacts and data: whole values of any size under a key.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::records::join;
use crate::error::{Problem, ProblemKind};
use crate::identity::TenantId;

/// Where objects of one kind lie, to list them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectPrefix(String);

impl ObjectPrefix {
    /// A tenant's prefix: `parts` name it within the tenant. It covers whole parts only: the prefix of
    /// `a` does not cover the key `ab`.
    #[must_use]
    pub fn of(tenant: &TenantId, parts: &[&str]) -> Self {
        Self(join("t", std::iter::once(tenant.as_str()).chain(parts.iter().copied())) + "/")
    }

    /// Its text, for adapters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// A tenant's object: `parts` name it within the tenant. Parts may hold any characters; the whole is
    /// at most 1,024 bytes.
    #[must_use]
    pub fn of(tenant: &TenantId, parts: &[&str]) -> Self {
        Self(join("t", std::iter::once(tenant.as_str()).chain(parts.iter().copied())))
    }

    /// The key that an adapter listed.
    #[must_use]
    pub fn from_listed(text: String) -> Self {
        Self(text)
    }

    /// Its text, for adapters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPage {
    /// The keys, in the order of their UTF-8 bytes.
    pub keys: Vec<ObjectKey>,
    /// What to go on after; `None` when there are no more.
    pub next: Option<String>,
}

/// What a signed URL lets its holder send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutGrant {
    /// How long the content is, in bytes: no more and no less.
    pub size_bytes: u64,
    /// For how long the URL holds.
    pub valid_for: Duration,
}

/// A URL to which content can be sent without a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPut {
    /// Where to send it, by the method PUT. A secret until it has run out.
    pub url: String,
    /// Headers that have to be sent with it, by name.
    pub headers: Vec<(String, String)>,
}

/// What a signed URL lets its holder read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetGrant {
    /// For how long the URL holds.
    pub valid_for: Duration,
    /// The name under which a browser keeps the file.
    pub filename: String,
    /// What the file is, as an HTTP `Content-Type`.
    pub content_type: String,
}

/// Writes an object piece by piece, in bounded memory. Nothing is seen of it before [`ObjectWriter::finish`]; a writer
/// that is dropped leaves what was there.
#[async_trait]
pub trait ObjectWriter: Send + fmt::Debug {
    /// Adds a piece of any length. After a write that failed or was cut off, only [`ObjectWriter::abort`] is left.
    async fn write(&mut self, piece: Bytes) -> Result<(), ObjectsError>;

    /// Gives the object its name, in place of what is there.
    async fn finish(self: Box<Self>) -> Result<(), ObjectsError>;

    /// Gives up what was written.
    async fn abort(self: Box<Self>) -> Result<(), ObjectsError>;
}

/// What became of a put-if-absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// It was written.
    Written,
    /// There was one already, and it is as it was.
    Existed,
}

/// What a store answers when it does not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectsError {
    /// The range lies outside the object.
    #[error("the range lies outside the object of {size_bytes} bytes")]
    OutOfRange {
        /// The object's size.
        size_bytes: u64,
    },
    /// The key is longer than the store takes.
    #[error("the key is longer than 1,024 bytes")]
    KeyTooLong,
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

impl From<ObjectsError> for Problem {
    fn from(error: ObjectsError) -> Self {
        let (kind, detail) = match &error {
            ObjectsError::OutOfRange { .. } => (ProblemKind::InvalidRequest, "the range lies outside the object"),
            ObjectsError::KeyTooLong => (ProblemKind::TooLarge, "the name is too long"),
            ObjectsError::Throttled => (ProblemKind::Throttled, "the store is busy; try again"),
            ObjectsError::Full => {
                (ProblemKind::StorageFull, "no space is left in the data directory; free some and retry")
            }
            ObjectsError::Unavailable(_) => (ProblemKind::Unavailable, "the store cannot be reached; try again"),
        };
        Self::new(kind, detail).caused_by(error)
    }
}

/// The store of artefacts and data.
#[async_trait]
pub trait Objects: Send + Sync + fmt::Debug {
    /// Reads an object; `None` when there is none.
    async fn get(&self, key: &ObjectKey) -> Result<Option<Bytes>, ObjectsError>;

    /// Reads `range` (end excluded, in bytes); an end past the object's is cut to it.
    async fn get_range(&self, key: &ObjectKey, range: std::ops::Range<u64>) -> Result<Option<Bytes>, ObjectsError>;

    /// How long an object is, in bytes; `None` when there is none.
    async fn size_bytes(&self, key: &ObjectKey) -> Result<Option<u64>, ObjectsError>;

    /// A URL to which an object can be sent, in place of what is there, without a token of this platform.
    async fn sign_put(&self, key: &ObjectKey, grant: &PutGrant) -> Result<SignedPut, ObjectsError>;

    /// A URL from which an object can be read by the method GET, without a token of this platform. A secret until it has
    /// run out. Whether there is such an object is not looked at.
    async fn sign_get(&self, key: &ObjectKey, grant: &GetGrant) -> Result<String, ObjectsError>;

    /// Begins an object that is larger than memory should be.
    async fn writer(&self, key: &ObjectKey) -> Result<Box<dyn ObjectWriter>, ObjectsError>;

    /// Writes an object in place of what is there. A reader sees the old or the new one, whole.
    async fn put(&self, key: &ObjectKey, content: Bytes) -> Result<(), ObjectsError>;

    /// Writes an object unless there is one.
    async fn put_if_absent(&self, key: &ObjectKey, content: Bytes) -> Result<PutOutcome, ObjectsError>;

    /// Lists up to `limit` keys under a prefix, after `after` (from an earlier page).
    async fn list(&self, prefix: &ObjectPrefix, after: Option<&str>, limit: usize) -> Result<ObjectPage, ObjectsError>;

    /// Removes an object; removing an absent one is no error.
    async fn delete(&self, key: &ObjectKey) -> Result<(), ObjectsError>;
}
