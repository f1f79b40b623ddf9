//! The queue of captures, over the store of files; the lines of a call; format 1.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use mandi_core::capture::{
    CaptureLimits, CaptureWriter, CapturedCall, CapturedRow, Captures, Flushed, Lines, LostReason,
};
use mandi_core::ids::ModelId;
use mandi_core::ports::MAX_CAPTURE_LINE_BYTES;
use mandi_core::{TenantId, Timestamp};
use mandi_local::{CaptureFiles, DataDir};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

const FORMAT_1: &str = include_str!("fixtures/capture-format-1.jsonl");
const SOON: Duration = Duration::from_secs(10);

fn call(features: impl IntoIterator<Item = Value>) -> CapturedCall {
    let row = |value| CapturedRow { features: Map::from_iter([("x".to_owned(), value)]), prediction: None };
    let rows: Vec<_> = features.into_iter().map(row).collect();
    CapturedCall {
        tenant: TenantId::from_stored("demo").unwrap(),
        user: None,
        request_id: "req-1".to_owned(),
        model_id: ModelId::generate(),
        version: 1,
        arm: None,
        stage: None,
        at: Timestamp::from_unix_ms(1_795_254_600_123),
        latency_ms: 0.5,
        reference: None,
        row_count: rows.len(),
        first_row: 0,
        rows,
    }
}

fn one_line() -> Lines {
    call([json!(1)]).lines().unwrap()
}

/// A queue over files in a folder.
fn queue(limits: CaptureLimits) -> (Captures, CaptureWriter, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = CaptureFiles::open(&DataDir::open(folder.path()).unwrap()).unwrap();
    let (captures, writer) = Captures::new(Arc::new(store), limits);
    (captures, writer, folder)
}

fn lines_in(folder: &TempDir) -> usize {
    let file = folder.path().join("captures/demo/2026-11-21.jsonl");
    fs::read_to_string(file).map_or(0, |text| text.lines().count())
}

#[tokio::test]
async fn given_offered_lines_when_flushed_then_they_are_durable_and_counted() {
    let (captures, writer, folder) = queue(CaptureLimits::default());
    tokio::spawn(writer.run());
    for _ in 0..1_200 {
        captures.offer(one_line());
    }
    assert_eq!(captures.flush(SOON).await, Flushed::Settled);
    assert_eq!((lines_in(&folder), captures.counts().captured, captures.counts().lost_in_all()), (1_200, 1_200, 0));
}

#[tokio::test]
async fn given_nothing_was_offered_when_flushed_then_it_returns_at_once() {
    let (captures, _writer, _folder) = queue(CaptureLimits::default());
    assert_eq!(captures.flush(Duration::ZERO).await, Flushed::Settled);
}

#[tokio::test]
async fn given_a_writer_that_does_not_run_when_flushed_then_the_wait_ends() {
    let (captures, _writer, _folder) = queue(CaptureLimits::default());
    captures.offer(one_line());
    assert_eq!(captures.flush(Duration::from_millis(20)).await, Flushed::TimedOut);
}

#[tokio::test]
async fn given_more_lines_than_may_wait_when_offered_then_the_last_are_lost_and_counted() {
    let (captures, writer, folder) = queue(CaptureLimits { lines: 3, ..CaptureLimits::default() });
    for _ in 0..5 {
        captures.offer(one_line());
    }
    assert_eq!(captures.counts().lost(LostReason::QueueFull), 2);
    captures.close();
    writer.run().await;
    assert_eq!((lines_in(&folder), captures.counts().captured), (3, 3));
}

#[tokio::test]
async fn given_lines_of_two_models_then_each_is_counted_by_itself() {
    let (captures, writer, _folder) = queue(CaptureLimits { lines: 2, ..CaptureLimits::default() });
    let (one, other) = (one_line(), one_line());
    let models = (one.model.clone(), other.model.clone());
    captures.offer(one);
    captures.offer(other.clone());
    captures.offer(other);
    tokio::spawn(writer.run());
    assert_eq!(captures.flush(SOON).await, Flushed::Settled);
    let (one, other) = (captures.counts_of(&models.0), captures.counts_of(&models.1));
    assert_eq!((one.captured, one.lost_in_all()), (1, 0));
    assert_eq!((other.captured, other.lost(LostReason::QueueFull), other.lost_in_all()), (1, 1, 1));
}

