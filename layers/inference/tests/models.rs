//! The models against ONNX Runtime on the same weights; `fixtures/make_fixtures.py` made the expected values.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use mandi_core::ports::{Embedder, EmbeddingPurpose, ModelRef, Reranker};
use mandi_inference::{CrossEncoder, LocalEmbedder, LocalReranker, TextEncoder};
use serde::Deserialize;

static ENCODER: LazyLock<Arc<TextEncoder>> =
    LazyLock::new(|| Arc::new(TextEncoder::load(&model_folder("minilm-l6")).unwrap()));
static RERANKER: LazyLock<Arc<CrossEncoder>> =
    LazyLock::new(|| Arc::new(CrossEncoder::load(&model_folder("reranker")).unwrap()));
static REFERENCES: LazyLock<References> =
    LazyLock::new(|| serde_json::from_str(include_str!("fixtures/references.json")).unwrap());

#[derive(Deserialize)]
struct References {
    embeddings: Vec<ReferenceEmbedding>,
    scores: Vec<ReferenceScore>,
}

#[derive(Deserialize)]
struct ReferenceEmbedding {
    text: String,
    tokens: usize,
    vector: Vec<f32>,
}

#[derive(Deserialize)]
struct ReferenceScore {
    query: String,
    passage: String,
    score: f32,
    quantised_score: f32,
}

fn model_folder(name: &str) -> PathBuf {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.mandi/models"));
    let folder = std::env::var_os("MANDI_MODELS").map_or_else(default, PathBuf::from).join(name);
    assert!(folder.is_dir(), "the folder {} is missing: run `make models`, or set MANDI_MODELS", folder.display());
    folder
}

fn largest_difference(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0, f32::max)
}

/// Texts that are awkward in one way each.
fn awkward_texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "\0",
        "\0a\0b",
        "\u{feff}",
        "\u{200d}\u{200c}",
        "[CLS] [SEP] [PAD]",
        "👩‍👩‍👧‍👦🏽",
        "é\u{301}\u{301}",
        "\u{10ffff}",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("a".repeat(20_000));
    texts.push("क्ष".repeat(2_000));
    texts.push("word ".repeat(5_000));
    texts.push("𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ".repeat(100));
    texts
}

#[test]
fn given_texts_of_many_scripts_and_lengths_when_encoded_then_the_vectors_are_those_of_onnx_runtime() {
    for reference in &REFERENCES.embeddings {
        let encoded = &ENCODER.encode(&[&reference.text])[0];

        let difference = largest_difference(&encoded.vector, &reference.vector);
        assert!(difference < 1e-4, "{difference} for {:?}", reference.text);
    }
}

#[test]
fn given_texts_when_encoded_then_tokens_are_counted_before_the_cut_and_a_cut_is_reported() {
    for reference in &REFERENCES.embeddings {
        let encoded = &ENCODER.encode(&[&reference.text])[0];

        assert_eq!(encoded.tokens, reference.tokens, "{:?}", reference.text);
        assert_eq!(encoded.truncated, reference.tokens > 256, "{:?}", reference.text);
    }
    assert!(REFERENCES.embeddings.iter().any(|reference| reference.tokens > 256));
}

#[test]
fn given_a_cut_text_when_encoded_then_what_is_after_the_cut_does_not_count() {
    let start = "payment ".repeat(254);

    let [whole, longer] = [start.clone(), start + "rice"].map(|text| ENCODER.encode(&[&text]).remove(0));

    assert!(!whole.truncated && longer.truncated);
    assert_eq!(whole.vector, longer.vector);
}

#[test]
fn given_many_texts_when_encoded_together_in_any_order_then_each_has_the_vector_that_it_has_alone() {
    let mut texts: Vec<&str> = REFERENCES.embeddings.iter().map(|reference| reference.text.as_str()).collect();
    let alone: Vec<_> = texts.iter().map(|text| ENCODER.encode(&[text]).remove(0)).collect();

    let together = ENCODER.encode(&texts);
    texts.reverse();
    let mut reversed = ENCODER.encode(&texts);
    reversed.reverse();

    assert_eq!(together, alone);
    assert_eq!(reversed, alone);
}

#[test]
fn given_pools_of_one_and_of_three_threads_when_encoded_then_the_vectors_are_the_same() {
    let texts: Vec<&str> = REFERENCES.embeddings.iter().map(|reference| reference.text.as_str()).collect();

    let [one, three] = [1, 3].map(|threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| ENCODER.encode(&texts))
    });

    assert_eq!(one, three);
}

#[test]
fn given_awkward_texts_when_encoded_then_each_has_a_vector_of_unit_length() {
    let texts = awkward_texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();

    for (encoded, text) in ENCODER.encode(&texts).iter().zip(texts) {
        let norm = encoded.vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        assert!((norm - 1.0).abs() < 1e-5, "{norm} for {:?}", text.chars().take(20).collect::<String>());
        assert_eq!(encoded.vector.len(), TextEncoder::DIMENSIONS);
    }
}

