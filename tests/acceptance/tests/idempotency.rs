//! `Idempotency-Key`: the same key and body give the same response and one side effect.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use mandi_acceptance::{Answer, Client, Setup, events};
use mandi_testkit::provider::{OpenAiStub, Script};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
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
    let path = client.new_messages_path().await;
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
    let path = client.new_messages_path().await;
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

#[tokio::test]
async fn an_answer_is_given_again_only_while_it_is_there_and_only_to_who_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.collection_with("contracts", "C-1", "The buyer shall pay within 30 days.").await;
    let conversation = client.conversation().await;
    let path = format!("/v1/conversations/{conversation}/messages");
    let question = json!({"content": "When must the buyer pay?"});
    let search = json!({"query": "pay"});
    let first = post(&client, &path, "k", &question).await;
    assert_eq!(post(&client, &path, "k", &question).await.expect(201), first.expect(201));
    post(&client, "/v1/collections/contracts/search", "s", &search).await.expect(200);

    let powerless = server.client_with(server.token(&["--tenant", "demo", "--permission", "usage.read"]));
    for (path, key, body) in [(path.as_str(), "k", &question), ("/v1/collections/contracts/search", "s", &search)] {
        post(&powerless, path, key, body).await.expect_problem(403, "forbidden", "permission");
    }
    client.delete(&format!("/v1/conversations/{conversation}")).await.expect(200);
    post(&client, &path, "k", &question).await.expect_problem(404, "not-found", "conversation");
}

#[tokio::test]
async fn what_failed_may_be_tried_again_under_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    let search = json!({"query": "pay"});
    let path = "/v1/collections/contracts/search";
    post(&client, path, "s", &search).await.expect_problem(404, "not-found", "contracts");
    client.put("/v1/collections/contracts", &json!({})).await.expect(201);
    post(&client, path, "s", &search).await.expect(200);
}

#[tokio::test]
async fn a_form_that_is_sent_again_with_another_boundary_is_the_same_request() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/contracts", &json!({})).await.expect(201);
    let send = async |text: &'static str| {
        let file = Part::text(text).file_name("a.txt");
        let request =
            client.request(Method::POST, "/v1/collections/contracts/documents").header("idempotency-key", "f");
        Answer::of(request.multipart(Form::new().part("file", file)).send().await.unwrap()).await
    };
    let first = send("The buyer pays.").await;
    let second = send("The buyer pays.").await;
    assert_eq!(first.expect(200), second.expect(200));
    assert_eq!(second.headers["idempotent-replayed"], "true");
    send("The seller pays.").await.expect_problem(409, "conflict", "Idempotency-Key");
}
