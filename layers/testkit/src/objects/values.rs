//! Writing, reading, ranges and who wins.

use std::sync::Arc;

use bytes::Bytes;
use mandi_core::ports::{ObjectsError, PutOutcome};
use tokio::task::JoinSet;

use super::{Fixture, Place};

/// Also the empty one.
pub async fn an_object_is_read_back_as_it_was_written(fixture: &Fixture) {
    let place = Place::fresh();
    for (name, content) in [("empty", &b""[..]), ("bytes", &[0, 255, 13, 10, 26]), ("text", "अनुबंध 🌾".as_bytes())]
    {
        let key = place.key(&[name]);
        fixture.store.put(&key, Bytes::from_static(content)).await.unwrap();
        assert_eq!(fixture.store.get(&key).await.unwrap().as_deref(), Some(content), "{name}");
    }
}

/// In every kind of read.
pub async fn an_absent_object_is_none(fixture: &Fixture) {
    let key = Place::fresh().key(&["absent"]);
    assert_eq!(fixture.store.get(&key).await.unwrap(), None);
    assert_eq!(fixture.store.get_range(&key, 0..1).await.unwrap(), None);
    assert_eq!(fixture.store.get_range(&key, 5..5).await.unwrap(), None);
}

/// A shorter one leaves nothing of the longer.
pub async fn a_put_replaces_the_object(fixture: &Fixture) {
    let key = Place::fresh().key(&["a"]);
    fixture.store.put(&key, Bytes::from_static(b"the first and longer one")).await.unwrap();
    fixture.store.put(&key, Bytes::from_static(b"second")).await.unwrap();
    assert_eq!(fixture.store.get(&key).await.unwrap().as_deref(), Some(&b"second"[..]));
}

/// Byte for byte.
pub async fn an_object_of_several_megabytes_is_kept(fixture: &Fixture) {
    let key = Place::fresh().key(&["large"]);
    let content: Bytes = (0..3_000_000_u32).map(|index| index.to_le_bytes()[0] ^ index.to_le_bytes()[1]).collect();
    fixture.store.put(&key, content.clone()).await.unwrap();
    assert!(fixture.store.get(&key).await.unwrap().unwrap() == content);
}

/// An end past the object's is cut; an empty range is empty.
pub async fn a_range_is_cut_out_of_the_object(fixture: &Fixture) {
    let key = Place::fresh().key(&["a"]);
    fixture.store.put(&key, Bytes::from_static(b"0123456789")).await.unwrap();
    for (range, expected) in
        [(0..10, "0123456789"), (0..1, "0"), (3..7, "3456"), (8..100, "89"), (4..4, ""), (10..10, ""), (10..12, "")]
    {
        let found = fixture.store.get_range(&key, range.clone()).await.unwrap();
        assert_eq!(found.as_deref(), Some(expected.as_bytes()), "{range:?}");
    }
}

/// So that the caller can correct it.
pub async fn a_range_outside_the_object_says_its_size(fixture: &Fixture) {
    let key = Place::fresh().key(&["a"]);
    fixture.store.put(&key, Bytes::from_static(b"0123456789")).await.unwrap();
    for range in [11..12, 11..11, 50..60] {
        let outcome = fixture.store.get_range(&key, range.clone()).await;
        assert!(matches!(outcome, Err(ObjectsError::OutOfRange { size_bytes: 10 })), "{range:?}: {outcome:?}");
    }
}

/// In bytes; of an absent object there is none.
pub async fn an_object_says_its_size(fixture: &Fixture) {
    let place = Place::fresh();
    fixture.store.put(&place.key(&["a"]), Bytes::from_static(b"0123456789")).await.unwrap();
    fixture.store.put(&place.key(&["empty"]), Bytes::new()).await.unwrap();
    assert_eq!(fixture.store.size_bytes(&place.key(&["a"])).await.unwrap(), Some(10));
    assert_eq!(fixture.store.size_bytes(&place.key(&["empty"])).await.unwrap(), Some(0));
    assert_eq!(fixture.store.size_bytes(&place.key(&["absent"])).await.unwrap(), None);
}

/// And says so.
pub async fn put_if_absent_leaves_what_is_there(fixture: &Fixture) {
    let key = Place::fresh().key(&["a"]);
    let first = fixture.store.put_if_absent(&key, Bytes::from_static(b"first")).await.unwrap();
    let second = fixture.store.put_if_absent(&key, Bytes::from_static(b"second")).await.unwrap();

    assert_eq!((first, second), (PutOutcome::Written, PutOutcome::Existed));
    assert_eq!(fixture.store.get(&key).await.unwrap().as_deref(), Some(&b"first"[..]));
}

/// The key is free again.
pub async fn put_if_absent_writes_again_after_a_delete(fixture: &Fixture) {
    let key = Place::fresh().key(&["a"]);
    fixture.store.put(&key, Bytes::from_static(b"first")).await.unwrap();
    fixture.store.delete(&key).await.unwrap();
    let outcome = fixture.store.put_if_absent(&key, Bytes::from_static(b"second")).await.unwrap();
    assert_eq!(outcome, PutOutcome::Written);
}

/// And its content is the one that stays.
pub async fn only_one_of_many_put_if_absent_wins(fixture: &Fixture) {
    let key = Place::fresh().key(&["new folder", "a"]);
    let mut tasks = JoinSet::new();
    for writer in 0..fixture.writers {
        let (store, key) = (Arc::clone(&fixture.store), key.clone());
        tasks.spawn(async move {
            let content = Bytes::from(format!("writer {writer}"));
            (store.put_if_absent(&key, content.clone()).await.unwrap(), content)
        });
    }
    let outcomes = tasks.join_all().await;

    let winners: Vec<_> = outcomes.iter().filter(|(outcome, _)| *outcome == PutOutcome::Written).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(fixture.store.get(&key).await.unwrap().as_ref(), Some(&winners[0].1));
}

/// Never the beginning of one, never a mixture.
pub async fn a_reader_sees_a_whole_object_while_it_is_replaced(fixture: &Fixture) {
    let key = Place::fresh().key(&["a"]);
    let contents = [Bytes::from(vec![b'a'; 200_000]), Bytes::from(vec![b'b'; 100_000])];
    fixture.store.put(&key, contents[0].clone()).await.unwrap();

    let writer = {
        let (store, key, contents) = (Arc::clone(&fixture.store), key.clone(), contents.clone());
        tokio::spawn(async move {
            for round in 1..=10 {
                store.put(&key, contents[round % 2].clone()).await.unwrap();
            }
        })
    };
    while !writer.is_finished() {
        let found = fixture.store.get(&key).await.unwrap().unwrap();
        assert!(contents.contains(&found), "a mixture of {} bytes", found.len());
    }
    writer.await.unwrap();
}

/// Repeating a delete is safe.
pub async fn deleting_an_absent_object_is_no_error(fixture: &Fixture) {
    let key = Place::fresh().key(&["a", "b"]);
    fixture.store.delete(&key).await.unwrap();
    fixture.store.put(&key, Bytes::new()).await.unwrap();
    fixture.store.delete(&key).await.unwrap();
    fixture.store.delete(&key).await.unwrap();
    assert_eq!(fixture.store.get(&key).await.unwrap(), None);
}
