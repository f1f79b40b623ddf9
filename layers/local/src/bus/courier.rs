//! Deliveries to the webhook: in order, each until it was taken, refused, or too old.
//!
//! What is to be delivered lies in the records, so that it survives the process; the number of events that wait is
//! bounded. A receiver that is down holds all deliveries up; one that refuses an event does not get it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use mandi_core::Clock;
use mandi_core::event_log::{Delivery, Due, EventLog};
use mandi_core::ports::{BusEvent, RecordsError};
use rand::RngExt as _;
use tokio::sync::Notify;

use super::webhook::{Tried, Webhook};

/// How many events are read at a time.
const READ_AT_ONCE: usize = 50;

/// How deliveries are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The wait after the first failure; each further one doubles it.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// How old an event may grow before it is given up.
    pub give_up_after: Duration,
    /// How many events may wait; more are kept and listed, but not delivered.
    pub most_waiting: usize,
}

/// From a second to five minutes, for a day (as EventBridge tries), 10,000 events.
impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(300),
            give_up_after: Duration::from_secs(24 * 3600),
            most_waiting: 10_000,
        }
    }
}

/// What became of deliveries since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// Events that were taken.
    pub delivered: u64,
    /// Tries that failed, and were or will be made again.
    pub failed_tries: u64,
    /// Events that the receiver refused.
    pub refused: u64,
    /// Events that grew too old.
    pub given_up: u64,
    /// Events that were not delivered because too many waited.
    pub not_admitted: u64,
}

/// What bus and courier share.
#[derive(Debug)]
pub(super) struct Desk {
    log: EventLog,
    policy: RetryPolicy,
    wake: Notify,
    waiting: AtomicUsize,
    delivered: AtomicU64,
    failed_tries: AtomicU64,
    refused: AtomicU64,
    given_up: AtomicU64,
    not_admitted: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Desk {
    pub(super) fn new(log: EventLog, policy: RetryPolicy) -> Self {
        Self {
            log,
            policy,
            wake: Notify::new(),
            waiting: AtomicUsize::new(0),
            delivered: AtomicU64::new(0),
            failed_tries: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            not_admitted: AtomicU64::new(0),
        }
    }

    /// Whether there is room for one more event to be delivered.
    pub(super) fn admit(&self, event: &BusEvent) -> Delivery {
        let room = |waiting: usize| (waiting < self.policy.most_waiting).then_some(waiting + 1);
        if self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok() {
            return Delivery::Due;
        }
        count(&self.not_admitted);
        tracing::warn!(id = event.id.as_str(), "too many events wait for the webhook; this one is only listed");
        Delivery::None
    }

    pub(super) fn notify(&self) {
        self.wake.notify_one();
    }

    pub(super) fn counts(&self) -> DeliveryCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DeliveryCounts {
            delivered: read(&self.delivered),
            failed_tries: read(&self.failed_tries),
            refused: read(&self.refused),
            given_up: read(&self.given_up),
            not_admitted: read(&self.not_admitted),
        }
    }

    /// Gives the room of an event back that was admitted, and is delivered or need not be.
    pub(super) fn leave(&self) {
        let less = |waiting: usize| Some(waiting.saturating_sub(1));
        let _ = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Says that an event needs no delivery any more.
    async fn settle(&self, due: &Due) -> Result<(), RecordsError> {
        self.log.settle(due).await?;
        self.leave();
        Ok(())
    }
}

/// Delivers what waits.
#[derive(Debug)]
pub struct Courier {
    desk: Arc<Desk>,
    webhook: Webhook,
    clock: Arc<dyn Clock>,
}

impl Courier {
    pub(super) fn new(desk: Arc<Desk>, webhook: Webhook, clock: Arc<dyn Clock>) -> Self {
        Self { desk, webhook, clock }
    }

    /// Delivers for ever, first what an earlier process left. It may be dropped at any time: what was under way is
    /// delivered again by the next process, under the same id.
    pub async fn run(self) {
        let mut failures = 0;
        // What an earlier process left takes room, too.
        match self.desk.log.due_count().await {
            Ok(waiting) => drop(self.desk.waiting.fetch_max(waiting, Ordering::Relaxed)),
            Err(error) => tracing::error!(?error, "events for the webhook cannot be counted"),
        }
        loop {
            match self.round().await {
                Ok(0) => {
                    failures = 0;
                    self.desk.wake.notified().await;
                }
                Ok(_) => failures = 0,
                Err(error) => {
                    tracing::error!(?error, "events for the webhook cannot be read");
                    tokio::time::sleep(self.wait(failures, None)).await;
                    failures += 1;
                }
            }
        }
    }

    /// Delivers the first events that wait. Returns how many there were.
    async fn round(&self) -> Result<usize, RecordsError> {
        let due = self.desk.log.due(READ_AT_ONCE).await?;
        for due in &due {
            if let Some(event) = &due.event {
                self.deliver(event).await;
            }
            self.desk.settle(due).await?;
        }
        Ok(due.len())
    }

    /// Tries until the event is taken, refused, or too old.
    async fn deliver(&self, event: &BusEvent) {
        let (id, kind) = (event.id.as_str(), event.kind.as_str());
        let mut failures = 0;
        loop {
            let now = self.clock.now();
            if now.since(event.at) > self.desk.policy.give_up_after {
                count(&self.desk.given_up);
                tracing::error!(
                    id,
                    kind,
                    failures,
                    "an event was not delivered to the webhook in time; it is only listed"
                );
                return;
            }
            let tried = match event.to_json() {
                Ok(body) => self.webhook.deliver(id, body, now).await,
                Err(error) => Tried::Refused(error.to_string()),
            };
            match tried {
                Tried::Taken => {
                    count(&self.desk.delivered);
                    return;
                }
                Tried::Refused(reason) => {
                    count(&self.desk.refused);
                    tracing::error!(id, kind, reason, "the webhook refuses an event; it is only listed");
                    return;
                }
                Tried::Failed { reason, after } => {
                    count(&self.desk.failed_tries);
                    let wait = self.wait(failures, after);
                    failures += 1;
                    let wait_ms = wait.as_millis();
                    tracing::warn!(id, kind, reason, failures, wait_ms, "the webhook failed; the event waits");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// The wait after a failure: twice the last one, the second half of it at random; or what the receiver asks for.
    fn wait(&self, failures: u32, asked: Option<Duration>) -> Duration {
        let RetryPolicy { first, longest, .. } = self.desk.policy;
        if let Some(asked) = asked {
            return asked.clamp(first, longest.max(first));
        }
        let wait = first.saturating_mul(2_u32.saturating_pow(failures)).min(longest);
        wait.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}
