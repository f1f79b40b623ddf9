//! The bus of one machine: each event is kept in the log, told to who listens in this process, and, where there is a
//! webhook, delivered to it until it was taken.

mod courier;
mod webhook;

use std::sync::Arc;

use async_trait::async_trait;
use mandi_core::event_log::{Delivery, EventLog, Kept};
use mandi_core::ports::{Bus, BusError, BusEvent, Records};
use mandi_core::{Clock, TenantId};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

pub use courier::{Courier, DeliveryCounts, RetryPolicy};
pub use webhook::{SigningSecret, Webhook};

use courier::Desk;

/// How many events a listener may lie behind before it misses some.
const MOST_UNHEARD: usize = 1_024;

/// The bus. A clone is the same one.
#[derive(Clone, Debug)]
pub struct LocalBus {
    log: EventLog,
    live: broadcast::Sender<Arc<BusEvent>>,
    desk: Option<Arc<Desk>>,
}

/// What a listener gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// An event.
    Event(Arc<BusEvent>),
    /// It was too slow, and so many events of all tenants went by. They are in the log.
    Missed(u64),
}

/// Events of one tenant, from when it was made on.
#[derive(Debug)]
pub struct Subscription {
    tenant: TenantId,
    live: broadcast::Receiver<Arc<BusEvent>>,
}

impl LocalBus {
    /// A bus without a webhook.
    #[must_use]
    pub fn new(records: Arc<dyn Records>) -> Self {
        Self { log: EventLog::new(records), live: broadcast::Sender::new(MOST_UNHEARD), desk: None }
    }

    /// A bus with a webhook, and who delivers to it: run that as a task of its own.
    #[must_use]
    pub fn with_webhook(
        records: Arc<dyn Records>,
        webhook: Webhook,
        policy: RetryPolicy,
        clock: Arc<dyn Clock>,
    ) -> (Self, Courier) {
        let bus = Self::new(records);
        let desk = Arc::new(Desk::new(bus.log.clone(), policy));
        let courier = Courier::new(Arc::clone(&desk), webhook, clock);
        (Self { desk: Some(desk), ..bus }, courier)
    }

    /// The log, to list what happened.
    #[must_use]
    pub const fn log(&self) -> &EventLog {
        &self.log
    }

    /// What became of deliveries to the webhook since the process began.
    #[must_use]
    pub fn delivery_counts(&self) -> DeliveryCounts {
        self.desk.as_ref().map(|desk| desk.counts()).unwrap_or_default()
    }

    /// Listens to a tenant's events.
    #[must_use]
    pub fn subscribe(&self, tenant: &TenantId) -> Subscription {
        Subscription { tenant: tenant.clone(), live: self.live.subscribe() }
    }

    async fn keep(&self, event: &BusEvent) -> Result<(), BusError> {
        let delivery = self.desk.as_ref().map_or(Delivery::None, |desk| desk.admit(event));
        let kept = self.log.keep(event, delivery).await;
        if delivery == Delivery::Due
            && let Some(desk) = &self.desk
        {
            if matches!(kept, Ok(Kept::Now)) { desk.notify() } else { desk.leave() }
        }
        if kept? == Kept::Before {
            return Ok(());
        }
        if event.severity.is_alert() {
            let (severity, kind, tenant) = (event.severity.name(), event.kind.as_str(), event.tenant.as_str());
            let (id, subject, text) = (event.id.as_str(), event.subject.as_str(), event.text.as_str());
            tracing::warn!(id, kind, severity, tenant, subject, text, "an alert was raised");
        }
        // Nobody may be listening.
        let _ = self.live.send(Arc::new(event.clone()));
        Ok(())
    }
}

#[async_trait]
impl Bus for LocalBus {
    async fn publish_all(&self, events: &[BusEvent]) -> Vec<Result<(), BusError>> {
        let mut outcomes = Vec::with_capacity(events.len());
        for event in events {
            outcomes.push(self.keep(event).await);
        }
        outcomes
    }
}

impl Subscription {
    /// The next event; `None` when the bus is gone.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            match self.live.recv().await {
                Ok(event) if event.tenant == self.tenant => return Some(Heard::Event(event)),
                Ok(_) => {}
                Err(RecvError::Lagged(count)) => return Some(Heard::Missed(count)),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
