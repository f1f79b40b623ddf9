#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use mandi_core::metering::CallStatus;
use mandi_core::ports::{ModelError, Role, TimeoutPhase};
use mandi_core::{Language, ProblemKind, SystemClock};

use super::*;
use crate::answer::CallLog;
use crate::citations::find_verbatim;
use crate::fixtures::{Script, ScriptedModel, caller, passage};
use crate::passage::CollectionName;
use crate::rewrite::Turn;

const CLAUSE: &str = "The Buyer shall pay the full price within thirty (30) days of the date of the bill of lading. Late \
                      payment bears interest at 1.5 % per month. The Seller insures the goods.";
const QUESTION: &str = "When must the buyer pay the full price?";

/// A search that always finds the same, and keeps what it was asked.
#[derive(Debug, Default)]
struct FixedSearch {
    passages: Vec<Passage>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Search for FixedSearch {
    async fn search(&self, _caller: &Principal, request: SearchRequest) -> Result<Vec<Passage>> {
        if request.collections.is_empty() {
            return Err(Problem::not_found("collection"));
        }
        self.asked.lock().unwrap().push(request.query);
        Ok(self.passages.clone())
    }

    async fn missing(&self, _caller: &Principal, _named: &Named) -> Result<Missing> {
        Ok(Missing::default())
    }
}

fn text(text: &str) -> Result<Delta, ModelError> {
    Ok(Delta::Text(text.to_owned()))
}

fn finish(reason: FinishReason) -> Result<Delta, ModelError> {
    Ok(Delta::Finish { reason, usage: TokenUsage { input_tokens: 100, output_tokens: 20 } })
}

/// A script that says a text in pieces of four characters, and ends.
fn saying(said: &str) -> Script {
    let characters: Vec<char> = said.chars().collect();
    let mut deltas: Vec<_> = characters.chunks(4).map(|piece| text(&piece.iter().collect::<String>())).collect();
    deltas.push(finish(FinishReason::Stop));
    Ok(deltas)
}

async fn asking(question: &str, model: Option<Arc<ScriptedModel>>) -> AnswerRequest {
    AnswerRequest {
        caller: caller().await,
        question: question.to_owned(),
        history: Vec::new(),
        collections: vec![CollectionName::parse("contracts").unwrap()],
        k: 5,
        filter: None,
        documents: Vec::new(),
        rerank: false,
        rewrite: RewriteMode::Keywords,
        language: Language::En,
        instructions: String::new(),
        model: model.map(|model| model as Arc<dyn LanguageModel>),
        max_tokens: 200,
        calls: CallLog::default(),
    }
}

fn engine(search: Arc<FixedSearch>) -> AnswerEngine {
    AnswerEngine::new(search, None, Arc::new(SystemClock), AnswerSettings::default())
}

fn contract() -> Arc<FixedSearch> {
    let passages = vec![passage("SHK6-170", CLAUSE), passage("Rules", "Moisture of rice is at most 12 %.")];
    Arc::new(FixedSearch { passages, ..FixedSearch::default() })
}

async fn events(request: AnswerRequest) -> Vec<AnswerEvent> {
    engine(contract()).answer(request).collect().await
}

fn tokens(events: &[AnswerEvent]) -> Vec<&str> {
    let mut found = Vec::new();
    for event in events {
        if let AnswerEvent::Token { text } = event {
            found.push(text.as_str());
        }
    }
    found
}

fn quotes(events: &[AnswerEvent]) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for event in events {
        if let AnswerEvent::Citation(citation) = event {
            found.push((citation.n, citation.quote.as_str()));
        }
    }
    found
}

fn done(events: &[AnswerEvent]) -> &AnswerDone {
    match events.last().unwrap() {
        AnswerEvent::Done(done) => done,
        other => panic!("{other:?}"),
    }
}

async fn answered_by(script: Script) -> Vec<AnswerEvent> {
    events(asking(QUESTION, Some(Arc::new(ScriptedModel::playing([script])))).await).await
}

const GOOD: &str = "The buyer must pay the full price within 30 days [1: \"within thirty (30) days\"]. Late payment bears \
                    interest at 1.5 % per month [1].";

