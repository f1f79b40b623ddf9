//! The reading end of a stream.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{EVENTS, GROUP, OPEN, StoredEvent, StreamId, Streams, events_of};
use crate::error::Result;
use crate::lease::Lease;
use crate::metering::transact_contended;
use crate::ports::{Condition, Order, Query, Range, Record, RecordsError, Update, Write};

/// What is left of a stream whose writer died.
#[derive(Debug)]
pub struct Orphan {
    /// The stream.
    pub id: StreamId,
    /// All that the writer stored.
    pub events: Vec<StoredEvent>,
}

/// Ends a stream in its writer's place.
#[async_trait]
pub trait OrphanHandler: Send + Sync + std::fmt::Debug {
    /// The last event (its name and data), and the writes to be done with it, exactly once.
    async fn close(&self, orphan: &Orphan) -> Result<((String, String), Vec<Write>)>;
}

/// How far a stream was read.
#[derive(Debug, Default)]
struct Place {
    /// The event after which it is read.
    event: u64,
    /// The sort key of the last group that was read.
    group: Option<String>,
}

/// Reads a stream from one event on. It holds a few groups of events at most, however slowly it is read.
#[derive(Debug)]
pub struct Reader {
    streams: Streams,
    id: StreamId,
    orphans: Arc<dyn OrphanHandler>,
    after: u64,
    place: Option<Place>,
    ready: VecDeque<StoredEvent>,
    local: Option<watch::Receiver<u64>>,
    closed: bool,
}

/// How many groups are read at once.
const GROUPS_AT_ONCE: usize = 100;

/// How often the reader of a writer in this process looks without being woken, so that a writer that
/// vanished is noticed.
const LOCAL_POLL: Duration = Duration::from_secs(1);

impl Streams {
    /// A reader of what comes after the event `after` (0: from the beginning).
    pub fn reader(&self, id: StreamId, after: u64, orphans: Arc<dyn OrphanHandler>) -> Reader {
        let local = self.hub.follow(&id);
        Reader { streams: self.clone(), id, orphans, after, place: None, ready: VecDeque::new(), local, closed: false }
    }

    /// Closes the stream if its writer died. Returns whether it is closed now.
    ///
    /// # Errors
    /// The store fails.
    pub async fn close_if_orphaned(&self, id: &StreamId, orphans: &dyn OrphanHandler) -> Result<bool> {
        let Some(head) = self.records.get(&id.head()).await? else { return Ok(true) };
        if !head.flag(OPEN) {
            return Ok(true);
        }
        if self.has_writer(id, &head) {
            return Ok(false);
        }
        let now = self.clock.now();
        let orphan = Orphan { id: id.clone(), events: self.events(id).await? };
        let ((event, data), mut more) = orphans.close(&orphan).await?;
        let last = orphan.events.last().map_or(0, |event| event.id);
        let event = StoredEvent { id: last + 1, event, data };
        let kept_until = now.plus(self.policy.keep);
        let group = Record::new(id.group(event.id)).with_json(EVENTS, &[event])?.expiring(kept_until);
        let dead = Condition::All(vec![Lease::run_out(now), Condition::equals(OPEN, true)]);
        let mut writes = vec![
            Write::Update(id.head(), Update::new().set(OPEN, false).expiring(kept_until), dead),
            Write::Put(group, Condition::Absent),
        ];
        writes.append(&mut more);
        match transact_contended(self.records.as_ref(), writes).await {
            // Another reader was quicker, or the writer is back: look again.
            Ok(()) => Ok(true),
            Err(RecordsError::ConditionFailed { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// All events of a stream.
    async fn events(&self, id: &StreamId) -> Result<Vec<StoredEvent>> {
        let mut place = Place::default();
        let mut events = Vec::new();
        loop {
            let (some, more) = self.some_events(id, &mut place).await?;
            events.extend(some);
            if !more {
                return Ok(events);
            }
        }
    }

    /// The events of the groups after a place, not more than of [`GROUPS_AT_ONCE`], and whether there are more.
    /// The place moves on.
    async fn some_events(&self, id: &StreamId, place: &mut Place) -> Result<(Vec<StoredEvent>, bool)> {
        let query = Query {
            partition: id.partition(),
            range: Range::Prefix(GROUP.to_owned()),
            order: Order::Ascending,
            limit: GROUPS_AT_ONCE,
            after: place.group.clone(),
        };
        let page = self.records.query(query).await?;
        let mut events = Vec::new();
        for group in &page.records {
            events.extend(events_of(group)?.into_iter().filter(|event| event.id > place.event));
        }
        if let Some(last) = page.records.last() {
            place.group = Some(last.key.sort.clone());
        }
        Ok((events, page.next.is_some()))
    }

    /// Where to read on after an event.
    async fn place_after(&self, id: &StreamId, event: u64) -> Result<Place> {
        Ok(Place { event, group: self.group_before(id, event).await? })
    }

    /// The sort key that stands before the first group which can hold an event after `after`. A group is named
    /// by its first event, so the group that holds `after` itself is the last one that is not after it.
    async fn group_before(&self, id: &StreamId, after: u64) -> Result<Option<String>> {
        if after == 0 {
            return Ok(None);
        }
        let page = self
            .records
            .query(Query {
                partition: id.partition(),
                range: Range::Between(GROUP.to_owned(), format!("{GROUP}{after:012}")),
                order: Order::Descending,
                limit: 1,
                after: None,
            })
            .await?;
        let Some(group) = page.records.first() else { return Ok(None) };
        let ends_with_it = events_of(group)?.last().is_some_and(|event| event.id <= after);
        Ok(ends_with_it.then(|| group.key.sort.clone()).or_else(|| just_before(&group.key.sort)))
    }
}

/// The sort key of one event earlier, to include the group itself in what comes after.
fn just_before(sort: &str) -> Option<String> {
    let first: u64 = sort.strip_prefix(GROUP)?.parse().ok()?;
    Some(format!("{GROUP}{:012}", first.checked_sub(1)?))
}

impl Reader {
    /// The next event; `None` after the last one. Waits while the writer lives.
    ///
    /// # Errors
    /// The store fails.
    pub async fn next(&mut self) -> Result<Option<StoredEvent>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if self.closed {
                return Ok(None);
            }
            self.look().await?;
        }
    }

    async fn look(&mut self) -> Result<()> {
        if let Some(local) = &mut self.local {
            local.borrow_and_update();
        }
        // The head is read first: when it says closed, the events read after it are all there will be.
        let head = self.streams.records.get(&self.id.head()).await?;
        let ended = head.as_ref().is_none_or(|head| !head.flag(OPEN));
        let place = match &mut self.place {
            Some(place) => place,
            none => none.insert(self.streams.place_after(&self.id, self.after).await?),
        };
        // Nothing is waited for from the moment the place moves on: a caller that gives up loses no event.
        let (events, more) = self.streams.some_events(&self.id, place).await?;
        self.ready.extend(events);
        if more {
            return Ok(());
        }
        if ended {
            self.closed = true;
        } else if self.ready.is_empty() {
            if head.is_some_and(|head| self.streams.has_writer(&self.id, &head)) {
                self.wait().await;
            } else {
                self.streams.close_if_orphaned(&self.id, self.orphans.as_ref()).await?;
            }
        }
        Ok(())
    }

    async fn wait(&mut self) {
        let Some(local) = &mut self.local else {
            tokio::time::sleep(self.streams.policy.poll).await;
            return;
        };
        let woken = tokio::time::timeout(LOCAL_POLL, local.changed()).await;
        if matches!(woken, Ok(Err(_))) {
            self.local = None;
        }
    }
}
