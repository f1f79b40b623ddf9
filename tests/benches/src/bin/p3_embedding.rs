//! P3: texts embedded a second, ours against ONNX Runtime the way fastembed uses it, with the same weights, texts and
//! threads, one after the other on the same machine: `cargo run -p mandi-benches --bin p3_embedding [TEXTS]`.
//!
//! The peer is `peers/p3_embedding.py`: the better of two graphs and of batches of 256 and 32. A single text takes
//! milliseconds, and what else the machine does comes and goes in minutes: both sides take turns, and medians count.
#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

use mandi_benches::{Figure, Target, Unit, median, models, number, run_peer};
use mandi_inference::TextEncoder;
use serde_json::Value;

/// Names of the cases, in the order of the table.
const CASES: [(&str, &str); 4] = [
    (SINGLE, "one text of 16 tokens, p50"),
    ("short", "texts of 12 tokens"),
    ("long", "texts of 128 tokens"),
    ("mixed", "texts of 4 to 256 tokens"),
];
/// How often the single text is encoded in a turn.
const REPEATS: usize = 200;
/// How many turns each side has with the single text.
const TURNS: usize = 7;
/// The name of the case with one text.
const SINGLE: &str = "single";
/// Vectors of both sides may differ by so much in a component.
const TOLERANCE: f64 = 1e-4;
/// Common words, each one token.
const WORDS: [&str; 12] =
    ["buyer", "price", "rice", "shall", "contract", "ship", "port", "weight", "pay", "goods", "quality", "day"];

type Texts = BTreeMap<&'static str, Vec<String>>;

fn main() -> Result<(), Box<dyn Error>> {
    let count = std::env::args().nth(1).map_or(Ok(1000), |count| count.parse())?;
    let (models, texts) = (models(), texts(count));
    let encoder = TextEncoder::load(&models.join("minilm-l6"))
        .map_err(|error| format!("{error}; `make models` fetches the models"))?;
    let encoder = &encoder;
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        for (name, title) in CASES {
            let texts = Texts::from([(name, texts[name].clone())]);
            let (mut ours, mut peers) = (Vec::new(), Vec::new());
            for _ in 0..if name == SINGLE { TURNS } else { 1 } {
                let peer = measure_peer(&models, &texts, threads)?;
                check_vectors(encoder, &texts[name], &peer[name]["vectors"])?;
                peers.push(number(&peer[name], "/seconds")?);
                ours.push(pool.install(|| measure(encoder, name, &texts[name])).as_secs_f64());
            }
            let case = format!("{title}, threads: {threads}");
            println!("{}", figure(case, texts[name].len(), median(ours), median(peers)));
        }
    }
    Ok(())
}

/// A single text counts by its time, many by texts a second.
fn figure(case: String, texts: usize, ours_s: f64, peer_s: f64) -> Figure {
    let (unit, target) = match texts {
        1 => (Unit::Milliseconds, Target::RatioAtMost(0.8)),
        _ => (Unit::PerSecond, Target::RatioAtLeast(1.0)),
    };
    let in_unit = |seconds: f64| if texts == 1 { seconds * 1e3 } else { texts as f64 / seconds };
    Figure { id: "P3", case, unit, ours: in_unit(ours_s), peer: Some(in_unit(peer_s)), target }
}

/// The same texts in every run: words by a linear congruential generator (Numerical Recipes, 3rd ed., 7.1.4).
fn texts(count: u32) -> Texts {
    let mut state = 2026_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut text = |tokens: usize| -> String {
        // Two tokens are special.
        let word = |random: u64| WORDS[usize::try_from(random).unwrap_or(0) % WORDS.len()];
        (2..tokens).map(|_| word(random())).collect::<Vec<_>>().join(" ")
    };
    // Lengths of the mixed texts grow by equal factors, so that most texts are short; the order is stirred.
    let mixed = |number: u32| 4.0 * 64_f64.powf(f64::from(number * 7919 % count) / f64::from(count));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 4 and 256")]
    BTreeMap::from([
        (SINGLE, vec![text(16)]),
        ("short", (0..count).map(|_| text(12)).collect()),
        ("long", (0..count).map(|_| text(128)).collect()),
        ("mixed", (0..count).map(|number| text(mixed(number) as usize)).collect()),
    ])
}

fn measure(encoder: &TextEncoder, name: &str, texts: &[String]) -> Duration {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let once = || {
        let begin = Instant::now();
        std::hint::black_box(encoder.encode(&texts));
        begin.elapsed()
    };
    if name == SINGLE {
        let mut taken: Vec<Duration> = (0..REPEATS).map(|_| once()).collect();
        taken.sort();
        taken[REPEATS / 2]
    } else {
        once()
    }
}

fn measure_peer(models: &Path, texts: &Texts, threads: usize) -> Result<Value, Box<dyn Error>> {
    let file = tempfile::NamedTempFile::new()?;
    serde_json::to_writer(&file, texts)?;
    let threads = threads.to_string();
    run_peer("p3_embedding.py", [models.as_os_str(), file.path().as_os_str(), OsStr::new(&threads)])
}

/// Both sides must have done the same work.
fn check_vectors(encoder: &TextEncoder, texts: &[String], expected: &Value) -> Result<(), Box<dyn Error>> {
    let expected: Vec<Vec<f64>> = serde_json::from_value(expected.clone())?;
    for (text, expected) in texts.iter().zip(&expected) {
        let ours = &encoder.encode(&[text])[0].vector;
        let difference = ours.iter().zip(expected).map(|(ours, expected)| (f64::from(*ours) - expected).abs());
        let largest = difference.fold(0.0, f64::max);
        if largest > TOLERANCE {
            return Err(format!("a vector differs from the peer's by {largest}: {text}").into());
        }
    }
    Ok(())
}
