//! The conformance suite of the [`CaptureStore`] port: one function for each case, run against every adapter.
//!
//! Used as [`crate::records`] is, with [`captures_suite!`](crate::captures_suite).

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use mandi_core::capture::{CapturedArm, CapturedCall, CapturedRow};
use mandi_core::ids::{CallId, ModelId};
use mandi_core::ports::{CaptureLine, CaptureStore, MAX_CAPTURE_BATCH_LINES, MAX_CAPTURE_LINE_BYTES};
use mandi_core::{TenantId, Timestamp};
use serde_json::{Map, Value, json};

use crate::tenant;

/// Reads what was appended for a tenant, as text.
pub type Reader = Box<dyn Fn(TenantId) -> BoxFuture<'static, String> + Send + Sync>;

/// A store under test, without lines.
pub struct Fixture {
    /// The store.
    pub store: Arc<dyn CaptureStore>,
    /// What lies in it.
    pub read: Reader,
    /// What has to live as long: a folder, a server.
    pub keep: Box<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for Fixture {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Fixture").field("store", &self.store).finish_non_exhaustive()
    }
}

/// A call of a tenant with these rows, each with one feature, at 2026-11-21T09:50:00.123Z.
#[must_use]
pub fn call(tenant_name: &str, features: &[Value]) -> CapturedCall {
    let row = |value: &Value| CapturedRow {
        features: Map::from_iter([("x".to_owned(), value.clone())]),
        prediction: Some(json!({ "value": 1.5 })),
    };
    CapturedCall {
        tenant: tenant(tenant_name),
        user: Some("asha".to_owned()),
        request_id: CallId::generate().to_string(),
        model_id: ModelId::generate(),
        version: 3,
        arm: Some(CapturedArm::Treatment),
        stage: Some("production".to_owned()),
        at: Timestamp::from_unix_ms(1_795_254_600_123),
        latency_ms: CapturedCall::milliseconds(Duration::from_micros(1_250)),
        reference: Some("order-17".to_owned()),
        row_count: features.len(),
        first_row: 0,
        rows: features.iter().map(row).collect(),
    }
}

/// The line of a call that has one.
///
/// # Panics
/// It has several.
#[must_use]
pub fn line(call: &CapturedCall) -> CaptureLine {
    let mut lines = call.lines().unwrap().lines;
    assert_eq!(lines.len(), 1, "the call needs several lines");
    lines.remove(0)
}

async fn read(fixture: &Fixture, name: &str) -> Vec<CapturedCall> {
    let text = (fixture.read)(tenant(name)).await;
    assert!(text.is_empty() || text.ends_with('\n'), "the last line has no end");
    text.lines().map(|line| CapturedCall::from_stored(line).unwrap()).collect()
}

async fn appended(fixture: &Fixture, calls: &[CapturedCall]) {
    let lines: Vec<CaptureLine> = calls.iter().map(line).collect();
    for outcome in fixture.store.append(&lines).await {
        outcome.unwrap();
    }
}

/// With every field.
pub async fn a_line_is_read_back_as_it_was_appended(fixture: &Fixture) {
    let calls = [call("one", &[json!("चावल \"\\\u{2028}\n")])];
    appended(fixture, &calls).await;
    assert_eq!(read(fixture, "one").await, calls);
}

/// Also over several appends.
pub async fn lines_are_in_the_order_of_their_appends(fixture: &Fixture) {
    let calls: Vec<CapturedCall> = (0..30).map(|number| call("one", &[json!(number)])).collect();
    for part in calls.chunks(7) {
        appended(fixture, part).await;
    }
    assert_eq!(read(fixture, "one").await, calls);
}

/// Although they are appended in one batch.
pub async fn lines_of_tenants_lie_apart(fixture: &Fixture) {
    let calls: Vec<CapturedCall> =
        (0..10).map(|number| call(if number % 2 == 0 { "one" } else { "two" }, &[json!(number)])).collect();
    appended(fixture, &calls).await;
    for name in ["one", "two"] {
        let expected: Vec<_> = calls.iter().filter(|call| call.tenant.as_str() == name).cloned().collect();
        assert_eq!(read(fixture, name).await, expected);
    }
    assert_eq!(read(fixture, "three").await, []);
}

/// The most lines that go at a time.
pub async fn the_largest_batch_by_lines_is_taken(fixture: &Fixture) {
    let calls: Vec<CapturedCall> = (0..MAX_CAPTURE_BATCH_LINES).map(|number| call("one", &[json!(number)])).collect();
    appended(fixture, &calls).await;
    assert_eq!(read(fixture, "one").await.len(), MAX_CAPTURE_BATCH_LINES);
}

/// Four lines of the longest kind, which is nearly the most bytes that go at a time.
pub async fn lines_of_the_longest_length_are_taken(fixture: &Fixture) {
    let bare = line(&call("one", &[json!("")])).bytes().len();
    // `first_row` and `row_count` may grow, so that a row has to leave some room.
    let room = MAX_CAPTURE_LINE_BYTES - bare - 64;
    let calls: Vec<CapturedCall> = (0..4).map(|_| call("one", &[json!("x".repeat(room))])).collect();
    assert!(line(&calls[0]).bytes().len() > MAX_CAPTURE_LINE_BYTES - 128);
    appended(fixture, &calls).await;
    assert_eq!(read(fixture, "one").await, calls);
}

/// And has no outcome.
pub async fn an_empty_batch_changes_nothing(fixture: &Fixture) {
    assert!(fixture.store.append(&[]).await.is_empty());
    assert_eq!(read(fixture, "one").await, []);
}

/// Each line is whole, and none is missing.
pub async fn appends_at_the_same_time_do_not_mix(fixture: &Fixture) {
    let calls: Vec<CapturedCall> = (0..40).map(|number| call("one", &[json!("y".repeat(number * 50))])).collect();
    let appends = calls.chunks(5).map(|part| appended(fixture, part));
    futures::future::join_all(appends).await;
    let by_id = |calls: Vec<CapturedCall>| -> BTreeMap<String, CapturedCall> {
        calls.into_iter().map(|call| (call.request_id.clone(), call)).collect()
    };
    let found = read(fixture, "one").await;
    assert_eq!(found.len(), calls.len());
    assert_eq!(by_id(found), by_id(calls));
}

/// Makes one test of each case of the suite. The argument names an `async fn() -> captures::Fixture`.
#[macro_export]
macro_rules! captures_suite {
    ($make:path) => {
        $crate::conformance_tests! { $make; captures;
            a_line_is_read_back_as_it_was_appended
            lines_are_in_the_order_of_their_appends
            lines_of_tenants_lie_apart
            the_largest_batch_by_lines_is_taken
            lines_of_the_longest_length_are_taken
            an_empty_batch_changes_nothing
            appends_at_the_same_time_do_not_mix
        }
    };
}
