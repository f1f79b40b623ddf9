//! The embedding function looks after its index though nothing runs in it after a response.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use mandi_acceptance::aws::Aws;
use serde_json::json;

/// After so many small files an index is looked after.
const SMALL_FILES: usize = 32;

#[tokio::test]
async fn given_small_documents_that_gather_then_the_function_hands_the_upkeep_on_and_all_are_found() {
    let aws = Aws::start();
    let (_function, client) = aws.function("embedding", "embedding").await;
    client.put("/v1/collections/lots", &json!({})).await;
    for number in 0..=SMALL_FILES {
        let content = format!("Lot lot{number} of rice.");
        let document = json!({"entity_type": "note", "entity_id": format!("n{number}"), "content": content});
        client.post("/v1/collections/lots/documents", &document).await.expect(200);
    }
    let done = async {
        while !aws.log("embedding").contains("looked after an index") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), done).await.is_ok(), "{}", aws.log("embedding"));
    let query = json!({"query": "rice", "k": 50, "mode": "keyword"});
    let found = client.post("/v1/collections/lots/search", &query).await.expect(200);
    assert_eq!(found["results"].as_array().unwrap().len(), SMALL_FILES + 1);
}
