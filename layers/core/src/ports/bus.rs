//! Events and alerts: what happened that somebody else has to know.
//!
//! Delivery is at least once: an event that is published twice, or whose delivery is tried again, has the same id.

use std::borrow::Cow;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Problem, ProblemKind};
use crate::identity::TenantId;
use crate::ids::EventId;
use crate::time::Timestamp;

/// The largest event, in bytes of its JSON: 256 KiB, which EventBridge takes at a time, less what it adds.
pub const MAX_EVENT_BYTES: usize = 250 * 1024;

/// The version of an event's JSON.
const FORMAT: u32 = 1;

/// What happened, such as `model.rolled-back`: words of lower-case letters, digits and dashes, joined by dots.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKind(Cow<'static, str>);

impl EventKind {
    /// A trial broke a bound, and the version before it answers again.
    pub const MODEL_ROLLED_BACK: Self = Self(Cow::Borrowed("model.rolled-back"));

    /// A kind of 2 to 8 words and at most 128 bytes; `None` when the text is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(allowed);
        let fits = text.len() <= 128 && (2..=8).contains(&text.split('.').count()) && text.split('.').all(is_word);
        fits.then(|| Self(Cow::Owned(text.to_owned())))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody has to look at it.
    Warning,
    /// Somebody has to look at it now.
    Critical,
}

impl Severity {
    /// Its name, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// Whether an event of it is an alert: one that people are told of.
    #[must_use]
    pub const fn is_alert(self) -> bool {
        matches!(self, Self::Warning | Self::Critical)
    }
}

/// Something that happened to a tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct BusEvent {
    /// Its id.
    pub id: EventId,
    /// Whom it happened to.
    pub tenant: TenantId,
    /// What happened.
    pub kind: EventKind,
    /// How much it matters.
    pub severity: Severity,
    /// To what it happened, such as `model mdl_.. production`.
    pub subject: String,
    /// In words, for people: the reason, and what to do.
    pub text: String,
    /// For programs.
    pub details: Map<String, Value>,
    /// When.
    pub at: Timestamp,
}

/// An event as it is written.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    format: u32,
    id: EventId,
    tenant: Cow<'a, str>,
    kind: Cow<'a, str>,
    severity: Severity,
    subject: Cow<'a, str>,
    text: Cow<'a, str>,
    details: Cow<'a, Map<String, Value>>,
    at: Timestamp,
}

impl BusEvent {
    /// An event without details, under a new id.
    pub fn new(tenant: &TenantId, kind: EventKind, severity: Severity, at: Timestamp) -> Self {
        Self {
            id: EventId::generate(),
            tenant: tenant.clone(),
            kind,
            severity,
            subject: String::new(),
            text: String::new(),
            details: Map::new(),
            at,
        }
    }

    /// Says to what it happened, and in words what.
    #[must_use]
    pub fn about(self, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { subject: subject.into(), text: text.into(), ..self }
    }

    /// With a detail more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// As JSON text of one line: `format` (1), `id`, `tenant`, `kind`, `severity`, `subject`, `text`, `details`, `at`.
    ///
    /// # Errors
    /// [`BusError::TooLarge`] when it has more than [`MAX_EVENT_BYTES`].
    pub fn to_json(&self) -> Result<String, BusError> {
        let written = Written {
            format: FORMAT,
            id: self.id.clone(),
            tenant: self.tenant.as_str().into(),
            kind: self.kind.as_str().into(),
            severity: self.severity,
            subject: self.subject.as_str().into(),
            text: self.text.as_str().into(),
            details: Cow::Borrowed(&self.details),
            at: self.at,
        };
        let text = serde_json::to_string(&written).map_err(|error| BusError::Rejected(error.to_string()))?;
        if text.len() > MAX_EVENT_BYTES {
            return Err(BusError::TooLarge { size_bytes: text.len() });
        }
        Ok(text)
    }

