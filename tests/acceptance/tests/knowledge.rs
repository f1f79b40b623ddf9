//! Collections, documents, search, quality, embeddings.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use mandi_acceptance::{Answer, Client, Setup};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

fn text(id: &str, content: &str) -> Value {
    json!({"entity_type": "text", "entity_id": id, "content": content})
}

async fn found(client: &Client, query: &str) -> Vec<String> {
    let results =
        client.post("/v1/collections/notes/search", &json!({"query": query, "mode": "keyword"})).await.expect(200);
    let ids = results["results"].as_array().unwrap().iter();
    ids.map(|result| result["document"]["entity_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_document_is_found_at_once_replaced_whole_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/notes", &json!({"description": "notes"})).await.expect(201);
    client.put("/v1/collections/notes", &json!({})).await.expect(200);

    let sent = client
        .post("/v1/collections/notes/documents", &text("n1", "The lot of turmeric is in Salem."))
        .await
        .expect(200);
    assert_eq!((&sent["documents"][0]["status"], &sent["documents"][0]["chunks"]), (&json!("indexed"), &json!(1)));
    assert_eq!(found(&client, "turmeric").await, ["n1"]);
    let again = client
        .post("/v1/collections/notes/documents", &text("n1", "The lot of turmeric is in Salem."))
        .await
        .expect(200);
    assert_eq!(again["documents"][0]["status"], "unchanged");

    client.post("/v1/collections/notes/documents", &text("n1", "The lot of pepper is in Kochi.")).await.expect(200);
    assert_eq!(found(&client, "turmeric").await, Vec::<String>::new());
    assert_eq!(found(&client, "pepper").await, ["n1"]);
    let document = client.get("/v1/collections/notes/documents/text/n1").await.expect(200);
    assert_eq!((&document["status"], &document["chunks"]), (&json!("indexed"), &json!(1)));
    client.get("/v1/collections/notes/documents/invoice/n1").await.expect_problem(
        404,
        "not-found",
        "document of type `text`",
    );

    client.delete("/v1/collections/notes/documents/text/n1").await.expect(200);
    assert_eq!(found(&client, "pepper").await, Vec::<String>::new());
    client.delete("/v1/collections/notes/documents/text/n1").await.expect_problem(404, "not-found", "n1");
    client.delete("/v1/collections/notes").await.expect(200);
    client.get("/v1/collections/notes").await.expect_problem(404, "not-found", "PUT /v1/collections/notes");
}

#[tokio::test]
async fn scripts_codes_and_meaning_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/notes", &json!({})).await.expect(201);
    for (id, content) in [
        ("hi", "खरीदार को तीस दिनों में भुगतान करना होगा।"),
        ("ta", "ஒப்பந்தம் சென்னையில் கையெழுத்தானது."),
        ("code", "Item SHK6-170 lies in warehouse 4."),
        ("pay", "The purchaser settles the bill within a month."),
    ] {
        client.post("/v1/collections/notes/documents", &text(id, content)).await.expect(200);
    }
    assert_eq!(found(&client, "भुगतान").await, ["hi"]);
    assert_eq!(found(&client, "ஒப்பந்தம்").await, ["ta"]);
    assert_eq!(found(&client, "shk6-170").await, ["code"]);
    assert_eq!(found(&client, "SHK6").await, ["code"]);
    let meant = client
        .post(
            "/v1/collections/notes/search",
            &json!({"query": "when does the buyer pay the invoice", "mode": "vector", "k": 1}),
        )
        .await
        .expect(200);
    assert_eq!(meant["results"][0]["document"]["entity_id"], "pay");
    let reranked = client
        .post("/v1/collections/notes/search", &json!({"query": "when does the buyer pay?", "rerank": true}))
        .await
        .expect(200);
    assert_eq!(reranked["results"][0]["document"]["entity_id"], "pay");
    assert!(reranked["results"][0]["scores"]["rerank"].is_number());
}

#[tokio::test]
async fn filters_are_applied_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/notes", &json!({})).await.expect(201);
    for (id, city, year) in [("a", "Indore", 2025), ("b", "Salem", 2026), ("c", "Indore", 2026)] {
        let mut document = text(id, "A lot of rice.");
        document["metadata"] = json!({"city": city, "year": year});
        client.post("/v1/collections/notes/documents", &document).await.expect(200);
    }
    let search = async |filter: Value| {
        client
            .post("/v1/collections/notes/search", &json!({"query": "rice", "mode": "keyword", "filter": filter}))
            .await
    };
    let both =
        json!({"and": [{"equals": {"field": "city", "value": "Indore"}}, {"range": {"field": "year", "gte": 2026}}]});
    let results = search(both).await.expect(200);
    assert_eq!(results["results"].as_array().unwrap().len(), 1);
    assert_eq!(results["results"][0]["document"]["entity_id"], "c");
    search(json!({"equals": {"field": "colour", "value": "red"}})).await.expect_problem(
        400,
        "invalid-request",
        "colour",
    );
    search(json!({"equals": {"field": "year", "value": "x"}})).await.expect_problem(400, "invalid-request", "year");
    search(json!({"equal": {"field": "year", "value": 1}})).await.expect_problem(400, "invalid-request", "equal");
}

