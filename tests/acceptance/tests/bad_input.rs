//! Bad input: each gives a problem document that names the field and the way out, and nothing is half done.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_acceptance::{Answer, Client, Setup};
use reqwest::Method;
use serde_json::json;

async fn raw(client: &Client, path: &str, body: Vec<u8>) -> Answer {
    let request = client.request(Method::POST, path).header("content-type", "application/json").body(body);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn messages_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    let path = format!("/v1/conversations/{}/messages", client.conversation().await);
    let send = async |body| client.post(&path, &body).await;
    send(json!({"content": ""})).await.expect_problem(400, "invalid-request", "/content");
    send(json!({"content": " \n\t "})).await.expect_problem(400, "invalid-request", "/content");
    send(json!({"content": "a\u{0}b"})).await.expect_problem(400, "invalid-request", "U+0000");
    send(json!({"content": "x".repeat(1 << 20)})).await.expect_problem(400, "invalid-request", "32000");
    send(json!({"content": "a", "colour": 1})).await.expect_problem(400, "invalid-request", "/colour");
    send(json!({"content": "a", "collections": ["../x"]})).await.expect_problem(
        400,
        "invalid-request",
        "/collections/0",
    );
    send(json!({"content": "a", "language": "fr"})).await.expect_problem(400, "invalid-request", "/language");
    send(json!({"content": "a", "max_tokens": 0})).await.expect_problem(400, "invalid-request", "/max_tokens");
    send(json!({"content": "a", "max_tokens": -1})).await.expect_problem(400, "invalid-request", "/max_tokens");
    send(json!({"content": "a", "provider": "nobody"})).await.expect_problem(400, "invalid-request", "/provider");
    send(json!({})).await.expect_problem(400, "invalid-request", "/content");
    assert_eq!(client.get(&path).await.expect(200)["messages"], json!([]));
}

#[tokio::test]
async fn bodies_that_are_no_json_or_too_large_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    let path = "/v1/conversations";
    raw(&client, path, b"{".to_vec()).await.expect_problem(400, "invalid-request", "not valid JSON");
    raw(&client, path, b"{\"assistant_type\": \"\xff\"}".to_vec()).await.expect_problem(
        400,
        "invalid-request",
        "UTF-8",
    );
    raw(&client, path, "[".repeat(1 << 20).into_bytes()).await.expect_problem(400, "invalid-request", "not valid JSON");
    raw(&client, path, vec![b' '; 100 << 20]).await.expect_problem(413, "too-large", "split");
    let request = client.request(Method::POST, path).body("assistant_type=trade");
    Answer::of(request.send().await.unwrap()).await.expect_problem(415, "unsupported-media-type", "application/json");
    client.post(path, &json!({"assistant_type": "chef"})).await.expect_problem(
        400,
        "invalid-request",
        "/assistant_type",
    );
    client.delete("/v1/nothing").await.expect_problem(404, "not-found", "openapi.json");
    assert_eq!(client.delete("/v1/conversations").await.status, 405);
}

#[tokio::test]
async fn searches_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.collection_with("contracts", "C-1", "The buyer shall pay within 30 days.").await;
    let search = async |body| client.post("/v1/collections/contracts/search", &body).await;
    for k in [json!(0), json!(1_000_000_000), json!(-1), json!("x")] {
        search(json!({"query": "pay", "k": k})).await.expect_problem(400, "invalid-request", "/k");
    }
    search(json!({"query": ""})).await.expect_problem(400, "invalid-request", "/query");
    search(json!({"query": "pay", "mode": "magic"})).await.expect_problem(400, "invalid-request", "/mode");
    let mut deep = json!({"exists": {"field": "a"}});
    for _ in 0..20 {
        deep = json!({"not": deep});
    }
    search(json!({"query": "pay", "filter": deep})).await.expect_problem(400, "invalid-request", "/filter");
    for name in ["..%2Fx", "Uppercase", "%E0%A4%A8", &"a".repeat(300)] {
        client.post(&format!("/v1/collections/{name}/search"), &json!({"query": "pay"})).await.expect_problem(
            400,
            "invalid-request",
            "collection",
        );
    }
    client.post("/v1/collections/absent/search", &json!({"query": "pay"})).await.expect_problem(
        404,
        "not-found",
        "absent",
    );
    client.post("/v1/answers", &json!({"query": "pay", "collections": ["absent"]})).await.expect_problem(
        404,
        "not-found",
        "absent",
    );
}

#[tokio::test]
async fn documents_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/contracts", &json!({})).await.expect(201);
    let send = async |body| client.post("/v1/collections/contracts/documents", &body).await;
    send(json!({"entity_type": "Contract", "entity_id": "1", "content": "a"})).await.expect_problem(
        400,
        "invalid-request",
        "/entity_type",
    );
    send(json!({"entity_type": "contract", "entity_id": "", "content": "a"})).await.expect_problem(
        400,
        "invalid-request",
        "/entity_id",
    );
    send(json!({"entity_type": "contract", "entity_id": "1"})).await.expect_problem(400, "invalid-request", "/content");
    send(json!({"entity_type": "invoice", "entity_id": "1", "fields": {}})).await.expect_problem(
        400,
        "invalid-request",
        "/fields/",
    );
    send(json!({"entity_type": "contract", "entity_id": "1", "content": "a", "metadata": {"Bad Name": 1}}))
        .await
        .expect_problem(400, "invalid-request", "/metadata/Bad Name");
    send(json!({"documents": []})).await.expect_problem(400, "invalid-request", "/documents");
    let large = send(json!({"entity_type": "contract", "entity_id": "1", "content": "rice ".repeat(200 * 1024)}))
        .await
        .expect(202);
    let job = client.finished(large["job_id"].as_str().unwrap()).await;
    assert_eq!(job["failed"], 0, "{job}");
}

#[tokio::test]
async fn cursors_that_are_made_up_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    for path in ["/v1/conversations", "/v1/collections"] {
        client.get(&format!("{path}?cursor=bWFkZSB1cA")).await.expect_problem(400, "invalid-request", "cursor");
        client.get(&format!("{path}?limit=0")).await.expect_problem(400, "invalid-request", "limit");
        client.get(&format!("{path}?limit=x")).await.expect_problem(400, "invalid-request", "limit");
    }
    client.get("/v1/usage/summary?range=forever").await.expect_problem(400, "invalid-request", "range");
}