    /// Reads what [`Self::to_json`] wrote. `stored` must come from this platform's own store or bus, since it names a
    /// tenant.
    ///
    /// # Errors
    /// It is something else, or of another format.
    pub fn from_stored(stored: &str) -> Result<Self, DamagedEvent> {
        let damaged = |reason: String| DamagedEvent(reason);
        let written: Written<'static> = serde_json::from_str(stored).map_err(|error| damaged(error.to_string()))?;
        if written.format != FORMAT {
            return Err(damaged(format!("it has format {}, and this version reads {FORMAT}", written.format)));
        }
        Ok(Self {
            tenant: TenantId::from_stored(&written.tenant).ok_or_else(|| damaged("it names no tenant".to_owned()))?,
            kind: EventKind::parse(&written.kind).ok_or_else(|| damaged("it names no kind".to_owned()))?,
            id: written.id,
            severity: written.severity,
            subject: written.subject.into_owned(),
            text: written.text.into_owned(),
            details: written.details.into_owned(),
            at: written.at,
        })
    }
}

/// A stored event that this version cannot read.
#[derive(Debug, thiserror::Error)]
#[error("a stored event cannot be read: {0}")]
pub struct DamagedEvent(String);

/// Why a bus does not take an event.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// The event is over [`MAX_EVENT_BYTES`]: put less into its details.
    #[error("the event has {size_bytes} bytes; at most {MAX_EVENT_BYTES} are allowed")]
    TooLarge {
        /// Its size.
        size_bytes: usize,
    },
    /// The bus does not take it as it is, now or later: a mistake of ours.
    #[error("the bus refuses the event: {0}")]
    Rejected(String),
    /// The bus asks to slow down, also after several tries.
    #[error("the bus asks to slow down")]
    Throttled,
    /// The disk is full.
    #[error("no space is left for the event")]
    Full,
    /// The bus cannot be reached or is broken.
    #[error("the bus is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<BusError> for Problem {
    fn from(error: BusError) -> Self {
        let (kind, detail) = match &error {
            BusError::TooLarge { .. } => (ProblemKind::TooLarge, "the event is larger than one may be"),
            BusError::Rejected(_) => return Self::internal(error),
            BusError::Throttled => (ProblemKind::Throttled, "the platform is busy; try again"),
            BusError::Full => (ProblemKind::StorageFull, "no space is left in the data directory; free some and retry"),
            BusError::Unavailable(_) => (ProblemKind::Unavailable, "events cannot be sent now; try again"),
        };
        let problem = Self::new(kind, detail).caused_by(error);
        if kind == ProblemKind::Throttled { problem.retry_after(1) } else { problem }
    }
}

/// Where events go.
#[async_trait]
pub trait Bus: Send + Sync + fmt::Debug {
    /// Publishes events. There is an outcome for each, in their order: one that fails leaves the others alone. An event
    /// that succeeded is kept by the bus, whatever becomes of this process.
    async fn publish_all(&self, events: &[BusEvent]) -> Vec<Result<(), BusError>>;

    /// Publishes one event.
    async fn publish(&self, event: &BusEvent) -> Result<(), BusError> {
        let outcomes = self.publish_all(std::slice::from_ref(event)).await;
        outcomes.into_iter().next().unwrap_or_else(|| Err(BusError::Rejected("the bus gave no outcome".to_owned())))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// An event as format 1 writes it: what was stored once has to be read for ever.
    const STORED: &str = r#"{"format":1,"id":"evt_0199f0c0aaaa7000800000000000000f","tenant":"demo","kind":"model.rolled-back","severity":"critical","subject":"model mdl_1 production","text":"p95 is above 50 ms","details":{"version":3},"at":"2026-11-21T09:50:00.123Z"}"#;

    #[test]
    fn given_a_stored_event_of_format_1_when_it_is_read_and_written_then_it_is_as_it_was() {
        let event = BusEvent::from_stored(STORED).unwrap();
        assert_eq!((event.kind.clone(), event.severity), (EventKind::MODEL_ROLLED_BACK, Severity::Critical));
        assert_eq!(event.to_json().unwrap(), STORED);
    }

    #[test]
    fn given_an_event_of_another_format_when_it_is_read_then_the_format_is_named() {
        let other = STORED.replace(r#""format":1"#, r#""format":2"#);
        assert!(BusEvent::from_stored(&other).unwrap_err().to_string().contains("format 2"));
    }

    #[test]
    fn a_kind_is_words_joined_by_dots() {
        for good in ["model.rolled-back", "a.b", "jobs.batch-prediction.failed"] {
            assert_eq!(EventKind::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "model", "model.", ".a", "Model.a", "a b.c", "a..b", &format!("a.{}", "b".repeat(127))] {
            assert_eq!(EventKind::parse(bad), None, "{bad}");
        }
    }
}
