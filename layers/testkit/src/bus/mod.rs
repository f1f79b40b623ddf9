//! The conformance suite of the [`Bus`] port: one function for each case, run against every adapter.
//!
//! Used as [`crate::records`] is, with [`bus_suite!`](crate::bus_suite).

use std::any::Any;
use std::sync::Arc;

use futures::future::BoxFuture;
use mandi_core::ports::{Bus, BusError, BusEvent, EventKind, MAX_EVENT_BYTES, Severity};
use serde_json::json;

use crate::{clock, tenant};
use mandi_core::Clock;

/// Waits for so many events, at whoever listens to all tenants, and takes them. Fewer come back after ten seconds.
pub type Listener = Box<dyn Fn(usize) -> BoxFuture<'static, Vec<BusEvent>> + Send + Sync>;

/// A bus under test, to which somebody listens.
pub struct Fixture {
    /// The bus.
    pub bus: Arc<dyn Bus>,
    /// Who listens.
    pub heard: Listener,
    /// What has to live as long: a folder, a server.
    pub keep: Box<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for Fixture {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Fixture").field("bus", &self.bus).finish_non_exhaustive()
    }
}

/// An event.
///
/// # Panics
/// `kind` is not a kind.
#[must_use]
pub fn event(tenant_name: &str, kind: &str, severity: Severity) -> BusEvent {
    BusEvent::new(&tenant(tenant_name), EventKind::parse(kind).unwrap(), severity, clock().now())
        .about("model mdl_1 production", "p95 is above 50 ms\n\"चावल\" <b> & \\")
        .with("version", 3)
        .with("findings", json!([{ "bound": "latency", "observed": 61.25 }, null]))
}

/// An event whose JSON has exactly so many bytes.
fn of_size(size_bytes: usize) -> BusEvent {
    let bare = event("one", "size.test", Severity::Info);
    let room = size_bytes - bare.to_json().unwrap().len();
    BusEvent { text: bare.text.clone() + &"x".repeat(room), ..bare }
}

async fn heard(fixture: &Fixture, count: usize) -> Vec<BusEvent> {
    let mut events = (fixture.heard)(count).await;
    events.sort_by(|one, other| one.id.cmp(&other.id));
    events
}

/// With every field, of each severity and of each tenant.
pub async fn a_published_event_arrives_whole(fixture: &Fixture) {
    let events = [
        event("one", "model.rolled-back", Severity::Critical),
        event("one", "job.failed", Severity::Warning),
        event("two", "model.deployed", Severity::Info),
    ];
    for event in &events {
        fixture.bus.publish(event).await.unwrap();
    }
    assert_eq!(heard(fixture, 3).await, events);
}

/// More than EventBridge takes at a time.
pub async fn a_batch_of_many_events_arrives(fixture: &Fixture) {
    let events: Vec<BusEvent> = (0..25).map(|_| event("one", "job.failed", Severity::Info)).collect();
    let outcomes = fixture.bus.publish_all(&events).await;
    assert_eq!(outcomes.len(), 25);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(heard(fixture, 25).await, events);
}

/// It is whole.
pub async fn an_event_of_the_largest_size_arrives(fixture: &Fixture) {
    let event = of_size(MAX_EVENT_BYTES);
    fixture.bus.publish(&event).await.unwrap();
    assert_eq!(heard(fixture, 1).await, [event]);
}

/// It does not fail the others of its batch.
pub async fn an_event_that_is_too_large_is_refused_alone(fixture: &Fixture) {
    let small = event("one", "job.failed", Severity::Info);
    let mut large = of_size(MAX_EVENT_BYTES);
    large.text.push('x');
    let last = event("one", "job.failed", Severity::Info);
    let outcomes = fixture.bus.publish_all(&[small.clone(), large, last.clone()]).await;
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
    let size_bytes = MAX_EVENT_BYTES + 1;
    assert!(
        matches!(outcomes[1], Err(BusError::TooLarge { size_bytes: found }) if found == size_bytes),
        "{outcomes:?}"
    );
    assert_eq!(heard(fixture, 2).await, [small, last]);
}

/// And has no outcome.
pub async fn an_empty_batch_publishes_nothing(fixture: &Fixture) {
    assert!(fixture.bus.publish_all(&[]).await.is_empty());
}

/// Each under its id.
pub async fn events_that_are_published_at_the_same_time_all_arrive(fixture: &Fixture) {
    let events: Vec<BusEvent> = (0..12).map(|_| event("one", "job.failed", Severity::Warning)).collect();
    let publishing = events.iter().map(|event| fixture.bus.publish(event));
    for outcome in futures::future::join_all(publishing).await {
        outcome.unwrap();
    }
    assert_eq!(heard(fixture, 12).await, events);
}

/// Makes one test of each case of the suite. The argument names an `async fn() -> bus::Fixture`.
#[macro_export]
macro_rules! bus_suite {
    ($make:path) => {
        $crate::conformance_tests! { $make; bus;
            a_published_event_arrives_whole
            a_batch_of_many_events_arrives
            an_event_of_the_largest_size_arrives
            an_event_that_is_too_large_is_refused_alone
            an_empty_batch_publishes_nothing
            events_that_are_published_at_the_same_time_all_arrive
        }
    };
}
