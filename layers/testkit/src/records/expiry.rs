//! Time to live: an expired record is absent in every call, removed or not.

use std::time::Duration;

use mandi_core::ports::{Condition, Query, Record, Update, Write};
use mandi_core::{Clock, Timestamp};

use super::{Fixture, Removal, failed_write, fresh_partition, record};

/// Writes a record that expires in `seconds` from now.
async fn put_expiring(fixture: &Fixture, record: Record, seconds: u64) -> Record {
    let record = record.expiring(fixture.clock.now().plus(Duration::from_secs(seconds)));
    fixture.store.put(record.clone(), Condition::Always).await.unwrap();
    record
}

/// A record with old fields that has expired already.
async fn expired(fixture: &Fixture, sort: &str) -> Record {
    let record = put_expiring(fixture, record(&fresh_partition(), sort).with("old", 1), 10).await;
    fixture.clock.advance(Duration::from_secs(12));
    record
}

/// It is there until its end, and not from then on.
pub async fn an_expired_record_is_absent_in_get_and_query(fixture: &Fixture) {
    let partition = fresh_partition();
    let brief = put_expiring(fixture, record(&partition, "brief"), 10).await;
    let lasting = put_expiring(fixture, record(&partition, "lasting"), 100_000).await;
    fixture.clock.advance(Duration::from_secs(5));
    assert!(fixture.store.get(&brief.key).await.unwrap().is_some());

    fixture.clock.advance(Duration::from_secs(7));

    assert_eq!(fixture.store.get(&brief.key).await.unwrap(), None);
    let page = fixture.store.query(Query::all(partition)).await.unwrap();
    let sorts: Vec<_> = page.records.iter().map(|record| record.key.sort.as_str()).collect();
    assert_eq!(sorts, ["lasting"]);
    assert!(fixture.store.get(&lasting.key).await.unwrap().is_some());
}

/// For puts and deletes.
pub async fn an_expired_record_is_absent_to_conditions(fixture: &Fixture) {
    for (condition, holds) in [
        (Condition::Absent, true),
        (Condition::FieldAbsent("old".to_owned()), true),
        (Condition::Any(vec![Condition::equals("old", 1), Condition::Absent]), true),
        (Condition::Present, false),
        (Condition::equals("old", 1), false),
        (Condition::LessThan("old".to_owned(), 2), false),
    ] {
        let gone = expired(fixture, "a").await;
        let deleted = fixture.store.delete(&gone.key, condition.clone()).await;
        assert_eq!(deleted.is_ok(), holds, "delete with {condition:?}: {deleted:?}");

        let gone = expired(fixture, "a").await;
        let put = fixture.store.put(record(&gone.key.partition, "a").with("new", 2), condition.clone()).await;
        assert_eq!(put.is_ok(), holds, "put with {condition:?}: {put:?}");
        assert_eq!(fixture.store.get(&gone.key).await.unwrap().is_some(), holds);
    }
}

/// No field of the expired one is left, and its end is gone too.
pub async fn an_update_of_an_expired_record_starts_from_nothing(fixture: &Fixture) {
    let gone = expired(fixture, "a").await;
    let refused = fixture.store.update(&gone.key, Update::new().add("old", 1), Condition::Present).await;
    assert_eq!(failed_write(refused), 0);
    let refused = fixture.store.update(&gone.key, Update::new().add("old", 1), Condition::equals("old", 1)).await;
    assert_eq!(failed_write(refused), 0);

    let after = fixture.store.update(&gone.key, Update::new().add("count", 1), Condition::Always).await.unwrap();

    assert_eq!(after, record(&gone.key.partition, "a").with("count", 1));
    assert_eq!(fixture.store.get(&gone.key).await.unwrap(), Some(after));
}

