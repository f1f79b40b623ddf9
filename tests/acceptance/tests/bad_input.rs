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
    let path = client.new_messages_path().await;
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
    client.delete("/v1/conversations").await.expect_problem(405, "method-not-allowed", "openapi.json");
    client.get("/v1/conversations/%ff").await.expect_problem(400, "invalid-request", "path");
    client.post(path, &json!(["trade", "en", "t"])).await.expect_problem(400, "invalid-request", "not a JSON object");
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

#[tokio::test]
async fn control_characters_are_refused_wherever_text_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.collection_with("contracts", "C-1", "The buyer shall pay within 30 days.").await;
    let document = |content: &str| json!({"entity_type": "text", "entity_id": "1", "content": content});
    for (path, body, pointer) in [
        ("/v1/collections/contracts/documents", document("red \u{1b}[31m text"), "/content"),
        ("/v1/collections/contracts/documents", document("a NUL \0"), "/content"),
        ("/v1/collections/contracts/search", json!({"query": "pay\0"}), "/query"),
        ("/v1/answers", json!({"query": "pay\u{7}"}), "/query"),
        ("/v1/embeddings", json!({"input": ["pay", "pay\0"]}), "/input/1"),
        (&client.new_messages_path().await, json!({"content": "pay\0"}), "/content"),
    ] {
        client.post(path, &body).await.expect_problem(400, "invalid-request", pointer);
    }
}

#[tokio::test]
async fn a_message_that_is_refused_leaves_nothing_in_the_history() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.collection_with("contracts", "C-1", "The buyer shall pay within 30 days.").await;
    let path = client.new_messages_path().await;
    for accept in ["application/json", "text/event-stream"] {
        for (body, status, kind, pointer) in [
            (json!({"content": "!!!"}), 400, "invalid-request", "/content"),
            (json!({"content": "when?", "collections": ["contracts", "absent"]}), 404, "not-found", "/collections/1"),
            (
                json!({"content": "when?", "collections": vec!["contracts"; 2]}),
                400,
                "invalid-request",
                "/collections/1",
            ),
            (json!({"content": "when?", "max_tokens": -1}), 400, "invalid-request", "1 to 4096"),
        ] {
            let request = client.request(Method::POST, &path).header("accept", accept).json(&body);
            Answer::of(request.send().await.unwrap()).await.expect_problem(status, kind, pointer);
        }
    }
    assert_eq!(client.get(&path).await.expect(200)["messages"], json!([]));
    let events = client.request(Method::POST, "/v1/answers").header("accept", "text/event-stream");
    let absent = events.json(&json!({"query": "when?", "collections": ["absent"]}));
    Answer::of(absent.send().await.unwrap()).await.expect_problem(404, "not-found", "/collections/0");
}

#[tokio::test]
async fn a_filter_that_is_not_one_is_named_and_not_called_broken_json() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.collection_with("contracts", "C-1", "The buyer shall pay within 30 days.").await;
    let exists = json!({"field": "year"});
    for filter in [json!({"exists": exists, "not": {"exists": exists}}), json!([1])] {
        let body = json!({"query": "pay", "filter": filter});
        let refused = client.post("/v1/collections/contracts/search", &body).await;
        refused.expect_problem(400, "invalid-request", "exactly one of the known keys");
        assert_eq!(refused.expect(400)["errors"][0]["pointer"], "/filter");
    }
    let body = json!({"query": "pay", "k": -1});
    client.post("/v1/collections/contracts/search", &body).await.expect_problem(400, "invalid-request", "1 to 100");
    client.get("/v1/collections?limit=-1").await.expect_problem(400, "invalid-request", "1 to 100");
    client.get("/v1/collections?limit=x").await.expect_problem(400, "invalid-request", "not a whole number");
}
