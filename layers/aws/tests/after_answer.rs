//! What a function does after its answer: this test binary starts itself again, as the function.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use mandi_aws::{Clients, LambdaInvoker};
use mandi_testkit::lambda::Function;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Where the function notes what it did after answers, one letter for each; absent in this process.
const NOTES: &str = "MANDI_TEST_NOTES";
/// How long the function works after an answer.
const WORK: Duration = Duration::from_millis(600);

#[tokio::test]
#[ignore = "the function itself, which the other tests start"]
async fn as_function() {
    let Some(notes) = std::env::var_os(NOTES).map(PathBuf::from) else { return };
    let router = Router::new().route("/hello", get(|| async { "hello" }));
    let tasks = |json: String| async move { if json.contains("fail") { Err("it fails".into()) } else { Ok(json) } };
    let after = move || {
        let notes = notes.clone();
        async move {
            tokio::time::sleep(WORK).await;
            let said = fs::read_to_string(&notes).unwrap_or_default();
            fs::write(&notes, said + "x").unwrap();
        }
    };
    mandi_aws::lambda::serve_then(router, tasks, after).await.unwrap();
}

async fn function(folder: &Path) -> (Function, PathBuf) {
    let (script, notes) = (folder.join("function"), folder.join("notes"));
    let itself = std::env::current_exe().unwrap();
    let call = format!("#!/bin/sh\nexec {} --exact as_function --nocapture --include-ignored\n", itself.display());
    fs::write(&script, call).unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o700)).unwrap();
    let environment = [(NOTES.to_owned(), notes.display().to_string())];
    let function = Function::start(&script, &environment, File::create(folder.join("log")).unwrap()).await;
    (function, notes)
}

fn notes(path: &Path) -> usize {
    fs::read_to_string(path).unwrap_or_default().len()
}

async fn noted(path: &Path, count: usize) {
    let begun = Instant::now();
    while notes(path) < count {
        assert!(begun.elapsed() < Duration::from_secs(10), "the function did not work after its answer");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn given_work_after_answers_then_the_caller_has_its_answer_before_and_the_next_request_comes_after() {
    let folder = tempfile::tempdir().unwrap();
    let (function, path) = function(folder.path()).await;
    let invoker = invoker(&function).await;
    for count in 0..3 {
        let answer = invoker.invoke("function", r#"{"task":"a"}"#.into()).await.unwrap();
        assert_eq!(mandi_aws::lambda::body_of(&answer), r#"{"task":"a"}"#);
        assert_eq!(notes(&path), count, "the answer is there before the work, and the work of the one before is done");
    }
    noted(&path, 3).await;
}

#[tokio::test]
async fn given_requests_over_http_then_each_answer_ends_before_the_work_begins() {
    let folder = tempfile::tempdir().unwrap();
    let (function, path) = function(folder.path()).await;
    for count in 0..2 {
        let mut stream = TcpStream::connect(function.url().trim_start_matches("http://")).await.unwrap();
        stream.write_all(b"GET /hello HTTP/1.1\r\nHost: tests\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("hello"), "{answer}");
        assert_eq!(notes(&path), count);
    }
    noted(&path, 2).await;
}

#[tokio::test]
async fn given_a_task_that_fails_then_the_work_is_done_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (function, path) = function(folder.path()).await;
    let invoker = invoker(&function).await;
    invoker.invoke("function", r#"{"task":"fail"}"#.into()).await.unwrap_err();
    invoker.invoke("function", r#"{"task":"a"}"#.into()).await.unwrap();
    noted(&path, 2).await;
}

async fn invoker(function: &Function) -> LambdaInvoker {
    let clients: Clients = emulator::clients(function.url()).await;
    clients.invoker()
}

mod emulator;
