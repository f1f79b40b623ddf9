//! The ten questions of the demo tenant, and what its documents do not hold; with the built-in small model.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_acceptance::{Setup, events};
use reqwest::Method;
use serde_json::{Value, json};

fn demo() -> Value {
    serde_json::from_str(include_str!("../../../demo/questions.json")).unwrap()
}

/// Asks by `/v1/answers`; the answer's text and its quotes, and the documents that it cites.
async fn ask(client: &mandi_acceptance::Client, question: &Value) -> (Value, String, Vec<String>) {
    let body = json!({"query": question["question"], "collections": question["collections"]});
    let answer = client.post("/v1/answers", &body).await.expect(200);
    let citations = answer["citations"].as_array().unwrap();
    let quotes: Vec<&str> = citations.iter().map(|citation| citation["quote"].as_str().unwrap()).collect();
    let documents =
        citations.iter().map(|citation| citation["document"]["entity_id"].as_str().unwrap().to_owned()).collect();
    let told = format!("{} {}", answer["answer"].as_str().unwrap(), quotes.join(" "));
    (answer, told, documents)
}

async fn wrong_answers(provider: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).with("MANDI_PROVIDER", provider).with_demo().start().await;
    let client = server.client("demo");
    let mut wrong = Vec::new();
    for question in demo()["questions"].as_array().unwrap() {
        let (answer, told, documents) = ask(&client, question).await;
        let expected =
            question["expected"].as_array().unwrap().iter().all(|part| told.contains(part.as_str().unwrap()));
        let cited = documents.iter().any(|document| question["cited_document"] == *document);
        if !expected || !cited {
            wrong.push(format!("{}: {answer}", question["id"]));
        }
    }
    for question in demo()["not_in_the_documents"].as_array().unwrap() {
        let (answer, _, documents) = ask(&client, question).await;
        let says = if question["language"] == "hi" {
            "पर्याप्त जानकारी नहीं"
        } else {
            "not enough data"
        };
        if !documents.is_empty() || !answer["answer"].as_str().unwrap().contains(says) {
            wrong.push(format!("{}: {answer}", question["id"]));
        }
    }
    wrong
}

#[tokio::test]
async fn the_demo_questions_are_answered_from_quotes() {
    let wrong = wrong_answers("none").await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_demo_questions_are_answered_with_the_built_in_model() {
    let wrong = wrong_answers("local").await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn an_answer_streams_like_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.collection_with("contracts", "C-1", "The buyer shall pay within 30 days of the invoice date.").await;
    let request = client.request(Method::POST, "/v1/answers").header("accept", "text/event-stream");
    let events =
        events::read(request.json(&json!({"query": "When must the buyer pay?"})).send().await.unwrap(), usize::MAX)
            .await;
    assert!(events::told(&events).contains("30 days"), "{events:?}");
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert!(names.contains(&"citation") && names.contains(&"usage"), "{names:?}");
    assert_eq!(names.last(), Some(&"done"));
}

#[tokio::test]
async fn a_follow_up_is_understood_from_the_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).with_demo().start().await;
    let client = server.client("demo");
    let path = client.new_messages_path().await;
    client.post(&path, &json!({"content": "What penalty does the seller pay if a lot of cotton arrives late?", "collections": ["contracts"]})).await.expect(201);
    let second = client
        .post(&path, &json!({"content": "And when must the buyer pay?", "collections": ["contracts"]}))
        .await
        .expect(201);
    let answer = &second["assistant"];
    assert!(answer["answer"]["query_rewrites"][0].as_str().unwrap().to_lowercase().contains("cotton"), "{answer}");
    assert!(answer["content"].as_str().unwrap().contains("30"), "{answer}");
}

#[tokio::test]
async fn a_question_without_an_answer_is_declined_in_its_language() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.collection_with("contracts", "C-1", "The buyer shall pay within 30 days of the invoice date.").await;
    for (question, says) in
        [("Who won the cricket world cup?", "not enough data"), ("क्रिकेट विश्व कप किसने जीता?", "पर्याप्त जानकारी नहीं")]
    {
        let answer = client.post("/v1/answers", &json!({"query": question})).await.expect(200);
        assert!(answer["answer"].as_str().unwrap().contains(says), "{answer}");
        assert_eq!(answer["citations"], json!([]));
    }
}
