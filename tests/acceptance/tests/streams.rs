//! Streams: resumed at every event, on the same and after a killed process; one model call, one charge.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use mandi_acceptance::events::{self, Event};
use mandi_acceptance::{Client, Server, Setup};
use mandi_testkit::provider::{End, OpenAiStub, Script};
use reqwest::{Method, Response};
use serde_json::json;

/// An answer of more than sixty words, every sentence of which its source holds.
const SOURCE: &str = "The buyer shall pay each invoice within 30 days of the invoice date by bank transfer to the account of the seller. \
    The seller shall deliver the goods to the warehouse in Indore within 14 days after the order was confirmed in writing. \
    A delay in delivery costs the seller a penalty of 2 percent of the value of the lot for every week of delay. \
    The seat of arbitration is Mumbai and the language of the proceedings is English for both of the parties.";

fn cited() -> String {
    SOURCE
        .split(". ")
        .map(|sentence| format!("{} [1].", sentence.trim().trim_end_matches('.')))
        .collect::<Vec<_>>()
        .join(" ")
}

async fn ready(server: &Server) -> (Client, String) {
    let client = server.client("demo");
    client.collection_with("contracts", "C-1", SOURCE).await;
    let path = client.new_messages_path().await;
    (client, path)
}

async fn ask(client: &Client, path: &str) -> Response {
    let question = json!({"content": "When must the buyer pay, where is the arbitration, and what does a delay cost?"});
    client.request(Method::POST, path).header("accept", "text/event-stream").json(&question).send().await.unwrap()
}

async fn resume(client: &Client, path: &str, message: &str, after: u64) -> Vec<Event> {
    let request = client.request(Method::GET, &format!("{path}/{message}/stream"));
    let request = if after == 0 { request } else { request.header("last-event-id", after) };
    events::read(request.send().await.unwrap(), usize::MAX).await
}

#[tokio::test]
async fn a_stream_cut_at_every_event_is_resumed_byte_for_byte_with_one_call_and_one_charge() {
    let stub = OpenAiStub::start(Script::text(&cited()).paced(Duration::from_millis(20), Duration::from_millis(2)))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).with_model_at(&stub.base_url()).start().await;
    let (client, path) = ready(&server).await;

    let cut = events::read(ask(&client, &path).await, 1).await;
    let message = cut[0].data()["message_id"].as_str().unwrap().to_owned();
    let whole = resume(&client, &path, &message, 0).await;
    assert!(whole.len() >= 60, "{} events", whole.len());
    assert_eq!(whole.last().unwrap().name, "done", "{:?}", whole.last());
    for after in 0..=whole.len() {
        let rest = resume(&client, &path, &message, after as u64).await;
        assert_eq!(rest, whole[after..], "cut after event {after}");
    }
    assert_eq!(stub.calls(), 1);
    let usage = client.get("/v1/usage/summary").await.expect(200);
    assert_eq!(usage["by_task"]["chat"]["calls"], 1);
}

#[tokio::test]
async fn two_readers_of_a_live_stream_see_the_same_bytes() {
    let stub = OpenAiStub::start(Script::text(&cited()).paced(Duration::from_millis(50), Duration::from_millis(5)))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).with_model_at(&stub.base_url()).start().await;
    let (client, path) = ready(&server).await;
    let first = ask(&client, &path).await;
    let history = client.get(&path).await.expect(200);
    let message = history["messages"][1]["id"].as_str().unwrap();
    let (asked, followed) = tokio::join!(events::read(first, usize::MAX), resume(&client, &path, message, 0));
    assert_eq!(asked, followed);
}

#[tokio::test]
async fn a_second_message_waits_for_the_first() {
    let stub = OpenAiStub::start(Script::text(&cited()).paced(Duration::from_secs(1), Duration::ZERO)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).with_model_at(&stub.base_url()).start().await;
    let (client, path) = ready(&server).await;
    let first = ask(&client, &path).await;
    client.post(&path, &json!({"content": "And where?"})).await.expect_problem(409, "conflict", "still being answered");
    events::read(first, usize::MAX).await;
    client.post(&path, &json!({"content": "When must the buyer pay?"})).await.expect(201);
}

#[tokio::test]
async fn a_client_that_does_not_want_to_resume_cancels_the_model_by_going_away() {
    let stub =
        OpenAiStub::start(Script::text(&cited()).paced(Duration::ZERO, Duration::from_millis(200))).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).with_model_at(&stub.base_url()).start().await;
    let (client, path) = ready(&server).await;
    let body = json!({"content": "When must the buyer pay?", "resumable": false});
    let response =
        client.request(Method::POST, &path).header("accept", "text/event-stream").json(&body).send().await.unwrap();
    // The second event is the first word: the model is writing.
    let seen = events::read(response, 2).await;
    let message = seen[0].data()["message_id"].as_str().unwrap().to_owned();
    let rest = resume(&client, &path, &message, 1).await;
    assert_eq!(rest.last().unwrap().name, "error");
    assert_eq!(rest.last().unwrap().data()["type"], "/problems/stream-interrupted");
    for _ in 0..50 {
        if stub.disconnects() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the call at the provider goes on");
}

#[tokio::test]
async fn a_killed_writer_leaves_one_error_an_incomplete_message_and_one_charge() {
    let stub =
        OpenAiStub::start(Script::text(&cited()).paced(Duration::ZERO, Duration::from_millis(100))).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let setup = || Setup::on(folder.path()).with_model_at(&stub.base_url()).with("MANDI_STREAM_LEASE_MS", "1000");
    let server = setup().start().await;
    let (client, path) = ready(&server).await;
    let seen = events::read(ask(&client, &path).await, 8).await;
    let message = seen[0].data()["message_id"].as_str().unwrap().to_owned();
    server.kill().await;

    let server = setup().start().await;
    let client = server.client("demo");
    let (one, other) = tokio::join!(resume(&client, &path, &message, 0), resume(&client, &path, &message, 0));
    assert_eq!(one, other);
    assert_eq!(one[..seen.len()], seen);
    assert_eq!(one.iter().filter(|event| event.name == "error").count(), 1);
    assert_eq!(one.last().unwrap().data()["type"], "/problems/stream-interrupted");
    let history = client.get(&path).await.expect(200);
    assert_eq!(history["messages"][1]["status"], "incomplete");
    assert_eq!(client.get("/v1/usage/summary").await.expect(200)["by_task"]["chat"]["calls"], 1);
    client.post(&path, &json!({"content": "When must the buyer pay?"})).await.expect(201);
}

#[tokio::test]
async fn a_truncated_upstream_never_looks_complete() {
    let stub = OpenAiStub::start(Script::text(&cited()).ending(End::Cut)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).with_model_at(&stub.base_url()).start().await;
    let (client, path) = ready(&server).await;
    let told = events::read(ask(&client, &path).await, usize::MAX).await;
    assert_eq!(told.last().unwrap().name, "error", "{told:?}");
    assert!(told.iter().all(|event| event.name != "done"));
}
