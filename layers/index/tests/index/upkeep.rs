//! Many small writes, large tables, and what keeps them quick.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mandi_core::{Problem, Result};
use mandi_index::{Caretaker, IndexOptions, Upkeep};
use mandi_retrieval::ports::{ChunkIndex as _, IndexTable};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::fixture::{DIMENSIONS, Fixture, direction, document, ids, key, keyword, point};

/// Upkeep by hand, of tables that count as large from 1,000 rows.
fn by_hand() -> IndexOptions {
    IndexOptions { background_upkeep: false, exact_scan_rows: 1_000, ..IndexOptions::default() }
}

#[tokio::test]
async fn rows_are_found_at_once_before_and_after_every_upkeep() {
    let fixture = Fixture::with(by_hand(), DIMENSIONS).await;
    let mut random = StdRng::seed_from_u64(3);
    let mut known = Vec::new();
    for round in 0..4 {
        let batch: Vec<_> = (0..800).map(|n| (format!("r{round}-{n}"), direction(&mut random, DIMENSIONS))).collect();
        fixture.upsert(batch.iter().map(|(id, vector)| point(id, vector)).collect()).await;
        known.extend(batch);
        for (id, vector) in [&known[0], &known[known.len() - 1]] {
            assert_eq!(ids(&fixture.nearest(vector, 1).await), [id], "before upkeep {round}");
        }
        assert_eq!(keyword(&fixture.index, &fixture.table, "point", 10_000, None).await.unwrap().len(), known.len());
        fixture.index.maintain(&fixture.table).await.unwrap();
        for (id, vector) in [&known[0], &known[known.len() - 1]] {
            assert_eq!(ids(&fixture.nearest(vector, 1).await), [id], "after upkeep {round}");
        }
        assert_eq!(keyword(&fixture.index, &fixture.table, "point", 10_000, None).await.unwrap().len(), known.len());
    }
}

#[tokio::test]
async fn an_index_is_built_when_the_table_is_large_enough_and_not_before() {
    let fixture = Fixture::with(by_hand(), DIMENSIONS).await;
    let mut random = StdRng::seed_from_u64(4);
    let mut points = |range: std::ops::Range<u32>| -> Vec<_> {
        range.map(|n| point(&format!("p{n}"), &direction(&mut random, DIMENSIONS))).collect()
    };
    fixture.upsert(points(0..999)).await;
    assert!(!fixture.index.maintain(&fixture.table).await.unwrap().vector_index_updated);
    fixture.upsert(points(999..1_000)).await;
    assert!(fixture.index.maintain(&fixture.table).await.unwrap().vector_index_updated);
    fixture.upsert(points(1_000..1_100)).await;
    assert!(!fixture.index.maintain(&fixture.table).await.unwrap().vector_index_updated, "100 rows are scanned");
    fixture.upsert(points(1_100..1_600)).await;
    assert!(fixture.index.maintain(&fixture.table).await.unwrap().vector_index_updated);
}

#[tokio::test]
async fn the_vector_index_finds_nearly_all_that_an_exact_scan_finds() {
    let dimensions = 32;
    let fixture = Fixture::with(by_hand(), dimensions).await;
    let mut random = StdRng::seed_from_u64(5);
    let points: Vec<_> = (0..3_000).map(|n| (format!("p{n}"), direction(&mut random, dimensions))).collect();
    fixture.upsert(points.iter().map(|(id, vector)| point(id, vector)).collect()).await;
    let queries: Vec<_> = (0..50).map(|_| direction(&mut random, dimensions)).collect();
    let mut exact = Vec::new();
    for query in &queries {
        exact.push(fixture.nearest(query, 10).await);
    }
    assert!(fixture.index.maintain(&fixture.table).await.unwrap().vector_index_updated);

    let mut common = 0;
    for (query, exact) in queries.iter().zip(&exact) {
        let found = fixture.nearest(query, 10).await;
        let found: BTreeSet<&str> = ids(&found).into_iter().collect();
        common += ids(exact).iter().filter(|id| found.contains(*id)).count();
    }
    let recall = f64::from(u32::try_from(common).unwrap()) / 500.0;
    assert!(recall >= 0.95, "recall@10 is {recall}");
}

#[tokio::test]
async fn given_a_vector_index_then_its_scores_are_near_to_the_cosines_and_those_of_rows_that_are_read_are_exact() {
    let dimensions = 32;
    let fixture = Fixture::with(by_hand(), dimensions).await;
    let mut random = StdRng::seed_from_u64(7);
    let points: BTreeMap<_, _> = (0..2_000).map(|n| (format!("p{n}"), direction(&mut random, dimensions))).collect();
    fixture.upsert(points.iter().map(|(id, vector)| point(id, vector)).collect()).await;
    assert!(fixture.index.maintain(&fixture.table).await.unwrap().vector_index_updated);

    let query = direction(&mut random, dimensions);
    let snapshot = fixture.index.snapshot(&fixture.table).await.unwrap();
    let found = snapshot.nearest(&query, 50, None).await.unwrap();
    let rows: Vec<u64> = found.iter().map(|candidate| candidate.row).collect();
    for (candidate, hit) in found.iter().zip(snapshot.read(&rows, Some(&query)).await.unwrap()) {
        let vector = &points[&hit.chunk.document.entity_id];
        let cosine: f32 = query.iter().zip(vector).map(|(a, b)| a * b).sum();
        // 32-bit arithmetic; and 8 bits for each component.
        assert!((hit.cosine.unwrap() - cosine).abs() < 1e-5, "{:?} is not {cosine}", hit.cosine);
        assert!((candidate.score - cosine).abs() < 0.02, "{} is far from {cosine}", candidate.score);
    }
}

