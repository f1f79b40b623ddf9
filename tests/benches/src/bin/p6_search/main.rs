//! P6: search of 100,000 chunks of 384 dimensions. Over HTTP, as a user meets it: hybrid, with the embedding of the
//! query, without reranking. The index by itself against LanceDB's own Python build on the same vectors, texts and
//! queries (`peers/p6_lancedb.py`): recall@10 against exact search, and latency.
//!
//! `p6_search [CHUNKS] [QUERIES]`
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench reports to the terminal")]
#![expect(clippy::unwrap_used, reason = "a bench ends by panicking")]

mod corpus;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use mandi_acceptance::{Client, Setup};
use mandi_benches::{Figure, Target, Unit, number, run_peer};
use mandi_core::TenantId;
use mandi_index::{IndexOptions, LanceIndex};
use mandi_retrieval::filter::FieldValue;
use mandi_retrieval::ports::{Candidate, ChunkIndex as _, IndexTable, Snapshot};
use mandi_retrieval::{Chunk, CollectionName, Filter, Scalar};
use serde_json::{Value, json};

use corpus::{CHUNKS_PER_DOCUMENT, Corpus};

const DOCUMENTS_PER_CALL: usize = 100;
const WARM_UP: usize = 20;
const K: usize = 10;
/// So many candidates of each list does hybrid search ask for.
const CANDIDATES: usize = 50;

type Failure = Box<dyn Error>;
type Rows = [(String, Vec<f32>)];

/// Milliseconds of each call, by kind.
type Times = BTreeMap<&'static str, Vec<f64>>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let argument = |place: usize, default: usize| std::env::args().nth(place).map_or(Ok(default), |text| text.parse());
    let (chunks, queries) = (argument(1, 100_000)?, argument(2, 300)?);
    let mut corpus = Corpus::new();
    let chunks: Vec<_> = (0..chunks).map(|_| corpus.chunk()).collect();
    let queries: Vec<_> = (0..queries).map(|_| corpus.query()).collect();

    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let table = create_collection(&data).await?;
    let (mut times, recall) = search_index(&data, &table, &chunks, &queries).await?;
    times.insert("http", search_over_http(&data, &queries).await);

    let exported = folder.path().join("exported");
    corpus::export(&exported, &chunks, &queries)?;
    let peer = run_peer("p6_lancedb.py", [&exported])?;
    print_figures(chunks.len(), &times, recall, &peer)
}

fn print_figures(chunks: usize, times: &Times, recall: f64, peer: &Value) -> Result<(), Failure> {
    let recall = Figure {
        id: "P6",
        case: format!("recall@10 of the vector index, {chunks} chunks, against LanceDB in Python"),
        unit: Unit::Share,
        ours: recall,
        peer: Some(number(peer, "/recall_at_10")?),
        target: Target::AtLeast(0.95),
    };
    println!("{recall}");
    for (kind, title) in [
        ("http", "hybrid search over HTTP with the query's embedding"),
        ("vector", "vector search alone"),
        ("keyword", "keyword search alone"),
        ("both", "both lists of 50 candidates, and ten chunks (the peer: all of them)"),
        ("filtered", "vector search with a filter of 5 %"),
    ] {
        let mut taken = times[kind].clone();
        taken.sort_by(f64::total_cmp);
        for (name, share) in [("p50", 0.5), ("p95", 0.95)] {
            let figure = Figure {
                id: "P6",
                case: format!("{title}, {name}"),
                unit: Unit::Milliseconds,
                ours: taken[((taken.len() as f64 * share) as usize).min(taken.len() - 1)],
                peer: peer[kind][name].as_f64(),
                target: if (kind, name) == ("http", "p95") { Target::AtMost(25.0) } else { Target::None },
            };
            println!("{figure}");
        }
    }
    Ok(())
}

/// Makes the collection over HTTP; the table that the server will look for.
async fn create_collection(data: &Path) -> Result<IndexTable, Failure> {
    let server = Setup::on(data).start().await;
    let created = server.client("demo").put("/v1/collections/p6", &json!({})).await.expect(201);
    server.kill().await;
    let (tenant, collection) = (TenantId::from_stored("demo").unwrap(), CollectionName::parse("p6").unwrap());
    Ok(IndexTable { tenant, collection, made_at: serde_json::from_value(created["created_at"].clone())? })
}

