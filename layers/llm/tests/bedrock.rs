//! The Bedrock adapter against a server that speaks the wire format: event-stream frames, SigV4, exceptions.
#![cfg(feature = "bedrock")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "common/eventually.rs"]
mod waiting;

use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::Credentials;
use common::{TIMEOUTS, ask, outcome, text_of};
use futures::StreamExt;
use mandi_core::ports::{
    ChatMessage, Delta, Embedder, EmbeddingPurpose, FinishReason, Generation, LanguageModel, ModelError, Role,
    TimeoutPhase, TokenUsage,
};
use mandi_llm::Timeouts;
use mandi_llm::bedrock::{BedrockEmbedder, BedrockModel, client};
use mandi_testkit::provider::{BedrockStub, End, Script, stub_vector};
use waiting::eventually;

const MODEL: &str = "amazon.nova-lite-v1:0";
const ANSWER: &str = "भुगतान 30 दिनों में due है 🙂 — within thirty days.";

async fn stub(script: Script) -> BedrockStub {
    BedrockStub::start(script).await.unwrap()
}

async fn sdk_client(endpoint: &str, timeouts: Timeouts) -> Client {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("AKIATEST", "secret", None, None, "test"))
        .endpoint_url(endpoint)
        .load()
        .await;
    client(&config, timeouts)
}

async fn model(stub: &BedrockStub) -> BedrockModel {
    with_timeouts(stub, TIMEOUTS).await
}

async fn with_timeouts(stub: &BedrockStub, timeouts: Timeouts) -> BedrockModel {
    BedrockModel::new(sdk_client(&stub.endpoint_url(), timeouts).await, MODEL, 8192, timeouts)
}

#[tokio::test]
async fn given_an_answer_then_it_streams_with_reason_and_usage() {
    let stub = stub(Script::text(ANSWER).finishing("max_tokens")).await;
    let (deltas, error) = outcome(&model(&stub).await, ask("When?")).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(text_of(&deltas), ANSWER);
    let usage = TokenUsage { input_tokens: 10, output_tokens: 11 };
    assert_eq!(deltas.last(), Some(&Delta::Finish { reason: FinishReason::Length, usage }));
}

