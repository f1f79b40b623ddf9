//! Several tasks, and several processes, at one table.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mandi_retrieval::ports::ChunkIndex as _;
use mandi_retrieval::{Metadata, Scalar};

use crate::fixture::{Fixture, document, document_with, ids, key, keyword, texts};

/// Both documents in one version: of 5 or of 3 chunks, every text naming the version.
fn version(n: usize) -> Vec<mandi_retrieval::ports::DocumentChunks> {
    let texts: Vec<String> =
        (0..if n.is_multiple_of(2) { 5 } else { 3 }).map(|chunk| format!("version v{n} part p{chunk}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    vec![document("a", &texts), document("b", &texts)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_sees_all_of_the_old_or_all_of_the_new() {
    let fixture = Arc::new(Fixture::new().await);
    fixture.upsert(version(0)).await;
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = [fixture.index.clone(), fixture.other_process()]
        .into_iter()
        .map(|index| {
            let (fixture, done) = (Arc::clone(&fixture), Arc::clone(&done));
            tokio::spawn(async move {
                let mut seen = BTreeSet::new();
                while !done.load(Ordering::SeqCst) {
                    let hits = keyword(&index, &fixture.table, "version", 50, None).await.unwrap();
                    let versions: BTreeSet<String> =
                        hits.iter().map(|hit| hit.chunk.text.split(' ').nth(1).unwrap().to_owned()).collect();
                    assert_eq!(versions.len(), 1, "one search saw {versions:?}");
                    let n: usize = versions.first().unwrap()[1..].parse().unwrap();
                    assert_eq!(hits.len(), version(n).iter().map(|document| document.chunks.len()).sum::<usize>());
                    seen.extend(versions);
                }
                seen.len()
            })
        })
        .collect();
    for n in 1..=20 {
        fixture.upsert(version(n)).await;
    }
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.await.unwrap() > 1, "the readers saw versions come and go");
    }
}

#[tokio::test]
async fn given_a_snapshot_then_its_rows_are_what_they_were_whatever_is_written_and_looked_after() {
    let fixture = Fixture::new().await;
    fixture.upsert(vec![document("a", &["old words"]), document("b", &["other words"])]).await;
    let snapshot = fixture.index.snapshot(&fixture.table).await.unwrap();
    let found = snapshot.keyword("words", 5, None).await.unwrap();

    fixture.upsert(vec![document("a", &["new words"])]).await;
    fixture.index.delete(&fixture.table, &key("b")).await.unwrap();
    fixture.index.maintain(&fixture.table).await.unwrap();

    let rows: Vec<u64> = found.iter().map(|candidate| candidate.row).rev().collect();
    let read = snapshot.read(&rows, None).await.unwrap();
    let texts: Vec<&str> = read.iter().map(|hit| hit.chunk.text.as_str()).collect();
    assert_eq!(texts, ["other words", "old words"], "in the order that was asked for");
    assert_eq!(snapshot.keyword("words", 5, None).await.unwrap(), found);
    assert_eq!(fixture.keyword("words").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_several_tasks_and_processes_lose_nothing() {
    let fixture = Arc::new(Fixture::new().await);
    let processes = [fixture.index.clone(), fixture.index.clone(), fixture.other_process(), fixture.other_process()];
    let writers = processes.into_iter().enumerate().map(|(writer, index)| {
        let fixture = Arc::clone(&fixture);
        tokio::spawn(async move {
            for n in 0..5 {
                let own = document(&format!("w{writer}-{n}"), &["own one", "own two"]);
                let shared = document("shared", &[&format!("shared by w{writer}"), "shared"]);
                index.upsert(&fixture.table, vec![own, shared]).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(fixture.index.count(&fixture.table).await.unwrap(), 4 * 5 * 2 + 2);
    assert_eq!(fixture.keyword("shared").await.len(), 2, "the document that all wrote is there once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_add_the_same_field_agree_on_it() {
    let fixture = Arc::new(Fixture::new().await);
    let writers: Vec<_> = [fixture.index.clone(), fixture.other_process()]
        .into_iter()
        .enumerate()
        .map(|(writer, index)| {
            let fixture = Arc::clone(&fixture);
            tokio::spawn(async move {
                let metadata: Metadata = (0..5).map(|n| (format!("f{n}"), Scalar::Number(f64::from(n)))).collect();
                let document = document_with(&format!("w{writer}"), &["one"], &metadata);
                index.upsert(&fixture.table, vec![document]).await.unwrap();
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let hits = fixture.keyword("one").await;
    assert_eq!(hits.len(), 2);
    assert!(hits.iter().all(|hit| hit.chunk.metadata.len() == 5));
}

#[tokio::test]
async fn a_commit_of_another_process_is_seen_by_the_next_search() {
    let fixture = Fixture::new().await;
    let other = fixture.other_process();
    for n in 0..5 {
        let id = format!("d{n}");
        other.upsert(&fixture.table, vec![document(&id, &["hello"])]).await.unwrap();
        assert!(ids(&fixture.keyword("hello").await).contains(&id.as_str()));
    }
    other.delete(&fixture.table, &key("d0")).await.unwrap();
    assert_eq!(fixture.keyword("hello").await.len(), 4);
}

#[tokio::test]
async fn a_table_that_another_process_made_anew_is_read_as_the_new_one() {
    let fixture = Fixture::new().await;
    fixture.upsert(vec![document("old", &["old words"])]).await;
    assert_eq!(fixture.keyword("words").await.len(), 1);

    let other = fixture.other_process();
    other.remove(&fixture.table).await.unwrap();
    other.create(&fixture.table, crate::fixture::DIMENSIONS).await.unwrap();
    other.upsert(&fixture.table, vec![document("new", &["new words"])]).await.unwrap();
    assert_eq!(texts(&fixture.keyword("words").await), ["new words"]);
    fixture.upsert(vec![document("newer", &["newer words"])]).await;
    assert_eq!(fixture.keyword("words").await.len(), 2);
}
