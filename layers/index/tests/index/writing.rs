//! Creating, replacing, deleting, and what is refused.

use futures::TryStreamExt as _;
use mandi_core::ProblemKind;
use mandi_retrieval::ports::{ChunkIndex as _, VectorRow};
use mandi_retrieval::{Metadata, Scalar};

use crate::fixture::{DIMENSIONS, Fixture, document, document_with, ids, key, keyword, point, table, texts};

#[tokio::test]
async fn a_chunk_comes_back_as_it_was_written() {
    let fixture = Fixture::new().await;
    let metadata = Metadata::from([
        ("party".to_owned(), Scalar::Text("Sharma & Söhne".to_owned())),
        ("total".to_owned(), Scalar::Number(1250.5)),
        ("open".to_owned(), Scalar::Bool(false)),
    ]);
    let mut written = document_with("SHK6-170", &["The buyer pays within 30 days."], &metadata);
    written.chunks[0].chunk.title = Some("Supply contract".to_owned());
    written.chunks[0].chunk.characters = 17..47;
    fixture.upsert(vec![written.clone()]).await;

    let hits = fixture.keyword("buyer").await;
    assert_eq!(hits.iter().map(|hit| &hit.chunk).collect::<Vec<_>>(), [&written.chunks[0].chunk]);
    assert!(hits[0].score > 0.0);
}

#[tokio::test]
async fn a_new_version_takes_the_place_of_all_old_chunks() {
    let fixture = Fixture::new().await;
    fixture.upsert(vec![document("a", &["old one", "old two", "old three"]), document("b", &["old other"])]).await;
    fixture.upsert(vec![document("a", &["new one", "new two"])]).await;

    assert_eq!(texts(&fixture.keyword("new").await), ["new one", "new two"]);
    assert_eq!(texts(&fixture.keyword("old").await), ["old other"]);
    assert_eq!(fixture.index.count(&fixture.table).await.unwrap(), 3);
}

#[tokio::test]
async fn a_longer_version_adds_what_the_old_one_had_not() {
    let fixture = Fixture::new().await;
    fixture.upsert(vec![document("a", &["one"])]).await;
    fixture.upsert(vec![document("a", &["one", "two", "three"])]).await;
    assert_eq!(fixture.index.count(&fixture.table).await.unwrap(), 3);
}

#[tokio::test]
async fn deleting_says_how_many_chunks_there_were_and_is_repeatable() {
    let fixture = Fixture::new().await;
    fixture.upsert(vec![document("a", &["one", "two"]), document("b", &["one"])]).await;
    assert_eq!(fixture.index.delete(&fixture.table, &key("a")).await.unwrap(), 2);
    assert_eq!(fixture.index.delete(&fixture.table, &key("a")).await.unwrap(), 0);
    assert_eq!(ids(&fixture.keyword("one").await), ["b"]);
}

#[tokio::test]
async fn documents_of_one_id_and_two_types_are_two_documents() {
    let fixture = Fixture::new().await;
    let mut invoice = document("1", &["the invoice"]);
    invoice.document.entity_type = "invoice".to_owned();
    invoice.chunks[0].chunk.document.entity_type = "invoice".to_owned();
    fixture.upsert(vec![document("1", &["the contract"]), invoice.clone()]).await;
    fixture.upsert(vec![document("1", &["a later contract"])]).await;

    assert_eq!(texts(&fixture.keyword("invoice").await), ["the invoice"]);
    assert_eq!(fixture.index.delete(&fixture.table, &invoice.document).await.unwrap(), 1);
    assert_eq!(fixture.index.count(&fixture.table).await.unwrap(), 1);
}

#[tokio::test]
async fn ids_of_awkward_bytes_are_kept_apart() {
    let fixture = Fixture::new().await;
    let long = "ए".repeat(85);
    let awkward =
        ["'", "''", "\"", "`", "\\", "\\'", "%", "_", "a' OR '1'='1", "; DROP TABLE x --", "🌾🚢", "{}", " ", &long];
    for id in awkward {
        fixture.upsert(vec![document(id, &["one", "two"])]).await;
    }
    for (done, id) in awkward.into_iter().enumerate() {
        fixture.upsert(vec![document(id, &["replaced"])]).await;
        let left = u64::try_from(2 * awkward.len() - (done + 1)).unwrap();
        assert_eq!(fixture.index.count(&fixture.table).await.unwrap(), left, "after replacing `{id}`");
    }
    for id in awkward {
        assert_eq!(fixture.index.delete(&fixture.table, &key(id)).await.unwrap(), 1, "deleting `{id}`");
    }
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let fixture = Fixture::new().await;
    let metadata = Metadata::from([("grade".to_owned(), Scalar::Text("A".to_owned()))]);
    fixture.upsert(vec![document_with("a", &["payment terms"], &metadata)]).await;

    let restarted = fixture.other_process();
    let hits = keyword(&restarted, &fixture.table, "payment", 5, None).await.unwrap();
    assert_eq!(hits[0].chunk.metadata, metadata);
    assert_eq!(restarted.count(&fixture.table).await.unwrap(), 1);
}

#[tokio::test]
async fn creating_again_changes_nothing_and_other_dimensions_are_a_conflict() {
    let fixture = Fixture::new().await;
    fixture.upsert(vec![document("a", &["one"])]).await;
    fixture.index.create(&fixture.table, DIMENSIONS).await.unwrap();
    assert_eq!(fixture.index.count(&fixture.table).await.unwrap(), 1);

    let problem = fixture.index.create(&fixture.table, 16).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Conflict);
    assert!(problem.detail.contains("8 dimensions") && problem.detail.contains("16"), "{}", problem.detail);
}

