//! The OpenAI-compatible adapter against a server that speaks the wire format.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "common/eventually.rs"]
mod waiting;

use std::time::{Duration, Instant};

use common::{TIMEOUTS, ask, outcome, text_of};
use futures::StreamExt;
use mandi_core::ports::{
    ChatMessage, Delta, Embedder, EmbeddingPurpose, FinishReason, Generation, LanguageModel, ModelError, Role,
    TimeoutPhase, TokenUsage,
};
use mandi_llm::Timeouts;
use mandi_llm::openai::{Endpoint, OpenAiCompatible, OpenAiEmbedder, OpenAiEmbeddings};
use mandi_testkit::provider::{End, OpenAiStub, Script, stub_vector};
use waiting::eventually;

const ANSWER: &str = "भुगतान 30 दिनों में due है 🙂 — within thirty days.";

async fn stub(script: Script) -> OpenAiStub {
    OpenAiStub::start(script).await.unwrap()
}

fn model(stub: &OpenAiStub) -> OpenAiCompatible {
    with_timeouts(stub, TIMEOUTS)
}

fn with_timeouts(stub: &OpenAiStub, timeouts: Timeouts) -> OpenAiCompatible {
    let endpoint = Endpoint::new(&stub.base_url(), Some("sk-test"), timeouts).unwrap();
    OpenAiCompatible::new(endpoint, "stub", 8192)
}

#[tokio::test]
async fn given_an_answer_then_it_streams_with_reason_and_usage() {
    let stub = stub(Script::text(ANSWER).finishing("length")).await;
    let (deltas, error) = outcome(&model(&stub), ask("When?")).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(text_of(&deltas), ANSWER);
    let usage = TokenUsage { input_tokens: 10, output_tokens: 11 };
    assert_eq!(deltas.last(), Some(&Delta::Finish { reason: FinishReason::Length, usage }));
    assert_eq!(stub.calls(), 1);
}

#[tokio::test]
async fn the_request_holds_prompt_limits_and_key() {
    let stub = stub(Script::text("ok")).await;
    let message = |role, content: &str| ChatMessage { role, content: content.to_owned() };
    let generation = Generation {
        messages: vec![message(Role::System, "Be brief."), message(Role::User, "When?")],
        max_tokens: 64,
        temperature: 0.5,
        stop: vec!["\nUser:".to_owned()],
    };
    outcome(&model(&stub), generation).await;
    let call = &stub.requests()[0];
    assert_eq!(call.authorization.as_deref(), Some("Bearer sk-test"));
    let expected = serde_json::json!({
        "model": "stub",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "When?"}],
        "max_tokens": 64, "temperature": 0.5, "stop": ["\nUser:"],
        "stream": true, "stream_options": {"include_usage": true},
    });
    assert_eq!(call.body, expected);
}

#[tokio::test]
async fn given_chunks_split_at_any_byte_then_the_text_is_the_same_and_each_piece_is_whole() {
    for bytes in [1, 2, 3, 7] {
        let stub = stub(Script::text(ANSWER).split_every(bytes)).await;
        let (deltas, error) = outcome(&model(&stub), ask("When?")).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(text_of(&deltas), ANSWER, "split every {bytes} bytes");
    }
}

#[tokio::test]
async fn given_no_usage_then_it_is_estimated() {
    let stub = stub(Script::text("one two three four").using(None)).await;
    let (deltas, _) = outcome(&model(&stub), ask("When must the buyer pay?")).await;
    let Some(Delta::Finish { usage, .. }) = deltas.last() else { panic!("no finish: {deltas:?}") };
    assert!(usage.input_tokens > 0 && usage.output_tokens > 0, "{usage:?}");
}

#[tokio::test]
async fn given_a_stream_without_its_end_then_it_is_truncated_and_never_finished() {
    for end in [End::Silent, End::WithoutMark, End::Cut, End::Malformed] {
        let stub = stub(Script::text(ANSWER).ending(end.clone())).await;
        let (deltas, error) = outcome(&model(&stub), ask("When?")).await;
        assert_eq!(text_of(&deltas), ANSWER, "{end:?}");
        assert!(matches!(error, Some(ModelError::Truncated(_))), "{end:?}: {error:?}");
        assert!(!deltas.iter().any(|delta| matches!(delta, Delta::Finish { .. })), "{end:?}");
    }
}

