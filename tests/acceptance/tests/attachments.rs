//! Messages that name the documents to look in.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_acceptance::{Client, Setup, events};
use reqwest::Method;
use serde_json::{Value, json};

const QUESTION: &str = "Within how many days must the buyer pay the invoice?";

fn attached(collection: &str, id: &str) -> Value {
    json!({"collection": collection, "entity_type": "contract", "entity_id": id})
}

/// Three contracts, of which two have one name in two collections.
async fn contracts(client: &Client) {
    for (collection, id, days) in [("old", "C-1", 15), ("new", "C-1", 30), ("new", "C-2", 60)] {
        let text = format!("The buyer shall pay the invoice within {days} days of its date.");
        client.collection_with(collection, id, &text).await;
    }
}

fn cited(citations: impl IntoIterator<Item = Value>) -> Vec<(String, String)> {
    let name = |value: &Value| value.as_str().unwrap().to_owned();
    let pairs = citations.into_iter().map(|one| (name(&one["collection"]), name(&one["document"]["entity_id"])));
    pairs.collect()
}

#[tokio::test]
async fn given_attachments_then_the_answer_is_of_them_alone_and_the_history_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    contracts(&client).await;
    let path = client.new_messages_path().await;
    for (collection, id, days) in [("old", "C-1", "15 days"), ("new", "C-2", "60 days")] {
        let body = json!({"content": QUESTION, "attachments": [attached(collection, id)]});
        let sent = client.post(&path, &body).await.expect(201);
        let answer = &sent["assistant"];
        assert!(answer["content"].as_str().unwrap().contains(days), "{answer}");
        let citations = answer["answer"]["citations"].as_array().unwrap().clone();
        assert!(cited(citations).iter().all(|found| *found == (collection.to_owned(), id.to_owned())), "{answer}");
        assert_eq!(answer["answer"]["retrieved_chunks"], 1);
        assert_eq!(sent["user"]["attachments"], json!([attached(collection, id)]));
        assert!(answer.get("attachments").is_none());
    }
    let history = client.get(&path).await.expect(200);
    assert_eq!(history["messages"][0]["attachments"], json!([attached("old", "C-1")]));
    assert!(history["messages"][1].get("attachments").is_none());

    let nothing = json!({"content": "Who won the cricket world cup?", "attachments": [attached("old", "C-1")]});
    let answer = client.post(&path, &nothing).await.expect(201);
    assert!(answer["assistant"]["content"].as_str().unwrap().contains("not enough data"), "{answer}");
}

#[tokio::test]
async fn given_attachments_of_several_collections_then_a_stream_cites_no_other_document() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    contracts(&client).await;
    let path = client.new_messages_path().await;
    let body = json!({"content": QUESTION, "collections": ["old"], "attachments": [attached("old", "C-1"), attached("new", "C-2")]});
    let request = client.request(Method::POST, &path).header("accept", "text/event-stream").json(&body);
    let events = events::read(request.send().await.unwrap(), usize::MAX).await;
    let citations = events.iter().filter(|event| event.name == "citation").map(events::Event::data);
    let cited = cited(citations);
    assert!(!cited.is_empty() && !cited.contains(&("new".to_owned(), "C-1".to_owned())), "{cited:?}");
    assert_eq!(events.last().unwrap().name, "done");
}

#[tokio::test]
async fn given_attachments_that_are_not_there_then_each_is_named_and_nothing_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    contracts(&client).await;
    let path = client.new_messages_path().await;
    for accept in ["application/json", "text/event-stream"] {
        let attachments = [attached("old", "C-2"), attached("new", "C-2"), attached("none", "C-1")];
        let body = json!({"content": QUESTION, "attachments": attachments});
        let request = client.request(Method::POST, &path).header("accept", accept).json(&body);
        let refused = mandi_acceptance::Answer::of(request.send().await.unwrap()).await;
        refused.expect_problem(422, "unprocessable", "collection `old` has no `contract` with the id `C-2`");
        let problem = refused.expect(422);
        let pointers: Vec<&str> =
            problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, ["/attachments/0", "/attachments/2"]);
    }
    let other = server.client("globex");
    let other_path = other.new_messages_path().await;
    let body = json!({"content": QUESTION, "attachments": [attached("old", "C-1")]});
    other.post(&other_path, &body).await.expect_problem(422, "unprocessable", "has no `contract`");
    let many = json!({"content": QUESTION, "attachments": vec![attached("old", "C-1"); 11]});
    client.post(&path, &many).await.expect_problem(400, "invalid-request", "/attachments");
    assert_eq!(client.get(&path).await.expect(200)["messages"], json!([]));
}

#[tokio::test]
async fn given_a_filter_by_name_then_a_search_finds_those_documents_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    contracts(&client).await;
    let documents = json!([{"entity_type": "contract", "entity_id": "C-2"}]);
    let body = json!({"query": QUESTION, "filter": {"documents": documents}});
    let found = client.post("/v1/collections/new/search", &body).await.expect(200);
    let ids: Vec<&Value> =
        found["results"].as_array().unwrap().iter().map(|result| &result["document"]["entity_id"]).collect();
    assert_eq!(ids, ["C-2"]);
}
