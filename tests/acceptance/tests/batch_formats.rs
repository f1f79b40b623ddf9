//! Batch predictions over tables in every form, with results in every format.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_acceptance::Client;
use mandi_acceptance::batch::{lots, pages, predicted, start, upload, whole};
use mandi_acceptance::registry::{Platform, graded, platform};
use serde_json::{Value, json};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/fixtures/lots/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

async fn rows(client: &Client, model: &str, name: &str, more: &Value) -> Vec<Value> {
    let job = predicted(client, model, (name, fixture(name)), more).await;
    assert_eq!(job["state"], "succeeded", "{name}: {job}");
    pages(client, &job, "results", "rows", 50).await
}

#[tokio::test]
async fn given_the_same_table_in_every_form_then_the_results_are_the_same() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    assert_eq!(fixture("lots.csv"), lots(40).into_bytes(), "the fixture is the table of the other tests");
    let expected = rows(client, &model, "lots.csv", &json!({"shard_rows": 7})).await;
    assert_eq!(expected.len(), 40);
    let names = json!({"input": {"header": "absent", "names": [
        "lot_id", "moisture_percent", "curcumin_percent", "foreign_matter_percent", "finger_length_mm", "origin"
    ]}});
    for (name, more) in [
        ("lots.csv.gz", json!({})),
        ("lots.csv.zst", json!({})),
        ("lots-utf-16.tsv", json!({})),
        ("lots-semicolons.csv", json!({})),
        ("lots-without-names.csv", names),
        ("lots.jsonl", json!({})),
        ("lots.jsonl.gz", json!({})),
        ("lots.parquet", json!({})),
    ] {
        for (shard_rows, format) in [(7, "csv"), (15, "jsonl"), (40, "parquet")] {
            let mut more = more.clone();
            more["shard_rows"] = json!(shard_rows);
            more["output"] = json!({"format": format});
            assert_eq!(rows(client, &model, name, &more).await, expected, "{name} to {format}");
        }
    }
}

#[tokio::test]
async fn given_parquet_results_when_they_are_predicted_again_then_they_are_a_table_like_any_other() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let columns = json!([
        "lot_id",
        "moisture_percent",
        "curcumin_percent",
        "foreign_matter_percent",
        "finger_length_mm",
        "origin"
    ]);
    let more = json!({"shard_rows": 9, "output": {"format": "parquet", "columns": columns}});
    let first = predicted(client, &model, ("lots.parquet", fixture("lots.parquet")), &more).await;
    let file = whole(client, &first).await;
    assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));
    let again = predicted(
        client,
        &model,
        ("again.parquet", file),
        &json!({"output": {"columns": ["lot_id"], "format": "jsonl"}}),
    )
    .await;
    let (before, after) =
        (pages(client, &first, "results", "rows", 50).await, pages(client, &again, "results", "rows", 50).await);
    assert_eq!(before.len(), 40);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((&before["lot_id"], &before["prediction"]), (&after["lot_id"], &after["prediction"]));
    }
}

#[tokio::test]
async fn given_what_is_no_table_then_it_is_refused_at_once_with_the_reason() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    for (name, content, reason) in [
        ("empty.csv", b"\n".to_vec(), "empty"),
        ("array.json", b"[{\"a\": 1}]".to_vec(), "one JSON object on each line"),
        ("cut.parquet", fixture("lots.parquet")[..400].to_vec(), "arquet"),
        ("bytes.csv", vec![0; 4096], ""),
    ] {
        let id = upload(client, name, content).await;
        start(client, &model, &id, &json!({})).await.expect_problem(422, "unprocessable", reason);
    }
}
