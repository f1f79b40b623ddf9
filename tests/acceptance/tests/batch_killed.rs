//! A batch prediction whose process is killed again and again gives the file that an undisturbed one gives.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use mandi_acceptance::batch::{lots, over, predicted, start, upload, whole};
use mandi_acceptance::registry::graded;
use mandi_acceptance::{Server, Setup};
use serde_json::{Value, json};

/// How often the process is killed.
const KILLS: u64 = 20;
/// Rows of the table; shards of 100 rows.
const ROWS: usize = 12_000;

/// A moment within a tenth of the time that the job needs: the same parts in each run of the test (Knuth's multiplicative
/// hash).
fn moment(kill: u64, needed: Duration) -> Duration {
    needed.mul_f64((kill.wrapping_mul(2_654_435_761) % 1_000) as f64 / 10_000.0)
}

async fn job_of(server: &Server, id: &str) -> Value {
    server.client("acme").get(&format!("/v1/predictions/{id}")).await.expect(200)
}

#[tokio::test]
async fn given_a_job_when_its_process_is_killed_at_20_moments_then_the_file_is_that_of_an_undisturbed_run() {
    let folder = tempfile::tempdir().unwrap();
    let options = json!({"shard_rows": 100, "output": {"explain": true}});
    let table = lots(ROWS).replace("L-000777,", "L-000777,,");
    let mut server = Setup::on(folder.path()).start().await;
    let client = server.client("acme");
    let model = graded(&client).await;
    let begun = Instant::now();
    let undisturbed = predicted(&client, &model, ("lots.csv", table.clone().into()), &options).await;
    let needed = begun.elapsed();
    assert_eq!(undisturbed["state"], "succeeded", "{undisturbed}");
    let expected = whole(&client, &undisturbed).await;

    let id = upload(&client, "lots.csv", table).await;
    let started = start(&client, &model, &id, &options).await.expect(202);
    let job = started["job_id"].as_str().unwrap().to_owned();
    let mut killed_while_open = 0;
    for kill in 0..KILLS {
        tokio::time::sleep(moment(kill, needed)).await;
        let is_open = job_of(&server, &job).await["ended_at"].is_null();
        killed_while_open += u64::from(is_open);
        server.kill().await;
        server = Setup::on(folder.path()).start().await;
    }
    let client = server.client("acme");
    let done = over(&client, &job).await;
    assert_eq!(
        (&done["state"], &done["completed"], &done["failed"]),
        (&json!("succeeded"), &json!(ROWS - 1), &json!(1)),
        "{done}"
    );
    assert!(killed_while_open >= 5, "only {killed_while_open} kills met the job at work: make it longer");
    assert!(whole(&client, &done).await == expected, "the files differ");
}