#[tokio::test]
async fn given_an_error_inside_the_stream_then_it_is_typed() {
    let cases = [("rate_limit_exceeded", "Throttled"), ("server_error", "Overloaded"), ("content_filter", "Refused")];
    for (code, expected) in cases {
        let stub = stub(Script::text("half an").ending(End::Exception(code.to_owned()))).await;
        let (deltas, error) = outcome(&model(&stub), ask("When?")).await;
        assert_eq!(text_of(&deltas), "half an");
        let error = format!("{:?}", error.unwrap());
        assert!(error.starts_with(expected), "{code}: {error}");
    }
}

#[tokio::test]
async fn given_an_http_error_then_it_is_typed_by_what_to_do() {
    let cases = [
        (400, "invalid_request_error", "BadRequest"),
        (400, "content_filter", "Refused"),
        (401, "invalid_api_key", "Unauthorised"),
        (403, "forbidden", "Unauthorised"),
        (404, "model_not_found", "BadRequest"),
        (429, "rate_limit_exceeded", "Throttled"),
        (500, "server_error", "Overloaded"),
        (503, "overloaded", "Overloaded"),
        (302, "moved", "BadRequest"),
    ];
    for (status, code, expected) in cases {
        let stub = stub(Script::status(status, code)).await;
        let error = model(&stub).generate(ask("When?")).await.err().unwrap();
        assert!(format!("{error:?}").starts_with(expected), "{status} {code}: {error:?}");
        assert_eq!(stub.calls(), 1, "the adapter must not try again");
    }
}

