//! Batch predictions, as a caller meets them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use mandi_acceptance::batch::{lots, over, pages, predicted, start, upload, whole};
use mandi_acceptance::registry::{Grades, Platform, graded, grades, lot, platform, predict, register};
use mandi_acceptance::{Client, events};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The lines of a table without those that are named.
fn without(table: &str, lines: &[usize]) -> String {
    let kept = table.lines().enumerate().filter(|(line, _)| !lines.contains(line));
    kept.map(|(_, line)| format!("{line}\n")).collect()
}

#[tokio::test]
async fn given_a_table_then_its_rows_are_predicted_in_order_as_single_calls_predict_them() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let job = predicted(
        client,
        &model,
        ("lots.csv", lots(250).into()),
        &json!({"shard_rows": 70, "output": {"format": "jsonl"}}),
    )
    .await;
    assert_eq!(
        (&job["state"], &job["total"], &job["completed"], &job["failed"]),
        (&json!("succeeded"), &json!(250), &json!(250), &json!(0))
    );
    assert_eq!((&job["shards"], &job["shards_done"]), (&json!(4), &json!(4)));
    let rows = pages(client, &job, "results", "rows", 33).await;
    assert_eq!(rows.len(), 250);
    for (place, row) in rows.iter().enumerate() {
        assert_eq!((&row["row"], text(&row["lot_id"])), (&json!(place + 1), &*format!("L-{place:06}")));
    }
    let table = lots(250);
    let asked: Vec<Value> = table
        .lines()
        .skip(1)
        .take(100)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let number = |place: usize| cells[place].parse::<f64>().unwrap();
            json!({"moisture_percent": number(1), "curcumin_percent": number(2), "foreign_matter_percent": number(3),
               "finger_length_mm": number(4), "origin": cells[5]})
        })
        .collect();
    let single = predict(client, &model, &json!({"rows": asked, "version": 1})).await.expect(200);
    for (row, single) in rows.iter().zip(single["predictions"].as_array().unwrap()) {
        assert_eq!(row["prediction"], single["label"]);
        for (class, probability) in single["probabilities"].as_object().unwrap() {
            assert_eq!(&row[format!("probability_{class}")], probability);
        }
    }
}

#[tokio::test]
async fn given_a_finished_job_then_its_one_file_is_the_parts_in_order_with_the_manifests_checksum() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let job = predicted(client, &model, ("lots.csv", lots(100).into()), &json!({"shard_rows": 30})).await;
    let file = String::from_utf8(whole(client, &job).await).unwrap();
    let lines: Vec<&str> = file.lines().collect();
    assert!(lines[0].starts_with("row,lot_id,prediction,probability_A,"), "{}", lines[0]);
    assert_eq!(lines.len(), 101);
    assert!(lines[100].starts_with("100,L-000099,"), "{}", lines[100]);
    let manifest = client.get(&format!("/v1/predictions/{}/manifest", text(&job["job_id"]))).await.expect(200);
    assert_eq!(manifest["whole"]["size_bytes"], json!(file.len()));
    let digest: String = Sha256::digest(file.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(manifest["whole"]["sha256"], digest);
    let parts: Vec<u64> =
        manifest["parts"].as_array().unwrap().iter().map(|part| part["completed"].as_u64().unwrap()).collect();
    assert_eq!(parts, [30, 30, 30, 10]);
}

#[tokio::test]
async fn given_columns_that_do_not_fit_then_the_job_is_refused_before_it_runs_and_each_is_named() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let table = lots(3).replace("moisture_percent", "Moisture Percent").replace(",origin", ",origin,origin");
    let id = upload(client, "lots.csv", table).await;
    let refused = start(client, &model, &id, &json!({})).await;
    refused.expect_problem(422, "unprocessable", "moisture_percent");
    let told = refused.text;
    assert!(told.contains("Moisture Percent") && told.contains("origin"), "{told}");
    assert_eq!(client.get("/v1/predictions").await.expect(200)["predictions"], json!([]));
}

#[tokio::test]
async fn given_extra_columns_then_they_are_told_and_only_those_that_are_asked_for_are_copied() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let table: String = lots(2)
        .lines()
        .enumerate()
        .map(|(line, text)| format!("{text},{}\n", if line == 0 { "note,prediction" } else { "\"a, \"\"b\"\"\nc\",x" }))
        .collect();
    let id = upload(client, "lots.csv", table.clone()).await;
    let started = start(client, &model, &id, &json!({})).await.expect(202);
    assert_eq!(started["input"]["extra"], json!(["lot_id", "note", "prediction"]));
    assert_eq!(started["input"]["copied"], json!(["lot_id", "note"]), "one would take the place of ours");
    let job = over(client, text(&started["job_id"])).await;
    let rows = pages(client, &job, "results", "rows", 10).await;
    assert_eq!(rows[1]["note"], "a, \"b\"\nc");
    let id = upload(client, "lots.csv", table).await;
    let chosen = start(client, &model, &id, &json!({"output": {"columns": ["note"]}})).await.expect(202);
    assert_eq!(chosen["input"]["copied"], json!(["note"]));
    let clash = start(client, &model, &id, &json!({"output": {"columns": ["prediction"]}})).await;
    clash.expect_problem(422, "unprocessable", "/output/columns/0");
    over(client, text(&chosen["job_id"])).await;
}