/// Fills the index of a data folder and searches it without a server: the times, and recall@10.
async fn search_index(data: &Path, table: &IndexTable, chunks: &Rows, queries: &Rows) -> Result<(Times, f64), Failure> {
    let options = IndexOptions { background_upkeep: false, ..IndexOptions::default() };
    let index = LanceIndex::open(&data.join("vectors").to_string_lossy(), options)?;
    fill(&index, table, chunks).await?;

    for (text, direction) in queries.iter().take(WARM_UP) {
        nearest(&index, table, direction, None).await?;
        keyword(&index, table, text).await?;
    }
    let filter = Filter::Equals(FieldValue { field: "kind".to_owned(), value: Scalar::Text("kind7".to_owned()) });
    let (mut times, mut common) = (Times::new(), 0);
    for (text, direction) in queries {
        let found = timed(&mut times, "vector", nearest(&index, table, direction, None)).await?;
        let exact = corpus::exact(chunks, direction, K);
        let is_near = |chunk: &&Chunk| exact.contains(&(chunk.document.entity_id.clone(), chunk.number));
        common += found.iter().filter(is_near).count();
        timed(&mut times, "keyword", keyword(&index, table, text)).await?;
        timed(&mut times, "both", both(&index, table, direction, text)).await?;
        timed(&mut times, "filtered", nearest(&index, table, direction, Some(&filter))).await?;
    }
    Ok((times, common as f64 / (queries.len() * K) as f64))
}

async fn nearest(
    index: &LanceIndex,
    table: &IndexTable,
    direction: &[f32],
    filter: Option<&Filter>,
) -> Result<Vec<Chunk>, Failure> {
    let snapshot = index.snapshot(table).await?;
    let found = snapshot.nearest(direction, K, filter).await?;
    chunks(snapshot.as_ref(), &rows(&found), Some(direction)).await
}

async fn keyword(index: &LanceIndex, table: &IndexTable, text: &str) -> Result<Vec<Chunk>, Failure> {
    let snapshot = index.snapshot(table).await?;
    let found = snapshot.keyword(text, K, None).await?;
    chunks(snapshot.as_ref(), &rows(&found), None).await
}

/// What hybrid search asks of the index: both lists, and the chunks that are shown.
async fn both(index: &LanceIndex, table: &IndexTable, direction: &[f32], text: &str) -> Result<Vec<Chunk>, Failure> {
    let snapshot = index.snapshot(table).await?;
    let lists =
        tokio::try_join!(snapshot.nearest(direction, CANDIDATES, None), snapshot.keyword(text, CANDIDATES, None))?;
    let of_each = |list: &[Candidate]| rows(&list[..list.len().min(K / 2)]);
    let shown: BTreeSet<u64> = of_each(&lists.0).into_iter().chain(of_each(&lists.1)).collect();
    chunks(snapshot.as_ref(), &Vec::from_iter(shown), Some(direction)).await
}

async fn chunks(snapshot: &dyn Snapshot, rows: &[u64], toward: Option<&[f32]>) -> Result<Vec<Chunk>, Failure> {
    Ok(snapshot.read(rows, toward).await?.into_iter().map(|hit| hit.chunk).collect())
}

fn rows(found: &[Candidate]) -> Vec<u64> {
    found.iter().map(|candidate| candidate.row).collect()
}

async fn timed<T>(times: &mut Times, kind: &'static str, call: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let found = call.await;
    times.entry(kind).or_default().push(milliseconds(begun.elapsed()));
    found
}

fn milliseconds(taken: Duration) -> f64 {
    taken.as_secs_f64() * 1e3
}

async fn fill(index: &LanceIndex, table: &IndexTable, chunks: &Rows) -> Result<(), Failure> {
    let begun = Instant::now();
    let per_call = DOCUMENTS_PER_CALL * CHUNKS_PER_DOCUMENT;
    for (call, part) in chunks.chunks(per_call).enumerate() {
        index.upsert(table, corpus::documents(part, call * per_call)).await?;
    }
    eprintln!("{} chunks written in {:.1} s", chunks.len(), begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    let done = index.maintain(table).await?;
    eprintln!("{done:?} in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

async fn search_over_http(data: &Path, queries: &Rows) -> Vec<f64> {
    let server = Setup::on(data).with("MANDI_LOG", "warn").start().await;
    let client = server.client("demo");
    // Other words than those measured, or their vectors would lie in the cache.
    for number in 0..WARM_UP {
        search(&client, &format!("buyer {number}")).await;
    }
    let mut times = Vec::with_capacity(queries.len());
    for (text, _) in queries {
        times.push(search(&client, text).await);
    }
    times
}

/// Milliseconds of one search.
async fn search(client: &Client, query: &str) -> f64 {
    let begun = Instant::now();
    let found = client.post("/v1/collections/p6/search", &json!({"query": query, "k": K})).await;
    let taken = milliseconds(begun.elapsed());
    assert!(!found.expect(200)["results"].as_array().unwrap().is_empty(), "{query}: nothing found");
    taken
}
