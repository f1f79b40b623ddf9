//! The engine: from a question to the events of its answer.

use std::fmt;
use std::sync::Arc;

use async_stream::stream;
use futures::StreamExt;
use mandi_core::metering::Task;
use mandi_core::ports::{
    ChatMessage, Delta, FinishReason, Generation, LanguageModel, ModelError, Reranker, TokenUsage,
};
use mandi_core::{Clock, Language, Principal, Problem, Result, Timestamp};

use super::calls::OpenCall;
use super::events::{AnswerDone, AnswerEvent, AnswerRequest, AnswerStream, DegradedReason, Finish, RewriteMode};
use super::generate::{Best, Expectation, Step, VerifiedStream};
use super::shown::Shown;
use crate::characters::is_mostly_not_latin;
use crate::citations::VerifiedCitation;
use crate::extractive::{self, Pick};
use crate::passage::{Missing, Named, Passage, Reranking, SearchMode, SearchRequest};
use crate::ports::Search;
use crate::reading::Reading;
use crate::{prompts, rewrite};

/// How many sentences the cross-encoder looks at for an extractive answer.
const SENTENCES_TO_RERANK: usize = 12;
/// The longest rewrite that is asked for, in tokens.
const REWRITE_TOKENS: u32 = 80;

/// The longest answer of a model that does not keep to the question, in tokens.
const SHORT_ANSWER_TOKENS: u32 = 96;

/// What can be set for all answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerSettings {
    /// At most so many passages are given to the model.
    pub prompt_passages: usize,
    /// The prompt has at most so many tokens, if the model's context allows more; for small local models, whose
    /// time to the first token grows with the prompt.
    pub prompt_tokens: usize,
}

impl Default for AnswerSettings {
    fn default() -> Self {
        Self { prompt_passages: 6, prompt_tokens: 6000 }
    }
}

/// Answers questions from the caller's collections.
#[derive(Clone)]
pub struct AnswerEngine {
    search: Arc<dyn Search>,
    reranker: Option<Arc<dyn Reranker>>,
    clock: Arc<dyn Clock>,
    settings: AnswerSettings,
}

impl fmt::Debug for AnswerEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AnswerEngine").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// How an answer came to its end.
struct Ending {
    finish: Finish,
    degraded: Option<DegradedReason>,
    usage: Option<TokenUsage>,
}

impl AnswerEngine {
    /// An engine. The reranker, if there is one in this process, chooses the sentences of extractive answers.
    #[must_use]
    pub fn new(
        search: Arc<dyn Search>,
        reranker: Option<Arc<dyn Reranker>>,
        clock: Arc<dyn Clock>,
        settings: AnswerSettings,
    ) -> Self {
        Self { search, reranker, clock, settings }
    }

    /// Those of the named collections and documents that the tenant does not have.
    ///
    /// # Errors
    /// The search cannot be reached.
    pub async fn missing(&self, caller: &Principal, named: &Named) -> Result<Missing> {
        self.search.missing(caller, named).await
    }

