//! R7: 1,000 concurrent chat streams on the local runner, against a stub provider that sends a token every 50 ms.
//! Prints what the streams that failed got, how often, the time and the server's peak memory. The target: no error,
//! under 1 GB.
#![expect(clippy::unwrap_used, reason = "a bench ends by panicking")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench reports to the terminal")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::StreamExt;
use mandi_acceptance::events::{self, Event};
use mandi_acceptance::{Answer, Client, Setup};
use mandi_benches::{Figure, Target, Unit, peak_memory_mb};
use mandi_testkit::provider::{OpenAiStub, Script};
use reqwest::Method;
use serde_json::json;

const STREAMS: usize = 1_000;
const SOURCE: &str = "The buyer shall pay each invoice within 30 days of the invoice date by bank transfer.";

#[tokio::main]
async fn main() {
    rlimit::increase_nofile_limit(65_536).unwrap();
    let answer = format!("{} [1]. ", SOURCE.trim_end_matches('.')).repeat(4);
    let stub = OpenAiStub::start(Script::text(&answer).paced(Duration::from_millis(100), Duration::from_millis(50)))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).with_model_at(&stub.base_url()).with("MANDI_LOG", "warn").start().await;
    let client = server.client("demo");
    client.collection_with("contracts", "C-1", SOURCE).await;
    let mut conversations = Vec::with_capacity(STREAMS);
    for _ in 0..STREAMS {
        conversations.push(client.conversation().await);
    }
    let started = Instant::now();
    let asking = conversations.into_iter().map(|conversation| one(client.clone(), conversation));
    let ends: Vec<End> = futures::stream::iter(asking).buffer_unordered(STREAMS).collect().await;
    let seconds = started.elapsed().as_secs_f64();
    let mut failures: BTreeMap<String, usize> = BTreeMap::new();
    for failure in ends.iter().filter_map(|end| end.as_ref().err()) {
        *failures.entry(failure.clone()).or_default() += 1;
    }
    let failed = failures.values().sum::<usize>();
    let memory_mb = peak_memory_mb(server.pid().unwrap()).unwrap();
    for (what, unit, ours, target) in [
        ("that failed", Unit::Count, failed as f64, Target::AtMost(0.0)),
        ("peak memory of the server", Unit::Megabytes, memory_mb, Target::AtMost(1024.0)),
        ("until all have ended", Unit::Seconds, seconds, Target::None),
    ] {
        let case = format!("{STREAMS} concurrent streams: {what}");
        println!("{}", Figure { id: "R7", case, unit, ours, peer: None, target });
    }
    for (failure, count) in &failures {
        eprintln!("{count} times: {failure}");
    }
    if !failures.is_empty() {
        eprintln!("{}", server.log());
    }
    assert_eq!(failed, 0);
}

/// How a stream ended: with `done`, or with what it got in its place.
type End = Result<(), String>;

/// Asks, and reads to the end.
async fn one(client: Client, conversation: String) -> End {
    let path = format!("/v1/conversations/{conversation}/messages");
    let request = client.request(Method::POST, &path).header("accept", "text/event-stream");
    let sent = request.json(&json!({"content": "When must the buyer pay?"})).send().await;
    let response = sent.map_err(|error| format!("no response: {}", causes(&error)))?;
    if !response.status().is_success() {
        let answer = Answer::of(response).await;
        return Err(format!("status {}: {}", answer.status, answer.text));
    }
    end(&events::read(response, usize::MAX).await)
}

fn end(events: &[Event]) -> End {
    match events.last() {
        Some(last) if last.name == "done" => Ok(()),
        Some(last) if last.name == "error" => Err(format!("an error event: {}", last.data())),
        Some(last) => Err(format!("broken off after a {} event", last.name)),
        None => Err("broken off before the first event".to_owned()),
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
