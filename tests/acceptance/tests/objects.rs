//! Documents that lie in the tenant's folder of files already.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use mandi_acceptance::{Client, Setup};
use serde_json::{Value, json};

/// Puts a file where the OpenAPI document says that the runner looks for it.
fn put(data: &Path, tenant: &str, object: &str, content: &str) {
    let (folders, name) = object.rsplit_once('/').unwrap();
    let mut path = data.join(format!("objects/t@/{tenant}@/files@"));
    path.extend(folders.split('/').map(|folder| format!("{folder}@")));
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join(name), content).unwrap();
}

fn document(id: &str, object: &str) -> Value {
    json!({"entity_type": "contract", "entity_id": id, "object": object})
}

async fn send(client: &Client, body: &Value) -> mandi_acceptance::Answer {
    client.post("/v1/collections/contracts/documents", body).await
}

#[tokio::test]
async fn given_a_file_in_the_store_then_it_is_read_by_its_extension_and_again_when_it_changed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/contracts", &json!({})).await.expect(201);
    put(folder.path(), "demo", "imports/contract.md", "# Terms\n\nPay within **30** days.");
    let mut sent = document("C-1", "imports/contract.md");
    sent["metadata"] = json!({"year": 2026});
    assert_eq!(send(&client, &sent).await.expect(200)["documents"][0]["status"], "indexed");
    assert_eq!(send(&client, &sent).await.expect(200)["documents"][0]["status"], "unchanged");
    let filter = json!({"equals": {"field": "year", "value": 2026}});
    let search = json!({"query": "days to pay", "filter": filter});
    let found = client.post("/v1/collections/contracts/search", &search).await.expect(200);
    let passage = &found["results"][0];
    assert_eq!((&passage["document"]["entity_id"], &passage["title"]), (&json!("C-1"), &json!("Terms")));
    assert!(!passage["text"].as_str().unwrap().contains('*'), "{passage}");

    put(folder.path(), "demo", "imports/contract.md", "# Terms\n\nPay within **45** days.");
    assert_eq!(send(&client, &sent).await.expect(200)["documents"][0]["status"], "indexed");

    let known: Value = serde_json::from_str(include_str!("../../../demo/documents/tur-sal-25.json")).unwrap();
    put(folder.path(), "demo", "imports/stock.json", &known["fields"].to_string());
    let item = json!({"entity_type": known["entity_type"], "entity_id": "stock", "object": "imports/stock.json"});
    assert_eq!(send(&client, &item).await.expect(200)["documents"][0]["status"], "indexed");
}

#[tokio::test]
async fn given_a_key_that_leads_out_of_the_tenants_folder_then_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/contracts", &json!({})).await.expect(201);
    put(folder.path(), "globex", "imports/secret.md", "The price is INR 640.");
    for object in [
        "../globex/files/imports/secret.md",
        "../../globex/files/imports/secret.md",
        "/etc/passwd",
        "t/globex/files/imports/secret.md",
        "imports/../../../globex/files/imports/secret.md",
        "imports\\..\\secret.md",
        "s3://bucket/t/globex/files/imports/secret.md",
        "",
    ] {
        let refused = send(&client, &document("C-1", object)).await;
        refused.expect_problem(422, "unprocessable", "/object");
        // Not the figure alone: the id of a request may hold it.
        assert!(!refused.text.contains("INR 640"));
    }
    send(&client, &document("C-1", "imports/secret.md")).await.expect_problem(422, "unprocessable", "no file");
}

#[tokio::test]
async fn given_a_list_then_a_file_that_is_missing_too_long_or_of_another_kind_fails_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/contracts", &json!({})).await.expect(201);
    put(folder.path(), "demo", "in/good.txt", "The lot is in Salem.");
    put(folder.path(), "demo", "in/long.txt", &"x".repeat(4 * 1024 * 1024 + 1));
    put(folder.path(), "demo", "in/scan.pdf", "%PDF-1.7");
    let documents = [
        document("good", "in/good.txt"),
        document("missing", "in/none.txt"),
        document("long", "in/long.txt"),
        document("scan", "in/scan.pdf"),
        json!({"entity_type": "text", "entity_id": "both", "object": "in/good.txt", "content": "x"}),
    ];
    // The long file makes a job of the list; without it the list is done at once.
    let sent = send(&client, &json!({"documents": documents})).await.expect(202);
    let job = client.finished(sent["job_id"].as_str().unwrap()).await;
    let short: Vec<&Value> = documents.iter().filter(|document| document["entity_id"] != "long").collect();
    let at_once = send(&client, &json!({"documents": short})).await.expect(200);
    let told = |answer: &Value, id: &str| {
        let outcomes = answer["documents"].as_array().unwrap();
        let outcome = outcomes.iter().find(|outcome| outcome["entity_id"] == id).unwrap();
        format!("{} {}", outcome["status"], outcome["error"])
    };
    assert!(told(&job, "good").contains("indexed") && told(&at_once, "good").contains("unchanged"));
    assert!(told(&job, "long").contains("4194304 bytes"), "{job}");
    for answer in [&job, &at_once] {
        assert!(told(answer, "missing").contains("there is no file `in/none.txt`"), "{answer}");
        assert!(told(answer, "scan").contains("PDF"), "{answer}");
    }
    assert!(at_once["documents"][3]["error"].as_str().unwrap().contains("not both"), "{at_once}");
}
