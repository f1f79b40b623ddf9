//! P6: search of 100,000 chunks of 384 dimensions, by vector, by keyword, by both, and with a filter: latency
//! and recall@10 against exact search. Prints one JSON object; the embedding of the query and HTTP come on top.
//!
//! ```text
//! p6_search [--chunks 100000] [--queries 300] [--export FOLDER]
//! ```
//! `--export` writes the same vectors, texts and queries for `peers/p6_lancedb.py`, and ends.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench reports to the terminal")]

use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mandi_core::TenantId;
use mandi_index::{IndexOptions, LanceIndex};
use mandi_retrieval::filter::FieldValue;
use mandi_retrieval::ports::{ChunkIndex as _, DocumentChunks, IndexTable, IndexedChunk};
use mandi_retrieval::{Chunk, CollectionName, DocumentKey, Filter, Metadata, Scalar};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

const DIMENSIONS: usize = 384;
const TOPICS: usize = 1_000;
const WORDS: usize = 50_000;
const WORDS_PER_CHUNK: usize = 120;
const CHUNKS_PER_DOCUMENT: usize = 10;
const DOCUMENTS_PER_CALL: usize = 100;
const K: usize = 10;

type Failure = Box<dyn Error>;

/// What is searched: each topic is a direction and the words it prefers; a chunk is near to its topic.
struct Corpus {
    topics: Vec<Vec<f32>>,
    random: StdRng,
}

impl Corpus {
    fn new() -> Self {
        let mut random = StdRng::seed_from_u64(6);
        let topics = (0..TOPICS).map(|_| direction(&mut random)).collect();
        Self { topics, random }
    }

    /// The topic's direction with as much of another one added: chunks of a topic have a cosine of about 0.5,
    /// as passages on one subject have under MiniLM.
    fn near_topic(&mut self) -> (usize, Vec<f32>) {
        let topic = self.random.random_range(0..TOPICS);
        let noise = direction(&mut self.random);
        let vector = self.topics[topic].iter().zip(&noise).map(|(of_topic, noise)| of_topic + noise).collect();
        (topic, normalised(vector))
    }

    /// A rank of Zipf's distribution over the vocabulary (exponent 1, by the inverse of its integral).
    fn word(&mut self, topic: usize) -> String {
        let rank = (WORDS as f64).powf(self.random.random_range(0.0..1.0)) as usize;
        // One word in four is of the topic: the same ranks, in an order of its own.
        let of_topic = self.random.random_range(0..4) == 0;
        spell(if of_topic { (rank + topic * 97) % WORDS } else { rank % WORDS })
    }

    fn chunk(&mut self) -> (String, Vec<f32>) {
        let (topic, vector) = self.near_topic();
        let words: Vec<String> = (0..WORDS_PER_CHUNK).map(|_| self.word(topic)).collect();
        (words.join(" "), vector)
    }

    /// Three words and a direction of one topic.
    fn query(&mut self) -> (String, Vec<f32>) {
        let (topic, vector) = self.near_topic();
        let words: Vec<String> = (0..3).map(|_| self.word(topic)).collect();
        (words.join(" "), vector)
    }
}

/// A number as syllables, which the stemmer leaves alone.
fn spell(mut number: usize) -> String {
    let mut word = String::new();
    for _ in 0..3 {
        word.push(char::from(b"bdfghjkmnprtvz"[number % 14]));
        number /= 14;
        word.push(char::from(b"aou"[number % 3]));
        number /= 3;
    }
    word
}

fn direction(random: &mut StdRng) -> Vec<f32> {
    // A sum of uniform numbers is near enough to normal for a direction without preference.
    let component = |random: &mut StdRng| (0..6).map(|_| random.random_range(-1.0f32..1.0)).sum::<f32>();
    normalised((0..DIMENSIONS).map(|_| component(random)).collect())
}

fn normalised(mut vector: Vec<f32>) -> Vec<f32> {
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|value| *value /= norm);
    vector
}

struct Arguments {
    chunks: usize,
    queries: usize,
    export: Option<PathBuf>,
}

fn arguments() -> Result<Arguments, Failure> {
    let mut arguments = Arguments { chunks: 100_000, queries: 300, export: None };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--chunks" => arguments.chunks = value.parse()?,
            "--queries" => arguments.queries = value.parse()?,
            "--export" => arguments.export = Some(value.into()),
            _ => return Err(format!("unknown argument {name}").into()),
        }
    }
    Ok(arguments)
}

fn documents(chunks: &[(String, Vec<f32>)], first: usize) -> Vec<DocumentChunks> {
    let of_document = |(place, chunks): (usize, &[(String, Vec<f32>)])| {
        let number = first / CHUNKS_PER_DOCUMENT + place;
        let document = DocumentKey { entity_type: "contract".to_owned(), entity_id: format!("d{number}") };
        let metadata = Metadata::from([("kind".to_owned(), Scalar::Text(format!("kind{}", number % 20)))]);
        let chunks = chunks.iter().zip(0u32..).map(|((text, vector), number)| IndexedChunk {
            chunk: Chunk {
                document: document.clone(),
                number,
                title: None,
                text: text.clone(),
                characters: 0..u32::try_from(text.len()).unwrap_or(u32::MAX),
                metadata: metadata.clone(),
            },
            vector: vector.clone(),
        });
        DocumentChunks { document: document.clone(), chunks: chunks.collect() }
    };
    chunks.chunks(CHUNKS_PER_DOCUMENT).enumerate().map(of_document).collect()
}

