//! Listings and keys of awkward bytes.

use bytes::Bytes;
use mandi_core::ports::{ObjectKey, ObjectPrefix, ObjectsError};

use super::{EmptyParts, Fixture, Place};

async fn fill(fixture: &Fixture, keys: &[ObjectKey]) {
    for key in keys {
        fixture.store.put(key, Bytes::from(key.as_str().to_owned())).await.unwrap();
    }
}

/// The listing in pages of `limit`, put together.
async fn listed(fixture: &Fixture, prefix: &ObjectPrefix, limit: usize) -> Vec<ObjectKey> {
    let mut keys = Vec::new();
    let mut after = None;
    loop {
        let page = fixture.store.list(prefix, after.as_deref(), limit).await.unwrap();
        assert!(page.keys.len() <= limit);
        keys.extend(page.keys);
        let Some(next) = page.next else { return keys };
        after = Some(next);
    }
}

/// Where a part ends, its slash sorts among the other bytes: `a-b` comes before `a/b`.
pub async fn a_listing_has_the_keys_under_its_prefix_in_the_order_of_bytes(fixture: &Fixture) {
    let place = Place::fresh();
    let parts: [&[&str]; 9] =
        [&["a"], &["a", "b"], &["a-b"], &["a", "b", "c"], &["a0"], &["a.b"], &["B"], &["ब"], &["a", "-"]];
    let mut keys: Vec<_> = parts.iter().map(|parts| place.key(parts)).collect();
    fill(fixture, &keys).await;
    keys.sort();

    assert_eq!(listed(fixture, &place.prefix(&[]), 100).await, keys);
}

/// The prefix of `a` covers neither `a` itself nor `ab`.
pub async fn a_listing_covers_whole_parts_only(fixture: &Fixture) {
    let place = Place::fresh();
    fill(fixture, &[place.key(&["a"]), place.key(&["ab"]), place.key(&["ab", "c"]), place.key(&["a", "x"])]).await;

    assert_eq!(listed(fixture, &place.prefix(&["a"]), 100).await, [place.key(&["a", "x"])]);
    assert!(listed(fixture, &place.prefix(&["absent"]), 100).await.is_empty());
}

/// For several page sizes, without gap or repetition, and without an empty page at the end.
pub async fn pages_of_a_listing_follow_each_other(fixture: &Fixture) {
    let place = Place::fresh();
    let keys: Vec<_> =
        (0..12).map(|index| place.key(&[&format!("{}", index / 4), &format!("{}", index % 4)])).collect();
    fill(fixture, &keys).await;

    for limit in [1, 5, 12] {
        assert_eq!(listed(fixture, &place.prefix(&[]), limit).await, keys, "pages of {limit}");
    }
    let page = fixture.store.list(&place.prefix(&[]), None, 12).await.unwrap();
    assert_eq!(page.next, None);
}

/// At once.
pub async fn a_deleted_object_is_gone_from_the_listing(fixture: &Fixture) {
    let place = Place::fresh();
    let keys = [place.key(&["d", "a"]), place.key(&["d", "b"]), place.key(&["e", "f", "g"])];
    fill(fixture, &keys).await;
    fixture.store.delete(&keys[0]).await.unwrap();
    fixture.store.delete(&keys[2]).await.unwrap();

    assert_eq!(listed(fixture, &place.prefix(&[]), 100).await, [keys[1].clone()]);
    fixture.store.put(&keys[2], Bytes::new()).await.unwrap();
    assert_eq!(listed(fixture, &place.prefix(&["e"]), 100).await, [keys[2].clone()]);
}

/// As in S3, a key is no folder.
pub async fn a_key_may_be_an_object_and_the_beginning_of_others(fixture: &Fixture) {
    let place = Place::fresh();
    let keys = [place.key(&["a"]), place.key(&["a", "b"]), place.key(&["a", "b", "c"])];
    fill(fixture, &keys).await;

    for key in &keys {
        assert_eq!(fixture.store.get(key).await.unwrap().unwrap(), key.as_str().as_bytes());
    }
    fixture.store.delete(&keys[0]).await.unwrap();
    assert_eq!(listed(fixture, &place.prefix(&[]), 100).await, keys[1..]);
}

/// None of them reaches outside the store or another key.
pub async fn keys_of_awkward_bytes_are_told_apart_and_listed(fixture: &Fixture) {
    let place = Place::fresh();
    let long = "ख".repeat(120);
    let names = [
        ".",
        "..",
        "../../../etc/passwd",
        "/",
        "//",
        "%",
        "%2F",
        "%252F",
        "#",
        "?x=1",
        "&",
        "+",
        " ",
        "a b",
        "a+b",
        "a",
        "A",
        "~",
        "=",
        "@",
        "con",
        "अनुबंध",
        "🌾",
        "\"<>|*:\\",
        "e\u{301}",
        "é",
        "\t",
        "\u{7f}",
        &long,
    ];
    let mut keys: Vec<_> = names.iter().map(|name| place.key(&[name])).collect();
    keys.extend([place.key(&["..", "..", "up"]), place.key(&[&long, "below"])]);
    if fixture.differences.empty_parts == EmptyParts::Kept {
        keys.extend([place.key(&[""]), place.key(&["", ""]), place.key(&["", "a"]), place.key(&["a", "", "b"])]);
    }
    fill(fixture, &keys).await;

    for key in &keys {
        let found = fixture.store.get(key).await.unwrap();
        assert_eq!(found.as_deref(), Some(key.as_str().as_bytes()), "{key:?}");
    }
    keys.sort();
    assert_eq!(listed(fixture, &place.prefix(&[]), 7).await, keys);
    for key in &keys {
        fixture.store.delete(key).await.unwrap();
    }
    assert!(listed(fixture, &place.prefix(&[]), 100).await.is_empty());
}

/// 1,024 bytes.
pub async fn a_key_of_the_longest_length_is_kept_and_one_byte_more_is_refused(fixture: &Fixture) {
    let place = Place::fresh();
    let room = 1024 - place.key(&[""]).as_str().len();
    let longest = place.key(&[&"k".repeat(room)]);
    fill(fixture, std::slice::from_ref(&longest)).await;
    assert_eq!(listed(fixture, &place.prefix(&[]), 100).await, std::slice::from_ref(&longest));
    assert!(fixture.store.get(&longest).await.unwrap().is_some());

    let over = place.key(&[&"k".repeat(room + 1)]);
    let refused = fixture.store.put(&over, Bytes::new()).await;
    assert!(matches!(refused, Err(ObjectsError::KeyTooLong)), "{refused:?}");
}
