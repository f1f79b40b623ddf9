//! Two processes of the chat function that share a table: what one writes the other reads, live and afterwards.
//!
//! The processes are the real binaries under Lambda's runtime API, DynamoDB and S3 are emulated.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use mandi_acceptance::Client;
use mandi_acceptance::aws::Aws;
use mandi_acceptance::events::{self, Event};
use mandi_testkit::lambda::Function;
use mandi_testkit::provider::{OpenAiStub, Script};
use reqwest::{Method, Response};
use serde_json::json;

/// An answer of more than sixty words, every sentence of which its source holds.
const SOURCE: &str = "The buyer shall pay each invoice within 30 days of the invoice date by bank transfer to the account of the seller. \
    The seller shall deliver the goods to the warehouse in Indore within 14 days after the order was confirmed in writing. \
    A delay in delivery costs the seller a penalty of 2 percent of the value of the lot for every week of delay. \
    The seat of arbitration is Mumbai and the language of the proceedings is English for both of the parties.";

fn cited() -> String {
    let sentences = SOURCE.split(". ").map(|sentence| format!("{} [1].", sentence.trim().trim_end_matches('.')));
    sentences.collect::<Vec<_>>().join(" ")
}

/// What the processes share, and the model that they ask.
struct Shared {
    aws: Aws,
    stub: OpenAiStub,
    _embedding: Function,
}

impl Shared {
    /// With a document, and a model that takes this long for a word.
    async fn start(word: Duration) -> Self {
        let stub = OpenAiStub::start(Script::text(&cited()).paced(Duration::ZERO, word)).await.unwrap();
        let aws = Aws::start();
        let (embedding, client) = aws.function("embedding", "embedding").await;
        client.collection_with("contracts", "C-1", SOURCE).await;
        let aws = aws
            .with("MANDI_EMBEDDING_FUNCTION", "embedding")
            .with("AWS_ENDPOINT_URL_LAMBDA", embedding.url())
            .with("MANDI_PROVIDER", "openai")
            .with("MANDI_OPENAI_BASE_URL", &stub.base_url())
            .with("MANDI_OPENAI_MODEL", "stub")
            .with("MANDI_STREAM_LEASE_MS", "3000");
        Self { aws, stub, _embedding: embedding }
    }
}

async fn ask(client: &Client, path: &str) -> Response {
    let question = json!({"content": "When must the buyer pay, where is the arbitration, and what does a delay cost?"});
    client.request(Method::POST, path).header("accept", "text/event-stream").json(&question).send().await.unwrap()
}

async fn resume(client: &Client, path: &str, message: &str, after: u64) -> Vec<Event> {
    let request = client.request(Method::GET, &format!("{path}/{message}/stream"));
    events::read(request.header("last-event-id", after).send().await.unwrap(), usize::MAX).await
}

async fn charges(client: &Client) -> serde_json::Value {
    client.get("/v1/usage/summary").await.expect(200)["by_task"]["chat"]["calls"].clone()
}

#[tokio::test]
async fn a_stream_of_one_process_is_resumed_on_another_live_and_after_every_event() {
    let shared = Shared::start(Duration::from_millis(60)).await;
    let (_a, writing) = shared.aws.function("chat", "a").await;
    let (_b, reading) = shared.aws.function("chat", "b").await;
    let path = writing.new_messages_path().await;

    let cut = events::read(ask(&writing, &path).await, 5).await;
    let message = cut[0].data()["message_id"].as_str().unwrap().to_owned();
    let history = reading.get(&path).await.expect(200);
    assert_eq!(history["messages"][1]["status"], "streaming", "the other process reads while this one writes");
    let live = resume(&reading, &path, &message, 5).await;
    let whole = resume(&reading, &path, &message, 0).await;
    assert!(whole.len() >= 60, "{} events", whole.len());
    assert_eq!(whole.last().unwrap().name, "done", "{:?}", whole.last());
    assert_eq!((&cut[..], &live[..]), (&whole[..5], &whole[5..]));

    for after in 0..=whole.len() {
        let rest = resume(&reading, &path, &message, after as u64).await;
        assert_eq!(rest, whole[after..], "cut after event {after}");
    }
    assert_eq!(shared.stub.calls(), 1);
    assert_eq!(charges(&reading).await, 1);
}

#[tokio::test]
async fn a_process_that_is_killed_leaves_one_error_an_incomplete_message_and_one_charge_to_the_other() {
    let shared = Shared::start(Duration::from_millis(100)).await;
    let (a, writing) = shared.aws.function("chat", "a").await;
    let (_b, reading) = shared.aws.function("chat", "b").await;
    let path = writing.new_messages_path().await;

    let seen = events::read(ask(&writing, &path).await, 8).await;
    let message = seen[0].data()["message_id"].as_str().unwrap().to_owned();
    a.kill().await;
    let all = resume(&reading, &path, &message, 0).await;
    assert_eq!(all[..seen.len()], seen);
    let errors: Vec<&Event> = all.iter().filter(|event| event.name == "error").collect();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].data()["type"], "/problems/stream-interrupted");
    assert_eq!(all.last().unwrap().name, "error");
    assert_eq!(resume(&reading, &path, &message, 8).await, all[8..]);

    let history = reading.get(&path).await.expect(200);
    assert_eq!(history["messages"][1]["status"], "incomplete");
    assert_eq!(shared.stub.calls(), 1);
    assert_eq!(charges(&reading).await, 1);
}