#[tokio::test]
async fn what_was_replaced_or_deleted_is_not_found_through_an_index_either() {
    let fixture = Fixture::with(by_hand(), DIMENSIONS).await;
    let mut random = StdRng::seed_from_u64(6);
    let points: Vec<_> = (0..1_200).map(|n| (format!("p{n}"), direction(&mut random, DIMENSIONS))).collect();
    fixture.upsert(points.iter().map(|(id, vector)| point(id, vector)).collect()).await;
    fixture.index.maintain(&fixture.table).await.unwrap();

    fixture.index.delete(&fixture.table, &key("p7")).await.unwrap();
    let opposite: Vec<f32> = points[8].1.iter().map(|value| -value).collect();
    fixture.upsert(vec![point("p8", &opposite)]).await;
    for _ in 0..2 {
        assert_ne!(ids(&fixture.nearest(&points[7].1, 1).await), ["p7"]);
        assert_ne!(ids(&fixture.nearest(&points[8].1, 1).await), ["p8"]);
        assert_eq!(ids(&fixture.nearest(&opposite, 1).await), ["p8"]);
        fixture.index.maintain(&fixture.table).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_writes_leave_few_files_and_quick_searches() {
    let options = IndexOptions { keep_versions: Duration::ZERO, ..IndexOptions::default() };
    let fixture = Fixture::with(options, DIMENSIONS).await;
    for n in 0..200 {
        fixture.upsert(vec![document(&format!("d{n}"), &["a small one", "of two chunks"])]).await;
    }
    fixture.index.settle().await;

    let folder = fixture.folder.path().join("demo.contracts.1.lance");
    let files = |kind: &str| std::fs::read_dir(folder.join(kind)).unwrap().count();
    assert!(files("data") < 80, "{} data files of 200 writes", files("data"));
    assert!(files("_versions") < 80, "{} versions of 200 writes", files("_versions"));

    assert_eq!(fixture.index.count(&fixture.table).await.unwrap(), 400);
    let begun = Instant::now();
    for _ in 0..10 {
        assert_eq!(fixture.keyword("small").await.len(), 50);
    }
    let each = begun.elapsed() / 10;
    assert!(each < Duration::from_millis(500), "a search takes {each:?} in an unoptimised build");
}

/// Counts how often it is told, and fails when it is told to.
#[derive(Debug, Default)]
struct Told {
    times: AtomicUsize,
    fails: AtomicBool,
}

#[async_trait]
impl Caretaker for Told {
    async fn look_after_soon(&self, _: &IndexTable) -> Result<()> {
        self.times.fetch_add(1, Ordering::Relaxed);
        if self.fails.load(Ordering::Relaxed) { Err(Problem::internal("not now")) } else { Ok(()) }
    }
}

#[tokio::test]
async fn given_a_caretaker_when_small_writes_gather_then_it_is_told_once_for_each_so_many() {
    let told = Arc::new(Told::default());
    let caretaker: Arc<dyn Caretaker> = told.clone();
    let options = IndexOptions { small_files: 8, caretaker: Some(caretaker), ..by_hand() };
    let fixture = Fixture::with(options, DIMENSIONS).await;
    let write = async |numbers: std::ops::Range<usize>| {
        for number in numbers {
            fixture.upsert(vec![document(&format!("d{number}"), &["a small one"])]).await;
        }
    };
    write(0..7).await;
    assert_eq!(told.times.load(Ordering::Relaxed), 0);
    write(7..20).await;
    assert_eq!(told.times.load(Ordering::Relaxed), 2, "after 8 and after 16 small files");

    // What another process joined counts no longer.
    fixture.other_process().maintain(&fixture.table).await.unwrap();
    write(20..26).await;
    assert_eq!(told.times.load(Ordering::Relaxed), 2);
    told.fails.store(true, Ordering::Relaxed);
    write(26..31).await;
    assert!(told.times.load(Ordering::Relaxed) > 3, "what could not be handed on is tried again");
    assert_eq!(fixture.index.count(&fixture.table).await.unwrap(), 31);
}

#[tokio::test]
async fn upkeep_of_a_table_in_order_does_nothing() {
    let fixture = Fixture::new().await;
    fixture.upsert(vec![document("a", &["one"])]).await;
    assert_eq!(fixture.index.maintain(&fixture.table).await.unwrap(), Upkeep::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_and_upkeep_of_several_processes_lose_nothing() {
    let fixture = Fixture::with(by_hand(), DIMENSIONS).await;
    let other = fixture.other_process();
    let writing = async {
        for n in 0..30 {
            fixture.upsert(vec![document(&format!("d{}", n % 10), &[&format!("round r{n}"), "second"])]).await;
        }
    };
    let upkeep = async {
        let mut lost_races = 0;
        for _ in 0..8 {
            // A race with a writer of another process may be lost; the next upkeep does the work.
            lost_races += usize::from(other.maintain(&fixture.table).await.is_err());
        }
        lost_races
    };
    let (_, lost_races) = tokio::join!(writing, upkeep);
    assert!(lost_races < 8, "upkeep has a chance beside writers");
    assert_eq!(fixture.index.count(&fixture.table).await.unwrap(), 20);
    for n in 20..30 {
        assert_eq!(fixture.keyword(&format!("r{n}")).await.len(), 1);
    }
}
