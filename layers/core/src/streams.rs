//! Streams of events that outlive their reader and their writer.
//!
//! A writer stores events in small groups as they are produced, under a lease that each group renews. A
//! reader, on this or another instance, reads the groups from any event on, and follows while the writer
//! lives. When the lease runs out, a reader closes the stream with one last event in the writer's place; the
//! writer, should it come back, is fenced off, since every group it stores requires its lease. A writer of the
//! reader's own process lives as long as its [`Writer`] does: on a busy machine a renewal may come late, and
//! the lease is for those who cannot know better.

mod hub;
mod reader;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use reader::{Orphan, OrphanHandler, Reader};
pub use writer::Writer;

use crate::error::Result;
use crate::identity::TenantId;
use crate::lease::Lease;
use crate::ports::{Key, Partition, Record, Records};
use crate::settings::{self, Settings};
use crate::time::Clock;

/// An event as it is stored, and as every reader gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// Its place in the stream, from 1, without gaps.
    pub id: u64,
    /// Its name.
    pub event: String,
    /// Its data: one line of JSON.
    pub data: String,
}

/// Where a stream is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamId {
    /// The tenant.
    pub tenant: TenantId,
    /// Its name within the tenant.
    pub name: String,
}

impl StreamId {
    fn partition(&self) -> Partition {
        Partition::of(&self.tenant, &["stream", &self.name])
    }

    fn head(&self) -> Key {
        Key::new(self.partition(), "head")
    }

    fn group(&self, first: u64) -> Key {
        Key::new(self.partition(), format!("{GROUP}{first:012}"))
    }
}

/// The beginning of the sort key of a group of events.
const GROUP: &str = "group:";
/// The field of the head that says whether more can come.
const OPEN: &str = "open";
/// The field of a group that holds its events.
const EVENTS: &str = "events";

/// How streams are kept.
#[derive(Clone, Copy, Debug)]
pub struct StreamPolicy {
    /// After how long without a sign a writer is taken for dead.
    pub lease: Duration,
    /// How long events are gathered before they are stored as a group.
    pub gather: Duration,
    /// How long a stream is kept after its end.
    pub keep: Duration,
    /// How often a reader looks for what a writer elsewhere has stored.
    pub poll: Duration,
}

impl Default for StreamPolicy {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(10),
            gather: Duration::from_millis(20),
            keep: Duration::from_secs(24 * 3600),
            poll: Duration::from_millis(50),
        }
    }
}

impl StreamPolicy {
    /// With the lease that the settings give.
    ///
    /// # Errors
    /// The setting is not a number.
    pub fn from_settings(settings: &Settings) -> Result<Self> {
        Ok(Self { lease: settings.duration_ms(settings::STREAM_LEASE_MS)?, ..Self::default() })
    }
}

/// All streams of a store.
#[derive(Clone, Debug)]
pub struct Streams {
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
    policy: StreamPolicy,
    hub: Arc<hub::Hub>,
}

impl Streams {
    /// Streams in a store.
    #[must_use]
    pub fn new(records: Arc<dyn Records>, clock: Arc<dyn Clock>, policy: StreamPolicy) -> Self {
        Self { records, clock, policy, hub: Arc::default() }
    }

    /// Whether the stream is open and its writer lives; `None` when there is no such stream.
    ///
    /// # Errors
    /// The store fails.
    pub async fn is_live(&self, id: &StreamId) -> Result<Option<bool>> {
        let head = self.records.get(&id.head()).await?;
        Ok(head.map(|head| head.flag(OPEN) && self.has_writer(id, &head)))
    }

    /// Whether an open stream's writer lives: here, or elsewhere, as far as its lease says.
    fn has_writer(&self, id: &StreamId, head: &Record) -> bool {
        self.hub.has(id) || Lease::holds(head, self.clock.now())
    }
}

/// The events of a group.
fn events_of(group: &Record) -> Result<Vec<StoredEvent>> {
    group.json(EVENTS)
}