/// In each kind of write.
pub async fn a_transaction_takes_an_expired_record_for_absent(fixture: &Fixture) {
    let (put, updated, deleted, checked) = (
        expired(fixture, "put").await,
        expired(fixture, "updated").await,
        expired(fixture, "deleted").await,
        expired(fixture, "checked").await,
    );
    let writes = |update_condition: Condition| {
        vec![
            Write::Put(Record::new(put.key.clone()).with("new", 2), Condition::Absent),
            Write::Delete(deleted.key.clone(), Condition::Absent),
            Write::Check(checked.key.clone(), Condition::Absent),
            Write::Update(updated.key.clone(), Update::new().add("old", 5), update_condition),
        ]
    };
    assert_eq!(failed_write(fixture.store.transact(writes(Condition::Present), None).await), 3);
    assert_eq!(fixture.store.get(&put.key).await.unwrap(), None);

    fixture.store.transact(writes(Condition::Always), None).await.unwrap();

    assert_eq!(fixture.store.get(&put.key).await.unwrap().unwrap().int("new"), Some(2));
    assert_eq!(fixture.store.get(&updated.key).await.unwrap().unwrap().int("old"), Some(5));
    assert_eq!(fixture.store.get(&checked.key).await.unwrap(), None);
}

/// So that nothing expires early.
pub async fn an_end_is_kept_to_the_second_rounded_up(fixture: &Fixture) {
    let start = Timestamp::from_unix_ms((fixture.clock.now().unix_s_ceil() + 100) * 1000);
    let written = record(&fresh_partition(), "a").expiring(start.plus(Duration::from_millis(1)));
    fixture.store.put(written.clone(), Condition::Always).await.unwrap();

    let found = fixture.store.get(&written.key).await.unwrap().unwrap();
    assert_eq!(found.expires_at, Some(start.plus(Duration::from_secs(1))));
}

/// Later and earlier.
pub async fn an_update_can_move_the_end(fixture: &Fixture) {
    let written = put_expiring(fixture, record(&fresh_partition(), "a").with("kept", true), 10).await;
    let later = fixture.clock.now().plus(Duration::from_secs(1000));
    let after = fixture.store.update(&written.key, Update::new().expiring(later), Condition::Present).await.unwrap();
    assert_eq!(after.expires_at.unwrap().unix_s_ceil(), later.unix_s_ceil());

    fixture.clock.advance(Duration::from_secs(100));
    assert!(fixture.store.get(&written.key).await.unwrap().unwrap().flag("kept"));

    let now = fixture.clock.now();
    fixture.store.update(&written.key, Update::new().expiring(now), Condition::Present).await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(fixture.store.get(&written.key).await.unwrap(), None);
}

/// Given more expired records than the limit before the first live one, the page still has records.
pub async fn a_page_is_filled_past_expired_records(fixture: &Fixture) {
    let partition = fresh_partition();
    for index in 0..12 {
        put_expiring(fixture, record(&partition, &format!("a{index:02}")), 10).await;
    }
    for sort in ["b1", "b2", "b3"] {
        fixture.store.put(record(&partition, sort), Condition::Always).await.unwrap();
    }
    fixture.clock.advance(Duration::from_secs(12));

    let page = fixture.store.query(Query { limit: 2, ..Query::all(partition) }).await.unwrap();

    assert_eq!(page.records.len(), 2);
    assert_eq!(page.next.as_deref(), Some("b2"));
}

/// By the sweep, once each; where the service does it, they count as absent until then.
pub async fn expired_records_are_removed(fixture: &Fixture) {
    let first = expired(fixture, "a").await;
    let renewed = put_expiring(fixture, record(&fresh_partition(), "b"), 10).await;
    put_expiring(fixture, renewed.clone(), 1_000).await;
    fixture.clock.advance(Duration::from_secs(12));

    match &fixture.differences.removal {
        Removal::Sweep(sweep) => {
            assert!(sweep().await.unwrap() >= 1);
            assert_eq!(sweep().await.unwrap(), 0, "a second sweep finds nothing");
        }
        Removal::ByTheService(reason) => assert!(!reason.is_empty()),
    }
    assert_eq!(fixture.store.get(&first.key).await.unwrap(), None);
    assert!(fixture.store.get(&renewed.key).await.unwrap().is_some(), "a renewed record stays");
}