    /// The events of the answer. Nothing happens before the first of them is waited for.
    #[must_use]
    pub fn answer(&self, request: AnswerRequest) -> AnswerStream {
        let engine = self.clone();
        let events = stream! {
            let asked_at = engine.clock.now();
            let question = engine.standalone_question(&request).await;
            let found = match engine.retrieve(&request, &question).await {
                Ok(found) => found,
                Err(problem) => {
                    yield AnswerEvent::Failed { problem, calls: request.calls.ended() };
                    return;
                }
            };
            let mut shown = Shown::default();
            let mut first_token_ms = None;
            let mut ending = Ending { finish: Finish::Stop, degraded: None, usage: None };
            let reading = Reading::of(&question, &found).asked(&request.question);
            let careful = is_careful(&request);
            let places = if careful { reading.relevant() } else { reading.strictly().relevant() };
            let relevant: Vec<Passage> = places.iter().map(|place| found[*place].clone()).collect();
            let mut picks = None;
            if !careful {
                picks = Some(engine.extract(&request.question, &question, &found).await);
            }
            if relevant.is_empty() || picks.as_ref().is_some_and(Vec::is_empty) {
                ending.finish = Finish::NotEnoughData;
            } else {
                let best = picks.as_deref().and_then(|picks| best_of(picks, &places));
                match engine.begin_generation(&request, &question, &relevant, best).await {
                    Err(reason) => ending.degraded = Some(reason),
                    Ok((mut sentences, prompted)) => loop {
                        match sentences.next(&prompted).await {
                            Step::Sentence(claim) => {
                                first_token_ms.get_or_insert_with(|| engine.since(asked_at));
                                for event in shown.sentence(&claim.text, &claim.citations, claim.support, &prompted) {
                                    yield event;
                                }
                                continue;
                            }
                            Step::Unsupported => ending.degraded = Some(DegradedReason::UnsupportedSentence),
                            Step::NotAnAnswer => ending.degraded = Some(DegradedReason::NotAnAnswer),
                            Step::NotEnoughData if shown.is_empty() => ending.finish = Finish::NotEnoughData,
                            Step::NotEnoughData => {}
                            Step::Finished(reason, usage) => {
                                ending.usage = Some(usage);
                                ending.finish = finish_of(reason);
                                if shown.is_empty() {
                                    ending.degraded = Some(reason_for_nothing(reason));
                                }
                            }
                            Step::Failed(error) if shown.is_empty() => {
                                tracing::warn!(%error, "the language model failed; the answer is extractive");
                                ending.degraded = Some(DegradedReason::ModelFailed);
                            }
                            Step::Failed(error) => {
                                drop(sentences);
                                let problem = cut_off(error.into());
                                yield AnswerEvent::Failed { problem, calls: request.calls.ended() };
                                return;
                            }
                        }
                        break;
                    },
                }
            }
            if ending.degraded.is_some() {
                let picks = match picks {
                    Some(picks) => picks,
                    None => engine.extract(&request.question, &question, &found).await,
                };
                if picks.is_empty() && shown.is_empty() {
                    ending.finish = Finish::NotEnoughData;
                    ending.degraded = None;
                } else {
                    ending.finish = Finish::Stop;
                }
                for pick in picks {
                    let Some(passage) = places.iter().position(|place| *place == pick.passage) else { continue };
                    if shown.has_quoted(passage, &pick.sentence) {
                        continue;
                    }
                    first_token_ms.get_or_insert_with(|| engine.since(asked_at));
                    let citation =
                        VerifiedCitation { passage, quote: pick.sentence.clone(), bytes: pick.bytes.clone() };
                    for event in shown.sentence(&one_line(&pick.sentence), &[citation], pick.coverage, &relevant) {
                        yield event;
                    }
                }
            }
            if ending.finish == Finish::NotEnoughData {
                first_token_ms.get_or_insert_with(|| engine.since(asked_at));
                for event in shown.words(request.language.not_enough_data()) {
                    yield event;
                }
            }
            let calls = request.calls.ended();
            yield AnswerEvent::Done(Box::new(engine.done(&request, asked_at, first_token_ms, question, found, &shown, &ending, calls)));
        };
        events.boxed()
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one value, gathered in one place")]
    fn done(
        &self,
        request: &AnswerRequest,
        asked_at: Timestamp,
        first_token_ms: Option<u64>,
        question: String,
        found: Vec<Passage>,
        shown: &Shown,
        ending: &Ending,
        calls: Vec<super::ModelCall>,
    ) -> AnswerDone {
        let parts = shown.confidence();
        let called = calls.iter().rev().find(|call| call.task == Task::Chat).map(|call| call.usage);
        AnswerDone {
            answer: shown.text.clone(),
            finish_reason: ending.finish,
            confidence: parts.confidence(),
            confidence_parts: parts,
            degraded: ending.degraded.is_some(),
            degraded_reason: ending.degraded,
            usage: ending.usage.or(called),
            retrieved_chunks: found,
            query_rewrites: if question == request.question { Vec::new() } else { vec![question] },
            latency_ms: self.since(asked_at),
            first_token_ms,
            calls,
        }
    }

    fn since(&self, earlier: Timestamp) -> u64 {
        u64::try_from(self.clock.now().since(earlier).as_millis()).unwrap_or(u64::MAX)
    }

    async fn retrieve(&self, request: &AnswerRequest, question: &str) -> Result<Vec<Passage>> {
        let search = SearchRequest {
            collections: request.collections.clone(),
            query: question.chars().take(crate::hybrid::MAX_QUERY_CHARACTERS).collect(),
            k: request.k,
            mode: SearchMode::Hybrid,
            filter: request.filter.clone(),
            documents: request.documents.clone(),
            rerank: if request.rerank {
                Reranking::Always
            } else if is_careful(request) {
                Reranking::Unmeasured
            } else {
                Reranking::Judging
            },
        };
        self.search.search(&request.caller, search).await
    }

    /// The question as it is searched for and answered.
    async fn standalone_question(&self, request: &AnswerRequest) -> String {
        let by_model = match (&request.model, request.rewrite) {
            (Some(model), RewriteMode::Model) if model.abilities().careful => {
                self.rewritten_by(model.as_ref(), request).await
            }
            _ => None,
        };
        let by_keywords = || match request.rewrite {
            RewriteMode::Off => None,
            RewriteMode::Keywords | RewriteMode::Model => rewrite::carry_over(&request.question, &request.history),
        };
        by_model.or_else(by_keywords).unwrap_or_else(|| request.question.clone())
    }

    /// What the model makes of a follow-up; `None` when it fails or what it writes does not hold.
    async fn rewritten_by(&self, model: &dyn LanguageModel, request: &AnswerRequest) -> Option<String> {
        let messages = rewrite::rewrite_prompt(&request.question, &request.history)?;
        let mut call = OpenCall::begin(&request.calls, &self.clock, model.model(), Task::Rewrite, &messages);
        let Ok(mut deltas) = model.generate(greedy(messages, REWRITE_TOKENS)).await else {
            call.failed();
            return None;
        };
        let mut written = String::new();
        while let Some(delta) = deltas.next().await {
            match delta {
                Ok(Delta::Text(text)) => {
                    call.output(&text);
                    written.push_str(&text);
                }
                Ok(Delta::Finish { usage, .. }) => {
                    call.finished(usage);
                    return rewrite::check_rewrite(&written, &request.question, &request.history);
                }
                Err(_) => break,
            }
        }
        call.failed();
        None
    }

    /// Begins to generate from as many passages as fit; or says why there is no generation. The passage whose sentence
    /// answers best comes first, for a model that would not find it among others.
    async fn begin_generation(
        &self,
        request: &AnswerRequest,
        question: &str,
        relevant: &[Passage],
        mut best: Option<Best>,
    ) -> Result<(VerifiedStream, Vec<Passage>), DegradedReason> {
        let model = request.model.as_ref().ok_or(DegradedReason::NoModel)?;
        let abilities = model.abilities();
        if !abilities.multilingual && request.language != Language::En {
            return Err(DegradedReason::LanguageNotWritten);
        }
        let mut offered = relevant.to_vec();
        if let Some(best) = &mut best {
            offered[..=best.passage].rotate_right(1);
            best.passage = 0;
        }
        let max_tokens =
            if abilities.careful { request.max_tokens } else { request.max_tokens.min(SHORT_ANSWER_TOKENS) };
        let answer_tokens = usize::try_from(max_tokens).unwrap_or(usize::MAX);
        let budget = model
            .context_tokens()
            .saturating_sub(answer_tokens)
            .min(self.settings.prompt_tokens)
            .min(abilities.prompt_tokens);
        offered.truncate(self.settings.prompt_passages);
        // What an assistant is for is more than a small model keeps in mind, and takes the place of a passage.
        let instructions = if abilities.careful { request.instructions.as_str() } else { "" };
        let fitting = prompts::passages_that_fit(&offered, question, instructions, budget);
        if fitting == 0 {
            return Err(DegradedReason::ContextTooSmall);
        }
        offered.truncate(fitting);
        let messages = prompts::answer(question, &offered, request.language, instructions);
        let mut call = OpenCall::begin(&request.calls, &self.clock, model.model(), Task::Chat, &messages);
        match model.generate(greedy(messages, max_tokens)).await {
            Ok(deltas) => {
                let expected = Expectation { question: question.to_owned(), best };
                Ok((VerifiedStream::new(deltas, call, expected, abilities.careful), offered))
            }
            Err(error) => {
                tracing::warn!(%error, "the language model cannot be called; the answer is extractive");
                call.failed();
                let busy = matches!(error, ModelError::Overloaded(_) | ModelError::Throttled { .. });
                Err(if busy { DegradedReason::ModelBusy } else { DegradedReason::ModelFailed })
            }
        }
    }

    /// The sentences of the sources that answer best, by the cross-encoder too where it knows the language.
    async fn extract(&self, asked: &str, question: &str, found: &[Passage]) -> Vec<Pick> {
        let reading = Reading::of(question, found).asked(asked).strictly();
        let mut candidates = reading.candidates();
        if let Some(reranker) = self.reranker.as_deref().filter(|_| !is_mostly_not_latin(question)) {
            let first = candidates.iter().take(SENTENCES_TO_RERANK);
            let texts: Vec<String> = first.map(|candidate| candidate.under_its_title(found)).collect();
            match reranker.scores(asked, &texts).await {
                Ok(scores) => candidates = extractive::with_sentence_scores(candidates, &scores),
                Err(error) => tracing::warn!(%error, "the cross-encoder failed; sentences are chosen by words"),
            }
        }
        reading.pick(&candidates)
    }
}

/// Whether a model writes the answer that keeps to the passages by itself.
fn is_careful(request: &AnswerRequest) -> bool {
    request.model.as_ref().is_some_and(|model| model.abilities().careful)
}

/// The first of the sentences that answer, in the passage's place among the relevant ones.
fn best_of(picks: &[Pick], relevant: &[usize]) -> Option<Best> {
    let first = picks.first()?;
    let passage = relevant.iter().position(|place| *place == first.passage)?;
    Some(Best { passage, bytes: first.bytes.clone() })
}

fn greedy(messages: Vec<ChatMessage>, max_tokens: u32) -> Generation {
    Generation { messages, max_tokens, temperature: 0.0, stop: Vec::new() }
}

const fn finish_of(reason: FinishReason) -> Finish {
    match reason {
        FinishReason::Stop => Finish::Stop,
        FinishReason::Length => Finish::Length,
        FinishReason::ContentFilter => Finish::ContentFilter,
    }
}

const fn reason_for_nothing(reason: FinishReason) -> DegradedReason {
    match reason {
        FinishReason::ContentFilter => DegradedReason::ContentFilter,
        FinishReason::Stop => DegradedReason::EmptyAnswer,
        // A first sentence that never ended cannot be verified.
        FinishReason::Length => DegradedReason::UnsupportedSentence,
    }
}

/// What was shown is not all of the answer: whatever the cause, the stream was interrupted.
fn cut_off(problem: Problem) -> Problem {
    let detail = format!("the answer was cut off: {}", problem.detail);
    Problem::new(mandi_core::ProblemKind::StreamInterrupted, detail).caused_by(problem)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