fn export(folder: &Path, chunks: &[(String, Vec<f32>)], queries: &[(String, Vec<f32>)]) -> Result<(), Failure> {
    fs::create_dir_all(folder)?;
    for (name, rows) in [("chunks", chunks), ("queries", queries)] {
        let mut vectors = std::io::BufWriter::new(fs::File::create(folder.join(format!("{name}.f32")))?);
        let mut texts = std::io::BufWriter::new(fs::File::create(folder.join(format!("{name}.txt")))?);
        for (text, vector) in rows {
            for value in vector {
                vectors.write_all(&value.to_le_bytes())?;
            }
            writeln!(texts, "{text}")?;
        }
    }
    Ok(())
}

/// The place of the exact `K` nearest among all chunks.
fn exact(chunks: &[(String, Vec<f32>)], query: &[f32]) -> HashSet<(String, u32)> {
    let cosine = |vector: &[f32]| query.iter().zip(vector).map(|(a, b)| a * b).sum::<f32>();
    let mut scored: Vec<(f32, usize)> =
        chunks.iter().enumerate().map(|(place, (_, vector))| (cosine(vector), place)).collect();
    scored.sort_by(|one, other| other.0.total_cmp(&one.0));
    let key = |place: usize| {
        let number = u32::try_from(place % CHUNKS_PER_DOCUMENT).unwrap_or(0);
        (format!("d{}", place / CHUNKS_PER_DOCUMENT), number)
    };
    scored.into_iter().take(K).map(|(_, place)| key(place)).collect()
}

/// Median, 95th percentile and maximum, in ms.
fn summary(mut times: Vec<Duration>) -> Value {
    times.sort();
    let at = |share: f64| times[((times.len() as f64 * share) as usize).min(times.len() - 1)].as_secs_f64() * 1e3;
    let round = |ms: f64| (ms * 100.0).round() / 100.0;
    json!({"p50_ms": round(at(0.5)), "p95_ms": round(at(0.95)), "max_ms": round(at(1.0))})
}

async fn fill(index: &LanceIndex, table: &IndexTable, chunks: &[(String, Vec<f32>)]) -> Result<(f64, f64), Failure> {
    let begun = Instant::now();
    index.create(table, DIMENSIONS).await?;
    let per_call = DOCUMENTS_PER_CALL * CHUNKS_PER_DOCUMENT;
    for (call, part) in chunks.chunks(per_call).enumerate() {
        index.upsert(table, documents(part, call * per_call)).await?;
    }
    let filled_s = begun.elapsed().as_secs_f64();
    eprintln!("{} chunks written in {filled_s:.1} s; the indices are built", chunks.len());
    let begun = Instant::now();
    let done = index.maintain(table).await?;
    eprintln!("{done:?} in {:.1} s", begun.elapsed().as_secs_f64());
    Ok((filled_s, begun.elapsed().as_secs_f64()))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = arguments()?;
    let mut corpus = Corpus::new();
    let chunks: Vec<(String, Vec<f32>)> = (0..arguments.chunks).map(|_| corpus.chunk()).collect();
    let queries: Vec<(String, Vec<f32>)> = (0..arguments.queries).map(|_| corpus.query()).collect();
    if let Some(folder) = &arguments.export {
        return export(folder, &chunks, &queries);
    }

    let folder = tempfile::tempdir()?;
    let options = IndexOptions { background_upkeep: false, ..IndexOptions::default() };
    let index = LanceIndex::open(&folder.path().to_string_lossy(), options)?;
    let tenant = TenantId::from_stored("bench").ok_or("a tenant's name")?;
    let table = IndexTable { tenant, collection: CollectionName::parse("p6").ok_or("a collection's name")? };
    let (write_s, index_s) = fill(&index, &table, &chunks).await?;

    let filter = Filter::Equals(FieldValue { field: "kind".to_owned(), value: Scalar::Text("kind7".to_owned()) });
    let (mut vector, mut keyword, mut both, mut filtered) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut common, mut words_found) = (0, 0);
    for (text, direction) in queries.iter().take(20) {
        index.nearest(&table, direction, K, None).await?;
        index.keyword(&table, text, K, None).await?;
    }
    for (text, direction) in &queries {
        let begun = Instant::now();
        let hits = index.nearest(&table, direction, K, None).await?;
        vector.push(begun.elapsed());
        let nearest = exact(&chunks, direction);
        common += hits
            .into_iter()
            .filter(|hit| nearest.contains(&(hit.chunk.document.entity_id.clone(), hit.chunk.number)))
            .count();

        let begun = Instant::now();
        words_found += index.keyword(&table, text, K, None).await?.len();
        keyword.push(begun.elapsed());

        // As hybrid search does it: 50 candidates of each list, asked for at the same time.
        let begun = Instant::now();
        let (by_vector, by_keyword) =
            tokio::join!(index.nearest(&table, direction, 50, None), index.keyword(&table, text, 50, None));
        both.push(begun.elapsed());
        by_vector?;
        by_keyword?;

        let begun = Instant::now();
        index.nearest(&table, direction, K, Some(&filter)).await?;
        filtered.push(begun.elapsed());
    }
    let bytes: u64 = fs::read_dir(folder.path().join("bench.p6.lance").join("data"))?
        .map(|entry| Ok(entry?.metadata()?.len()))
        .sum::<Result<u64, std::io::Error>>()?;
    let report = json!({
        "target": "P6",
        "chunks": chunks.len(),
        "dimensions": DIMENSIONS,
        "queries": queries.len(),
        "recall_at_10": common as f64 / (queries.len() * K) as f64,
        "keyword_hits": words_found,
        "vector": summary(vector),
        "keyword": summary(keyword),
        "both_of_50": summary(both),
        "vector_filtered": summary(filtered),
        "write_s": write_s,
        "index_s": index_s,
        "data_bytes": bytes,
    });
    println!("{report:#}");
    Ok(())
}
