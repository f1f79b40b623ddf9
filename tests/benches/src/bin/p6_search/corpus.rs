//! What is searched: chunks and queries of topics, the same in every run.

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use mandi_retrieval::ports::{DocumentChunks, IndexedChunk};
use mandi_retrieval::{Chunk, DocumentKey, Metadata, Scalar};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

const DIMENSIONS: usize = 384;
const TOPICS: usize = 1_000;
const WORDS: usize = 50_000;
const WORDS_PER_CHUNK: usize = 120;
pub const CHUNKS_PER_DOCUMENT: usize = 10;

/// What is searched: each topic is a direction and the words it prefers; a chunk is near to its topic.
pub struct Corpus {
    topics: Vec<Vec<f32>>,
    random: StdRng,
}

impl Corpus {
    pub fn new() -> Self {
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

    pub fn chunk(&mut self) -> (String, Vec<f32>) {
        let (topic, vector) = self.near_topic();
        let words: Vec<String> = (0..WORDS_PER_CHUNK).map(|_| self.word(topic)).collect();
        (words.join(" "), vector)
    }

    /// Three words and a direction of one topic.
    pub fn query(&mut self) -> (String, Vec<f32>) {
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

/// Documents of [`CHUNKS_PER_DOCUMENT`] chunks each, from the chunk with the number `first`.
pub fn documents(chunks: &[(String, Vec<f32>)], first: usize) -> Vec<DocumentChunks> {
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

/// Writes vectors and texts for `peers/p6_lancedb.py`.
pub fn export(folder: &Path, chunks: &[(String, Vec<f32>)], queries: &[(String, Vec<f32>)]) -> std::io::Result<()> {
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

/// The place of the exact nearest among all chunks.
pub fn exact(chunks: &[(String, Vec<f32>)], query: &[f32], count: usize) -> HashSet<(String, u32)> {
    let cosine = |vector: &[f32]| query.iter().zip(vector).map(|(a, b)| a * b).sum::<f32>();
    let mut scored: Vec<(f32, usize)> =
        chunks.iter().enumerate().map(|(place, (_, vector))| (cosine(vector), place)).collect();
    scored.sort_by(|one, other| other.0.total_cmp(&one.0));
    let key = |place: usize| {
        let number = u32::try_from(place % CHUNKS_PER_DOCUMENT).unwrap_or(0);
        (format!("d{}", place / CHUNKS_PER_DOCUMENT), number)
    };
    scored.into_iter().take(count).map(|(_, place)| key(place)).collect()
}
