//! Large values and the limits.

use mandi_core::ports::{Condition, MAX_RECORD_BYTES, MAX_SORT_BYTES, RecordsError, Update};

use super::{Fixture, fresh_partition, record};

/// Well under the limit.
pub async fn a_record_of_300_kilobytes_is_kept(fixture: &Fixture) {
    let written = record(&fresh_partition(), "a").with("text", "अनाज ".repeat(300 * 1024 / 13));
    fixture.store.put(written.clone(), Condition::Always).await.unwrap();
    assert_eq!(fixture.store.get(&written.key).await.unwrap(), Some(written));
}

/// As too large, and what was there stays.
pub async fn a_record_over_the_limit_is_refused(fixture: &Fixture) {
    let small = record(&fresh_partition(), "a").with("text", "small");
    fixture.store.put(small.clone(), Condition::Always).await.unwrap();

    let large = small.clone().with("text", "x".repeat(MAX_RECORD_BYTES));
    let refused = fixture.store.put(large, Condition::Always).await;

    assert!(matches!(refused, Err(RecordsError::TooLarge(_))), "{refused:?}");
    assert_eq!(fixture.store.get(&small.key).await.unwrap(), Some(small));
}

/// Although the update itself is under it.
pub async fn an_update_that_grows_a_record_over_the_limit_is_refused(fixture: &Fixture) {
    let half = "x".repeat(MAX_RECORD_BYTES / 2);
    let written = record(&fresh_partition(), "a").with("first", half.clone());
    fixture.store.put(written.clone(), Condition::Always).await.unwrap();

    let refused = fixture.store.update(&written.key, Update::new().set("second", half), Condition::Always).await;

    assert!(matches!(refused, Err(RecordsError::TooLarge(_))), "{refused:?}");
    assert_eq!(fixture.store.get(&written.key).await.unwrap(), Some(written));
}

/// 1,024 bytes.
pub async fn a_sort_key_of_the_longest_length_is_kept_and_one_byte_more_is_refused(fixture: &Fixture) {
    let partition = fresh_partition();
    let longest = record(&partition, &"k".repeat(MAX_SORT_BYTES)).with("n", 1);
    fixture.store.put(longest.clone(), Condition::Always).await.unwrap();
    assert_eq!(fixture.store.get(&longest.key).await.unwrap(), Some(longest));

    let refused = fixture.store.put(record(&partition, &"k".repeat(MAX_SORT_BYTES + 1)), Condition::Always).await;
    assert!(matches!(refused, Err(RecordsError::TooLarge(_))), "{refused:?}");
}
