//! The conformance suite of the store of captures, against Data Firehose as moto emulates it; and what becomes of records
//! that the service does not take at once, against a server that answers as the service does.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod emulator;
#[path = "emulator/scripted.rs"]
mod scripted;

use std::sync::Arc;

use mandi_core::TenantId;
use mandi_core::ports::{CaptureError, CaptureLine, CaptureStore, ObjectPrefix, Objects};
use mandi_testkit::captures::{Fixture, call, line};
use mandi_testkit::moto::Server;
use scripted::Scripted;
use serde_json::{Value, json};

async fn fixture() -> Fixture {
    let (server, name) = (Server::shared(), Server::fresh_name("captures"));
    server.create_bucket(&name);
    // moto puts all tenants under one prefix; the template's stream has one for each.
    server.create_delivery_stream(&name, &name, "t/conformance/");
    let clients = emulator::clients(&server.url()).await;
    let objects = clients.objects(&name);
    Fixture {
        store: Arc::new(clients.captures(&name)),
        read: Box::new(move |tenant| {
            let objects = objects.clone();
            Box::pin(async move { read(&objects, &tenant).await })
        }),
        keep: Box::new(server),
    }
}

/// A tenant's lines, in the order in which their objects were put.
async fn read(objects: &dyn Objects, tenant: &TenantId) -> String {
    let all = ObjectPrefix::of(&mandi_testkit::tenant("conformance"), &[]);
    let mut parts = Vec::new();
    for key in objects.list(&all, None, 1_000).await.unwrap().keys {
        let content = objects.get(&key).await.unwrap().unwrap();
        parts.push(String::from_utf8(content.to_vec()).unwrap());
    }
    // The names of objects have seconds and a random part; ids sort by time.
    parts.sort_by_key(|part| request_id(part.lines().next().unwrap()));
    let is_of = |line: &&str| serde_json::from_str::<Value>(line).unwrap()["tenant"] == tenant.as_str();
    parts.iter().flat_map(|part| part.lines()).filter(is_of).map(|line| format!("{line}\n")).collect()
}

fn request_id(line: &str) -> String {
    serde_json::from_str::<Value>(line).unwrap()["request_id"].as_str().unwrap().to_owned()
}

mandi_testkit::captures_suite!(fixture);

fn lines(count: usize) -> Vec<CaptureLine> {
    (0..count).map(|number| line(&call("one", &[json!(number)]))).collect()
}

fn taken() -> Value {
    json!({ "RecordId": "1" })
}

fn busy() -> Value {
    json!({ "ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down." })
}

fn answer(entries: &[Value]) -> (u16, Value) {
    let failed = entries.iter().filter(|entry| entry.get("ErrorCode").is_some()).count();
    (200, json!({ "FailedPutCount": failed, "RequestResponses": entries }))
}

async fn store(script: &Scripted) -> impl CaptureStore {
    emulator::clients(script.url()).await.captures("stream")
}

/// How many records each call had.
fn counts(script: &Scripted) -> Vec<usize> {
    script.bodies().iter().map(|body| body["Records"].as_array().unwrap().len()).collect()
}

#[tokio::test]
async fn given_some_records_of_a_batch_fail_for_a_moment_then_only_those_are_sent_again() {
    let script = Scripted::answering(vec![
        answer(&[taken(), busy(), taken(), busy()]),
        answer(&[busy(), taken()]),
        answer(&[taken()]),
    ])
    .await;
    let lines = lines(4);
    let outcomes = store(&script).await.append(&lines).await;
    assert!(outcomes.len() == 4 && outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let bodies = script.bodies();
    assert_eq!(counts(&script), [4, 2, 1]);
    assert_eq!(bodies[2]["Records"][0], bodies[0]["Records"][1], "the one that failed twice is the second");
}

#[tokio::test]
async fn given_a_record_that_fails_each_time_then_it_is_given_up_and_the_others_are_kept() {
    let first = answer(&[taken(), busy()]);
    let script =
        Scripted::answering(vec![first, answer(&[busy()]), answer(&[busy()]), answer(&[busy()]), answer(&[busy()])])
            .await;
    let outcomes = store(&script).await.append(&lines(2)).await;
    assert!(matches!(&outcomes[..], [Ok(()), Err(CaptureError::Throttled)]), "{outcomes:?}");
    assert_eq!(counts(&script), [2, 1, 1, 1, 1]);
}

#[tokio::test]
async fn given_a_stream_that_is_not_there_then_each_line_says_so() {
    let server = Server::shared();
    let store = emulator::clients(&server.url()).await.captures("none");
    let outcomes = store.append(&lines(2)).await;
    assert_eq!(outcomes.len(), 2);
    for outcome in outcomes {
        let Err(CaptureError::Unavailable(cause)) = outcome else { panic!("{outcome:?}") };
        assert!(cause.to_string().contains("none"), "{cause}");
    }
}

#[tokio::test]
async fn given_more_than_goes_at_a_time_then_it_is_cut_into_calls() {
    let (first, second) = (vec![taken(); 500], vec![taken(); 1]);
    let script = Scripted::answering(vec![answer(&first), answer(&second)]).await;
    let outcomes = store(&script).await.append(&lines(501)).await;
    assert!(outcomes.len() == 501 && outcomes.iter().all(Result::is_ok));
    assert_eq!(counts(&script), [500, 1]);
}
