//! Captured predictions: which calls are kept, what of them, and what not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use mandi_acceptance::registry::{Grades, deploy, graded, grades, lot, model, predict, register};
use mandi_acceptance::{Client, Server, Setup};
use reqwest::Method;
use serde_json::{Value, json};

/// After so long a policy or a deployment holds.
const SETTLED: Duration = Duration::from_millis(700);
/// How often captured lines are looked for before they count as not there.
const LOOKS: usize = 50;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

struct Rig {
    client: Client,
    folder: tempfile::TempDir,
    server: Server,
}

impl Rig {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Setup::on(folder.path()).start().await;
        Self { client: server.client("acme"), folder, server }
    }

    /// The lines of the tenant, when there are as many as expected, or those that are there in the end.
    async fn lines(&self, expected: usize) -> Vec<Value> {
        let mut found = Vec::new();
        for _ in 0..LOOKS {
            found = captured(self.folder.path());
            if found.len() >= expected && expected > 0 {
                break;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        found
    }
}

fn captured(data: &Path) -> Vec<Value> {
    let Ok(files) = std::fs::read_dir(data.join("captures/acme")) else { return Vec::new() };
    let text: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    // A line that is being written has no end yet.
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn set(client: &Client, model: &str, capture: &Value) -> Value {
    let body = json!({"name": "turmeric-grade", "capture": capture});
    let path = format!("/v1/models/{model}");
    let told = client.put(&path, &body).await.expect(200);
    tokio::time::sleep(SETTLED).await;
    told
}

async fn ask(client: &Client, model: &str) -> Value {
    predict(client, model, &json!({"rows": [lot()], "reference": "order-17"})).await.expect(200)
}

#[tokio::test]
async fn given_no_policy_then_nothing_is_captured() {
    let rig = Rig::start().await;
    let model = graded(&rig.client).await;
    let told = rig.client.get(&format!("/v1/models/{model}")).await.expect(200);
    assert_eq!((&told["capture"], &told["captures"]["captured"]), (&json!({"policy": "off"}), &json!(0)));
    for _ in 0..5 {
        ask(&rig.client, &model).await;
    }
    tokio::time::sleep(SETTLED).await;
    assert_eq!(captured(rig.folder.path()), Vec::<Value>::new());
}

#[tokio::test]
async fn given_the_policy_all_then_a_line_says_who_asked_what_of_which_version_and_what_was_answered() {
    let rig = Rig::start().await;
    let model = graded(&rig.client).await;
    set(&rig.client, &model, &json!({"policy": "all"})).await;
    let answer = ask(&rig.client, &model).await;
    let lines = rig.lines(1).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = &lines[0];
    for (field, expected) in [
        ("format", json!(1)),
        ("tenant", json!("acme")),
        ("request_id", answer["id"].clone()),
        ("model_id", json!(model)),
        ("version", json!(1)),
        ("stage", json!("production")),
        ("reference", json!("order-17")),
        ("rows", json!([{"features": lot(), "prediction": answer["predictions"][0]}])),
    ] {
        assert_eq!(line[field], expected, "{field} of {line}");
    }
    assert!(line["latency_ms"].as_f64().unwrap() > 0.0 && line["user"].is_string() && line.get("arm").is_none());
    let told = rig.client.get(&format!("/v1/models/{model}")).await.expect(200);
    assert_eq!(told["captures"], json!({"captured": 1, "lost": {}}));
}

#[tokio::test]
async fn given_a_row_that_is_refused_then_its_prediction_is_null_in_the_line() {
    let rig = Rig::start().await;
    let model = graded(&rig.client).await;
    set(&rig.client, &model, &json!({"policy": "all"})).await;
    predict(&rig.client, &model, &json!({"rows": [lot(), {"origin": 5}]})).await.expect(200);
    let lines = rig.lines(1).await;
    assert!(lines[0]["rows"][0]["prediction"].is_object(), "{lines:?}");
    assert_eq!(lines[0]["rows"][1], json!({"features": {"origin": 5}, "prediction": null}));
}

#[tokio::test]
async fn given_a_private_column_then_its_values_are_in_no_file() {
    let rig = Rig::start().await;
    let model = model(&rig.client, "turmeric-grade").await;
    let Grades { file, mut version } = grades();
    let columns = version["signature"]["inputs"].as_array_mut().unwrap();
    let origin = columns.iter_mut().find(|column| column["name"] == "origin").unwrap();
    origin["private"] = json!(true);
    register(&rig.client, &model, &file, &version).await.expect(201);
    deploy(&rig.client, &model, 1, &json!({})).await.expect(200);
    set(&rig.client, &model, &json!({"policy": "all"})).await;
    ask(&rig.client, &model).await;
    let lines = rig.lines(1).await;
    let features = &lines[0]["rows"][0]["features"];
    assert_eq!(features["origin"], json!({"redacted": "string"}));
    assert_eq!(features["moisture_percent"], lot()["moisture_percent"]);
}

#[tokio::test]
async fn given_a_percentage_then_about_that_share_is_kept_whatever_request_id_callers_choose() {
    let rig = Rig::start().await;
    let model = graded(&rig.client).await;
    set(&rig.client, &model, &json!({"policy": "percentage", "percent": 50})).await;
    for _ in 0..100 {
        let path = format!("/v1/models/{model}/predict");
        let request = rig.client.request(Method::POST, &path).header("x-request-id", "the-same-each-time");
        let answer = request.json(&json!({"rows": [lot()]})).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
    }
    tokio::time::sleep(2 * SETTLED).await;
    // Of 100 draws at one half, fewer than 20 or more than 80 come once in 10^9.
    let kept = captured(rig.folder.path()).len();
    assert!((20..=80).contains(&kept), "{kept}");
}

#[tokio::test]
async fn given_a_shadow_then_both_answers_are_kept_each_with_its_arm() {
    let rig = Rig::start().await;
    let model = graded(&rig.client).await;
    set(&rig.client, &model, &json!({"policy": "all"})).await;
    deploy(&rig.client, &model, 2, &json!({"kind": "shadow"})).await.expect(200);
    tokio::time::sleep(SETTLED).await;
    let answer = ask(&rig.client, &model).await;
    let mut lines = rig.lines(2).await;
    lines.sort_by_key(|line| line["version"].as_u64());
    let told: Vec<_> = lines.iter().map(|line| (&line["version"], &line["arm"], &line["request_id"])).collect();
    let (control, shadow) = (json!("control"), json!("shadow"));
    assert_eq!(told, [(&json!(1), &control, &answer["id"]), (&json!(2), &shadow, &answer["id"])]);
}

#[tokio::test]
async fn given_a_policy_that_cannot_be_then_it_is_refused_with_the_field() {
    let rig = Rig::start().await;
    for (capture, named) in [
        (json!({"policy": "percentage"}), "/capture/percent"),
        (json!({"policy": "percentage", "percent": 0}), "/capture/percent"),
        (json!({"policy": "all", "percent": 5}), "/capture/percent"),
        (json!({"policy": "some"}), "/capture/policy"),
    ] {
        let body = json!({"name": "never", "capture": capture});
        rig.client.post("/v1/models", &body).await.expect_problem(400, "invalid-request", named);
    }
}

#[tokio::test]
async fn given_a_reference_that_is_too_long_then_it_is_refused() {
    let rig = Rig::start().await;
    let model = graded(&rig.client).await;
    let body = json!({"rows": [lot()], "reference": "x".repeat(257)});
    predict(&rig.client, &model, &body).await.expect_problem(400, "invalid-request", "/reference");
}

#[tokio::test]
async fn given_a_server_that_is_stopped_then_what_it_answered_before_is_captured() {
    let rig = Rig::start().await;
    let model = graded(&rig.client).await;
    set(&rig.client, &model, &json!({"policy": "all"})).await;
    for _ in 0..20 {
        ask(&rig.client, &model).await;
    }
    let Rig { folder, mut server, .. } = rig;
    let pid = server.pid().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(server.ended().await.success());
    assert_eq!(captured(folder.path()).len(), 20);
}
