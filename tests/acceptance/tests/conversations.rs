//! Conversations: create, list, get, rename, delete, context, history.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_acceptance::Setup;
use serde_json::json;

#[tokio::test]
async fn a_conversation_has_its_whole_life() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.collection_with("contracts", "C-1", "The buyer shall pay within 30 days of the invoice date.").await;

    let created =
        client.post("/v1/conversations", &json!({"assistant_type": "contract", "language": "en"})).await.expect(201);
    let id = created["id"].as_str().unwrap();
    assert_eq!((&created["total_messages"], &created["title"]), (&json!(0), &json!(null)));

    let path = format!("/v1/conversations/{id}/messages");
    let sent = client.post(&path, &json!({"content": "When must the buyer pay?"})).await.expect(201);
    assert_eq!(sent["assistant"]["status"], "complete");
    assert!(sent["assistant"]["content"].as_str().unwrap().contains("30 days"), "{sent}");
    assert_eq!(sent["assistant"]["answer"]["citations"][0]["document"]["entity_id"], "C-1");

    let found = client.get(&format!("/v1/conversations/{id}")).await.expect(200);
    assert_eq!((&found["title"], &found["total_messages"]), (&json!("When must the buyer pay?"), &json!(2)));
    let context = client.get(&format!("/v1/conversations/{id}/context")).await.expect(200);
    assert_eq!(context["entities"][0]["value"], "C-1");

    let renamed = client.patch(&format!("/v1/conversations/{id}"), &json!({"title": "Payment"})).await.expect(200);
    assert_eq!(renamed["title"], "Payment");
    let receipt = client.delete(&format!("/v1/conversations/{id}")).await.expect(200);
    assert_eq!((&receipt["removed"]["messages"], &receipt["removed"]["conversations"]), (&json!(2), &json!(1)));
    client.get(&format!("/v1/conversations/{id}")).await.expect_problem(404, "not-found", "conversation");
    client.get(&path).await.expect_problem(404, "not-found", "conversation");
    client.post(&path, &json!({"content": "Hello?"})).await.expect_problem(404, "not-found", "conversation");
}

#[tokio::test]
async fn lists_are_paged_newest_first_and_belong_to_their_user() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(client.conversation().await);
    }
    let first = client.get("/v1/conversations?limit=3").await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = client.get(&format!("/v1/conversations?limit=3&cursor={cursor}")).await.expect(200);
    let both =
        [first["conversations"].as_array().unwrap().clone(), second["conversations"].as_array().unwrap().clone()]
            .concat();
    let listed: Vec<&str> = both.iter().map(|conversation| conversation["id"].as_str().unwrap()).collect();
    ids.reverse();
    assert_eq!(listed, ids);

    let colleague = server.client_with(server.token(&["--tenant", "demo", "--user", "ravi"]));
    assert_eq!(colleague.get("/v1/conversations").await.expect(200)["conversations"], json!([]));
    colleague.get(&format!("/v1/conversations/{}", ids[0])).await.expect_problem(404, "not-found", "conversation");
    let stranger = server.client("other");
    stranger.get(&format!("/v1/conversations?cursor={cursor}")).await.expect_problem(400, "invalid-request", "cursor");
}

#[tokio::test]
async fn context_is_replaced_as_a_whole_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    let path = format!("/v1/conversations/{}/context", client.conversation().await);
    let fact = |confidence: f64| json!({"facts": [{"name": "incoterm", "value": "FOB", "confidence": confidence, "source": "user"}]});
    client.put(&path, &fact(0.9)).await.expect(200);
    assert_eq!(client.get(&path).await.expect(200)["facts"][0]["value"], "FOB");
    client.put(&path, &fact(1.5)).await.expect_problem(400, "invalid-request", "/facts/0/confidence");
}
