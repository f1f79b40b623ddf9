//! URLs from which an object is read without a token.

use std::time::Duration;

use bytes::Bytes;
use mandi_core::ports::{GetGrant, ObjectKey, content_disposition};

use super::{Fetched, Fixture, Place};

const FILENAME: &str = "चावल & \"गेहूँ\" 100%.csv";
const CONTENT_TYPE: &str = "text/csv; charset=utf-8";

async fn fetched(fixture: &Fixture, key: &ObjectKey) -> Option<Fetched> {
    let (filename, content_type) = (FILENAME.to_owned(), CONTENT_TYPE.to_owned());
    let grant = GetGrant { valid_for: Duration::from_secs(600), filename, content_type };
    let url = fixture.store.sign_get(key, &grant).await.unwrap();
    fixture.fetch.fetch(&url).await
}

fn expected(content: Bytes) -> Fetched {
    let content_disposition = content_disposition(FILENAME);
    Fetched { content, content_type: CONTENT_TYPE.to_owned(), content_disposition }
}

/// Of an awkward key, and with a name in other letters than ASCII.
pub async fn a_signed_url_gives_the_object_with_its_name_and_type(fixture: &Fixture) {
    let key = Place::fresh().key(&["a b", "अनुबंध+%?&#.csv"]);
    let content: Bytes = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    fixture.store.put(&key, content.clone()).await.unwrap();

    let fetched = fetched(fixture, &key).await.unwrap();
    assert!(fetched.content == content, "{} bytes", fetched.content.len());
    assert_eq!(Fetched { content: Bytes::new(), ..fetched }, expected(Bytes::new()));
}

/// Its name and type are there all the same.
pub async fn a_signed_url_gives_an_empty_object(fixture: &Fixture) {
    let key = Place::fresh().key(&["a"]);
    fixture.store.put(&key, Bytes::new()).await.unwrap();
    assert_eq!(fetched(fixture, &key).await, Some(expected(Bytes::new())));
}

/// Whether there is one is seen when it is read.
pub async fn a_signed_url_of_an_absent_object_gives_nothing(fixture: &Fixture) {
    assert_eq!(fetched(fixture, &Place::fresh().key(&["absent"])).await, None);
}