#[tokio::test]
async fn given_a_table_that_lacks_a_feature_that_may_be_missing_then_that_is_said_before_the_run() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let Grades { file, .. } = grades();
    let filled = json!({"inputs": [{"name": "finger_length_mm", "missing": "default", "default": 40}]});
    let version = register(client, &model, &file, &json!({"signature": filled})).await.expect(201)["version"].clone();
    let table = lots(2).replace("finger_length_mm", "Finger Length (mm)");
    let id = upload(client, "lots.csv", table).await;
    let started = start(client, &model, &id, &json!({"version": version})).await.expect(202);
    let told = started["input"]["warnings"][0].as_str().unwrap();
    assert!(told.contains("no `finger_length_mm`, though it has `Finger Length (mm)`"), "{started}");
    over(client, text(&started["job_id"])).await;
}

#[tokio::test]
async fn given_json_lines_with_a_list_in_a_column_that_is_copied_then_it_is_copied_as_it_is() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let mut row = lot();
    row["tags"] = json!(["new", "dry"]);
    let job = predicted(client, &model, ("lots.jsonl", format!("{row}\n").into()), &json!({})).await;
    let rows = pages(client, &job, "results", "rows", 10).await;
    assert_eq!(rows[0]["tags"], "[\"new\",\"dry\"]");
}

#[tokio::test]
async fn given_csv_that_is_called_json_lines_then_the_refusal_says_what_it_looks_like() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let id = upload(client, "lots.csv", lots(2)).await;
    let refused = start(client, &model, &id, &json!({"input": {"format": "jsonl"}})).await;
    refused.expect_problem(422, "unprocessable", "is it CSV?");
}

#[tokio::test]
async fn given_bad_rows_then_they_fail_by_themselves_with_row_column_and_reason() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let table = lots(40)
        .replace("L-000004,10.7", "L-000004,wet")
        .replace("L-000011,13", "L-000011,9999")
        .replace("L-000023,", "L-000023,,")
        .replace("L-000030,13.7", "L-000030,");
    let job = predicted(client, &model, ("lots.csv", table.into()), &json!({"shard_rows": 9})).await;
    assert_eq!(
        (&job["state"], &job["completed"], &job["failed"]),
        (&json!("succeeded"), &json!(36), &json!(4)),
        "{job}"
    );
    let failures = pages(client, &job, "failures", "failures", 3).await;
    let rows: Vec<u64> = failures.iter().map(|fault| fault["row"].as_u64().unwrap()).collect();
    assert_eq!(rows, [5, 12, 24, 31]);
    assert_eq!(failures[0]["column"], "moisture_percent");
    assert!(
        text(&failures[0]["detail"]).contains("wet") && text(&failures[0]["detail"]).contains("a number is expected")
    );
    assert!(text(&failures[1]["detail"]).contains("from 0 to 100"), "{}", failures[1]);
    assert!(text(&failures[2]["detail"]).contains("6 fields instead of 7"), "{}", failures[2]);
    assert!(text(&failures[3]["detail"]).contains("nothing"), "{}", failures[3]);
    let results = pages(client, &job, "results", "rows", 50).await;
    assert!(results.iter().all(|row| !rows.contains(&row["row"].as_u64().unwrap())));
}

#[tokio::test]
async fn given_more_bad_rows_than_allowed_then_the_job_fails_with_the_first_reasons() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let table = lots(60).replace("Salem", "Salem,");
    let job =
        predicted(client, &model, ("lots.csv", table.into()), &json!({"shard_rows": 20, "max_failed_share": 0.2}))
            .await;
    assert_eq!((&job["state"], &job["failure"]["error"]), (&json!("failed"), &json!("too-many-failed-rows")), "{job}");
    let told = text(&job["failure"]["detail"]);
    assert!(told.contains("of 60 rows failed") && told.contains("6 fields instead of 7"), "{told}");
    let download = format!("/v1/predictions/{}/results/download", text(&job["job_id"]));
    client.get(&download).await.expect_problem(409, "conflict", "");
}

#[tokio::test]
async fn given_a_table_without_rows_then_the_job_succeeds_with_none() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let job = predicted(client, &model, ("lots.csv", lots(0).into()), &json!({})).await;
    assert_eq!((&job["state"], &job["total"]), (&json!("succeeded"), &json!(0)), "{job}");
    assert!(whole(client, &job).await.starts_with(b"row,"));
}

