//! The conformance suite of the records, against redb.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use mandi_local::{DataDir, RedbRecords};
use mandi_testkit::records::{Differences, Fixture, MixedTypes, Removal, RepeatedToken};

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let clock = mandi_testkit::clock();
    let data = DataDir::open(folder.path().join("data")).unwrap();
    let store = RedbRecords::open(&data, clock.clone()).unwrap();
    let swept = store.clone();
    let sweep = Box::new(move || {
        let store = swept.clone();
        Box::pin(async move { store.sweep().await }) as futures::future::BoxFuture<'static, _>
    });
    Fixture {
        store: Arc::new(store),
        clock,
        differences: Differences {
            removal: Removal::Sweep(sweep),
            repeated_token: RepeatedToken::Recognised,
            mixed_types: MixedTypes::NeverLess,
        },
        writers: 64,
        keep: Box::new(folder),
    }
}

mandi_testkit::records_suite!(fixture);
