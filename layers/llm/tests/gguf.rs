//! The local model with its real weights.
#![cfg(feature = "gguf")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use common::{TIMEOUTS, ask, outcome, text_of};
use futures::StreamExt;
use mandi_core::TenantId;
use mandi_core::ports::{Delta, FinishReason, Generation, LanguageModel, ModelError, TimeoutPhase};
use mandi_core::settings::{self, Settings};
use mandi_llm::Timeouts;
use mandi_llm::gguf::{GgufModel, LazyGgufModel, check};
use mandi_llm::providers::{LOCAL_MODEL_FILE, Providers};
use tokio::sync::OnceCell;

static MODEL: OnceCell<GgufModel> = OnceCell::const_new();

fn models() -> PathBuf {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.mandi/models"));
    let folder = std::env::var_os("MANDI_MODELS").map_or_else(default, PathBuf::from);
    let file = folder.join(LOCAL_MODEL_FILE);
    assert!(file.is_file(), "{} is missing: run `make models`, or set MANDI_MODELS", file.display());
    folder
}

async fn model() -> &'static GgufModel {
    let patient = Timeouts { first_token: Duration::from_secs(300), ..TIMEOUTS };
    let load = || async move {
        let file = models().join(LOCAL_MODEL_FILE);
        tokio::task::spawn_blocking(move || GgufModel::load(&file, "smollm2", patient).unwrap()).await.unwrap()
    };
    MODEL.get_or_init(load).await
}

fn short(question: &str, max_tokens: u32) -> Generation {
    Generation { max_tokens, ..ask(question) }
}

#[tokio::test]
async fn given_a_question_then_it_answers_in_words_and_counts_tokens() {
    let question = short("What is the capital of France? Answer with one word.", 16);
    let (deltas, error) = outcome(model().await, question).await;
    assert!(error.is_none(), "{error:?}");
    assert!(text_of(&deltas).contains("Paris"), "{deltas:?}");
    let Some(Delta::Finish { usage, .. }) = deltas.last() else { panic!("{deltas:?}") };
    assert!((20..80).contains(&usage.input_tokens), "{usage:?}");
    assert!((1..=16).contains(&usage.output_tokens), "{usage:?}");
}

#[tokio::test]
async fn greedy_generation_gives_the_same_text_each_time_and_ends_at_the_limit() {
    let question = || short("Write a long story about a market town.", 8);
    let (first, _) = outcome(model().await, question()).await;
    let (second, _) = outcome(model().await, question()).await;
    assert_eq!(first, second);
    let Some(Delta::Finish { reason, usage }) = first.last() else { panic!("{first:?}") };
    assert_eq!((*reason, usage.output_tokens), (FinishReason::Length, 8));
}

#[tokio::test]
async fn given_a_stop_text_then_the_answer_ends_before_it() {
    let (whole, _) = outcome(model().await, short("Count from one to ten in words.", 24)).await;
    let whole = text_of(&whole);
    let middle: String = whole.chars().skip(6).take(5).collect();
    let stopped = Generation { stop: vec![middle.clone()], ..short("Count from one to ten in words.", 24) };
    let (deltas, error) = outcome(model().await, stopped).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(Some(text_of(&deltas).as_str()), whole.split(&middle).next());
    assert!(matches!(deltas.last(), Some(Delta::Finish { reason: FinishReason::Stop, .. })), "{deltas:?}");
}

#[tokio::test]
async fn given_a_prompt_that_is_too_long_then_it_is_a_bad_request() {
    for content in ["word ".repeat(9_000), "x".repeat(1_000_000)] {
        let error = model().await.generate(ask(&content)).await.err().unwrap();
        assert!(matches!(error, ModelError::BadRequest(_)), "{error:?}");
    }
}

