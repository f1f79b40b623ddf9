//! Many small documents, one after the other: each is found at once, and the last one as quickly as the first.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and prints what it measured")]

use std::path::Path;
use std::time::{Duration, Instant};

use mandi_acceptance::{Client, Setup};
use serde_json::json;

/// How many documents, unless the environment variable says: 1,000 take some minutes in an unoptimised build.
const DOCUMENTS: usize = 300;
const DOCUMENTS_VARIABLE: &str = "MANDI_TEST_UPSERTS";
/// Documents of which the times are compared: some rounds of upkeep, so that its cost is in both.
const WINDOW: usize = 100;

async fn add(client: &Client, number: usize) {
    let content = format!("Lot lot{number} of rice lies in the warehouse at Indore.");
    let document = json!({"entity_type": "note", "entity_id": format!("n{number}"), "content": content});
    client.post("/v1/collections/lots/documents", &document).await.expect(200);
}

async fn finds(client: &Client, number: usize) -> bool {
    let query = json!({"query": format!("lot{number}"), "k": 1, "mode": "keyword"});
    let found = client.post("/v1/collections/lots/search", &query).await.expect(200);
    found["results"][0]["document"]["entity_id"] == format!("n{number}")
}

fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

/// What nine of ten took longer than: other work on the machine shows less in it than in a mean or a median.
fn quick(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 10]
}

#[tokio::test]
async fn given_many_small_upserts_then_each_is_found_at_once_and_the_last_are_as_quick_as_the_first() {
    let documents = std::env::var(DOCUMENTS_VARIABLE).map_or(DOCUMENTS, |number| number.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("demo");
    client.put("/v1/collections/lots", &json!({})).await;
    let (mut writing, mut searching) = (Vec::new(), Vec::new());
    for number in 0..documents {
        let begun = Instant::now();
        add(&client, number).await;
        writing.push(begun.elapsed());
        let begun = Instant::now();
        assert!(finds(&client, number).await, "document {number} is not found at once");
        searching.push(begun.elapsed());
    }
    for (what, times) in [("an upsert", &writing), ("a search", &searching)] {
        let (first, last) = (quick(&times[..WINDOW]), quick(&times[documents - WINDOW..]));
        println!("{what}: {first:?} at first, {last:?} at last");
        assert!(last < first * 3, "{what}: {first:?} became {last:?}");
    }
    // A commit leaves a file of data, a version and a transaction; those that were replaced go when no reader can
    // use them any more. Upkeep adds some of its own.
    let files = files(&folder.path().join("vectors"));
    assert!(files < 4 * documents, "{files} files");
}
