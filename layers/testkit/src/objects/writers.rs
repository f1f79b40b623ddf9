//! Objects that are written piece by piece.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use mandi_core::ports::{ObjectKey, ObjectsError};

use super::{Fixture, Place};

/// Several parts of an upload and a rest, and no multiple of any buffer.
const LARGE_BYTES: usize = 21_234_567;

/// Bytes without a short period, so that a piece out of its place is seen: a linear congruential generator.
fn large() -> Bytes {
    static CONTENT: LazyLock<Bytes> = LazyLock::new(|| {
        let mut content = Vec::with_capacity(LARGE_BYTES + 8);
        let mut state = 1_u64;
        while content.len() < LARGE_BYTES {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            content.extend_from_slice(&state.to_be_bytes());
        }
        content.truncate(LARGE_BYTES);
        content.into()
    });
    CONTENT.clone()
}

async fn put(fixture: &Fixture, key: &ObjectKey, content: &'static str) {
    fixture.store.put(key, Bytes::from_static(content.as_bytes())).await.unwrap();
}

async fn get(fixture: &Fixture, key: &ObjectKey) -> Option<Bytes> {
    fixture.store.get(key).await.unwrap()
}

/// In their order; an empty piece adds nothing.
pub async fn a_writer_makes_an_object_of_its_pieces(fixture: &Fixture) {
    let key = Place::fresh().key(&["a"]);
    let mut writer = fixture.store.writer(&key).await.unwrap();
    for piece in ["one ", "", "two ", "three"] {
        writer.write(Bytes::from_static(piece.as_bytes())).await.unwrap();
    }
    writer.finish().await.unwrap();
    assert_eq!(get(fixture, &key).await.unwrap(), "one two three");
}

/// It is there, and has no bytes.
pub async fn a_writer_without_pieces_makes_an_empty_object(fixture: &Fixture) {
    let key = Place::fresh().key(&["a"]);
    fixture.store.writer(&key).await.unwrap().finish().await.unwrap();
    assert_eq!(get(fixture, &key).await, Some(Bytes::new()));
}

/// In pieces that are smaller and larger than what a store sends at once.
pub async fn a_writer_of_many_megabytes_keeps_every_byte(fixture: &Fixture) {
    let place = Place::fresh();
    let content = large();
    for piece_bytes in [100_003, 8 * 1024 * 1024, LARGE_BYTES] {
        let key = place.key(&[&piece_bytes.to_string()]);
        let mut writer = fixture.store.writer(&key).await.unwrap();
        let mut rest = content.clone();
        while !rest.is_empty() {
            writer.write(rest.split_to(piece_bytes.min(rest.len()))).await.unwrap();
        }
        writer.finish().await.unwrap();
        assert!(get(fixture, &key).await.unwrap() == content, "pieces of {piece_bytes} bytes");
    }
}

/// Also when most of it was sent.
pub async fn a_writer_replaces_the_object_only_when_it_finishes(fixture: &Fixture) {
    let key = Place::fresh().key(&["a"]);
    put(fixture, &key, "old").await;
    let mut writer = fixture.store.writer(&key).await.unwrap();
    writer.write(large()).await.unwrap();
    assert_eq!(get(fixture, &key).await.unwrap(), "old");

    writer.finish().await.unwrap();
    assert!(get(fixture, &key).await.unwrap() == large());
}

/// Also where nothing was.
pub async fn a_writer_that_is_aborted_leaves_what_was_there(fixture: &Fixture) {
    let place = Place::fresh();
    let (old, absent) = (place.key(&["old"]), place.key(&["absent"]));
    put(fixture, &old, "old").await;
    for (key, piece) in [(&old, large()), (&old, Bytes::from_static(b"short")), (&absent, large())] {
        let mut writer = fixture.store.writer(key).await.unwrap();
        writer.write(piece).await.unwrap();
        writer.abort().await.unwrap();
    }
    assert_eq!(get(fixture, &old).await.unwrap(), "old");
    assert_eq!(get(fixture, &absent).await, None);
}

/// As after a fault of the caller; nothing of it is listed either.
pub async fn a_writer_that_is_dropped_leaves_what_was_there(fixture: &Fixture) {
    let place = Place::fresh();
    let (old, absent) = (place.key(&["old"]), place.key(&["absent"]));
    put(fixture, &old, "old").await;
    for key in [&old, &absent] {
        let mut writer = fixture.store.writer(key).await.unwrap();
        writer.write(large()).await.unwrap();
    }
    assert_eq!(get(fixture, &old).await.unwrap(), "old");
    assert_eq!(fixture.store.list(&place.prefix(&[]), None, 10).await.unwrap().keys, [old]);
}

/// Before anything is written.
pub async fn a_writer_refuses_a_key_that_is_too_long(fixture: &Fixture) {
    let key = Place::fresh().key(&[&"a".repeat(1024)]);
    let outcome = fixture.store.writer(&key).await;
    assert!(matches!(outcome, Err(ObjectsError::KeyTooLong)), "{outcome:?}");
}

/// Never the beginning of one, never a mixture.
pub async fn a_reader_sees_a_whole_object_while_writers_replace_it(fixture: &Fixture) {
    let key = Place::fresh().key(&["a"]);
    let contents = [b'a', b'b'].map(|byte| Bytes::from(vec![byte; 1_000_000]));
    fixture.store.put(&key, contents[0].clone()).await.unwrap();

    let replacing = {
        let (store, key, contents) = (Arc::clone(&fixture.store), key.clone(), contents.clone());
        tokio::spawn(async move {
            for round in 1..=4 {
                let mut writer = store.writer(&key).await.unwrap();
                for piece in contents[round % 2].chunks(300_000) {
                    writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
                }
                writer.finish().await.unwrap();
            }
        })
    };
    while !replacing.is_finished() {
        let found = get(fixture, &key).await.unwrap();
        assert!(contents.contains(&found), "a mixture of {} bytes", found.len());
    }
    replacing.await.unwrap();
}
