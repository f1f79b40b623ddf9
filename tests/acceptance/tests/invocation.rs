//! The chat function asks the embedding function by Lambda's `Invoke`. Both are the real binaries; no language model.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use mandi_acceptance::aws::Aws;
use mandi_acceptance::{Answer, Client};
use serde_json::{Value, json};

const TEXT: &str = "The buyer shall pay the invoice within 30 days of its date. The seat of arbitration is Mumbai.";
const QUESTION: &str = "Within how many days must the buyer pay the invoice?";
/// No answer may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The environment of a function that searches by calls of a function of this name at this address.
fn calling(aws: Aws, function: &str, url: &str) -> Aws {
    aws.with("MANDI_EMBEDDING_FUNCTION", function).with("AWS_ENDPOINT_URL_LAMBDA", url)
}

async fn sent(client: &Client, body: &Value) -> Answer {
    let path = client.new_messages_path().await;
    tokio::time::timeout(PATIENCE, client.post(&path, body)).await.unwrap()
}

fn attached(id: &str) -> Value {
    json!({"collection": "contracts", "entity_type": "contract", "entity_id": id})
}

#[tokio::test]
async fn given_a_document_in_the_embedding_function_then_the_chat_function_cites_it_and_tells_its_problems() {
    let aws = Aws::start();
    let (embedding, knowledge) = aws.function("embedding", "embedding").await;
    knowledge.collection_with("contracts", "C-1", TEXT).await;
    let aws = calling(aws, "embedding", embedding.url());
    let (_chat, client) = aws.function("chat", "chat").await;

    for body in [json!({"content": QUESTION}), json!({"content": QUESTION, "attachments": [attached("C-1")]})] {
        let message = sent(&client, &body).await.expect(201);
        let answer = &message["assistant"]["answer"];
        let citation = &answer["citations"][0];
        assert_eq!(citation["document"]["entity_id"], "C-1", "{message}");
        let quote = citation["quote"].as_str().unwrap();
        assert!(TEXT.contains(quote) && quote.contains("30 days"), "{quote}");
        assert_eq!(answer["degraded_reason"], "no_model");
    }
    let nothing = sent(&client, &json!({"content": "Who won the cricket world cup?"})).await.expect(201);
    assert_eq!(nothing["assistant"]["answer"]["finish_reason"], "not_enough_data", "{nothing}");

    let absent = json!({"content": QUESTION, "attachments": [attached("C-1"), attached("C-2")]});
    let refused = sent(&client, &absent).await;
    refused.expect_problem(422, "unprocessable", "has no `contract` with the id `C-2`");
    assert_eq!(refused.expect(422)["errors"][0]["pointer"], "/attachments/1");
    let elsewhere = json!({"content": QUESTION, "collections": ["nowhere"]});
    sent(&client, &elsewhere).await.expect_problem(404, "not-found", "nowhere");
}

#[tokio::test]
async fn given_a_function_that_fails_or_is_not_there_then_the_chat_function_answers_with_a_problem() {
    // The chat function has no tasks, so that it fails when it is called in place of the embedding function.
    let mut aws = Aws::start().with("MANDI_EMBEDDING_FUNCTION", "none");
    let (failing, _) = aws.function("chat", "failing").await;
    for (function, status, kind) in [("chat", 502, "upstream-failed"), ("gone", 503, "unavailable")] {
        aws = calling(aws, function, failing.url());
        let (_chat, client) = aws.function("chat", function).await;
        for body in [json!({"content": QUESTION}), json!({"content": QUESTION, "attachments": [attached("C-1")]})] {
            sent(&client, &body).await.expect_problem(status, kind, "another part of the platform");
        }
    }
}