#[tokio::test]
async fn given_429_with_retry_after_then_the_wait_is_told() {
    let stub = stub(Script::status(429, "rate_limit_exceeded").retry_after("7")).await;
    let error = model(&stub).generate(ask("When?")).await.err().unwrap();
    let ModelError::Throttled { retry_after } = error else { panic!("{error:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn given_an_endpoint_that_does_not_stream_then_it_is_a_bad_request() {
    let stub = stub(Script::Json(serde_json::json!({"choices": []}))).await;
    let error = model(&stub).generate(ask("When?")).await.err().unwrap();
    assert!(matches!(error, ModelError::BadRequest(_)), "{error:?}");
}

#[tokio::test]
async fn given_nobody_listens_then_it_is_unreachable() {
    let endpoint = Endpoint::new("http://127.0.0.1:1/v1", None, TIMEOUTS).unwrap();
    let error = OpenAiCompatible::new(endpoint, "stub", 8192).generate(ask("When?")).await.err().unwrap();
    assert!(matches!(error, ModelError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn given_no_connection_in_time_then_the_phase_is_connect() {
    // A full backlog: connections to it are neither accepted nor refused.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut filling = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        filling.push(stream);
    }
    let timeouts = Timeouts { connect: Duration::from_millis(200), ..TIMEOUTS };
    let endpoint = Endpoint::new(&format!("http://{address}/v1"), None, timeouts).unwrap();
    let error = OpenAiCompatible::new(endpoint, "stub", 8192).generate(ask("When?")).await.err().unwrap();
    assert!(matches!(error, ModelError::TimedOut(TimeoutPhase::Connect)), "{error:?}");
}

#[tokio::test]
async fn given_no_answer_or_no_text_in_time_then_the_phase_is_first_token() {
    let timeouts = Timeouts { first_token: Duration::from_millis(200), ..TIMEOUTS };
    let mute = stub(Script::Mute).await;
    let begun = Instant::now();
    let error = with_timeouts(&mute, timeouts).generate(ask("When?")).await.err().unwrap();
    assert!(matches!(error, ModelError::TimedOut(TimeoutPhase::FirstToken)), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(2));

    let slow = stub(Script::text("late").paced(Duration::from_secs(60), Duration::ZERO)).await;
    let (_, error) = outcome(&with_timeouts(&slow, timeouts), ask("When?")).await;
    assert!(matches!(error, Some(ModelError::TimedOut(TimeoutPhase::FirstToken))), "{error:?}");
}

#[tokio::test]
async fn given_a_stall_then_the_phase_is_between_tokens_and_the_call_is_dropped() {
    let timeouts = Timeouts { between_tokens: Duration::from_millis(200), ..TIMEOUTS };
    let stub = stub(Script::text(ANSWER).ending(End::Stall)).await;
    let (deltas, error) = outcome(&with_timeouts(&stub, timeouts), ask("When?")).await;
    assert_eq!(text_of(&deltas), ANSWER);
    assert!(matches!(error, Some(ModelError::TimedOut(TimeoutPhase::BetweenTokens))), "{error:?}");
    eventually(|| stub.disconnects() == 1).await;
}

#[tokio::test]
async fn given_a_dropped_stream_then_the_call_is_cancelled_upstream() {
    let words = vec!["word ".to_owned(); 1_000];
    let stub = stub(Script::chunks(words).paced(Duration::ZERO, Duration::from_millis(20))).await;
    let mut stream = model(&stub).generate(ask("When?")).await.unwrap();
    assert!(matches!(stream.next().await, Some(Ok(Delta::Text(_)))));
    assert_eq!((stub.open(), stub.disconnects()), (1, 0));
    drop(stream);
    eventually(|| (stub.open(), stub.disconnects()) == (0, 1)).await;
}

#[tokio::test]
async fn given_many_streams_at_once_then_all_end_well() {
    let stub = stub(Script::text(ANSWER).paced(Duration::ZERO, Duration::from_millis(5))).await;
    let model = model(&stub);
    let calls = (0..200).map(|_| outcome(&model, ask("When?")));
    let ended = futures::future::join_all(calls).await;
    assert!(ended.iter().all(|(deltas, error)| error.is_none() && text_of(deltas) == ANSWER));
    assert_eq!(stub.calls(), 200);
}

fn embedder(stub: &OpenAiStub, dimensions: usize, max_tokens: usize) -> OpenAiEmbedder {
    let endpoint = Endpoint::new(&stub.base_url(), Some("sk-test"), TIMEOUTS).unwrap();
    let embeddings = OpenAiEmbeddings { model: "stub".to_owned(), dimensions, asks_dimensions: true, max_tokens };
    OpenAiEmbedder::new(endpoint, embeddings)
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn given_texts_then_their_embeddings_come_in_order_at_unit_length() {
    let stub = stub(Script::text("")).await;
    let many: Vec<String> = (0..300).map(|number| format!("text {number}")).collect();
    let embeddings = embedder(&stub, 16, 8192).embed(&many, EmbeddingPurpose::Passage).await.unwrap();
    assert_eq!(embeddings.len(), 300);
    assert_eq!(stub.calls(), 3, "batches of 128");
    for (text, embedding) in many.iter().zip(&embeddings) {
        let expected = stub_vector(text, 16);
        let norm = expected.iter().map(|value| value * value).sum::<f32>().sqrt();
        let difference = embedding.vector.iter().zip(&expected).map(|(ours, stub)| (ours - stub / norm).abs());
        assert!(difference.fold(0.0, f32::max) < 1e-6, "{text}");
        assert!(!embedding.truncated);
    }
    let total: u64 = embeddings.iter().map(|embedding| embedding.tokens).sum();
    assert_eq!(total, 600, "the stub counts two words for each text");
}

#[tokio::test]
async fn given_a_text_that_is_too_long_then_it_is_cut_and_said_to_be() {
    let stub = stub(Script::text("")).await;
    let long = "word ".repeat(100);
    let embeddings = embedder(&stub, 8, 10).embed(&texts(&["short", &long]), EmbeddingPurpose::Query).await.unwrap();
    assert_eq!(embeddings.iter().map(|embedding| embedding.truncated).collect::<Vec<_>>(), [false, true]);
    assert_eq!(stub.requests()[0].body["input"][1].as_str().map(str::len), Some(40));
}

#[tokio::test]
async fn given_an_embedding_call_that_fails_then_the_error_is_typed() {
    let throttled = stub(Script::status(429, "rate_limit_exceeded").retry_after("3")).await;
    let error = embedder(&throttled, 8, 10).embed(&texts(&["a"]), EmbeddingPurpose::Query).await.unwrap_err();
    assert!(matches!(error, ModelError::Throttled { retry_after: Some(_) }), "{error:?}");

    let wrong = stub(Script::Json(serde_json::json!({"data": [{"index": 0, "embedding": [1.0, 2.0]}]}))).await;
    let error = embedder(&wrong, 8, 10).embed(&texts(&["a"]), EmbeddingPurpose::Query).await.unwrap_err();
    assert!(matches!(error, ModelError::BadRequest(_)), "{error:?}");

    let error = embedder(&wrong, 8, 10).embed(&texts(&[""]), EmbeddingPurpose::Query).await.unwrap_err();
    assert!(matches!(error, ModelError::BadRequest(_)), "{error:?}");
}