#[tokio::test]
async fn a_supported_answer_streams_word_by_word_with_its_citations() {
    let events = answered_by(saying(GOOD)).await;
    let done = done(&events);
    assert_eq!(tokens(&events).concat(), done.answer);
    assert!(tokens(&events).len() >= 15, "{:?}", tokens(&events));
    assert_eq!(
        quotes(&events),
        [(1, "within thirty (30) days"), (2, "Late payment bears interest at 1.5 % per month.")]
    );
    assert!(done.answer.contains("30 days. [1]") && done.answer.ends_with("per month. [2]"), "{}", done.answer);
    assert!(!done.degraded && done.confidence > 0.5, "{done:?}");
    assert_eq!(done.finish_reason, Finish::Stop);
    assert_eq!(done.usage, Some(TokenUsage { input_tokens: 100, output_tokens: 20 }));
    assert_eq!(done.calls.len(), 1);
    assert_eq!(done.calls[0].status, CallStatus::Ok);
}

#[tokio::test]
async fn a_citation_follows_the_words_of_its_sentence() {
    let events = answered_by(saying(GOOD)).await;
    let first = events.iter().position(|event| matches!(event, AnswerEvent::Citation(_))).unwrap();
    assert!(tokens(&events[..first]).concat().ends_with("[1]"));
    assert!(tokens(&events[first..]).concat().contains("Late payment"));
}

#[tokio::test]
async fn an_unsupported_sentence_cancels_the_model_and_the_answer_goes_on_with_the_sources() {
    let bad = "The buyer must pay within 90 days [1]. More and more text that nobody reads follows here and goes on.";
    let model = Arc::new(ScriptedModel::playing([saying(bad)]));
    let pulled = model.pulled.clone();
    let events = events(asking(QUESTION, Some(model)).await).await;
    let done = done(&events);
    assert!(!done.answer.contains("90"), "{}", done.answer);
    assert!(done.answer.contains("thirty (30) days"), "{}", done.answer);
    assert_eq!((done.degraded, done.degraded_reason), (true, Some(DegradedReason::UnsupportedSentence)));
    assert_eq!(done.calls[0].status, CallStatus::Cancelled);
    assert!(done.calls[0].usage.output_tokens > 0, "estimated, since the provider did not say");
    assert!(pulled.load(Ordering::SeqCst) < bad.len() / 4, "the rest of the stream was not read");
    for (_, quote) in quotes(&events) {
        assert!(find_verbatim(CLAUSE, quote).is_some(), "{quote}");
    }
}

#[tokio::test]
async fn sentences_shown_before_the_unsupported_one_stay_and_are_not_repeated() {
    let said = "The Buyer shall pay the full price within thirty (30) days of the date of the bill of lading [1]. It is 7 % [1].";
    let events = answered_by(saying(said)).await;
    let done = done(&events);
    assert!(done.degraded);
    assert_eq!(done.answer.matches("thirty (30) days").count(), 1, "{}", done.answer);
}

#[tokio::test]
async fn without_a_model_the_answer_is_extractive_and_says_so() {
    let events = events(asking(QUESTION, None).await).await;
    let done = done(&events);
    assert!(done.answer.contains("thirty (30) days"));
    assert_eq!(done.degraded_reason, Some(DegradedReason::NoModel));
    assert!(done.calls.is_empty() && done.usage.is_none());
    assert!(!quotes(&events).is_empty());
}

