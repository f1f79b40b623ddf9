//! Batch predictions over HTTP: what their tests share.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{Answer, Client};

/// For how long a job of a test may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Places of the demo's turmeric.
const ORIGINS: [&str; 4] = ["Salem", "Nizamabad", "Sangli", "Erode"];

/// So many lots of turmeric as CSV, with an id each. They are the same each time.
#[must_use]
pub fn lots(count: usize) -> String {
    let mut text =
        "lot_id,moisture_percent,curcumin_percent,foreign_matter_percent,finger_length_mm,origin\n".to_owned();
    for lot in 0..count {
        let part = |of: usize, step: usize| (lot * step % of) as f64;
        let origin = ORIGINS[lot % ORIGINS.len()];
        writeln!(
            text,
            "L-{lot:06},{},{},{},{},{origin}",
            8.0 + part(97, 31) / 10.0,
            1.0 + part(53, 17) / 10.0,
            part(41, 13) / 10.0,
            20.0 + part(60, 7)
        )
        .unwrap();
    }
    text
}

/// Sends a file; returns the upload's id.
///
/// # Panics
/// It is refused.
pub async fn upload(client: &Client, filename: &str, content: impl Into<Vec<u8>>) -> String {
    let content = content.into();
    let new = json!({"filename": filename, "size_bytes": content.len()});
    let upload = client.post("/v1/uploads", &new).await.expect(201);
    let url = upload["url"].as_str().unwrap();
    let sent = reqwest::Client::new().put(url).body(content).send().await.unwrap();
    assert!(sent.status().is_success(), "{sent:?}");
    upload["upload_id"].as_str().unwrap().to_owned()
}

/// Starts a job over an upload; `more` is laid over the request.
pub async fn start(client: &Client, model: &str, upload: &str, more: &Value) -> Answer {
    let mut new = json!({"model_id": model, "input": {"upload": upload}});
    merge(&mut new, more);
    client.post("/v1/predictions/batch", &new).await
}

fn merge(into: &mut Value, more: &Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        if into[name].is_object() && value.is_object() {
            merge(&mut into[name], value);
        } else {
            into[name] = value.clone();
        }
    }
}

/// Waits until a job is over. Returns it as it is then.
///
/// # Panics
/// It takes too long.
pub async fn over(client: &Client, job: &str) -> Value {
    let begun = Instant::now();
    loop {
        let found = client.get(&format!("/v1/predictions/{job}")).await.expect(200);
        if ["succeeded", "failed", "cancelled"].contains(&found["state"].as_str().unwrap()) {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "the job is not over: {found}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Predicts a file, to the end.
///
/// # Panics
/// It does not start.
pub async fn predicted(client: &Client, model: &str, file: (&str, Vec<u8>), more: &Value) -> Value {
    let upload = upload(client, file.0, file.1).await;
    let started = start(client, model, &upload, more).await.expect(202);
    over(client, started["job_id"].as_str().unwrap()).await
}

/// The one file of results.
///
/// # Panics
/// It is not there.
pub async fn whole(client: &Client, job: &Value) -> Vec<u8> {
    let path = format!("/v1/predictions/{}/results/download", job["job_id"].as_str().unwrap());
    let answer = client.request(reqwest::Method::GET, &path).send().await.unwrap();
    assert_eq!(answer.status(), 200, "the client follows to where the file is");
    answer.bytes().await.unwrap().to_vec()
}

/// All pages of a list of a job, put together.
///
/// # Panics
/// A page is refused.
pub async fn pages(client: &Client, job: &Value, list: &str, field: &str, limit: usize) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut path = format!("/v1/predictions/{}/{list}?limit={limit}", job["job_id"].as_str().unwrap());
        if let Some(cursor) = &cursor {
            path = format!("{path}&cursor={cursor}");
        }
        let page = client.get(&path).await.expect(200);
        all.extend(page[field].as_array().unwrap().iter().cloned());
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return all;
        }
    }
}
