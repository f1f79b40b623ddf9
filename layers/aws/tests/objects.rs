//! The conformance suite of the objects, against S3 as moto emulates it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod emulator;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mandi_core::TenantId;
use mandi_core::ports::{GetGrant, ObjectKey, Objects};
use mandi_testkit::moto::Server;
use mandi_testkit::objects::{Differences, EmptyParts, Fetch, Fetched, Fixture};
use reqwest::{StatusCode, Url};

/// Plain HTTP.
#[derive(Debug)]
struct Http;

#[async_trait]
impl Fetch for Http {
    async fn fetch(&self, url: &str) -> Option<Fetched> {
        let answer = reqwest::get(url).await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        if answer.status() != StatusCode::OK {
            return None;
        }
        let (content_type, content_disposition) = (header("content-type"), header("content-disposition"));
        Some(Fetched { content: answer.bytes().await.unwrap(), content_type, content_disposition })
    }
}

async fn fixture() -> Fixture {
    let (server, bucket) = (Server::shared(), Server::fresh_name("objects"));
    server.create_bucket(&bucket);
    Fixture {
        store: Arc::new(emulator::clients(&server.url()).await.objects(bucket)),
        fetch: Arc::new(Http),
        differences: Differences { empty_parts: EmptyParts::Kept },
        writers: 6,
        keep: Box::new(server),
    }
}

mandi_testkit::objects_suite!(fixture);

/// moto checks no signature. S3 does, and a browser sends no other header than `host` that could be signed.
#[tokio::test]
async fn given_a_signed_url_to_read_then_only_the_host_is_signed_and_it_runs_out() {
    let store = emulator::clients("http://127.0.0.1:9").await.objects("bucket");
    let key = ObjectKey::of(&TenantId::from_stored("demo").unwrap(), &["a"]);
    let (filename, content_type) = ("a.csv".to_owned(), "text/csv".to_owned());
    let grant = GetGrant { valid_for: Duration::from_secs(600), filename, content_type };
    let url = Url::parse(&store.sign_get(&key, &grant).await.unwrap()).unwrap();
    let field = |name: &str| url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned());

    assert_eq!(field("X-Amz-SignedHeaders").as_deref(), Some("host"));
    assert_eq!(field("X-Amz-Expires").as_deref(), Some("600"));
}

/// What S3 would keep, and charge for, until its lifecycle rule removes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_writer_that_is_aborted_then_no_part_of_it_is_left() {
    let (server, bucket) = (Server::shared(), Server::fresh_name("aborted"));
    server.create_bucket(&bucket);
    let clients = emulator::clients(&server.url()).await;
    let (store, key) = (clients.objects(&*bucket), ObjectKey::of(&TenantId::from_stored("demo").unwrap(), &["a"]));
    let mut writer = store.writer(&key).await.unwrap();
    writer.write(Bytes::from(vec![0; 9_000_000])).await.unwrap();
    let listing = format!("{}/{bucket}?uploads", server.url());
    let uploads =
        || async { reqwest::get(&listing).await.unwrap().text().await.unwrap().matches("<UploadId>").count() };
    assert_eq!(uploads().await, 1);

    writer.abort().await.unwrap();
    assert_eq!(uploads().await, 0);
}