#[tokio::test]
async fn nothing_relevant_is_not_enough_data_in_the_language_and_no_call() {
    let model = Arc::new(ScriptedModel::playing([saying("Paris.")]));
    let mut request = asking("What is the capital of France?", Some(model.clone())).await;
    request.language = Language::Hi;
    let events = events(request).await;
    let done = done(&events);
    assert_eq!(done.answer, Language::Hi.not_enough_data());
    assert_eq!(done.finish_reason, Finish::NotEnoughData);
    assert!(done.confidence.abs() < f32::EPSILON && quotes(&events).is_empty() && !done.degraded);
    assert!(model.prompts.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_model_that_finds_no_answer_in_the_passages_is_believed() {
    let events = answered_by(saying("NOT ENOUGH DATA")).await;
    assert_eq!(done(&events).finish_reason, Finish::NotEnoughData);
    assert_eq!(done(&events).answer, Language::En.not_enough_data());
}

#[tokio::test]
async fn a_model_that_fails_before_anything_is_shown_gives_an_extractive_answer() {
    let cases: [(Script, DegradedReason); 4] = [
        (Err(ModelError::Throttled { retry_after: None }), DegradedReason::ModelBusy),
        (Ok(vec![Err(ModelError::TimedOut(TimeoutPhase::FirstToken))]), DegradedReason::ModelFailed),
        (Ok(vec![text("The buyer"), Err(ModelError::Truncated("cut".to_owned()))]), DegradedReason::ModelFailed),
        (Ok(vec![text("The buyer")]), DegradedReason::ModelFailed),
    ];
    for (script, reason) in cases {
        let events = answered_by(script).await;
        let done = done(&events);
        assert_eq!(done.degraded_reason, Some(reason));
        assert!(done.answer.contains("thirty (30) days"));
        assert_eq!(done.calls[0].status, CallStatus::Failed);
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_after_text_was_shown_never_looks_complete() {
    let said = "The Buyer shall pay the full price within thirty (30) days [1]. Late";
    for ending in
        [Some(Err(ModelError::Truncated("cut".to_owned()))), Some(Err(ModelError::Overloaded("x".to_owned()))), None]
    {
        let deltas = std::iter::once(text(said)).chain(ending).collect();
        let events = answered_by(Ok(deltas)).await;
        assert!(tokens(&events).concat().contains("thirty (30) days"));
        match events.last().unwrap() {
            AnswerEvent::Failed { problem, calls } => {
                assert_eq!(problem.kind, ProblemKind::StreamInterrupted);
                assert_eq!(calls[0].status, CallStatus::Failed);
            }
            other => panic!("{other:?}"),
        }
        assert!(!events.iter().any(|event| matches!(event, AnswerEvent::Done(_))));
    }
}

#[tokio::test]
async fn a_sentence_that_max_tokens_cut_is_left_out() {
    let said = "The buyer must pay the full price within 30 days [1]. Late payment bears";
    let events = answered_by(Ok(vec![text(said), finish(FinishReason::Length)])).await;
    assert_eq!(done(&events).finish_reason, Finish::Length);
    assert_eq!(done(&events).answer, "The buyer must pay the full price within 30 days. [1]");
}

#[tokio::test]
async fn a_supported_sentence_that_does_not_answer_is_not_shown() {
    for said in ["Late payment bears interest at 1.5 % per month [1].", "The Buyer shall pay the full price [1]."] {
        let events = answered_by(Ok(vec![text(said), finish(FinishReason::Stop)])).await;
        assert_eq!(done(&events).degraded_reason, Some(DegradedReason::NotAnAnswer), "{said}");
        assert!(done(&events).answer.contains("thirty (30) days"), "{}", done(&events).answer);
    }
}

#[tokio::test]
async fn an_empty_or_withheld_answer_is_made_from_the_sources() {
    for (reason, expected) in [
        (FinishReason::Stop, DegradedReason::EmptyAnswer),
        (FinishReason::ContentFilter, DegradedReason::ContentFilter),
        (FinishReason::Length, DegradedReason::UnsupportedSentence),
    ] {
        let events = answered_by(Ok(vec![finish(reason)])).await;
        assert_eq!(done(&events).degraded_reason, Some(expected));
    }
}

#[tokio::test]
async fn a_follow_up_is_searched_with_the_terms_of_the_question_before() {
    let search = contract();
    let mut request = asking("and when must he pay the price?", None).await;
    request.history = vec![Turn { role: Role::User, text: "Who buys under contract SHK6-170?".to_owned() }];
    let events: Vec<AnswerEvent> = engine(search.clone()).answer(request).collect().await;
    assert!(search.asked.lock().unwrap()[0].contains("SHK6-170"));
    assert_eq!(done(&events).query_rewrites, *search.asked.lock().unwrap());
}

#[tokio::test]
async fn a_models_rewrite_is_used_when_it_holds_and_both_calls_are_put_down() {
    let search = contract();
    let rewritten = "When must the buyer pay under contract SHK6-170?";
    let model = Arc::new(ScriptedModel::playing([saying(rewritten), saying(GOOD)]));
    let mut request = asking("and when must the buyer pay?", Some(model)).await;
    request.rewrite = RewriteMode::Model;
    request.history = vec![Turn { role: Role::User, text: "Who buys under contract SHK6-170?".to_owned() }];
    let events: Vec<AnswerEvent> = engine(search.clone()).answer(request).collect().await;
    assert_eq!(done(&events).query_rewrites, [rewritten]);
    assert_eq!(done(&events).calls.iter().map(|call| call.task).collect::<Vec<_>>(), [Task::Rewrite, Task::Chat]);
}

#[tokio::test]
async fn a_search_that_fails_is_the_only_event() {
    let mut request = asking(QUESTION, None).await;
    request.collections.clear();
    let events = events(request).await;
    assert!(
        matches!(events.as_slice(), [AnswerEvent::Failed { problem, .. }] if problem.kind == ProblemKind::NotFound)
    );
}

#[tokio::test]
async fn a_stream_that_is_dropped_puts_its_call_down_as_cancelled() {
    let request = asking(QUESTION, Some(Arc::new(ScriptedModel::playing([saying(GOOD)])))).await;
    let calls = request.calls.clone();
    let mut stream = engine(contract()).answer(request);
    assert!(matches!(stream.next().await, Some(AnswerEvent::Token { .. })));
    drop(stream);
    assert_eq!(calls.ended().iter().map(|call| call.status).collect::<Vec<_>>(), [CallStatus::Cancelled]);
}

#[tokio::test]
async fn the_prompt_numbers_the_relevant_passages_and_no_others() {
    let model = Arc::new(ScriptedModel::playing([saying(GOOD)]));
    events(asking(QUESTION, Some(model.clone())).await).await;
    let prompts = model.prompts.lock().unwrap();
    let user = &prompts[0].messages[1].content;
    assert!(user.contains("[1] (SHK6-170)") && !user.contains("Moisture"), "{user}");
}

#[tokio::test]
async fn given_a_careless_model_when_a_sentence_goes_beyond_the_sources_then_the_answer_is_made_of_quotes() {
    for (said, reason) in [
        ("The buyer must pay the full price in Paris within 30 days [1].", DegradedReason::UnsupportedSentence),
        ("The seller insures the goods within 30 days [1].", DegradedReason::UnsupportedSentence),
        (
            "The buyer must pay within 30 days [1] Question: When must the buyer pay? [2]",
            DegradedReason::UnsupportedSentence,
        ),
        ("Late payment of the buyer bears interest at 1.5 % per month [1].", DegradedReason::NotAnAnswer),
    ] {
        let model = Arc::new(ScriptedModel::careless(saying(said)));
        let events = events(asking(QUESTION, Some(model)).await).await;
        let done = done(&events);
        assert_eq!(done.degraded_reason, Some(reason), "{said}: {}", done.answer);
        assert!(done.answer.contains("thirty (30) days"), "{}", done.answer);
    }
    let model = Arc::new(ScriptedModel::careless(saying("The buyer must pay the full price within 30 days [1].")));
    let events = events(asking(QUESTION, Some(model)).await).await;
    assert!(!done(&events).degraded, "{}", done(&events).answer);
}

#[tokio::test]
async fn given_a_careless_model_when_it_repeats_a_sentence_then_that_is_not_shown_again() {
    let said = "The buyer must pay the full price within 30 days [1]. ".repeat(3);
    let model = Arc::new(ScriptedModel::careless(saying(&said)));
    let events = events(asking(QUESTION, Some(model)).await).await;
    assert_eq!(done(&events).answer.matches("The buyer must pay").count(), 1, "{}", done(&events).answer);
    assert!(done(&events).degraded);
}

#[tokio::test]
async fn given_no_careful_model_when_the_question_names_what_no_source_names_then_it_is_declined() {
    for model in [None, Some(Arc::new(ScriptedModel::careless(saying("The buyer must pay in Paris [1]."))))] {
        let events = events(asking("When must the buyer pay the full price in Paris?", model).await).await;
        assert_eq!(done(&events).finish_reason, Finish::NotEnoughData, "{}", done(&events).answer);
    }
}
