//! P9: from `mandi up --demo`, after the build, to the first streamed, cited answer of the built-in model.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench ends by panicking, and prints its table")]

use std::time::Instant;

use mandi_acceptance::{Setup, events};
use reqwest::Method;
use serde_json::json;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let server = Setup::on(folder.path()).with("MANDI_PROVIDER", "local").with_demo().start().await;
    let loaded = started.elapsed().as_secs_f64();
    let client = server.client("demo");
    let path = format!("/v1/conversations/{}/messages", client.conversation().await);
    let request = client.request(Method::POST, &path).header("accept", "text/event-stream");
    let question = json!({"content": "When must the buyer pay the invoices for the cotton?"});
    let events = events::read(request.json(&question).send().await.unwrap(), usize::MAX).await;
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(events.last().unwrap().name, "done");
    assert!(events.iter().any(|event| event.name == "citation"), "{events:?}");
    println!(
        "P9  demo tenant loaded after {loaded:.1} s, first cited answer whole after {seconds:.1} s (target: 60 s)"
    );
}