#[tokio::test]
async fn in_a_list_one_that_fails_does_not_harm_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/notes", &json!({})).await.expect(201);
    let list = json!({"documents": [text("good", "Rice."), text("blank", "  \n"), {"entity_type": "text"}]});
    let sent = client.post("/v1/collections/notes/documents", &list).await.expect(200);
    let statuses: Vec<&str> =
        sent["documents"].as_array().unwrap().iter().map(|outcome| outcome["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["indexed", "failed", "failed"]);
    assert!(sent["documents"][2]["error"].as_str().unwrap().contains("entity_id"));
    client.post("/v1/collections/notes/documents", &text("blank", " ")).await.expect_problem(
        422,
        "unprocessable",
        "content",
    );
}

#[tokio::test]
async fn files_are_read_by_their_format() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/notes", &json!({})).await.expect(201);
    let send = async |name: &'static str, bytes: &'static [u8]| {
        let form = Form::new().part("file", Part::bytes(bytes).file_name(name));
        let request = client.request(Method::POST, "/v1/collections/notes/documents").multipart(form);
        Answer::of(request.send().await.unwrap()).await
    };
    let sent = send("terms.md", b"# Terms\n\nPay within **30** days.").await.expect(200);
    assert_eq!(
        (&sent["documents"][0]["entity_type"], &sent["documents"][0]["entity_id"]),
        (&json!("markdown"), &json!("terms.md"))
    );
    assert_eq!(found(&client, "pay").await, ["terms.md"]);
    send("scan.pdf", b"%PDF-1.7").await.expect_problem(415, "unsupported-media-type", "PDF");
    send("bad.txt", b"ok\xff").await.expect_problem(400, "invalid-request", "UTF-8");
}

#[tokio::test]
async fn a_job_that_is_killed_goes_on_and_does_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/notes", &json!({})).await.expect(201);
    let documents: Vec<Value> = (0..100)
        .map(|number| {
            text(
                &format!("n{number:03}"),
                &format!("Lot {number} of rice is in warehouse {number}. {}", "It is dry. ".repeat(40)),
            )
        })
        .collect();
    let sent = client.post("/v1/collections/notes/documents", &json!({"documents": documents})).await.expect(202);
    let job = sent["job_id"].as_str().unwrap().to_owned();
    assert_eq!(sent["documents"][0]["status"], "queued");

    let mut server = server;
    for pause_ms in [150, 400, 700] {
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        server.kill().await;
        server = Setup::on(folder.path()).start().await;
    }
    let client = server.client("demo");
    let job = client.finished(&job).await;
    assert_eq!((&job["total"], &job["completed"], &job["failed"]), (&json!(100), &json!(100), &json!(0)));
    let collection = client.get("/v1/collections/notes").await.expect(200);
    let chunks: u64 =
        job["documents"].as_array().unwrap().iter().map(|outcome| outcome["chunks"].as_u64().unwrap()).sum();
    assert_eq!((&collection["documents"], &collection["chunks"]), (&json!(100), &json!(chunks)));
    let quality = client.get("/v1/collections/notes/quality").await.expect(200);
    assert_eq!((&quality["coverage"], &quality["findings"]), (&json!(1.0), &json!([])));
}

#[tokio::test]
async fn the_quality_report_names_duplicates() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/notes", &json!({})).await.expect(201);
    for id in ["a", "b"] {
        client.post("/v1/collections/notes/documents", &text(id, "The same text.")).await.expect(200);
    }
    let quality = client.get("/v1/collections/notes/quality").await.expect(200);
    assert_eq!((&quality["vectors"], &quality["duplicate_rate"]), (&json!(2), &json!(0.5)));
    assert!(quality["findings"][0].as_str().unwrap().contains("equal"));
}

#[tokio::test]
async fn embeddings_are_unit_vectors_and_the_same_text_is_computed_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    let body = json!({"input": ["rice", "rice", &"word ".repeat(400)]});
    let first = client.post("/v1/embeddings", &body).await.expect(200);
    assert_eq!((&first["dimensions"], &first["truncated"]), (&json!(384), &json!([2])));
    let vector: Vec<f64> =
        first["embeddings"][0].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect();
    let norm = vector.iter().map(|number| number * number).sum::<f64>().sqrt();
    assert!((norm - 1.0).abs() < 1e-5, "{norm}");
    assert_eq!(first["embeddings"][0], first["embeddings"][1]);
    let second = client.post("/v1/embeddings", &body).await.expect(200);
    assert_eq!(first["embeddings"], second["embeddings"]);
    let usage = client.get("/v1/usage/summary").await.expect(200);
    let task = &usage["by_task"]["embeddings"];
    assert_eq!((&task["calls"], &task["cache_hits"]), (&json!(2), &json!(1)));
}
