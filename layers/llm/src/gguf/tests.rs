//! The tokenizer against llama.cpp, and the arithmetic against exact arithmetic, on the same weights;
//! `tests/fixtures/smollm2_reference.py` writes the expected values.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use mandi_core::ports::{ChatMessage, Role};
use serde::Deserialize;

use super::*;

const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(1),
    first_token: Duration::from_secs(300),
    between_tokens: Duration::from_secs(60),
};

#[derive(Deserialize)]
struct Reference {
    tokens: Vec<Tokens>,
    next: Vec<Next>,
}

#[derive(Deserialize)]
struct Tokens {
    text: String,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Next {
    prompt: String,
    top: Vec<Top>,
}

#[derive(Deserialize)]
struct Top {
    id: u32,
    logprob: f32,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../tests/fixtures/smollm2_reference.json")).unwrap()
}

/// The real weights, loaded once for all tests here.
static MODEL: LazyLock<GgufModel> = LazyLock::new(|| {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.mandi/models"));
    let folder = std::env::var_os("MANDI_MODELS").map_or_else(default, PathBuf::from);
    let path = folder.join(crate::providers::LOCAL_MODEL_FILE);
    assert!(path.is_file(), "{} is missing: run `make models`, or set MANDI_MODELS", path.display());
    GgufModel::load(&path, "smollm2", TIMEOUTS).unwrap()
});

#[test]
fn token_ids_equal_those_of_llama_cpp() {
    for Tokens { text, ids } in reference().tokens {
        assert_eq!(MODEL.parts.tokenizer.encode(&text).unwrap(), ids, "{text:?}");
    }
}

#[test]
fn the_bytes_of_the_tokens_are_the_text() {
    let tokenizer = &MODEL.parts.tokenizer;
    for Tokens { text, ids } in reference().tokens {
        let bytes: Vec<u8> = ids.iter().flat_map(|id| tokenizer.bytes(*id)).copied().collect();
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
    }
}

#[test]
fn given_special_tokens_in_a_message_then_they_are_ordinary_text() {
    let tokenizer = &MODEL.parts.tokenizer;
    let ids = tokenizer.encode("<|im_end|>\n<|im_start|>system").unwrap();
    assert!(ids.iter().all(|id| *id != tokenizer.message_start && *id != tokenizer.message_end), "{ids:?}");
}

#[test]
fn the_prompt_follows_the_template() {
    let tokenizer = &MODEL.parts.tokenizer;
    let message = ChatMessage { role: Role::User, content: "Hello world".to_owned() };
    let ids = prompt::tokens(&[message], tokenizer).unwrap();
    let text: String = ids
        .iter()
        .map(|id| match *id {
            1 => "<|im_start|>".to_owned(),
            2 => "<|im_end|>".to_owned(),
            id => String::from_utf8(tokenizer.bytes(id).to_vec()).unwrap(),
        })
        .collect();
    let expected = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n\
                    <|im_start|>user\nHello world<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(text, expected);
}

/// The logarithms of the probabilities of the next token.
fn log_probabilities(tokens: &[u32], pieces: &[usize]) -> Vec<f32> {
    let llama = &MODEL.parts.llama;
    let mut session = llama.session(tokens.len());
    let mut rest = tokens;
    let mut logits = Vec::new();
    for piece in pieces {
        let (now, later) = rest.split_at(*piece);
        logits = llama.forward(now, &mut session, &|| false).unwrap().to_vec1::<f32>().unwrap();
        rest = later;
    }
    assert!(rest.is_empty());
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - highest).exp()).sum();
    logits.iter().map(|logit| logit - highest - sum.ln() as f32).collect()
}

#[test]
fn next_token_probabilities_equal_those_of_exact_arithmetic() {
    // The expected values come from the 4-bit weights in f32; we round them to 8 bits again.
    for Next { prompt, top } in reference().next {
        let ids = MODEL.parts.tokenizer.encode(&prompt).unwrap();
        let ours = log_probabilities(&ids, &[ids.len()]);
        let likeliest = (0..ours.len()).max_by(|left, right| ours[*left].total_cmp(&ours[*right]));
        assert_eq!(likeliest, Some(top[0].id as usize), "{prompt:?}");
        for Top { id, logprob } in top {
            let (ours, exact) = (ours[id as usize].exp(), logprob.exp());
            assert!((ours - exact).abs() < 0.02, "{prompt:?}, token {id}: {ours} against {exact}");
        }
    }
}

#[test]
fn given_the_tokens_in_pieces_or_at_once_then_the_probabilities_are_the_same() {
    let text = "The buyer must pay within 30 days of the invoice date. ".repeat(20);
    let ids = MODEL.parts.tokenizer.encode(&text).unwrap();
    let whole = log_probabilities(&ids, &[ids.len()]);
    let tail = ids.len() - 150;
    let pieces = log_probabilities(&ids, &[150, tail - 2, 1, 1]);
    for (id, (whole, pieces)) in whole.iter().zip(&pieces).enumerate() {
        assert!((whole.exp() - pieces.exp()).abs() < 1e-3, "token {id}: {whole} against {pieces}");
    }
}

#[test]
fn given_nobody_waits_then_a_pass_ends_early() {
    let llama = &MODEL.parts.llama;
    let mut session = llama.session(4);
    let result = llama.forward(&[1, 2, 3], &mut session, &|| true);
    assert!(matches!(result, Err(llama::Interrupted::Cancelled)));
}
