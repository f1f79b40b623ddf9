//! Metering over a real store.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use mandi_core::ids::CallId;
use mandi_core::metering::{CallStatus, Meter, MeteredCall, PriceList, Task};
use mandi_core::money::TokenPrice;
use mandi_core::ports::{ModelRef, TokenUsage};
use mandi_core::{Clock, MicroUsd, SystemClock, TenantId, Timestamp};
use mandi_local::{DataDir, RedbRecords};

#[derive(Debug)]
struct OneDollarAMillion;

impl PriceList for OneDollarAMillion {
    fn price(&self, _: &ModelRef) -> TokenPrice {
        TokenPrice { input_micro_usd_per_million: 1_000_000, output_micro_usd_per_million: 1_000_000 }
    }
}

fn call(day_ms: i64) -> MeteredCall {
    MeteredCall {
        id: CallId::generate(),
        at: Timestamp::from_unix_ms(day_ms),
        model: ModelRef { provider: "openai".to_owned(), model: "m".to_owned() },
        task: Task::Chat,
        usage: TokenUsage { input_tokens: 10, output_tokens: 5 },
        latency_ms: 7,
        first_token_ms: Some(3),
        status: CallStatus::Ok,
        cache_hit: false,
        user: "asha".to_owned(),
        assistant: Some("trade".to_owned()),
        language: None,
    }
}

fn meter() -> (Meter, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path()).unwrap();
    let records = RedbRecords::open(&data, Arc::new(SystemClock) as Arc<dyn Clock>).unwrap();
    (Meter::new(Arc::new(records), Arc::new(OneDollarAMillion)), folder)
}

const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn sums_are_right_under_concurrency() {
    let (meter, _folder) = meter();
    let tenant = TenantId::from_stored("demo").unwrap();
    let recording: Vec<_> = (0..100)
        .map(|_| {
            let (meter, tenant) = (meter.clone(), tenant.clone());
            tokio::spawn(async move { meter.record(&tenant, &call(0)).await })
        })
        .collect();
    for one in recording {
        one.await.unwrap().unwrap();
    }
    let rows = meter.usage(&tenant, "1970-01-01", "1970-01-01").await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].calls, rows[0].input_tokens, rows[0].cost), (100, 1_000, MicroUsd(1_500)));
}

#[tokio::test]
async fn a_call_that_is_recorded_twice_counts_once() {
    let (meter, _folder) = meter();
    let tenant = TenantId::from_stored("demo").unwrap();
    let same = call(0);
    meter.record(&tenant, &same).await.unwrap();
    meter.record(&tenant, &same).await.unwrap();
    assert_eq!(meter.usage(&tenant, "1970-01-01", "1970-01-01").await.unwrap()[0].calls, 1);
}

#[tokio::test]
async fn a_range_holds_its_days_and_no_others_and_no_other_tenants() {
    let (meter, _folder) = meter();
    let tenant = TenantId::from_stored("demo").unwrap();
    for day in 0..4 {
        meter.record(&tenant, &call(day * DAY_MS)).await.unwrap();
    }
    meter.record(&TenantId::from_stored("other").unwrap(), &call(DAY_MS)).await.unwrap();
    let rows = meter.usage(&tenant, "1970-01-02", "1970-01-03").await.unwrap();
    assert_eq!(rows.iter().map(|row| row.day.as_str()).collect::<Vec<_>>(), ["1970-01-02", "1970-01-03"]);
}
