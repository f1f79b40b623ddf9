//! The conformance suite of the objects, against files.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{TryStreamExt, stream};
use mandi_core::TenantId;
use mandi_core::ports::{GetGrant, ObjectKey, Objects, PutGrant, content_disposition};
use mandi_core::time::{Clock, FixedClock, Timestamp};
use mandi_local::{DataDir, Doorway, FileObjects, GetQuery, PutQuery, ReceiveFault, SendFault, Sending};
use mandi_testkit::objects::{Differences, EmptyParts, Fetch, Fetched, Fixture};

const BASE: &str = "http://127.0.0.1:8080/local-objects";

fn doorway(data: &DataDir, clock: Arc<dyn Clock>) -> Doorway {
    Doorway::new(BASE, data.secret().clone(), clock)
}

/// What the runner's route does.
#[derive(Debug)]
struct Route(FileObjects);

#[async_trait]
impl Fetch for Route {
    async fn fetch(&self, url: &str) -> Option<Fetched> {
        let sending = self.0.send(get_query(url)).await.ok()?;
        let (content_type, content_disposition) =
            (sending.content_type.clone(), content_disposition(&sending.filename));
        Some(Fetched { content: all(sending).await, content_type, content_disposition })
    }
}

async fn all(sending: Sending) -> Bytes {
    let whole = 0..sending.size_bytes;
    sending.pieces(whole).try_collect::<Vec<_>>().await.unwrap().concat().into()
}

fn field(url: &str, name: &str) -> String {
    let url = reqwest::Url::parse(url).unwrap();
    url.query_pairs().find(|(found, _)| found == name).unwrap().1.into_owned()
}

fn get_query(url: &str) -> GetQuery {
    GetQuery {
        key: field(url, "key"),
        filename: field(url, "filename"),
        content_type: field(url, "content_type"),
        expires_ms: field(url, "expires_ms").parse().unwrap(),
        signature: field(url, "signature"),
    }
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path().join("data")).unwrap();
    let store = FileObjects::open(&data, doorway(&data, Arc::new(mandi_core::SystemClock))).unwrap();
    Fixture {
        store: Arc::new(store.clone()),
        fetch: Arc::new(Route(store)),
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
    let field = |name: &str| field(&put.url, name);
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

/// The same store with ten bytes under the key, and a URL to read them.
async fn signed_to_read() -> (Signed, GetQuery) {
    let signed = signed().await;
    signed.store.put(&signed.key, Bytes::from_static(b"0123456789")).await.unwrap();
    let (filename, content_type) = ("rice & more.csv".to_owned(), "text/csv; charset=utf-8".to_owned());
    let grant = GetGrant { valid_for: Duration::from_secs(60), filename, content_type };
    let query = get_query(&signed.store.sign_get(&signed.key, &grant).await.unwrap());
    (signed, query)
}

#[tokio::test]
async fn given_a_signed_url_to_read_when_bytes_are_asked_for_then_those_are_given() {
    let (signed, query) = signed_to_read().await;
    let sending = signed.store.send(query).await.unwrap();
    assert_eq!(sending.pieces(3..7).try_collect::<Vec<_>>().await.unwrap().concat(), b"3456");
}

#[tokio::test]
async fn given_an_object_that_is_being_read_when_it_is_replaced_then_the_old_one_is_read_to_its_end() {
    let (signed, query) = signed_to_read().await;
    let sending = signed.store.send(query).await.unwrap();
    signed.store.put(&signed.key, Bytes::from_static(b"other")).await.unwrap();
    assert_eq!(all(sending).await, "0123456789");
}

#[tokio::test]
async fn given_a_signed_url_to_read_that_was_changed_or_ran_out_then_it_is_refused() {
    let (signed, query) = signed_to_read().await;
    let changed = [
        GetQuery { key: "t/demo/other".to_owned(), ..query.clone() },
        GetQuery { filename: "rice".to_owned(), ..query.clone() },
        GetQuery { content_type: "text/html".to_owned(), ..query.clone() },
        GetQuery { expires_ms: query.expires_ms + 1, ..query.clone() },
        GetQuery { signature: query.signature[2..].to_owned(), ..query.clone() },
        // Of another URL with the same secret.
        GetQuery { signature: signed.query.signature.clone(), ..query.clone() },
        // What stands in one field cannot be taken for the next.
        GetQuery {
            filename: format!("{}&content_type={}", query.filename, query.content_type),
            content_type: String::new(),
            ..query.clone()
        },
    ];
    for query in changed {
        let refused = signed.store.send(query.clone()).await;
        assert!(matches!(refused, Err(SendFault::NotAdmitted)), "{query:?}");
    }
    signed.clock.advance(Duration::from_secs(60));
    assert!(matches!(signed.store.send(query).await, Err(SendFault::NotAdmitted)));
}

#[tokio::test]
async fn given_a_writer_that_is_dropped_or_aborted_then_its_file_is_gone() {
    let Signed { store, key, _folder, .. } = signed().await;
    let temporary = _folder.path().join("data/objects/.temporary");
    let files = || std::fs::read_dir(&temporary).unwrap().count();
    let writers = [store.writer(&key).await.unwrap(), store.writer(&key).await.unwrap()];
    assert_eq!(files(), 2);

    let [dropped, aborted] = writers;
    drop(dropped);
    aborted.abort().await.unwrap();
    assert_eq!(files(), 0);
}
