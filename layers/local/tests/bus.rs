//! The conformance suite of the bus, in process and by webhook; what is listed, and how the webhook is tried again.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use mandi_core::SystemClock;
use mandi_core::event_log::Listed;
use mandi_core::ports::{Bus, BusEvent, Records, Severity};
use mandi_core::time::Clock;
use mandi_local::{DataDir, Heard, LocalBus, RedbRecords, RetryPolicy, SigningSecret, Webhook};
use mandi_testkit::bus::{Fixture, event};
use mandi_testkit::tenant;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const SECRET: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

fn records(folder: &Path) -> Arc<dyn Records> {
    Arc::new(RedbRecords::open(&DataDir::open(folder).unwrap(), Arc::new(SystemClock)).unwrap())
}

/// A webhook's receiver: answers with the statuses that it was told, then with 204, and passes on what it took.
struct Receiver {
    url: String,
    taken: mpsc::UnboundedReceiver<(HeaderMap, String)>,
    tries: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    async fn answering(statuses: &[u16]) -> Self {
        let statuses = Arc::new(Mutex::new(VecDeque::from(statuses.to_vec())));
        let (sender, taken) = mpsc::unbounded_channel();
        let tries = Arc::new(Mutex::new(Vec::new()));
        let seen = tries.clone();
        let receive = move |headers: HeaderMap, body: String| async move {
            seen.lock().unwrap().push(headers["webhook-id"].to_str().unwrap().to_owned());
            let status = StatusCode::from_u16(statuses.lock().unwrap().pop_front().unwrap_or(204)).unwrap();
            if status.is_success() {
                let _ = sender.send((headers, body));
            }
            status
        };
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        // The largest event is well below axum's own limit of a body, 2 MB.
        let router = axum::Router::new().route("/hook", axum::routing::post(receive));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, taken, tries, task }
    }

    fn webhook(&self) -> Webhook {
        Webhook::new(&self.url, SigningSecret::parse(SECRET).unwrap()).unwrap()
    }

    async fn next(&mut self) -> BusEvent {
        let (_, body) = tokio::time::timeout(Duration::from_secs(10), self.taken.recv()).await.unwrap().unwrap();
        BusEvent::from_stored(&body).unwrap()
    }

    fn tries(&self) -> usize {
        self.tries.lock().unwrap().len()
    }
}

fn quick() -> RetryPolicy {
    RetryPolicy { first: Duration::from_millis(5), longest: Duration::from_millis(20), ..RetryPolicy::default() }
}

/// A bus that delivers to a receiver, at the testkit's time.
struct Delivering {
    bus: LocalBus,
    receiver: Receiver,
    courier: JoinHandle<()>,
    _folder: TempDir,
}

async fn delivering(statuses: &[u16], policy: RetryPolicy) -> Delivering {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::answering(statuses).await;
    let (bus, courier) =
        LocalBus::with_webhook(records(folder.path()), receiver.webhook(), policy, mandi_testkit::clock());
    Delivering { bus, receiver, courier: tokio::spawn(courier.run()), _folder: folder }
}

fn alert() -> BusEvent {
    event("one", "model.rolled-back", Severity::Critical)
}

mod in_process {
    use super::*;

    async fn fixture() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let bus = LocalBus::new(records(folder.path()));
        let subscriptions = ["one", "two"].map(|name| bus.subscribe(&tenant(name)));
        let (sender, heard) = mpsc::unbounded_channel();
        for mut subscription in subscriptions {
            let sender = sender.clone();
            tokio::spawn(async move {
                while let Some(Heard::Event(event)) = subscription.next().await {
                    let _ = sender.send(event.as_ref().clone());
                }
            });
        }
        Fixture { bus: Arc::new(bus), heard: listener(heard), keep: Box::new(folder) }
    }

    mandi_testkit::bus_suite!(fixture);
}

mod by_webhook {
    use super::*;

