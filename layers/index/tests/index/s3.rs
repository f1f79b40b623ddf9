//! The same tables on S3: moto's server stands in for it.

use std::collections::BTreeMap;

use mandi_core::ProblemKind;
use mandi_index::{IndexOptions, LanceIndex};
use mandi_retrieval::ports::ChunkIndex as _;
use mandi_testkit::moto::Server;

use crate::fixture::{DIMENSIONS, document, ids, key, keyword, nearest, table};

fn index_at(uri: &str, server: &Server) -> LanceIndex {
    let address = server.url();
    let storage = [
        ("aws_endpoint", address.as_str()),
        ("aws_region", "ap-south-1"),
        ("aws_access_key_id", "test"),
        ("aws_secret_access_key", "test"),
    ];
    let storage: BTreeMap<String, String> =
        storage.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    LanceIndex::open(uri, IndexOptions { storage, background_upkeep: false, ..IndexOptions::default() }).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_on_s3_is_written_searched_maintained_and_dropped() {
    let server = Server::shared();
    server.create_bucket("vectors");
    let index = index_at("s3://vectors/tables", &server);
    let table = table("demo", "contracts");
    index.create(&table, DIMENSIONS).await.unwrap();
    index.upsert(&table, vec![document("a", &["payment terms"]), document("b", &["delivery"])]).await.unwrap();
    index.upsert(&table, vec![document("a", &["payment at sight"])]).await.unwrap();

    let other = index_at("s3://vectors/tables", &server);
    assert_eq!(ids(&keyword(&other, &table, "sight", 5, None).await.unwrap()), ["a"]);
    assert_eq!(nearest(&other, &table, &[1.0; DIMENSIONS], 5, None).await.unwrap().len(), 2);
    assert_eq!(other.delete(&table, &key("b")).await.unwrap(), 1);
    assert_eq!(index.count(&table).await.unwrap(), 1);
    index.maintain(&table).await.unwrap();
    assert_eq!(ids(&keyword(&index, &table, "payment", 5, None).await.unwrap()), ["a"]);
    index.remove(&table).await.unwrap();
    assert_eq!(index.count(&table).await.unwrap_err().kind, ProblemKind::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_does_not_exist_is_unavailable() {
    let server = Server::shared();
    let index = index_at("s3://no-such-bucket/tables", &server);
    let table = table("demo", "contracts");
    let problem = index.create(&table, DIMENSIONS).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Unavailable, "{problem}: {}", problem.causes());
    assert!(problem.detail.contains("bucket"), "{}", problem.detail);
    let problem = keyword(&index, &table, "x", 5, None).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Unavailable, "{problem}: {}", problem.causes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storage_that_does_not_answer_is_unavailable() {
    let storage = [
        ("aws_endpoint", "http://127.0.0.1:1"),
        ("aws_region", "ap-south-1"),
        ("aws_access_key_id", "test"),
        ("aws_secret_access_key", "test"),
        ("client_max_retries", "0"),
    ];
    let storage = storage.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let index = LanceIndex::open("s3://vectors", IndexOptions { storage, ..IndexOptions::default() }).unwrap();
    let problem = keyword(&index, &table("demo", "contracts"), "x", 5, None).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Unavailable, "{problem}: {}", problem.causes());
}