#[tokio::test]
async fn given_a_dropped_stream_then_the_next_in_line_gets_its_turn() {
    let model = model().await;
    let mut first = model.generate(short("Write a long story about a market town.", 4_000)).await.unwrap();
    assert!(matches!(first.next().await, Some(Ok(Delta::Text(_)))));
    let mut waiting = model.generate(short("Write another long story.", 4_000)).await.unwrap();
    // The one that waits in line gives up before its turn; the first is cancelled while it runs.
    assert!(tokio::time::timeout(Duration::from_millis(50), waiting.next()).await.is_err());
    drop(waiting);
    drop(first);
    let (deltas, error) = outcome(model, short("Hello", 2)).await;
    assert!(error.is_none(), "{error:?}");
    assert!(matches!(deltas.last(), Some(Delta::Finish { .. })));
}

#[tokio::test]
async fn given_a_full_line_then_the_first_token_timeout_holds() {
    let busy = model().await;
    let mut running = busy.generate(short("Write a long story about a market town.", 4_000)).await.unwrap();
    running.next().await;
    let hasty = GgufModel::clone(busy).with_timeouts(Timeouts { first_token: Duration::from_millis(50), ..TIMEOUTS });
    let (_, error) = outcome(&hasty, short("Hello", 2)).await;
    assert!(matches!(error, Some(ModelError::TimedOut(TimeoutPhase::FirstToken))), "{error:?}");
}

#[tokio::test]
async fn given_several_at_once_then_each_gets_its_own_answer() {
    let model = model().await;
    let answers = futures::future::join_all([
        outcome(model, short("What is the capital of France? Answer with one word.", 8)),
        outcome(model, short("What is the capital of Italy? Answer with one word.", 8)),
    ]);
    let texts: Vec<String> = answers.await.iter().map(|(deltas, _)| text_of(deltas)).collect();
    assert!(texts[0].contains("Paris") && texts[1].contains("Rome"), "{texts:?}");
}

#[tokio::test]
async fn the_default_provider_is_the_local_model_and_is_loaded_at_its_first_use() {
    let settings = Settings::default().with(settings::MODELS_DIR, models().to_str().unwrap());
    let settings = settings.with(settings::FIRST_TOKEN_TIMEOUT_MS, "300000");
    let providers = Providers::from_settings(&settings).await.unwrap();
    let model = providers.for_tenant(&TenantId::from_stored("demo").unwrap()).unwrap();
    assert_eq!((model.model().provider.as_str(), model.context_tokens()), ("local", 8192));
    let (deltas, error) = outcome(model.as_ref(), short("Hello", 2)).await;
    assert!(error.is_none(), "{error:?}");
    assert!(matches!(deltas.last(), Some(Delta::Finish { .. })));
}

#[test]
fn given_a_missing_cut_or_foreign_file_then_it_is_broken_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(models().join(LOCAL_MODEL_FILE)).unwrap();
    let cases = [
        ("missing.gguf", None),
        ("cut.gguf", Some(&whole[..whole.len() - 1])),
        ("header.gguf", Some(&whole[..100_000])),
        ("empty.gguf", Some(&whole[..0])),
        ("text.gguf", Some(b"<html>404</html>".as_slice())),
    ];
    for (name, content) in cases {
        let path = folder.path().join(name);
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let errors = [
            check(&path).unwrap_err(),
            GgufModel::load(&path, "x", TIMEOUTS).unwrap_err(),
            LazyGgufModel::open(path.clone(), "x", TIMEOUTS).unwrap_err(),
        ];
        for error in errors {
            let ModelError::Broken(why) = error else { panic!("{name}: {error:?}") };
            assert!(why.contains(name) && why.contains("mandi doctor"), "{why}");
        }
    }
}

#[tokio::test]
async fn a_model_can_be_shared_between_tasks() {
    let model: Arc<dyn LanguageModel> = Arc::new(model().await.clone());
    let task = tokio::spawn(async move { outcome(model.as_ref(), short("Hello", 1)).await.0.len() });
    assert!(task.await.unwrap() >= 1);
}