    async fn fixture() -> Fixture {
        let Delivering { bus, mut receiver, courier, _folder } = delivering(&[], quick()).await;
        let (sender, heard) = mpsc::unbounded_channel();
        let passing = tokio::spawn(async move {
            while let Some((_, body)) = receiver.taken.recv().await {
                let _ = sender.send(BusEvent::from_stored(&body).unwrap());
            }
        });
        Fixture { bus: Arc::new(bus), heard: listener(heard), keep: Box::new((_folder, courier, passing)) }
    }

    mandi_testkit::bus_suite!(fixture);
}

/// Takes what comes in within ten seconds.
fn listener(heard: mpsc::UnboundedReceiver<BusEvent>) -> mandi_testkit::bus::Listener {
    let heard = Arc::new(tokio::sync::Mutex::new(heard));
    Box::new(move |count| {
        let heard = heard.clone();
        Box::pin(async move {
            let mut events = Vec::new();
            let mut heard = heard.lock().await;
            while events.len() < count {
                match tokio::time::timeout(Duration::from_secs(10), heard.recv()).await {
                    Ok(Some(event)) => events.push(event),
                    _ => break,
                }
            }
            events
        })
    })
}

#[tokio::test]
async fn given_published_events_when_alerts_are_listed_then_they_are_those_that_people_are_told_of_latest_first() {
    let folder = tempfile::tempdir().unwrap();
    let bus = LocalBus::new(records(folder.path()));
    let (first, note, second) =
        (alert(), event("one", "model.deployed", Severity::Info), event("one", "job.failed", Severity::Warning));
    let other = event("two", "job.failed", Severity::Warning);
    bus.publish_all(&[first.clone(), note.clone(), second.clone(), other]).await.into_iter().for_each(Result::unwrap);
    let (page, next) = bus.log().page(&tenant("one"), Listed::Alerts, 1, None).await.unwrap();
    assert_eq!(page, [second]);
    let (page, _) = bus.log().page(&tenant("one"), Listed::Alerts, 10, next).await.unwrap();
    assert_eq!(page, [first]);
    assert_eq!(bus.log().page(&tenant("one"), Listed::Notes, 10, None).await.unwrap().0, [note]);
}

#[tokio::test]
async fn given_an_event_that_is_published_twice_then_it_is_told_and_listed_once() {
    let folder = tempfile::tempdir().unwrap();
    let bus = LocalBus::new(records(folder.path()));
    let (mut subscription, twice, last) = (bus.subscribe(&tenant("one")), alert(), alert());
    for event in [&twice, &twice, &last] {
        bus.publish(event).await.unwrap();
    }
    for expected in [&twice, &last] {
        assert_eq!(subscription.next().await, Some(Heard::Event(Arc::new(expected.clone()))));
    }
    assert_eq!(bus.log().page(&tenant("one"), Listed::Alerts, 10, None).await.unwrap().0.len(), 2);
}

#[tokio::test]
async fn given_a_listener_that_is_too_slow_then_it_is_told_how_much_it_missed() {
    let folder = tempfile::tempdir().unwrap();
    let bus = LocalBus::new(records(folder.path()));
    let mut subscription = bus.subscribe(&tenant("one"));
    let events: Vec<BusEvent> = (0..1_030).map(|_| event("one", "job.failed", Severity::Info)).collect();
    futures::future::join_all(events.iter().map(|event| bus.publish(event))).await.into_iter().for_each(Result::unwrap);
    assert_eq!(subscription.next().await, Some(Heard::Missed(6)));
}

#[tokio::test]
async fn given_a_receiver_that_fails_for_a_while_then_every_event_arrives_in_order() {
    let Delivering { bus, receiver, .. } = &mut delivering(&[500, 429, 503, 204, 408], quick()).await;
    let events = [alert(), alert()];
    bus.publish_all(&events).await.into_iter().for_each(Result::unwrap);
    for expected in &events {
        assert_eq!(&receiver.next().await, expected);
    }
    assert_eq!((receiver.tries(), bus.delivery_counts().failed_tries), (6, 4));
}

