//! Reads a model's stream sentence by sentence, and verifies each.

use std::collections::{HashSet, VecDeque};

use futures::StreamExt;
use mandi_core::ports::{Delta, FinishReason, GenerationStream, ModelError, TokenUsage};

use super::calls::OpenCall;
use crate::citations::{SentenceBuffer, Source, VerifiedClaim, parse_claim, verify};
use crate::passage::Passage;
use crate::prompts::says_not_enough_data;
use crate::question::Asked;
use crate::terms::terms;

/// The longest sentence that is waited for, in bytes: a model that never ends one is stopped.
const MAX_SENTENCE_BYTES: usize = 8 * 1024;

/// What comes next of a model's answer.
pub(super) enum Step {
    /// A sentence that its sources support.
    Sentence(VerifiedClaim),
    /// A sentence that they do not support.
    Unsupported,
    /// A first sentence that they support, and that does not answer the question.
    NotAnAnswer,
    /// The model says that the passages do not hold the answer.
    NotEnoughData,
    /// The end.
    Finished(FinishReason, TokenUsage),
    /// The stream broke.
    Failed(ModelError),
}

/// What the first sentence of an answer has to be.
pub(super) struct Expectation {
    /// The question.
    pub(super) question: String,
    /// The passage that has to be cited, by its place, for a model that does not choose well by itself.
    pub(super) best_passage: Option<usize>,
}

/// A model's answer as verified sentences. Dropping it cancels the call.
pub(super) struct VerifiedStream {
    stream: GenerationStream,
    call: OpenCall,
    buffer: SentenceBuffer,
    waiting: VecDeque<String>,
    held_bytes: usize,
    ended: Option<(FinishReason, TokenUsage)>,
    expected: Option<Expectation>,
}

impl VerifiedStream {
    pub(super) fn new(stream: GenerationStream, call: OpenCall, expected: Expectation) -> Self {
        Self {
            stream,
            call,
            buffer: SentenceBuffer::default(),
            waiting: VecDeque::new(),
            held_bytes: 0,
            ended: None,
            expected: Some(expected),
        }
    }

    /// The next step; after `Sentence` there are more, after any other there is none.
    pub(super) async fn next(&mut self, passages: &[Passage]) -> Step {
        loop {
            if let Some(sentence) = self.waiting.pop_front() {
                return match judge(&sentence, passages) {
                    Step::Sentence(claim) => match self.expected.take() {
                        Some(expected) if !expected.is_met_by(&claim) => Step::NotAnAnswer,
                        _ => Step::Sentence(claim),
                    },
                    step => step,
                };
            }
            if let Some((reason, usage)) = self.ended.take() {
                return Step::Finished(reason, usage);
            }
            match self.stream.next().await {
                Some(Ok(Delta::Text(text))) => {
                    self.call.output(&text);
                    self.held_bytes += text.len();
                    let complete = self.buffer.push(&text);
                    if !complete.is_empty() {
                        self.held_bytes = 0;
                    }
                    self.waiting.extend(complete);
                    if self.held_bytes > MAX_SENTENCE_BYTES {
                        return Step::Unsupported;
                    }
                }
                Some(Ok(Delta::Finish { reason, usage })) => {
                    self.call.finished(usage);
                    self.ended = Some((reason, usage));
                    let rest = std::mem::take(&mut self.buffer).rest();
                    // A sentence that was cut off is not shown.
                    self.waiting.extend(rest.filter(|_| reason == FinishReason::Stop));
                }
                Some(Err(error)) => {
                    self.call.failed();
                    return Step::Failed(error);
                }
                None => {
                    self.call.failed();
                    return Step::Failed(ModelError::Truncated("the stream ended without its finish".to_owned()));
                }
            }
        }
    }
}

impl Expectation {
    /// Whether a sentence says something that the question does not, is of the kind that is asked for, and
    /// cites the passage that it should.
    fn is_met_by(&self, claim: &VerifiedClaim) -> bool {
        let asked: HashSet<String> = terms(&self.question).into_iter().collect();
        let says_more = terms(&claim.text).iter().any(|term| !asked.contains(term));
        let of_the_kind = Asked::by(&self.question).is_answered_by(&claim.text) != Some(false);
        let cited = |best: usize| claim.citations.iter().any(|citation| citation.passage == best);
        says_more && of_the_kind && self.best_passage.is_none_or(cited)
    }
}

fn judge(sentence: &str, passages: &[Passage]) -> Step {
    let claim = parse_claim(sentence);
    if says_not_enough_data(&claim.text) {
        return Step::NotEnoughData;
    }
    let sources: Vec<Source<'_>> =
        passages.iter().map(|passage| Source { title: passage.title.as_deref(), text: &passage.text }).collect();
    let verified = verify(&claim, &sources);
    if verified.is_supported() {
        return Step::Sentence(verified);
    }
    tracing::debug!(rejections = ?verified.rejected.len(), "the sources do not support a sentence of the model");
    Step::Unsupported
}
