//! R7: 1,000 concurrent chat streams on the local runner, against a stub provider that sends a token every 50 ms.
//! Prints errors, time and the server's peak memory. The target: no error, under 1 GB.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench ends by panicking, and prints its table")]

use std::time::{Duration, Instant};

use futures::StreamExt;
use mandi_acceptance::{Client, Setup, events};
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
    let ends: Vec<String> = futures::stream::iter(asking).buffer_unordered(STREAMS).collect().await;
    let seconds = started.elapsed().as_secs_f64();
    let done = ends.iter().filter(|end| *end == "done").count();
    let memory_mb = peak_memory_mb(server.pid().unwrap());
    println!(
        "R7  {STREAMS} concurrent streams: {done} done, {} not, in {seconds:.1} s; server's peak memory {memory_mb} MB (target: none, 1024 MB)",
        STREAMS - done
    );
    assert_eq!(done, STREAMS, "{:?}", ends.iter().find(|end| *end != "done"));
}

/// Asks, and reads to the end: the name of the last event.
async fn one(client: Client, conversation: String) -> String {
    let path = format!("/v1/conversations/{conversation}/messages");
    let request = client.request(Method::POST, &path).header("accept", "text/event-stream");
    match request.json(&json!({"content": "When must the buyer pay?"})).send().await {
        Ok(response) if response.status().is_success() => events::read(response, usize::MAX)
            .await
            .last()
            .map_or_else(|| "nothing".to_owned(), |event| event.name.clone()),
        Ok(response) => format!("status {}", response.status()),
        Err(error) => error.to_string(),
    }
}

fn peak_memory_mb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}
