//! The conformance suite of the store of captures, against files; and what is left after a kill.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mandi_core::TenantId;
use mandi_core::capture::CapturedCall;
use mandi_core::ports::{CaptureError, CaptureStore};
use mandi_local::{CaptureFiles, DataDir};
use mandi_testkit::captures::{Fixture, call, line};
use serde_json::json;

/// All lines of a tenant, day by day.
fn read(folder: &Path, tenant: &TenantId) -> String {
    let Ok(files) = fs::read_dir(folder.join("captures").join(tenant.as_str())) else { return String::new() };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path().join("data")).unwrap();
    let root = data.path().to_owned();
    Fixture {
        store: Arc::new(CaptureFiles::open(&data).unwrap()),
        read: Box::new(move |tenant| {
            let root = root.clone();
            Box::pin(async move { read(&root, &tenant) })
        }),
        keep: Box::new(folder),
    }
}

mandi_testkit::captures_suite!(fixture);

const DAY: &str = "captures/one/2026-11-21.jsonl";

/// Writes `calls`, then `torn` after them as a killed process leaves it, opens the store anew and appends one more.
async fn after_a_kill(torn: &[u8]) -> (String, Vec<CapturedCall>) {
    let folder = tempfile::tempdir().unwrap();
    let calls: Vec<CapturedCall> = (0..3).map(|number| call("one", &[json!(number)])).collect();
    let open = || CaptureFiles::open(&DataDir::open(folder.path()).unwrap()).unwrap();
    let store = open();
    for outcome in store.append(&[line(&calls[0]), line(&calls[1])]).await {
        outcome.unwrap();
    }
    drop(store);
    fs::OpenOptions::new().append(true).open(folder.path().join(DAY)).unwrap().write_all(torn).unwrap();
    let store = open();
    for outcome in store.append(&[line(&calls[2])]).await {
        outcome.unwrap();
    }
    (read(folder.path(), &mandi_testkit::tenant("one")), calls)
}

#[tokio::test]
async fn given_a_line_that_a_kill_cut_short_when_the_store_is_opened_then_it_is_gone_and_the_others_are_there() {
    let (short, long) = (br#"{"format":1,"tenant":"#.to_vec(), vec![b'x'; 300_000]);
    for torn in [short, long, Vec::new()] {
        let (text, calls) = after_a_kill(&torn).await;
        let found: Vec<_> = text.lines().map(|line| CapturedCall::from_stored(line).unwrap()).collect();
        assert_eq!(found, calls);
    }
}

#[tokio::test]
async fn given_a_file_with_nothing_but_the_half_of_a_line_when_the_store_is_opened_then_it_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(DAY);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "{").unwrap();
    CaptureFiles::open(&DataDir::open(folder.path()).unwrap()).unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), "");
}

#[tokio::test]
async fn given_calls_on_both_sides_of_midnight_when_appended_then_each_day_has_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = CaptureFiles::open(&DataDir::open(folder.path()).unwrap()).unwrap();
    let evening = call("one", &[json!(1)]);
    let morning = CapturedCall { at: evening.at.plus(Duration::from_hours(24)), ..evening.clone() };
    store.append(&[line(&evening), line(&morning)]).await.into_iter().for_each(Result::unwrap);
    for day in ["2026-11-21", "2026-11-22"] {
        assert_eq!(
            fs::read_to_string(folder.path().join(format!("captures/one/{day}.jsonl"))).unwrap().lines().count(),
            1
        );
    }
}

#[tokio::test]
async fn given_a_file_that_cannot_be_written_when_appended_then_only_its_lines_fail() {
    let folder = tempfile::tempdir().unwrap();
    let store = CaptureFiles::open(&DataDir::open(folder.path()).unwrap()).unwrap();
    fs::create_dir_all(folder.path().join(DAY)).unwrap();
    let outcomes = store.append(&[line(&call("one", &[json!(1)])), line(&call("two", &[json!(2)]))]).await;
    assert!(matches!(&outcomes[..], [Err(CaptureError::Unavailable(_)), Ok(())]), "{outcomes:?}");
}