#[tokio::test]
async fn given_more_bytes_than_may_wait_when_offered_then_the_last_are_lost_and_there_is_room_again_later() {
    let bytes = 2 * call([json!(1)]).lines().unwrap().lines[0].bytes().len();
    let (captures, writer, _folder) = queue(CaptureLimits { lines: 100, bytes });
    for _ in 0..3 {
        captures.offer(one_line());
    }
    assert_eq!(captures.counts().lost(LostReason::QueueFull), 1);
    tokio::spawn(writer.run());
    assert_eq!(captures.flush(SOON).await, Flushed::Settled);
    captures.offer(one_line());
    assert_eq!(captures.flush(SOON).await, Flushed::Settled);
    assert_eq!((captures.counts().captured, captures.counts().lost_in_all()), (3, 1));
}

#[tokio::test]
async fn given_a_writer_that_ended_early_then_what_waited_and_what_comes_later_is_counted_as_lost() {
    let (captures, writer, _folder) = queue(CaptureLimits::default());
    captures.offer(one_line());
    drop(writer);
    captures.offer(one_line());
    assert_eq!(captures.counts().lost(LostReason::Ended), 2);
    assert_eq!(captures.flush(Duration::ZERO).await, Flushed::Settled);
}

#[tokio::test]
async fn given_a_store_that_cannot_write_then_the_lines_are_counted_as_lost() {
    let (captures, writer, folder) = queue(CaptureLimits::default());
    fs::write(folder.path().join("captures/demo"), "a file where the tenant's folder should be").unwrap();
    tokio::spawn(writer.run());
    captures.offer(one_line());
    assert_eq!(captures.flush(SOON).await, Flushed::Settled);
    assert_eq!((captures.counts().captured, captures.counts().lost(LostReason::Unavailable)), (0, 1));
}

#[test]
fn given_a_call_that_is_longer_than_a_line_when_written_then_its_rows_are_in_several_lines_in_order() {
    let rows = (0..1_000).map(|row| json!(format!("{row:04}{}", "x".repeat(3_000))));
    let call = call(rows);
    let Lines { lines, too_long, .. } = call.lines().unwrap();
    assert_eq!((lines.len(), too_long), (3, 0));
    assert!(lines.iter().all(|line| line.bytes().len() <= MAX_CAPTURE_LINE_BYTES));
    let mut rows = Vec::new();
    for line in &lines {
        let part = CapturedCall::from_stored(std::str::from_utf8(line.bytes()).unwrap()).unwrap();
        assert_eq!((part.first_row, part.row_count), (rows.len(), 1_000));
        rows.extend(part.rows);
    }
    assert!(rows == call.rows);
}

#[test]
fn given_a_row_that_is_longer_than_a_line_when_written_then_it_is_counted_and_the_others_keep_their_places() {
    let Lines { lines, too_long, .. } =
        call([json!(0), json!("x".repeat(MAX_CAPTURE_LINE_BYTES)), json!(2)]).lines().unwrap();
    let part = |line: usize| CapturedCall::from_stored(std::str::from_utf8(lines[line].bytes()).unwrap()).unwrap();
    assert_eq!((lines.len(), too_long), (2, 1));
    assert_eq!((part(0).first_row, part(1).first_row), (0, 2));
}

#[test]
fn given_a_call_without_room_for_rows_when_written_then_no_line_is_too_long() {
    let call = CapturedCall { request_id: "r".repeat(MAX_CAPTURE_LINE_BYTES), ..call([json!(0)]) };
    let Lines { lines, too_long, .. } = call.lines().unwrap();
    assert_eq!((lines.len(), too_long), (0, 1));
}

#[test]
fn given_lines_of_format_1_when_they_are_read_and_written_then_they_are_as_they_were() {
    for line in FORMAT_1.lines() {
        let Lines { lines, .. } = CapturedCall::from_stored(line).unwrap().lines().unwrap();
        assert_eq!(lines[0].bytes(), format!("{line}\n").as_bytes());
    }
}

#[test]
fn given_a_line_of_another_format_when_it_is_read_then_the_format_is_named() {
    let other = FORMAT_1.lines().next().unwrap().replace(r#""format":1"#, r#""format":2"#);
    assert!(CapturedCall::from_stored(&other).unwrap_err().to_string().contains("format 2"));
}
