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

/// Reads a stream from one event on.
#[derive(Debug)]
pub struct Reader {
    streams: Streams,
    id: StreamId,
    orphans: Arc<dyn OrphanHandler>,
    last: u64,
    ready: VecDeque<StoredEvent>,
    local: Option<watch::Receiver<u64>>,
    closed: bool,
}

/// How often the reader of a writer in this process looks without being woken, so that a writer that
/// vanished is noticed.
const LOCAL_POLL: Duration = Duration::from_secs(1);

impl Streams {
    /// A reader of what comes after the event `after` (0: from the beginning).
    pub fn reader(&self, id: StreamId, after: u64, orphans: Arc<dyn OrphanHandler>) -> Reader {
        let local = self.hub.follow(&id);
        Reader { streams: self.clone(), id, orphans, last: after, ready: VecDeque::new(), local, closed: false }
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
        let now = self.clock.now();
        if Lease::holds(&head, now) {
            return Ok(false);
        }
        let orphan = Orphan { id: id.clone(), events: self.events_after(id, 0).await? };
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

    async fn events_after(&self, id: &StreamId, after: u64) -> Result<Vec<StoredEvent>> {
        let mut query = Query {
            partition: id.partition(),
            range: Range::Prefix(GROUP.to_owned()),
            order: Order::Ascending,
            limit: 100,
            after: self.group_before(id, after).await?,
        };
        let mut events = Vec::new();
        loop {
            let page = self.records.query(query.clone()).await?;
            for group in &page.records {
                events.extend(events_of(group)?.into_iter().filter(|event| event.id > after));
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(events),
            }
        }
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
                self.last = event.id;
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
        self.ready.extend(self.streams.events_after(&self.id, self.last).await?);
        if ended {
            self.closed = true;
        } else if self.ready.is_empty() {
            let alive = head.is_some_and(|head| Lease::holds(&head, self.streams.clock.now()));
            if alive {
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
