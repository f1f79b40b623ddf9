//! P10: the local language model against llama.cpp with the same file, prompt and threads, one after the other on the
//! same machine: `cargo run -p mandi-benches --bin p10_language_model [RUNS]`.
//!
//! The peer is `peers/p10_llama_cpp.py`. The best of the runs counts, for both sides.
#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::StreamExt;
use mandi_benches::{Figure, Target, Unit, models, number, run_peer};
use mandi_core::ports::{ChatMessage, Delta, Generation, LanguageModel, Role};
use mandi_llm::Timeouts;
use mandi_llm::gguf::GgufModel;
use mandi_llm::providers::LOCAL_MODEL_FILE;

/// What is asked for, in tokens.
const OUTPUT_TOKENS: u32 = 64;
/// The longest time to the first token, in seconds.
const FIRST_TOKEN_TARGET_S: f64 = 2.0;
/// Our tokens a second are at least so much of the peer's.
const RATE_TARGET: f64 = 0.5;
/// Repeated until the prompt has about 500 tokens.
const SENTENCE: &str = "The buyer shall pay the seller within thirty days after the date of the invoice. ";
const SENTENCES: usize = 28;

/// The best of several runs.
struct Best {
    input_tokens: u64,
    first_token_s: f64,
    tokens_a_second: f64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let runs: u32 = std::env::args().nth(1).map_or(Ok(3), |runs| runs.parse())?;
    let path = models().join(LOCAL_MODEL_FILE);
    let content = format!("{}\nTell a long story about this contract.", SENTENCE.repeat(SENTENCES));
    let ours = measure(&path, &content, runs).await?;
    let peer = measure_peer(&path, &content, runs)?;

    let first_token = Figure {
        id: "P10",
        case: format!("first token of a prompt of {} tokens, SmolLM2-135M Q4_1", ours.input_tokens),
        unit: Unit::Seconds,
        ours: ours.first_token_s,
        peer: Some(peer.first_token_s),
        target: Target::AtMost(FIRST_TOKEN_TARGET_S),
    };
    println!("{first_token}");
    let rate = Figure {
        id: "P10",
        case: format!("tokens after it, {OUTPUT_TOKENS} of them"),
        unit: Unit::PerSecond,
        ours: ours.tokens_a_second,
        peer: Some(peer.tokens_a_second),
        target: Target::RatioAtLeast(RATE_TARGET),
    };
    println!("{rate}");
    Ok(())
}

async fn measure(path: &Path, content: &str, runs: u32) -> Result<Best, Box<dyn Error>> {
    let patient = Duration::from_secs(600);
    let timeouts = Timeouts { connect: patient, first_token: patient, between_tokens: patient };
    let model = GgufModel::load(path, "smollm2", timeouts)?;
    let mut best = Best { input_tokens: 0, first_token_s: f64::INFINITY, tokens_a_second: 0.0 };
    for _ in 0..runs {
        let message = ChatMessage { role: Role::User, content: content.to_owned() };
        let generation =
            Generation { messages: vec![message], max_tokens: OUTPUT_TOKENS, temperature: 0.0, stop: Vec::new() };
        let begun = Instant::now();
        let mut stream = model.generate(generation).await?;
        let mut first = None;
        while let Some(delta) = stream.next().await {
            match delta? {
                Delta::Text(_) => {
                    first.get_or_insert_with(Instant::now);
                }
                Delta::Finish { usage, .. } => {
                    let first = first.ok_or("the model said nothing")?;
                    let rate = (usage.output_tokens.saturating_sub(1)) as f64 / first.elapsed().as_secs_f64();
                    best.input_tokens = usage.input_tokens;
                    best.first_token_s = best.first_token_s.min((first - begun).as_secs_f64());
                    best.tokens_a_second = best.tokens_a_second.max(rate);
                }
            }
        }
    }
    Ok(best)
}

fn measure_peer(path: &Path, content: &str, runs: u32) -> Result<Best, Box<dyn Error>> {
    let threads = std::thread::available_parallelism()?.to_string();
    let (runs, output) = (runs.to_string(), OUTPUT_TOKENS.to_string());
    let path = path.to_string_lossy();
    let found = run_peer("p10_llama_cpp.py", [&*path, content, &threads, &output, &runs])?;
    Ok(Best {
        input_tokens: found["input_tokens"].as_u64().ok_or("the peer gives no `input_tokens`")?,
        first_token_s: number(&found, "/first_token_s")?,
        tokens_a_second: number(&found, "/tokens_a_second")?,
    })
}
