//! P9: from `mandi up --demo`, after the build, to the first streamed, cited answer of the built-in model.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench ends by panicking, and prints its table")]

use std::time::Instant;

use mandi_acceptance::{Setup, events};
use mandi_benches::{Figure, Target, Unit};
use reqwest::Method;
use serde_json::json;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let server = Setup::on(folder.path()).with("MANDI_PROVIDER", "local").with_demo().start().await;
    let loaded = started.elapsed().as_secs_f64();
    let client = server.client("demo");
    let path = client.new_messages_path().await;
    let request = client.request(Method::POST, &path).header("accept", "text/event-stream");
    let question = json!({"content": "When must the buyer pay the invoices for the cotton?"});
    let events = events::read(request.json(&question).send().await.unwrap(), usize::MAX).await;
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(events.last().unwrap().name, "done");
    assert!(events.iter().any(|event| event.name == "citation"), "{events:?}");
    for (case, seconds, target) in [
        ("`mandi up --demo` to the demo tenant loaded", loaded, Target::None),
        ("`mandi up --demo` to the whole first answer, cited", seconds, Target::AtMost(60.0)),
    ] {
        let figure = Figure { id: "P9", case: case.to_owned(), unit: Unit::Seconds, ours: seconds, peer: None, target };
        println!("{figure}");
    }
}
