//! Writes that meet each other: jobs and single requests, deletions, and collections that come and go. What was asked
//! last counts, and nothing that was deleted comes back.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_acceptance::{Client, Setup};
use serde_json::{Value, json};

const DOCUMENTS: &str = "/v1/collections/notes/documents";
const LAST: &str = "/v1/collections/notes/documents/text/n39";

fn text(id: &str, content: &str) -> Value {
    json!({"entity_type": "text", "entity_id": id, "content": content})
}

/// Sends 40 documents, which a job indexes one after the other, and returns the job.
async fn begin_job(client: &Client) -> String {
    let documents: Vec<Value> = (0..40).map(|n| text(&format!("n{n}"), &format!("Lot {n} of turmeric. old"))).collect();
    let sent = client.post(DOCUMENTS, &json!({"documents": documents})).await.expect(202);
    sent["job_id"].as_str().unwrap().to_owned()
}

fn outcome<'a>(job: &'a Value, id: &str) -> &'a Value {
    job["documents"].as_array().unwrap().iter().find(|document| document["entity_id"] == id).unwrap()
}

async fn found(client: &Client, query: &str) -> usize {
    let body = json!({"query": query, "mode": "keyword", "k": 100});
    client.post("/v1/collections/notes/search", &body).await.expect(200)["results"].as_array().unwrap().len()
}

#[tokio::test]
async fn given_a_document_that_waits_when_a_newer_version_is_sent_then_the_newer_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/notes", &json!({})).await.expect(201);
    let job = begin_job(&client).await;
    assert_eq!(client.get(LAST).await.expect(200)["status"], "queued");
    client.post(DOCUMENTS, &text("n39", "Lot of pepper. new")).await.expect(200);
    let job = client.finished(&job).await;
    assert_eq!(outcome(&job, "n39")["status"], "superseded");
    assert_eq!((found(&client, "pepper").await, found(&client, "old").await), (1, 39));
}

#[tokio::test]
async fn given_a_document_that_waits_when_it_is_deleted_then_it_does_not_come() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/notes", &json!({})).await.expect(201);
    let job = begin_job(&client).await;
    client.delete(LAST).await.expect(200);
    client.get(LAST).await.expect_problem(404, "not-found", "n39");
    let job = client.finished(&job).await;
    assert_eq!(outcome(&job, "n39")["status"], "superseded");
    client.get(LAST).await.expect_problem(404, "not-found", "n39");
    assert_eq!(found(&client, "old").await, 39);
    client.post(DOCUMENTS, &text("n39", "Lot of pepper. new")).await.expect(200);
    assert_eq!(found(&client, "pepper").await, 1);
}

#[tokio::test]
async fn given_a_job_when_its_collection_is_deleted_and_made_anew_then_the_new_one_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/notes", &json!({})).await.expect(201);
    let job = begin_job(&client).await;
    client.delete("/v1/collections/notes").await.expect(200);
    client.put("/v1/collections/notes", &json!({})).await.expect(201);
    let job = client.finished(&job).await;
    assert_eq!(outcome(&job, "n39")["status"], "failed");
    assert!(outcome(&job, "n39")["error"].as_str().unwrap().contains("deleted"), "{job}");
    let collection = client.get("/v1/collections/notes").await.expect(200);
    assert_eq!((&collection["documents"], &collection["chunks"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn given_a_collection_that_is_made_and_deleted_by_many_at_once_then_it_works_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    let calls = (0..24).map(|number| {
        let client = client.clone();
        async move {
            if number % 2 == 0 {
                client.put("/v1/collections/notes", &json!({})).await.status
            } else {
                client.delete("/v1/collections/notes").await.status
            }
        }
    });
    let statuses = futures::future::join_all(calls).await;
    assert!(statuses.iter().all(|status| [200, 201, 404, 409].contains(status)), "{statuses:?}");
    client.put("/v1/collections/notes", &json!({})).await;
    client.post(DOCUMENTS, &text("n1", "Lot of pepper.")).await.expect(200);
    assert_eq!(found(&client, "pepper").await, 1);
}

#[tokio::test]
async fn given_a_document_that_is_refused_then_it_says_why_and_the_version_before_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/notes", &json!({})).await.expect(201);
    client.post(DOCUMENTS, &text("n1", "Lot of pepper.")).await.expect(200);
    for id in ["n1", "n2"] {
        client.post(DOCUMENTS, &text(id, " \n ")).await.expect_problem(422, "unprocessable", "/content");
    }
    let kept = client.get("/v1/collections/notes/documents/text/n1").await.expect(200);
    assert_eq!((&kept["status"], &kept["chunks"]), (&json!("indexed"), &json!(1)));
    let refused = client.get("/v1/collections/notes/documents/text/n2").await.expect(200);
    assert_eq!((&refused["status"], &refused["chunks"]), (&json!("failed"), &json!(0)));
    for document in [kept, refused] {
        assert!(document["error"].as_str().unwrap().contains("no text"), "{document}");
    }
    assert_eq!(client.get("/v1/collections/notes").await.expect(200)["documents"], 1);
    client.post(DOCUMENTS, &text("n1", "Lot of cloves.")).await.expect(200);
    assert!(client.get("/v1/collections/notes/documents/text/n1").await.expect(200)["error"].is_null());
}

#[tokio::test]
async fn given_an_id_that_another_document_has_then_the_document_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/notes", &json!({})).await.expect(201);
    client.post(DOCUMENTS, &text("n1", "Lot of pepper.")).await.expect(200);
    let other_type = json!({"entity_type": "markdown", "entity_id": "n1", "content": "# Cloves"});
    client.post(DOCUMENTS, &other_type).await.expect_problem(409, "conflict", "of type `text`");
    let twice = json!({"documents": [text("n2", "Cumin."), text("n2", "Cardamom."), {"entity_id": "n3"}]});
    let outcomes = client.post(DOCUMENTS, &twice).await.expect(200);
    let (first, second, third) = (&outcomes["documents"][0], &outcomes["documents"][1], &outcomes["documents"][2]);
    assert_eq!((&first["status"], &second["status"]), (&json!("indexed"), &json!("failed")));
    assert!(second["error"].as_str().unwrap().contains("document 0 of this request has the same id"), "{second}");
    assert_eq!((&third["status"], &third["entity_id"]), (&json!("failed"), &json!("n3")));
    assert_eq!(found(&client, "cumin").await, 1);
}