#[tokio::test]
async fn given_explain_then_contributions_and_base_make_the_score() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let table = without(&lots(20), &[]);
    let job =
        predicted(client, &model, ("lots.csv", table.into()), &json!({"output": {"explain": true, "format": "jsonl"}}))
            .await;
    let rows = pages(client, &job, "results", "rows", 50).await;
    assert_eq!(rows.len(), 20, "{job}");
    for row in rows {
        let class = format!("probability_{}", text(&row["prediction"]));
        let contributions = row.as_object().unwrap().iter().filter(|(name, _)| name.starts_with("contribution_of_"));
        let sum: f64 = contributions.map(|(_, value)| value.as_f64().unwrap()).sum();
        let score = row[&class].as_f64().unwrap();
        // Both sides sum 32-bit floats of a forest.
        assert!((row["contribution_base"].as_f64().unwrap() + sum - score).abs() < 1e-5, "{row}");
    }
}

#[tokio::test]
async fn given_a_running_job_when_it_is_cancelled_then_it_stops_within_seconds_and_keeps_finished_parts() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let id = upload(client, "lots.csv", lots(60_000)).await;
    let started = start(client, &model, &id, &json!({"shard_rows": 200})).await.expect(202);
    let path = format!("/v1/predictions/{}", text(&started["job_id"]));
    while client.get(&path).await.expect(200)["completed"] == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let begun = Instant::now();
    let cancelled = client.delete(&path).await.expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    assert!(begun.elapsed() < Duration::from_secs(5));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let later = client.get(&path).await.expect(200);
    assert_eq!(later["completed"], cancelled["completed"], "shards went on after the end");
    assert!(later["completed"].as_u64().unwrap() < 60_000);
    let page = client.get(&format!("{path}/results")).await.expect(200);
    assert_eq!((&page["complete"], page["rows"].as_array().unwrap().len()), (&json!(false), 20));
    assert_eq!(client.delete(&path).await.expect(200)["state"], "cancelled", "once more changes nothing");
}

#[tokio::test]
async fn given_a_watcher_then_progress_comes_as_events_and_the_last_one_is_done() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let id = upload(client, "lots.csv", lots(30_000)).await;
    let started = start(client, &model, &id, &json!({"shard_rows": 500})).await.expect(202);
    let path = format!("/v1/predictions/{}", text(&started["job_id"]));
    let watched = client.request(Method::GET, &path).header("accept", "text/event-stream").send().await.unwrap();
    let seen = events::read(watched, 1_000).await;
    let (last, before) = seen.split_last().unwrap();
    assert_eq!((&*last.name, &last.data()["state"]), ("done", &json!("succeeded")));
    assert!(before.iter().all(|event| event.name == "progress"));
    let counts: Vec<u64> = seen.iter().map(|event| event.data()["completed"].as_u64().unwrap()).collect();
    assert!(counts.is_sorted(), "{counts:?}");
}

/// Jobs of the same tenant by their ids.
async fn listed(client: &Client) -> Vec<String> {
    let page = client.get("/v1/predictions").await.expect(200);
    page["predictions"].as_array().unwrap().iter().map(|job| text(&job["job_id"]).to_owned()).collect()
}

#[tokio::test]
async fn given_jobs_then_they_are_listed_latest_first_and_no_other_tenant_sees_them() {
    let Platform { client, server, .. } = &platform().await;
    let model = graded(client).await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(
            text(&predicted(client, &model, ("lots.csv", lots(2).into()), &json!({})).await["job_id"]).to_owned(),
        );
    }
    made.reverse();
    assert_eq!(listed(client).await, made);
    let other = server.client("globex");
    assert_eq!(listed(&other).await, Vec::<String>::new());
    other.get(&format!("/v1/predictions/{}", made[0])).await.expect_problem(404, "not-found", "");
    other.delete(&format!("/v1/predictions/{}", made[0])).await.expect_problem(404, "not-found", "");
}

#[tokio::test]
async fn given_bad_requests_then_each_names_its_field() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let id = upload(client, "lots.csv", lots(2)).await;
    for (more, status, pointer) in [
        (json!({"model_id": "mdl_no"}), 422, "/model_id"),
        (json!({"version": 9}), 422, "/version"),
        (json!({"version": 1, "stage": "staging"}), 400, "/stage"),
        (json!({"shard_rows": 0}), 400, "/shard_rows"),
        (json!({"max_failed_share": 1.5}), 400, "/max_failed_share"),
        (json!({"input": {"object": "a.csv"}}), 400, "/input"),
        (json!({"input": {"upload": "upl_no"}}), 422, "/input/upload"),
        (json!({"input": {"encoding": "klingon"}}), 422, "/input"),
        (json!({"input": {"delimiter": "a"}}), 422, "/input"),
        (json!({"input": {"format": "parquet"}}), 422, "/input"),
        (json!({"output": {"game": "path-dependent"}}), 400, "/output/game"),
        (json!({"output": {"columns": ["no such"]}}), 422, "/output/columns/0"),
    ] {
        let answer = start(client, &model, &id, &more).await;
        assert_eq!(answer.status, status, "{more}: {}", answer.text);
        assert!(answer.text.contains(&format!("\"pointer\":\"{pointer}")), "{more}: {}", answer.text);
    }
    let nothing = json!({"model_id": model, "input": {}});
    client.post("/v1/predictions/batch", &nothing).await.expect_problem(400, "invalid-request", "/input");
}
