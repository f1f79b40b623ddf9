//! `Idempotency-Key`: the same key and body give the same response and one side effect.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use mandi_acceptance::{Answer, Client, Setup, events};
use mandi_testkit::provider::{OpenAiStub, Script};
use reqwest::Method;
use serde_json::{Value, json};

async fn post(client: &Client, path: &str, key: &str, body: &Value) -> Answer {
    let request = client.request(Method::POST, path).header("idempotency-key", key).json(body);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn the_same_key_and_body_replay_the_stored_response() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    let body = json!({"assistant_type": "trade"});
    let first = post(&client, "/v1/conversations", "key-1", &body).await;
    let second = post(&client, "/v1/conversations", "key-1", &body).await;
    assert_eq!(first.expect(201), second.expect(201));
    assert_eq!(second.headers["idempotent-replayed"], "true");
    assert_eq!(client.get("/v1/conversations").await.expect(200)["conversations"].as_array().unwrap().len(), 1);
    let other = json!({"assistant_type": "erp"});
    post(&client, "/v1/conversations", "key-1", &other).await.expect_problem(409, "conflict", "Idempotency-Key");
    post(&server.client("other"), "/v1/conversations", "key-1", &other).await.expect(201);
    post(&client, "/v1/conversations", "two words", &body).await.expect_problem(
        400,
        "invalid-request",
        "Idempotency-Key",
    );
}

#[tokio::test]
async fn a_stream_is_replayed_with_one_call_of_the_model() {
    let stub =
        OpenAiStub::start(Script::text("The buyer shall pay within 30 days of the invoice date [1].")).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).with_model_at(&stub.base_url()).start().await;
    let client = server.client("demo");
    client.collection_with("contracts", "C-1", "The buyer shall pay within 30 days of the invoice date.").await;
    let path = format!("/v1/conversations/{}/messages", client.conversation().await);
    let ask = async || {
        let request =
            client.request(Method::POST, &path).header("accept", "text/event-stream").header("idempotency-key", "k");
        let response = request.json(&json!({"content": "When must the buyer pay?"})).send().await.unwrap();
        events::read(response, usize::MAX).await
    };
    let (first, second) = (ask().await, ask().await);
    assert_eq!(first, second);
    assert_eq!(stub.calls(), 1);
    assert_eq!(client.get(&path).await.expect(200)["messages"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_duplicate_at_the_same_time_is_told_to_wait() {
    let stub = OpenAiStub::start(
        Script::text("The buyer shall pay within 30 days [1].").paced(Duration::from_secs(2), Duration::ZERO),
    )
    .await
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).with_model_at(&stub.base_url()).start().await;
    let client = server.client("demo");
    client.collection_with("contracts", "C-1", "The buyer shall pay within 30 days.").await;
    let path = format!("/v1/conversations/{}/messages", client.conversation().await);
    let body = json!({"content": "When must the buyer pay?"});
    let both = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        post(&client, &path, "k", &body).await
    };
    let (first, second) = tokio::join!(post(&client, &path, "k", &body), both);
    first.expect(201);
    second.expect_problem(409, "conflict", "Idempotency-Key");
    assert_eq!(second.headers["retry-after"], "1");
    assert_eq!(post(&client, &path, "k", &body).await.expect(201), first.expect(201));
}