#[tokio::test]
async fn the_request_is_signed_and_holds_prompt_and_limits() {
    let stub = stub(Script::text("ok")).await;
    let message = |role, content: &str| ChatMessage { role, content: content.to_owned() };
    let generation = Generation {
        messages: vec![message(Role::System, "Be brief."), message(Role::User, "When?")],
        max_tokens: 64,
        temperature: 0.5,
        stop: vec!["\nUser:".to_owned()],
    };
    outcome(&model(&stub).await, generation).await;
    let call = &stub.requests()[0];
    assert!(call.authorization.as_deref().unwrap().contains("/eu-central-1/bedrock/aws4_request"), "{call:?}");
    let expected = serde_json::json!({
        "system": [{"text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"text": "When?"}]}],
        "inferenceConfig": {"maxTokens": 64, "temperature": 0.5, "stopSequences": ["\nUser:"]},
    });
    assert_eq!(call.body, expected);
}

#[tokio::test]
async fn given_frames_split_at_any_byte_then_the_text_is_the_same() {
    for bytes in [1, 5, 13] {
        let stub = stub(Script::text(ANSWER).split_every(bytes)).await;
        let (deltas, error) = outcome(&model(&stub).await, ask("When?")).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(text_of(&deltas), ANSWER, "split every {bytes} bytes");
    }
}

#[tokio::test]
async fn given_a_stream_without_its_end_or_with_a_wrong_checksum_then_it_is_truncated() {
    for end in [End::Silent, End::WithoutMark, End::Cut, End::Malformed] {
        let stub = stub(Script::text(ANSWER).ending(end.clone())).await;
        let (deltas, error) = outcome(&model(&stub).await, ask("When?")).await;
        assert_eq!(text_of(&deltas), ANSWER, "{end:?}");
        assert!(matches!(error, Some(ModelError::Truncated(_))), "{end:?}: {error:?}");
        assert!(!deltas.iter().any(|delta| matches!(delta, Delta::Finish { .. })), "{end:?}");
    }
}

#[tokio::test]
async fn given_an_exception_inside_the_stream_then_it_is_typed() {
    let cases = [
        ("throttlingException", "Throttled"),
        ("modelStreamErrorException", "Truncated"),
        ("validationException", "BadRequest"),
        ("serviceUnavailableException", "Overloaded"),
        ("internalServerException", "Overloaded"),
    ];
    for (name, expected) in cases {
        let stub = stub(Script::text("half an").ending(End::Exception(name.to_owned()))).await;
        let (deltas, error) = outcome(&model(&stub).await, ask("When?")).await;
        assert_eq!(text_of(&deltas), "half an");
        let error = format!("{:?}", error.unwrap());
        assert!(error.starts_with(expected), "{name}: {error}");
    }
}

#[tokio::test]
async fn given_an_http_error_then_it_is_typed_and_not_tried_again() {
    let cases = [
        (400, "ValidationException", "BadRequest"),
        (404, "ResourceNotFoundException", "BadRequest"),
        (403, "AccessDeniedException", "Unauthorised"),
        (403, "ExpiredTokenException", "Unauthorised"),
        (408, "ModelTimeoutException", "TimedOut"),
        (424, "ModelErrorException", "Overloaded"),
        (429, "ThrottlingException", "Throttled"),
        (429, "ModelNotReadyException", "Throttled"),
        (500, "InternalServerException", "Overloaded"),
        (503, "ServiceUnavailableException", "Overloaded"),
    ];
    for (status, code, expected) in cases {
        let stub = stub(Script::status(status, code)).await;
        let error = model(&stub).await.generate(ask("When?")).await.err().unwrap();
        assert!(format!("{error:?}").starts_with(expected), "{status} {code}: {error:?}");
        assert_eq!(stub.calls(), 1, "neither the adapter nor the SDK may try again");
    }
}

#[tokio::test]
async fn given_throttling_with_retry_after_then_the_wait_is_told() {
    let stub = stub(Script::status(429, "ThrottlingException").retry_after("7")).await;
    let error = model(&stub).await.generate(ask("When?")).await.err().unwrap();
    let ModelError::Throttled { retry_after } = error else { panic!("{error:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn given_nobody_listens_then_it_is_unreachable() {
    let client = sdk_client("http://127.0.0.1:1", TIMEOUTS).await;
    let error = BedrockModel::new(client, MODEL, 8192, TIMEOUTS).generate(ask("When?")).await.err().unwrap();
    assert!(matches!(error, ModelError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn given_no_credentials_then_it_is_unauthorised() {
    let stub = stub(Script::text("ok")).await;
    let config = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(stub.endpoint_url())
        .build();
    let model = BedrockModel::new(client(&config, TIMEOUTS), MODEL, 8192, TIMEOUTS);
    let error = model.generate(ask("When?")).await.err().unwrap();
    assert!(matches!(error, ModelError::Unauthorised), "{error:?}");
    assert_eq!(stub.calls(), 0);
}

#[tokio::test]
async fn given_no_answer_or_no_text_in_time_then_the_phase_is_first_token() {
    let timeouts = Timeouts { first_token: Duration::from_millis(300), ..TIMEOUTS };
    for script in [Script::Mute, Script::text("late").paced(Duration::from_secs(60), Duration::ZERO)] {
        let stub = stub(script).await;
        let (_, error) = outcome(&with_timeouts(&stub, timeouts).await, ask("When?")).await;
        assert!(matches!(error, Some(ModelError::TimedOut(TimeoutPhase::FirstToken))), "{error:?}");
    }
}

#[tokio::test]
async fn given_a_stall_then_the_phase_is_between_tokens_and_the_call_is_dropped() {
    let timeouts = Timeouts { between_tokens: Duration::from_millis(300), ..TIMEOUTS };
    let stub = stub(Script::text(ANSWER).ending(End::Stall)).await;
    let (deltas, error) = outcome(&with_timeouts(&stub, timeouts).await, ask("When?")).await;
    assert_eq!(text_of(&deltas), ANSWER);
    assert!(matches!(error, Some(ModelError::TimedOut(TimeoutPhase::BetweenTokens))), "{error:?}");
    eventually(|| stub.disconnects() == 1).await;
}

#[tokio::test]
async fn given_a_dropped_stream_then_the_call_is_cancelled_upstream() {
    let words = vec!["word ".to_owned(); 1_000];
    let stub = stub(Script::chunks(words).paced(Duration::ZERO, Duration::from_millis(20))).await;
    let mut stream = model(&stub).await.generate(ask("When?")).await.unwrap();
    assert!(matches!(stream.next().await, Some(Ok(Delta::Text(_)))));
    drop(stream);
    eventually(|| stub.disconnects() == 1).await;
}

async fn embed(stub: &BedrockStub, model: &str, dimensions: usize, texts: &[String]) -> Vec<Vec<f32>> {
    let client = sdk_client(&stub.endpoint_url(), TIMEOUTS).await;
    let embedder = BedrockEmbedder::new(client, model, dimensions, TIMEOUTS).unwrap();
    let embeddings = embedder.embed(texts, EmbeddingPurpose::Query).await.unwrap();
    embeddings.into_iter().map(|embedding| embedding.vector).collect()
}

fn assert_like_the_stub(texts: &[String], vectors: &[Vec<f32>], dimensions: usize) {
    assert_eq!(texts.len(), vectors.len());
    for (text, vector) in texts.iter().zip(vectors) {
        let expected = stub_vector(text, dimensions);
        let norm = expected.iter().map(|value| value * value).sum::<f32>().sqrt();
        let difference = vector.iter().zip(&expected).map(|(ours, stub)| (ours - stub / norm).abs());
        assert!(difference.fold(0.0, f32::max) < 1e-6, "{text}");
    }
}

#[tokio::test]
async fn titan_embeds_text_by_text_and_keeps_the_order() {
    let stub = stub(Script::text("")).await;
    let texts: Vec<String> = (0..20).map(|number| format!("text {number}")).collect();
    let vectors = embed(&stub, "amazon.titan-embed-text-v2:0", 256, &texts).await;
    assert_like_the_stub(&texts, &vectors, 256);
    assert_eq!(stub.calls(), 20);
}

#[tokio::test]
async fn cohere_embeds_in_batches_and_is_told_the_purpose() {
    let stub = stub(Script::text("")).await;
    let texts: Vec<String> = (0..100).map(|number| format!("text {number}")).collect();
    let vectors = embed(&stub, "cohere.embed-multilingual-v3", 1024, &texts).await;
    assert_like_the_stub(&texts, &vectors, 1024);
    assert_eq!(stub.calls(), 2, "96 texts go into a call");
    assert_eq!(stub.requests()[0].body["input_type"], "search_query");
}

#[tokio::test]
async fn given_an_unknown_embedding_model_or_length_then_it_is_refused_at_once() {
    let client = sdk_client("http://127.0.0.1:1", TIMEOUTS).await;
    for (model, dimensions) in [("amazon.nova-lite-v1:0", 1024), ("amazon.titan-embed-text-v2:0", 384)] {
        let error = BedrockEmbedder::new(client.clone(), model, dimensions, TIMEOUTS).unwrap_err();
        assert!(matches!(error, ModelError::BadRequest(_)), "{error:?}");
    }
}
