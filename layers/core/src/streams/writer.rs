//! The writing end of a stream.

use std::time::{Duration, Instant};

use super::{EVENTS, OPEN, StoredEvent, StreamId, Streams};
use crate::error::{Problem, ProblemKind, Result};
use crate::lease::Lease;
use crate::metering::transact_contended;
use crate::ports::{Condition, Record, RecordsError, Update, Write};

/// Writes a stream. One that is dropped before [`Writer::finish`] leaves its lease to run out.
#[derive(Debug)]
pub struct Writer {
    streams: Streams,
    id: StreamId,
    lease: Lease,
    next: u64,
    gathered: Vec<StoredEvent>,
    gathering_since: Instant,
    renewed_at: Instant,
}

impl Streams {
    /// The writes that begin a stream, to be put into the transaction that begins the work, and its writer.
    pub fn begin(&self, id: StreamId) -> (Vec<Write>, Writer) {
        let now = self.clock.now();
        let lease = Lease::new(self.policy.lease);
        let head = lease.on(Record::new(id.head()), now).with(OPEN, true).expiring(now.plus(self.policy.keep));
        self.hub.open(&id);
        let started = Instant::now();
        let writer = Writer {
            streams: self.clone(),
            id,
            lease,
            next: 1,
            gathered: Vec::new(),
            gathering_since: started,
            renewed_at: started,
        };
        (vec![Write::Put(head, Condition::Absent)], writer)
    }
}

impl Writer {
    /// Adds an event, and stores the group when it has been gathered for long enough.
    ///
    /// # Errors
    /// `stream-interrupted` when the lease was lost and a reader has closed the stream; or the store fails.
    pub async fn add(&mut self, event: &str, data: String) -> Result<()> {
        self.gather(event, data);
        if self.gathering_since.elapsed() >= self.streams.policy.gather {
            self.store(true, Vec::new()).await
        } else {
            Ok(())
        }
    }

    /// How long until gathered events want to be stored, or the lease to be renewed.
    #[must_use]
    pub fn wait(&self) -> Duration {
        let renewal = (self.streams.policy.lease / 3).saturating_sub(self.renewed_at.elapsed());
        if self.gathered.is_empty() {
            return renewal;
        }
        self.streams.policy.gather.saturating_sub(self.gathering_since.elapsed()).min(renewal)
    }

    /// Stores what is gathered and renews the lease. Call it after [`Writer::wait`].
    ///
    /// # Errors
    /// As [`Writer::add`].
    pub async fn flush(&mut self) -> Result<()> {
        self.store(true, Vec::new()).await
    }

    /// Adds the last event and closes the stream, together with `writes`: all of it happens, or nothing.
    ///
    /// # Errors
    /// As [`Writer::add`]; or a condition of `writes` fails.
    pub async fn finish(mut self, event: &str, data: String, writes: Vec<Write>) -> Result<()> {
        self.gather(event, data);
        self.store(false, writes).await
    }

    fn gather(&mut self, event: &str, data: String) {
        if self.gathered.is_empty() {
            self.gathering_since = Instant::now();
        }
        self.gathered.push(StoredEvent { id: self.next, event: event.to_owned(), data });
        self.next += 1;
    }

    async fn store(&mut self, open: bool, mut more: Vec<Write>) -> Result<()> {
        let now = self.streams.clock.now();
        let kept_until = now.plus(self.streams.policy.keep);
        let head = self.lease.renewing(Update::new().set(OPEN, open), now).expiring(kept_until);
        let mine = Condition::All(vec![self.lease.mine(), Condition::equals(OPEN, true)]);
        let mut writes = vec![Write::Update(self.id.head(), head, mine)];
        if let Some(first) = self.gathered.first() {
            let group = Record::new(self.id.group(first.id)).with_json(EVENTS, &self.gathered)?.expiring(kept_until);
            writes.push(Write::Put(group, Condition::Absent));
        }
        writes.append(&mut more);
        transact_contended(self.streams.records.as_ref(), writes).await.map_err(fenced)?;
        self.gathered.clear();
        self.renewed_at = Instant::now();
        self.streams.hub.stored(&self.id, self.next - 1);
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.streams.hub.close(&self.id);
    }
}

fn fenced(error: RecordsError) -> Problem {
    match error {
        RecordsError::ConditionFailed { write: 0 } => {
            Problem::new(ProblemKind::StreamInterrupted, "the stream was closed since its writer gave no sign")
        }
        other => other.into(),
    }
}
