//! The conformance suite of the bus, against EventBridge as moto emulates it; and what becomes of events that the service
//! does not take at once, against a server that answers as the service does.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod emulator;
#[path = "emulator/scripted.rs"]
mod scripted;

use std::sync::Arc;
use std::time::{Duration, Instant};

use mandi_aws::SOURCE;
use mandi_core::event_log::LoggedBus;
use mandi_core::event_log::{EventLog, Listed};
use mandi_core::ports::{Bus, BusError, BusEvent, Severity};
use mandi_core::{Problem, ProblemKind};
use mandi_testkit::bus::{Fixture, event};
use mandi_testkit::moto::Server;
use mandi_testkit::tenant;
use scripted::Scripted;
use serde_json::{Value, json};

async fn fixture() -> Fixture {
    let (server, name) = (Server::shared(), Server::fresh_name("bus"));
    let queue = server.create_bus(&name, SOURCE);
    let clients = emulator::clients(&server.url()).await;
    let listening = server.clone();
    Fixture {
        bus: Arc::new(clients.bus(name)),
        heard: Box::new(move |count| {
            let (server, queue) = (listening.clone(), queue.clone());
            Box::pin(async move { tokio::task::spawn_blocking(move || heard(&server, &queue, count)).await.unwrap() })
        }),
        keep: Box::new(server),
    }
}

fn heard(server: &Server, queue: &str, count: usize) -> Vec<BusEvent> {
    let (mut events, begun) = (Vec::new(), Instant::now());
    while events.len() < count && begun.elapsed() < Duration::from_secs(10) {
        for message in server.take_messages(queue) {
            let message: Value = serde_json::from_str(&message).unwrap();
            let event = BusEvent::from_stored(&message["detail"].to_string()).unwrap();
            assert_eq!((&message["source"], &message["detail-type"]), (&json!(SOURCE), &json!(event.kind.as_str())));
            events.push(event);
        }
    }
    events
}

mandi_testkit::bus_suite!(fixture);

fn taken() -> Value {
    json!({ "EventId": "1" })
}

fn failed(code: &str) -> Value {
    json!({ "ErrorCode": code, "ErrorMessage": "in words" })
}

fn answer(entries: &[Value]) -> (u16, Value) {
    let failed = entries.iter().filter(|entry| entry.get("ErrorCode").is_some()).count();
    (200, json!({ "FailedEntryCount": failed, "Entries": entries }))
}

fn events(count: usize) -> Vec<BusEvent> {
    (0..count).map(|_| event("one", "job.failed", Severity::Warning)).collect()
}

/// How many entries each call had.
fn counts(script: &Scripted) -> Vec<usize> {
    script.bodies().iter().map(|body| body["Entries"].as_array().unwrap().len()).collect()
}

async fn publish(script: &Scripted, count: usize) -> Vec<Result<(), BusError>> {
    emulator::clients(script.url()).await.bus("bus").publish_all(&events(count)).await
}

#[tokio::test]
async fn given_some_events_of_a_batch_fail_for_a_moment_then_only_those_are_sent_again() {
    let script = Scripted::answering(vec![
        answer(&[failed("ThrottlingException"), taken(), failed("InternalFailure")]),
        answer(&[taken(), taken()]),
    ])
    .await;
    let outcomes = publish(&script, 3).await;
    assert!(outcomes.len() == 3 && outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let bodies = script.bodies();
    assert_eq!(counts(&script), [3, 2]);
    assert_eq!(bodies[1]["Entries"], json!([bodies[0]["Entries"][0], bodies[0]["Entries"][2]]));
}

#[tokio::test]
async fn given_an_event_that_is_throttled_each_time_then_the_caller_is_asked_to_wait() {
    let throttled = || answer(&[failed("ThrottlingException")]);
    let script = Scripted::answering((0..5).map(|_| throttled()).collect()).await;
    let outcome = publish(&script, 1).await.remove(0);
    assert!(matches!(outcome, Err(BusError::Throttled)), "{outcome:?}");
    let problem = Problem::from(outcome.unwrap_err());
    assert_eq!((problem.kind, problem.retry_after_s), (ProblemKind::Throttled, Some(1)));
    assert_eq!(counts(&script), [1; 5]);
}

#[tokio::test]
async fn given_an_event_that_the_bus_refuses_then_it_is_not_sent_again_and_the_others_succeed() {
    let script = Scripted::answering(vec![answer(&[taken(), failed("MalformedDetail"), taken()])]).await;
    let outcomes = publish(&script, 3).await;
    assert!(matches!(&outcomes[..], [Ok(()), Err(BusError::Rejected(_)), Ok(())]), "{outcomes:?}");
    assert_eq!(counts(&script), [3]);
}

#[tokio::test]
async fn given_a_right_that_is_missing_then_it_is_not_called_the_events_fault() {
    let denied = json!({ "__type": "AccessDeniedException", "message": "not authorised" });
    let script = Scripted::answering(vec![(400, denied)]).await;
    let outcomes = publish(&script, 2).await;
    assert!(matches!(&outcomes[..], [Err(BusError::Unavailable(_)), Err(BusError::Unavailable(_))]), "{outcomes:?}");
}

#[tokio::test]
async fn given_events_near_the_largest_size_then_no_call_is_larger_than_the_service_takes() {
    let script = Scripted::answering((0..3).map(|_| answer(&[taken()])).collect()).await;
    let large = |event: BusEvent| BusEvent { text: "x".repeat(200_000), ..event };
    let events: Vec<BusEvent> = events(3).into_iter().map(large).collect();
    let outcomes = emulator::clients(script.url()).await.bus("bus").publish_all(&events).await;
    assert!(outcomes.len() == 3 && outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(counts(&script), [1, 1, 1]);
}

#[tokio::test]
async fn given_a_logged_bus_when_an_event_cannot_be_sent_then_it_is_listed_all_the_same() {
    let (server, table) = (Server::shared(), Server::fresh_name("events"));
    server.create_table(&table);
    let clients = emulator::clients(&server.url()).await;
    let log = EventLog::new(Arc::new(clients.records(table, mandi_testkit::clock())));
    let script = Scripted::answering(vec![answer(&[taken(), failed("MalformedDetail")])]).await;
    let bridge = emulator::clients(script.url()).await.bus("bus");
    let events = events(2);
    let outcomes = LoggedBus::new(log.clone(), Arc::new(bridge)).publish_all(&events).await;
    assert!(matches!(&outcomes[..], [Ok(()), Err(BusError::Rejected(_))]), "{outcomes:?}");
    let (mut listed, _) = log.page(&tenant("one"), Listed::Alerts, 10, None).await.unwrap();
    listed.reverse();
    assert_eq!(listed, events);
}