#[tokio::test]
async fn a_dropped_table_is_gone_and_can_be_made_again() {
    let fixture = Fixture::new().await;
    fixture.upsert(vec![document("a", &["old"])]).await;
    fixture.index.remove(&fixture.table).await.unwrap();
    fixture.index.remove(&fixture.table).await.unwrap();
    assert_eq!(fixture.index.count(&fixture.table).await.unwrap_err().kind, ProblemKind::NotFound);

    fixture.index.create(&fixture.table, 4).await.unwrap();
    fixture.upsert(vec![point("b", &[0.0, 1.0, 0.0, 0.0])]).await;
    assert_eq!(ids(&fixture.nearest(&[0.0, 1.0, 0.0, 0.0], 5).await), ["b"]);
}

#[tokio::test]
async fn tables_of_tenants_and_collections_are_apart() {
    let fixture = Fixture::new().await;
    let others = [table("demo", "contracts2"), table("demo2", "contracts"), table("demo-contracts", "x")];
    for other in &others {
        fixture.index.create(other, DIMENSIONS).await.unwrap();
    }
    fixture.upsert(vec![document("a", &["one"])]).await;
    for other in &others {
        assert_eq!(fixture.index.count(other).await.unwrap(), 0);
    }
    fixture.index.remove(&others[1]).await.unwrap();
    assert_eq!(fixture.index.count(&fixture.table).await.unwrap(), 1);
}

#[tokio::test]
async fn vectors_are_streamed_as_they_are_stored() {
    let fixture = Fixture::new().await;
    let zero = [0.0; DIMENSIONS];
    let long = [3.0; DIMENSIONS];
    fixture.upsert(vec![point("zero", &zero), point("long", &long)]).await;
    let many: Vec<_> = (0..2500).map(|n| document(&format!("d{n}"), &["text"])).collect();
    fixture.upsert(many).await;

    let batches: Vec<Vec<VectorRow>> =
        fixture.index.vectors(&fixture.table).await.unwrap().try_collect().await.unwrap();
    assert!(batches.iter().all(|batch| batch.len() <= 1024), "batches are bounded");
    let rows: Vec<VectorRow> = batches.into_iter().flatten().collect();
    assert_eq!(rows.len(), 2502);
    let of = |id: &str| rows.iter().find(|row| row.document.entity_id == id).unwrap().vector.clone();
    assert_eq!((of("zero"), of("long")), (zero.to_vec(), long.to_vec()));
}

#[tokio::test]
async fn a_metadata_field_keeps_the_type_of_its_first_value() {
    let fixture = Fixture::new().await;
    let with = |value| Metadata::from([("total".to_owned(), value)]);
    fixture.upsert(vec![document_with("a", &["one"], &with(Scalar::Number(5.0)))]).await;
    let other = document_with("b", &["one"], &with(Scalar::Text("5".to_owned())));
    let problem = fixture.index.upsert(&fixture.table, vec![other]).await.unwrap_err();

    assert_eq!(problem.kind, ProblemKind::InvalidRequest);
    assert_eq!(problem.errors[0].pointer, "/metadata/total");
    assert_eq!(fixture.index.count(&fixture.table).await.unwrap(), 1, "nothing is half done");
}

#[tokio::test]
async fn a_field_that_a_new_version_lacks_is_absent_afterwards() {
    let fixture = Fixture::new().await;
    let grade = Metadata::from([("grade".to_owned(), Scalar::Text("A".to_owned()))]);
    fixture.upsert(vec![document_with("a", &["one"], &grade)]).await;
    fixture.upsert(vec![document("a", &["one"])]).await;
    assert_eq!(fixture.keyword("one").await[0].chunk.metadata, Metadata::new());
}

#[tokio::test]
async fn a_collection_has_at_most_a_hundred_fields() {
    let fixture = Fixture::new().await;
    let fields = |range: std::ops::Range<u32>| -> Metadata {
        range.map(|n| (format!("field_{n}"), Scalar::Number(f64::from(n)))).collect()
    };
    fixture.upsert(vec![document_with("a", &["one"], &fields(0..100))]).await;
    let problem =
        fixture.index.upsert(&fixture.table, vec![document_with("b", &["one"], &fields(100..101))]).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::InvalidRequest);
    assert!(problem.detail.contains("field_100"), "{}", problem.detail);
    assert_eq!(fixture.keyword("one").await[0].chunk.metadata.len(), 100);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_name_before_anything_is_written() {
    let fixture = Fixture::new().await;
    let mut empty = document("a", &["one"]);
    empty.chunks.clear();
    let mut foreign = document("a", &["one"]);
    foreign.chunks[0].chunk.document = key("b");
    let cases = [
        (vec![document("a", &["one"]), document("a", &["two"])], "/documents/1"),
        (vec![empty], "/documents/0/chunks"),
        (vec![foreign], "/documents/0/chunks"),
        (vec![point("a", &[1.0, 2.0])], "/documents/0/chunks/0/vector"),
        (vec![point("a", &[f32::NAN; DIMENSIONS])], "/documents/0/chunks/0/vector"),
        (vec![point("a", &[1e30; DIMENSIONS])], "/documents/0/chunks/0/vector"),
    ];
    for (documents, pointer) in cases {
        let problem = fixture.index.upsert(&fixture.table, documents).await.unwrap_err();
        assert_eq!((problem.kind, problem.errors[0].pointer.as_str()), (ProblemKind::InvalidRequest, pointer));
    }
    assert_eq!(fixture.index.count(&fixture.table).await.unwrap(), 0);
}
