//! Streams on which something is slow: a provider that stalls, a reader that does not read, a server that is to
//! stop.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::time::Duration;

use mandi_acceptance::{Client, Server, Setup, events};
use mandi_testkit::provider::{OpenAiStub, Script};
use reqwest::{Method, Response};
use serde_json::json;

const SOURCE: &str = "The buyer shall pay each invoice within 30 days of the invoice date by bank transfer.";

async fn ready(server: &Server) -> (Client, String) {
    let client = server.client("demo");
    client.collection_with("contracts", "C-1", SOURCE).await;
    let path = client.new_messages_path().await;
    (client, path)
}

async fn ask(client: &Client, path: &str) -> Response {
    let question = json!({"content": "When must the buyer pay?"});
    client.request(Method::POST, path).header("accept", "text/event-stream").json(&question).send().await.unwrap()
}

fn answer(sentences: usize) -> String {
    format!("{} [1]. ", SOURCE.trim_end_matches('.')).repeat(sentences)
}

/// What the process holds in memory now, in bytes.
fn memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn given_a_provider_that_stalls_then_comments_keep_the_stream_alive_until_the_tokens_come() {
    let stub = OpenAiStub::start(Script::text(&answer(1)).paced(Duration::from_secs(2), Duration::ZERO)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::on(folder.path()).with_model_at(&stub.base_url()).with("MANDI_STREAM_KEEP_ALIVE_MS", "200");
    let server = setup.start().await;
    let (client, path) = ready(&server).await;
    let told = ask(&client, &path).await.text().await.unwrap();
    let before = told.find("event: token").unwrap();
    let comments = told[..before].matches("\n\n: keep-alive\n\n").count();
    assert!(comments >= 3, "{comments} comments in two seconds: {told}");
    assert!(told.contains("event: done"), "{told}");
}

#[tokio::test]
async fn given_many_readers_that_do_not_read_then_memory_stays_and_another_reader_gets_all() {
    const READERS: usize = 100;
    const SENTENCES: usize = 150;
    const GROWTH: u64 = 64 << 20;
    let stub = OpenAiStub::start(Script::text(&answer(SENTENCES))).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).with_model_at(&stub.base_url()).start().await;
    let (client, path) = ready(&server).await;
    // The first answer opens what every answer needs.
    events::read(ask(&client, &path).await, usize::MAX).await;
    let path = client.new_messages_path().await;
    let begun = ask(&client, &path).await;
    let message = client.get(&path).await.expect(200)["messages"][1]["id"].as_str().unwrap().to_owned();
    let before = memory(&server);
    let mut idle = vec![begun];
    for _ in 0..READERS {
        let request = client.request(Method::GET, &format!("{path}/{message}/stream"));
        idle.push(request.send().await.unwrap());
    }
    let request = client.request(Method::GET, &format!("{path}/{message}/stream"));
    let all = events::read(request.send().await.unwrap(), usize::MAX).await;
    assert_eq!(all.last().unwrap().name, "done");
    assert!(all.iter().enumerate().all(|(place, event)| event.id == place as u64 + 1));
    let bytes: usize = all.iter().map(|event| event.bytes.len()).sum();
    let grown = memory(&server).saturating_sub(before);
    assert!(grown < GROWTH, "{} readers of {bytes} bytes cost {grown} bytes", idle.len());
}

#[tokio::test]
async fn given_a_stream_that_is_written_when_sigterm_comes_then_it_ends_with_done_and_the_exit_code_is_0() {
    let stub =
        OpenAiStub::start(Script::text(&answer(2)).paced(Duration::ZERO, Duration::from_millis(100))).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut server = Setup::on(folder.path()).with_model_at(&stub.base_url()).start().await;
    let (client, path) = ready(&server).await;
    let response = ask(&client, &path).await;
    let pid = server.pid().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let told = events::read(response, usize::MAX).await;
    assert_eq!(told.last().unwrap().name, "done", "{told:?}");
    assert_eq!(server.ended().await.code(), Some(0));
    assert_eq!(stub.calls(), 1);
}
