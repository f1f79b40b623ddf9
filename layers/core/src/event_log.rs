//! The log of events: what a bus keeps of each event, to be listed later, and to be delivered until somebody took it.
//!
//! - `t/<tenant>/alerts` and `t/<tenant>/events`, sort key time and id: the event, for 90 days.
//! - `p/events-to-deliver`, sort key tenant, time and id: where an event lies that is still to be delivered.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::{Problem, Result};
use crate::identity::TenantId;
use crate::ids::EventId;
use crate::ports::{
    Bus, BusError, BusEvent, Condition, Key, Order, Partition, Query, Range, Record, Records, RecordsError, Severity,
    Write,
};
use crate::time::Timestamp;

/// How long an event is kept.
pub const KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 3600);

const EVENT: &str = "event";
const PARTITION: &str = "of";
const TENANT: &str = "tenant";
const SORT: &str = "sort";

/// Which events are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listed {
    /// Those that people are told of.
    Alerts,
    /// The others.
    Notes,
}

impl Listed {
    const fn of(severity: Severity) -> Self {
        if severity.is_alert() { Self::Alerts } else { Self::Notes }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Notes => "events",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Alerts, Self::Notes].into_iter().find(|listed| listed.name() == name)
    }
}

/// Whether an event is to be delivered by who keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// It is kept to be listed.
    None,
    /// It is delivered, in order, until [`EventLog::settle`] is called.
    Due,
}

/// What keeping an event found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is new.
    Now,
    /// It was kept before.
    Before,
}

/// An event that is still to be delivered.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    key: Key,
    /// The event; `None` when it expired or this version cannot read it.
    pub event: Option<BusEvent>,
}

/// The log of all tenants.
#[derive(Clone, Debug)]
pub struct EventLog {
    records: Arc<dyn Records>,
}

fn queue() -> Partition {
    Partition::of_platform(&["events-to-deliver"])
}

fn key(tenant: &TenantId, listed: Listed, sort: impl Into<String>) -> Key {
    Key::new(Partition::of(tenant, &[listed.name()]), sort)
}

/// Twenty digits keep the order of numbers.
fn place(at: Timestamp, id: &EventId) -> String {
    format!("{:020}/{id}", at.unix_ms())
}

impl EventLog {
    /// The log in a store.
    #[must_use]
    pub const fn new(records: Arc<dyn Records>) -> Self {
        Self { records }
    }

    /// Keeps an event. Keeping it again changes nothing, also when it was delivered meanwhile.
    ///
    /// # Errors
    /// It is too large, or the store's.
    pub async fn keep(&self, event: &BusEvent, delivery: Delivery) -> Result<Kept, BusError> {
        let (listed, sort) = (Listed::of(event.severity), place(event.at, &event.id));
        let record = Record::new(key(&event.tenant, listed, sort.as_str()))
            .with(EVENT, event.to_json()?)
            .expiring(event.at.plus(KEPT_FOR));
        let mut writes = vec![Write::Put(record, Condition::Absent)];
        if delivery == Delivery::Due {
            let due = Record::new(Key::new(queue(), format!("{sort}/{}", event.tenant)))
                .with(TENANT, event.tenant.as_str())
                .with(PARTITION, listed.name())
                .with(SORT, sort)
                .expiring(event.at.plus(KEPT_FOR));
            writes.push(Write::Put(due, Condition::Always));
        }
        match self.records.transact(writes, None).await {
            Ok(()) => Ok(Kept::Now),
            Err(RecordsError::ConditionFailed { .. }) => Ok(Kept::Before),
            Err(error) => Err(fault(error)),
        }
    }

    /// A page of a tenant's events, latest first, and what to go on after.
    ///
    /// # Errors
    /// The store's, or an event that this version cannot read.
    pub async fn page(
        &self,
        tenant: &TenantId,
        listed: Listed,
        limit: usize,
        after: Option<String>,
    ) -> Result<(Vec<BusEvent>, Option<String>)> {
        let partition = Partition::of(tenant, &[listed.name()]);
        let query = Query { partition, range: Range::All, order: Order::Descending, limit, after };
        let page = self.records.query(query).await?;
        let read =
            |record: &Record| BusEvent::from_stored(record.text(EVENT).unwrap_or_default()).map_err(Problem::internal);
        Ok((page.records.iter().map(read).collect::<Result<_>>()?, page.next))
    }

    /// The first events that are to be delivered, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn due(&self, limit: usize) -> Result<Vec<Due>, RecordsError> {
        let page = self.records.query(Query { limit, ..Query::all(queue()) }).await?;
        let mut due = Vec::with_capacity(page.records.len());
        for record in page.records {
            let event = match of_queued(&record) {
                Some(key) => self.records.get(&key).await?,
                None => None,
            };
            let read = |event: Record| match BusEvent::from_stored(event.text(EVENT).unwrap_or_default()) {
                Ok(event) => Some(event),
                Err(error) => {
                    tracing::error!(%error, "an event cannot be delivered");
                    None
                }
            };
            due.push(Due { key: record.key, event: event.and_then(read) });
        }
        Ok(due)
    }

    /// How many events are to be delivered.
    ///
    /// # Errors
    /// The store's.
    pub async fn due_count(&self) -> Result<usize, RecordsError> {
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.records.query(Query { after, limit: 1_000, ..Query::all(queue()) }).await?;
            count += page.records.len();
            after = page.next;
            if after.is_none() {
                return Ok(count);
            }
        }
    }

    /// Says that an event need not be delivered any more. It is listed as before.
    ///
    /// # Errors
    /// The store's.
    pub async fn settle(&self, due: &Due) -> Result<(), RecordsError> {
        self.records.delete(&due.key, Condition::Always).await
    }
}

/// The key of the event that an entry of the queue stands for.
fn of_queued(record: &Record) -> Option<Key> {
    let tenant = TenantId::from_stored(record.text(TENANT)?)?;
    Some(key(&tenant, Listed::named(record.text(PARTITION)?)?, record.text(SORT)?))
}

fn fault(error: RecordsError) -> BusError {
    match error {
        RecordsError::Throttled | RecordsError::Contended => BusError::Throttled,
        RecordsError::Full => BusError::Full,
        other => BusError::Unavailable(Box::new(other)),
    }
}

/// A bus that keeps each event in the log before it passes it on, so that it can be listed.
#[derive(Clone, Debug)]
pub struct LoggedBus {
    log: EventLog,
    bus: Arc<dyn Bus>,
}

impl LoggedBus {
    /// Passes on to `bus`.
    #[must_use]
    pub const fn new(log: EventLog, bus: Arc<dyn Bus>) -> Self {
        Self { log, bus }
    }
}

#[async_trait]
impl Bus for LoggedBus {
    async fn publish_all(&self, events: &[BusEvent]) -> Vec<Result<(), BusError>> {
        let mut outcomes = Vec::with_capacity(events.len());
        let mut kept = Vec::with_capacity(events.len());
        for event in events {
            outcomes.push(self.log.keep(event, Delivery::None).await.map(drop));
            if outcomes.last().is_some_and(Result::is_ok) {
                kept.push(event.clone());
            }
        }
        // An event that was kept before is passed on again: who publishes it again does not know that it arrived.
        let mut passed = self.bus.publish_all(&kept).await.into_iter();
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
            let missing = || Err(BusError::Rejected("the bus gave no outcome".to_owned()));
            *outcome = passed.next().unwrap_or_else(missing);
        }
        outcomes
    }
}
