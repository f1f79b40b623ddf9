//! Transactions over several records.

use mandi_core::ports::{Condition, MAX_TRANSACTION_WRITES, RecordsError, Update, Write};

use super::{Fixture, RepeatedToken, failed_write, fresh_partition, record};

/// A put, an update, a delete and a check in one.
pub async fn a_transaction_does_all_of_its_writes(fixture: &Fixture) {
    let partition = fresh_partition();
    for sort in ["updated", "deleted", "checked"] {
        fixture.store.put(record(&partition, sort).with("count", 1), Condition::Always).await.unwrap();
    }

    let writes = vec![
        Write::Put(record(&partition, "put").with("count", 9), Condition::Absent),
        Write::Update(record(&partition, "updated").key, Update::new().add("count", 1), Condition::equals("count", 1)),
        Write::Delete(record(&partition, "deleted").key, Condition::Present),
        Write::Check(record(&partition, "checked").key, Condition::equals("count", 1)),
    ];
    fixture.store.transact(writes, None).await.unwrap();

    let count =
        async |sort| fixture.store.get(&record(&partition, sort).key).await.unwrap().map(|found| found.int("count"));
    assert_eq!(count("put").await, Some(Some(9)));
    assert_eq!(count("updated").await, Some(Some(2)));
    assert_eq!(count("deleted").await, None);
    assert_eq!(count("checked").await, Some(Some(1)));
}

/// Given writes of which the third and the fourth fail, the third is named.
pub async fn a_failed_transaction_writes_nothing_and_names_the_first_failed_write(fixture: &Fixture) {
    let partition = fresh_partition();
    let kept = record(&partition, "kept").with("count", 1);
    fixture.store.put(kept.clone(), Condition::Always).await.unwrap();

    let writes = vec![
        Write::Put(record(&partition, "new"), Condition::Absent),
        Write::Update(kept.key.clone(), Update::new().add("count", 5), Condition::Present),
        Write::Delete(record(&partition, "absent").key, Condition::Present),
        Write::Check(record(&partition, "absent too").key, Condition::Present),
    ];
    let outcome = fixture.store.transact(writes, None).await;

    assert_eq!(failed_write(outcome), 2);
    assert_eq!(fixture.store.get(&kept.key).await.unwrap(), Some(kept.clone()));
    assert_eq!(fixture.store.get(&record(&partition, "new").key).await.unwrap(), None);
}

/// A check of an absent record does not make it.
pub async fn a_check_alone_decides_a_transaction_without_writing(fixture: &Fixture) {
    let partition = fresh_partition();
    let absent = record(&partition, "a").key;
    let put = Write::Put(record(&partition, "b"), Condition::Always);

    let failed = vec![Write::Check(absent.clone(), Condition::Present), put.clone()];
    assert_eq!(failed_write(fixture.store.transact(failed, None).await), 0);
    assert_eq!(fixture.store.get(put.key()).await.unwrap(), None);

    let done = vec![Write::Check(absent.clone(), Condition::Absent), put.clone()];
    fixture.store.transact(done, None).await.unwrap();
    assert!(fixture.store.get(put.key()).await.unwrap().is_some());
    assert_eq!(fixture.store.get(&absent).await.unwrap(), None);
}

/// The limit of the port.
pub async fn a_transaction_of_a_hundred_writes_is_done_and_one_more_is_refused(fixture: &Fixture) {
    let partition = fresh_partition();
    let puts = |count: usize| -> Vec<_> {
        (0..count).map(|index| Write::Put(record(&partition, &format!("{index:03}")), Condition::Absent)).collect()
    };
    let refused = fixture.store.transact(puts(MAX_TRANSACTION_WRITES + 1), None).await;
    assert!(matches!(refused, Err(RecordsError::TooLarge(_))), "{refused:?}");

    fixture.store.transact(puts(MAX_TRANSACTION_WRITES), None).await.unwrap();
    assert!(fixture.store.get(&record(&partition, "099").key).await.unwrap().is_some());
}

/// Nothing is written.
pub async fn a_transaction_that_names_a_key_twice_is_refused(fixture: &Fixture) {
    let written = record(&fresh_partition(), "a");
    let twice = vec![
        Write::Put(written.clone(), Condition::Always),
        Write::Update(written.key.clone(), Update::new().add("n", 1), Condition::Always),
    ];
    assert!(fixture.store.transact(twice, None).await.is_err());
    assert_eq!(fixture.store.get(&written.key).await.unwrap(), None);
}

/// The second call succeeds, and the counter was added to once.
pub async fn a_repeated_token_has_no_second_effect(fixture: &Fixture) {
    let key = record(&fresh_partition(), "a").key;
    let token = format!("token of {:?}", key.partition);
    let add = vec![Write::Update(key.clone(), Update::new().add("count", 1), Condition::Always)];

    fixture.store.transact(add.clone(), Some(&token)).await.unwrap();
    fixture.clock.advance(std::time::Duration::from_secs(9 * 60));
    fixture.store.transact(add, Some(&token)).await.unwrap();

    let expected = match fixture.differences.repeated_token {
        RepeatedToken::Recognised => 1,
        RepeatedToken::AppliedAgain(_) => 2,
    };
    assert_eq!(fixture.store.get(&key).await.unwrap().unwrap().int("count"), Some(expected));
}

/// It is a mistake of the caller, and the other writes are not done.
pub async fn a_token_with_other_writes_is_an_error(fixture: &Fixture) {
    let key = record(&fresh_partition(), "a").key;
    let token = format!("token of {:?}", key.partition);
    let add = |amount| vec![Write::Update(key.clone(), Update::new().add("count", amount), Condition::Always)];

    fixture.store.transact(add(1), Some(&token)).await.unwrap();
    let other = fixture.store.transact(add(7), Some(&token)).await;

    match fixture.differences.repeated_token {
        RepeatedToken::Recognised => {
            assert!(matches!(other, Err(RecordsError::Unavailable(_))), "{other:?}");
            assert_eq!(fixture.store.get(&key).await.unwrap().unwrap().int("count"), Some(1));
        }
        RepeatedToken::AppliedAgain(_) => assert!(other.is_ok()),
    }
}

/// Nothing was done under it.
pub async fn a_token_of_a_failed_transaction_may_be_used_again(fixture: &Fixture) {
    let written = record(&fresh_partition(), "a");
    let token = format!("token of {:?}", written.key.partition);
    let update = vec![Write::Update(written.key.clone(), Update::new().add("count", 1), Condition::Present)];

    assert_eq!(failed_write(fixture.store.transact(update.clone(), Some(&token)).await), 0);
    fixture.store.put(written.clone(), Condition::Always).await.unwrap();
    fixture.store.transact(update, Some(&token)).await.unwrap();

    assert_eq!(fixture.store.get(&written.key).await.unwrap().unwrap().int("count"), Some(1));
}
