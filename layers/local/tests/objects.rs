//! The conformance suite of the objects, against files.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use mandi_core::TenantId;
use mandi_core::ports::{ObjectKey, Objects, PutGrant};
use mandi_core::time::{Clock, FixedClock, Timestamp};
use mandi_local::{DataDir, Doorway, FileObjects, PutQuery, ReceiveFault};
use mandi_testkit::objects::{Differences, EmptyParts, Fixture};

const BASE: &str = "http://127.0.0.1:8080/local-objects";

fn doorway(data: &DataDir, clock: Arc<dyn Clock>) -> Doorway {
    Doorway::new(BASE, data.secret().clone(), clock)
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path().join("data")).unwrap();
    Fixture {
        store: Arc::new(FileObjects::open(&data, doorway(&data, Arc::new(mandi_core::SystemClock))).unwrap()),
        differences: Differences { empty_parts: EmptyParts::Kept },
        writers: 64,
        keep: Box::new(folder),
    }
}

mandi_testkit::objects_suite!(fixture);

/// A store whose clock stands still, and a URL for ten bytes under the key `a b/ü`.
struct Signed {
    store: FileObjects,
    clock: Arc<FixedClock>,
    key: ObjectKey,
    query: PutQuery,
    _folder: tempfile::TempDir,
}

async fn signed() -> Signed {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path().join("data")).unwrap();
    let clock = Arc::new(FixedClock::at(Timestamp::from_unix_ms(1_795_254_600_000)));
    let store = FileObjects::open(&data, doorway(&data, clock.clone())).unwrap();
    let key = ObjectKey::of(&TenantId::from_stored("demo").unwrap(), &["a b", "ü"]);
    let grant = PutGrant { size_bytes: 10, valid_for: Duration::from_secs(60) };
    let put = store.sign_put(&key, &grant).await.unwrap();
    let url = reqwest::Url::parse(&put.url).unwrap();
    let field = |name: &str| url.query_pairs().find(|(found, _)| found == name).unwrap().1.into_owned();
    let query = PutQuery {
        key: field("key"),
        size_bytes: field("size_bytes").parse().unwrap(),
        expires_ms: field("expires_ms").parse().unwrap(),
        signature: field("signature"),
    };
    Signed { store, clock, key, query, _folder: folder }
}

fn content(pieces: &[&'static str]) -> impl futures::Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin {
    stream::iter(pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect::<Vec<_>>())
}

#[tokio::test]
async fn given_a_signed_url_then_content_of_the_stated_size_is_taken() {
    let Signed { store, key, query, _folder, .. } = signed().await;
    store.receive(query, content(&["01234", "56789"])).await.unwrap();
    assert_eq!(store.get(&key).await.unwrap().unwrap(), "0123456789");
}

#[tokio::test]
async fn given_a_signed_url_when_the_content_is_longer_or_shorter_then_nothing_is_kept() {
    for pieces in [&["0123456789", "0"][..], &["012345678"], &[]] {
        let Signed { store, key, query, _folder, .. } = signed().await;
        let refused = store.receive(query, content(pieces)).await.unwrap_err();
        assert!(matches!(refused, ReceiveFault::Size { signed: 10, .. }), "{refused}");
        assert_eq!(store.get(&key).await.unwrap(), None);
    }
}

#[tokio::test]
async fn given_a_signed_url_that_was_changed_or_ran_out_then_it_is_refused() {
    let Signed { store, clock, query, _folder, .. } = signed().await;
    let changed = [
        PutQuery { key: "t/demo/other".to_owned(), ..query.clone() },
        PutQuery { size_bytes: 11, ..query.clone() },
        PutQuery { expires_ms: query.expires_ms + 1, ..query.clone() },
        PutQuery { signature: query.signature[2..].to_owned(), ..query.clone() },
        PutQuery { signature: "é".to_owned(), ..query.clone() },
        PutQuery { signature: String::new(), ..query.clone() },
    ];
    for query in changed {
        let refused = store.receive(query, content(&["0123456789"])).await;
        assert!(matches!(refused, Err(ReceiveFault::NotAdmitted)));
    }
    clock.advance(Duration::from_secs(60));
    assert!(matches!(store.receive(query, content(&["0123456789"])).await, Err(ReceiveFault::NotAdmitted)));
}