#[tokio::test]
async fn given_a_receiver_that_refuses_an_event_then_it_is_not_tried_again_and_the_next_one_arrives() {
    let Delivering { bus, receiver, .. } = &mut delivering(&[400], quick()).await;
    let (refused, good) = (alert(), alert());
    bus.publish_all(&[refused, good.clone()]).await.into_iter().for_each(Result::unwrap);
    assert_eq!(receiver.next().await, good);
    assert_eq!((receiver.tries(), bus.delivery_counts().refused), (2, 1));
}

#[tokio::test]
async fn given_a_redirection_then_the_event_does_not_follow_it() {
    let Delivering { bus, receiver, .. } = &mut delivering(&[307], quick()).await;
    bus.publish_all(&[alert(), alert()]).await.into_iter().for_each(Result::unwrap);
    receiver.next().await;
    assert_eq!(bus.delivery_counts().refused, 1);
}

#[tokio::test]
async fn given_events_that_an_earlier_process_did_not_deliver_when_a_courier_runs_then_they_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let mut receiver = Receiver::answering(&[]).await;
    let events = [alert(), alert()];
    let open = || LocalBus::with_webhook(records(folder.path()), receiver.webhook(), quick(), mandi_testkit::clock());
    let (bus, courier) = open();
    bus.publish_all(&events).await.into_iter().for_each(Result::unwrap);
    drop((bus, courier));
    let (_bus, courier) = open();
    let courier = tokio::spawn(courier.run());
    for expected in &events {
        assert_eq!(&receiver.next().await, expected);
    }
    courier.abort();
}

#[tokio::test]
async fn given_a_receiver_that_stays_down_when_an_event_grows_too_old_then_it_is_given_up_and_stays_listed() {
    let folder = tempfile::tempdir().unwrap();
    let (receiver, clock) = (Receiver::answering(&[500; 4_000]).await, mandi_testkit::clock());
    let (bus, courier) =
        LocalBus::with_webhook(records(folder.path()), receiver.webhook(), quick(), clock.clone() as Arc<dyn Clock>);
    let courier = tokio::spawn(courier.run());
    bus.publish(&alert()).await.unwrap();
    while receiver.tries() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    clock.advance(Duration::from_hours(25));
    while bus.delivery_counts().given_up == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(bus.log().page(&tenant("one"), Listed::Alerts, 10, None).await.unwrap().0.len(), 1);
    courier.abort();
}

#[tokio::test]
async fn given_more_events_than_may_wait_then_the_last_are_counted_and_listed_but_not_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let mut receiver = Receiver::answering(&[]).await;
    let policy = RetryPolicy { most_waiting: 2, ..quick() };
    let (bus, courier) =
        LocalBus::with_webhook(records(folder.path()), receiver.webhook(), policy, mandi_testkit::clock());
    let events = [alert(), alert(), alert()];
    bus.publish_all(&events).await.into_iter().for_each(Result::unwrap);
    assert_eq!(bus.delivery_counts().not_admitted, 1);
    let courier = tokio::spawn(courier.run());
    for expected in &events[..2] {
        assert_eq!(&receiver.next().await, expected);
    }
    while bus.delivery_counts().delivered < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // There is room again.
    let later = alert();
    while bus.delivery_counts().not_admitted == 1 && bus.log().due_count().await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bus.publish(&later).await.unwrap();
    assert_eq!(receiver.next().await, later);
    assert_eq!(bus.log().page(&tenant("one"), Listed::Alerts, 10, None).await.unwrap().0.len(), 4);
    courier.abort();
}

#[tokio::test]
async fn given_a_delivery_then_its_headers_name_the_event_and_the_time_and_are_signed() {
    let Delivering { bus, receiver, .. } = &mut delivering(&[], quick()).await;
    let event = alert();
    bus.publish(&event).await.unwrap();
    let (headers, body) = receiver.taken.recv().await.unwrap();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!((header("content-type"), body), ("application/json".to_owned(), event.to_json().unwrap()));
    assert_eq!((header("webhook-id"), header("webhook-timestamp")), (event.id.to_string(), "1795254600".to_owned()));
    assert!(header("webhook-signature").starts_with("v1,"));
}
