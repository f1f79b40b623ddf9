//! Many writers at once.

use std::sync::Arc;

use mandi_core::ports::{Condition, Records, RecordsError, Update, Write};
use tokio::task::JoinSet;

use super::{Fixture, fresh_partition, record};

/// A task that is told to try again gives up after so many times: far more than fair contention needs.
const MOST_TRIES: usize = 1_000;

/// Runs one task for each writer and collects what they return.
async fn each_writer<T, F>(fixture: &Fixture, task: impl Fn(Arc<dyn Records>, usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for writer in 0..fixture.writers {
        tasks.spawn(task(Arc::clone(&fixture.store), writer));
    }
    tasks.join_all().await
}

/// The others are told so, and the winner's record stays.
pub async fn only_one_of_many_conditional_puts_wins(fixture: &Fixture) {
    let key = record(&fresh_partition(), "a").key;
    let contender = key.clone();
    let outcomes = each_writer(fixture, move |store, writer| {
        let record = record(&contender.partition, "a").with("writer", i64::try_from(writer).unwrap());
        async move {
            match store.put(record, Condition::Absent).await {
                Ok(()) => Some(writer),
                Err(RecordsError::ConditionFailed { .. }) => None,
                Err(error) => panic!("{error:?}"),
            }
        }
    })
    .await;

    let winners: Vec<_> = outcomes.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    let kept = fixture.store.get(&key).await.unwrap().unwrap().int("writer");
    assert_eq!(kept, i64::try_from(winners[0]).ok());
}

/// A counter that all add to, and one for each half of them.
pub async fn concurrent_adds_lose_nothing(fixture: &Fixture) {
    let key = record(&fresh_partition(), "a").key;
    let counter = key.clone();
    each_writer(fixture, move |store, writer| {
        let key = counter.clone();
        async move {
            for _ in 0..5 {
                let own = if writer % 2 == 0 { "even" } else { "odd" };
                let add = Update::new().add("all", 1).add(own, 1);
                store.update(&key, add, Condition::Always).await.unwrap();
            }
        }
    })
    .await;

    let found = fixture.store.get(&key).await.unwrap().unwrap();
    assert_eq!(found.int("all"), i64::try_from(fixture.writers * 5).ok());
    assert_eq!(found.int("even").unwrap() + found.int("odd").unwrap(), found.int("all").unwrap());
}

/// Read, change, write if nobody was faster, or begin again.
pub async fn concurrent_optimistic_updates_lose_nothing(fixture: &Fixture) {
    let first = record(&fresh_partition(), "a").with("version", 0);
    fixture.store.put(first.clone(), Condition::Always).await.unwrap();
    let key = first.key.clone();
    each_writer(fixture, move |store, _| {
        let key = key.clone();
        async move {
            for _ in 0..MOST_TRIES {
                let version = store.get(&key).await.unwrap().unwrap().int("version").unwrap();
                let next = Update::new().set("version", version + 1);
                match store.update(&key, next, Condition::equals("version", version)).await {
                    Ok(_) => return,
                    Err(RecordsError::ConditionFailed { .. } | RecordsError::Contended) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
            panic!("an optimistic update never got its turn");
        }
    })
    .await;

    let found = fixture.store.get(&first.key).await.unwrap().unwrap();
    assert_eq!(found.int("version"), i64::try_from(fixture.writers).ok());
}

/// Money moved between accounts is neither made nor lost, and no account goes below zero.
pub async fn concurrent_transactions_keep_a_sum(fixture: &Fixture) {
    let partition = fresh_partition();
    for account in ["0", "1", "2"] {
        fixture.store.put(record(&partition, account).with("paise", 4), Condition::Always).await.unwrap();
    }
    let accounts = partition.clone();
    each_writer(fixture, move |store, writer| {
        let from = record(&accounts, &(writer % 3).to_string()).key;
        let to = record(&accounts, &((writer + 1) % 3).to_string()).key;
        async move {
            let overdrawn = Condition::LessThan("spent".to_owned(), 4);
            let fits = Condition::Any(vec![Condition::FieldAbsent("spent".to_owned()), overdrawn]);
            let moved = vec![
                Write::Update(from, Update::new().add("paise", -1).add("spent", 1), fits),
                Write::Update(to, Update::new().add("paise", 1), Condition::Present),
            ];
            for _ in 0..MOST_TRIES {
                match store.transact(moved.clone(), None).await {
                    Ok(()) | Err(RecordsError::ConditionFailed { write: 0 }) => return,
                    Err(RecordsError::Contended) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
            panic!("a transaction never got its turn");
        }
    })
    .await;

    let mut sum = 0;
    for account in ["0", "1", "2"] {
        let found = fixture.store.get(&record(&partition, account).key).await.unwrap().unwrap();
        sum += found.int("paise").unwrap();
        assert!(found.int("spent").unwrap_or(0) <= 4);
    }
    assert_eq!(sum, 12);
}
