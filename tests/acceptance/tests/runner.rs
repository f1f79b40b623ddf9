//! The runner as a process: what stops it from starting, how it ends, and what it logs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use mandi_acceptance::{Setup, mandi};
use mandi_testkit::provider::{OpenAiStub, Script};
use reqwest::Method;
use serde_json::{Value, json};

/// A dollar for a million tokens in, two for a million out.
const PRICES: &str = r#"{"openai/stub":
    {"input_micro_usd_per_million": 1000000, "output_micro_usd_per_million": 2000000}}"#;

async fn refused(setup: &Setup) -> String {
    let output = setup.command().output().await.unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_data_folder_in_use_a_port_in_use_and_a_missing_model_are_said_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    assert!(refused(&Setup::on(folder.path())).await.contains("in use"));
    let port = server.base().rsplit(':').next().unwrap();
    let other = tempfile::tempdir().unwrap();
    let output = Command::new(mandi()).args(["up", "--port", port, "--data"]).arg(other.path()).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains(&format!("port {port} is in use")));
    let nothing = refused(&Setup::on(other.path()).with("MANDI_MODELS", "/nonexistent")).await;
    assert!(nothing.contains("minilm-l6") && nothing.contains("make models"), "{nothing}");
}

#[tokio::test]
async fn sigterm_drains_and_exits_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Setup::on(folder.path()).start().await;
    let pid = server.pid().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn one_json_line_for_each_request_and_no_secret_token_or_text_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).with("MANDI_LOG", "debug,hyper=info,lance=info").start().await;
    let token = server.token(&["--tenant", "demo"]);
    let client = server.client_with(token.clone());
    let marker = "zebracornflower";
    client.collection_with("contracts", "C-1", &format!("The buyer {marker} shall pay within 30 days.")).await;
    let path = client.new_messages_path().await;
    client.post(&path, &json!({"content": format!("When must {marker} pay?")})).await.expect(201);
    client.post("/v1/collections/contracts/search", &json!({"query": marker, "k": 0})).await.expect_problem(
        400,
        "invalid-request",
        "/k",
    );
    let log = server.log();
    assert!(!log.contains(marker), "{}", log.lines().find(|line| line.contains(marker)).unwrap());
    assert!(!log.contains(&token));
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let requests: Vec<&Value> = lines.iter().filter(|line| line["message"] == "request").collect();
    assert_eq!(requests.len(), 5);
    for request in requests {
        assert_eq!(request["tenant"], "demo");
        assert!(
            request["status"].is_u64() && request["duration_ms"].is_u64() && request["span"]["request_id"].is_string(),
            "{request}"
        );
    }
}

#[tokio::test]
async fn the_line_of_a_request_has_the_models_that_it_called_and_what_they_cost() {
    let folder = tempfile::tempdir().unwrap();
    let prices = folder.path().join("prices.json");
    std::fs::write(&prices, PRICES).unwrap();
    let answer = "The buyer shall pay within 30 days of the invoice date [1].";
    let stub = OpenAiStub::start(Script::text(answer)).await.unwrap();
    let setup = Setup::on(folder.path()).with("MANDI_PRICES", &prices.to_string_lossy());
    let server = setup.with_model_at(&stub.base_url()).start().await;
    let client = server.client("demo");
    client.collection_with("contracts", "C-1", "The buyer shall pay within 30 days of the invoice date.").await;
    let path = client.new_messages_path().await;
    for accept in ["application/json", "text/event-stream"] {
        let request = client.request(Method::POST, &path).header("accept", accept);
        let sent = request.json(&json!({"content": "When must the buyer pay?"})).send().await.unwrap();
        assert!(sent.status().is_success());
        sent.text().await.unwrap();
    }
    let spent = client.get("/v1/usage/summary").await.expect(200)["total"]["cost_micro_usd"].as_i64().unwrap();
    let log = server.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let route = "/v1/conversations/{id}/messages";
    let logged: Vec<&Value> =
        lines.iter().filter(|line| line["message"] == "request" && line["route"] == route).collect();
    assert_eq!(logged.len(), 2);
    for line in &logged {
        assert!(line["model"].as_str().unwrap().contains("openai/stub"), "{line}");
    }
    let total: i64 = logged.iter().map(|line| line["cost_micro_usd"].as_i64().unwrap()).sum();
    assert!(total > 0);
    assert_eq!(total, spent);
}

#[tokio::test]
async fn the_doctor_names_what_is_missing_and_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(mandi())
        .args(["doctor", "--data"])
        .arg(folder.path())
        .env("MANDI_MODELS", folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success());
    assert!(told.contains("model.safetensors is not there; `make models` fetches it"), "{told}");
}

#[tokio::test]
async fn ask_and_load_work_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("terms.md"), "# Terms\n\nThe buyer shall pay within 30 days of the invoice date.")
        .unwrap();
    std::fs::write(files.path().join("empty.txt"), "  ").unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(mandi())
            .args(arguments)
            .args(["--tenant", "demo", "--url", server.base(), "--data"])
            .arg(folder.path())
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let path = files.path().to_string_lossy().into_owned();
    let (success, told) = run(&["load", "--collection", "terms", &path]);
    assert!(
        !success
            && told.contains("1 loaded into `terms`, 0 there already unchanged, 1 failed")
            && told.contains("empty.txt"),
        "{told}"
    );
    let (_, told) = run(&["load", "--collection", "terms", &path]);
    assert!(told.contains("0 loaded into `terms`, 1 there already unchanged"), "{told}");
    let (success, told) = run(&["ask", "When must the buyer pay?"]);
    assert!(success && told.contains("30 days") && told.contains("[1] markdown terms.md"), "{told}");
}