#[test]
fn given_no_texts_when_encoded_or_scored_then_there_is_no_result() {
    assert!(ENCODER.encode(&[]).is_empty());
    assert!(RERANKER.scores("rice", &[]).is_empty());
}

#[test]
fn given_a_text_when_its_token_spans_are_asked_for_then_they_are_the_bytes_of_its_tokens_in_order() {
    let text = "Pay INR 5,000 für भुगतान";

    let spans = ENCODER.token_spans(text);

    let tokens: Vec<&str> = spans.iter().map(|span| &text[span.clone()]).collect();
    assert_eq!(tokens[..6], ["Pay", "IN", "R", "5", ",", "000"]);
    assert!(tokens.contains(&"für"));
    assert_eq!(spans.len() + 2, ENCODER.encode(&[text])[0].tokens);
}

#[test]
fn given_awkward_texts_when_their_token_spans_are_asked_for_then_they_are_whole_characters_in_order() {
    for text in awkward_texts() {
        let spans = ENCODER.token_spans(&text);

        assert!(spans.iter().all(|span| text.get(span.clone()).is_some()));
        assert!(spans.is_sorted_by_key(|span| (span.start, span.end)));
        assert_eq!(spans.len() + 2, ENCODER.encode(&[&text])[0].tokens);
    }
}

#[test]
fn given_pairs_when_scored_then_the_scores_are_those_of_onnx_runtime_on_the_dequantised_weights() {
    for reference in &REFERENCES.scores {
        let score = RERANKER.scores(&reference.query, &[&reference.passage])[0];

        let difference = (score - reference.score).abs();
        assert!(difference < 1e-4, "{score} and {} for {:?}", reference.score, reference.passage);
    }
}

/// The quantised graph also rounds the activations to 8 bits, so it differs; the mapping of its weights is proven by
/// the scores being near.
#[test]
fn given_pairs_when_scored_then_the_scores_are_near_those_of_the_quantised_graph() {
    for reference in &REFERENCES.scores {
        let score = RERANKER.scores(&reference.query, &[&reference.passage])[0];

        let difference = (score - reference.quantised_score).abs();
        assert!(difference < 0.01, "{score} and {} for {:?}", reference.quantised_score, reference.passage);
    }
}

#[test]
fn given_several_passages_when_scored_together_then_each_has_the_score_that_it_has_alone() {
    let (query, passages): (&str, Vec<&str>) =
        (&REFERENCES.scores[0].query, REFERENCES.scores.iter().map(|reference| reference.passage.as_str()).collect());
    let alone: Vec<f32> = passages.iter().map(|passage| RERANKER.scores(query, &[passage])[0]).collect();

    assert_eq!(RERANKER.scores(query, &passages), alone);
}

#[test]
fn given_awkward_texts_as_query_and_passage_when_scored_then_scores_are_between_0_and_1() {
    let texts = awkward_texts();
    let passages: Vec<&str> = texts.iter().map(String::as_str).collect();

    for query in ["\0", passages[passages.len() - 2]] {
        let scores = RERANKER.scores(query, &passages);
        assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
    }
}

#[tokio::test]
async fn given_the_local_embedder_when_texts_are_embedded_then_it_gives_what_the_encoder_gives() {
    let embedder = LocalEmbedder::new(Arc::clone(&ENCODER));
    let texts = ["When must the buyer pay?".to_owned(), "rice ".repeat(300)];

    let embeddings = embedder.embed(&texts, EmbeddingPurpose::Query).await.unwrap();

    let expected = ENCODER.encode(&[&texts[0], &texts[1]]);
    for (embedding, expected) in embeddings.iter().zip(&expected) {
        assert_eq!(embedding.vector, expected.vector);
        assert_eq!((embedding.tokens, embedding.truncated), (expected.tokens as u64, expected.truncated));
    }
    assert_eq!(embedder.model().model, ModelRef { provider: "local".into(), model: "all-MiniLM-L6-v2".into() });
    assert_eq!((embedder.model().dimensions, embedder.model().max_tokens), (384, 256));
}

#[tokio::test]
async fn given_the_local_reranker_when_many_call_at_once_then_each_gets_its_own_scores() {
    assert_scores_of_many_calls(LocalReranker::new(Arc::clone(&RERANKER))).await;
}

#[tokio::test]
async fn given_a_reranker_that_loads_when_needed_when_many_call_at_once_then_each_gets_its_own_scores() {
    assert_scores_of_many_calls(LocalReranker::when_needed(&model_folder("reranker")).unwrap()).await;
}

async fn assert_scores_of_many_calls(reranker: LocalReranker) {
    let passages = ["The buyer pays in thirty days.".to_owned(), "Rice is a crop.".to_owned()];

    let calls = (0..8).map(|_| {
        let (reranker, passages) = (reranker.clone(), passages.clone());
        tokio::spawn(async move { reranker.scores("When must the buyer pay?", &passages).await.unwrap() })
    });

    for call in calls.collect::<Vec<_>>() {
        let scores = call.await.unwrap();
        assert!(scores[0] > 0.9 && scores[1] < 0.1, "{scores:?}");
    }
}
