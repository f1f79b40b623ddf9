//! Reads a model's stream sentence by sentence, and verifies each.

use std::collections::{HashSet, VecDeque};
use std::ops::Range;

use futures::StreamExt;
use mandi_core::ports::{Delta, FinishReason, GenerationStream, ModelError, TokenUsage};

use super::calls::OpenCall;
use crate::citations::{
    SentenceBuffer, Source, VerifiedCitation, VerifiedClaim, keeps_to_sources, parse_claim, verify,
};
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
    /// What has to be cited, for a model that does not choose well by itself: the sentence that answers best.
    pub(super) best: Option<Best>,
}

/// The sentence of the passages that answers best.
#[derive(Clone, Debug)]
pub(super) struct Best {
    /// The passage, by its place.
    pub(super) passage: usize,
    /// Where the sentence lies in the passage's text, in bytes.
    pub(super) bytes: Range<usize>,
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
    /// Whether the model keeps to the passages by itself.
    careful: bool,
    /// The sentences so far, as terms.
    said: HashSet<Vec<String>>,
}

impl VerifiedStream {
    pub(super) fn new(stream: GenerationStream, call: OpenCall, expected: Expectation, careful: bool) -> Self {
        Self {
            stream,
            call,
            careful,
            said: HashSet::new(),
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
                return match judge(&sentence, passages, self.careful) {
                    Step::Sentence(claim) if !self.careful && !self.said.insert(terms(&claim.text)) => {
                        Step::Unsupported
                    }
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
    /// cites the sentence that it should.
    fn is_met_by(&self, claim: &VerifiedClaim) -> bool {
        let asked: HashSet<String> = terms(&self.question).into_iter().collect();
        let says_more = terms(&claim.text).iter().any(|term| !asked.contains(term));
        let of_the_kind = Asked::by(&self.question).is_answered_by(&claim.text) != Some(false);
        let cited = |best: &Best| {
            let cites = |citation: &VerifiedCitation| {
                let overlaps = citation.bytes.start < best.bytes.end && best.bytes.start < citation.bytes.end;
                citation.passage == best.passage && overlaps
            };
            claim.citations.iter().any(cites)
        };
        says_more && of_the_kind && self.best.as_ref().is_none_or(cited)
    }
}

fn judge(sentence: &str, passages: &[Passage], careful: bool) -> Step {
    let claim = parse_claim(sentence);
    if says_not_enough_data(&claim.text) {
        return Step::NotEnoughData;
    }
    let sources: Vec<Source<'_>> =
        passages.iter().map(|passage| Source { title: passage.title.as_deref(), text: &passage.text }).collect();
    let verified = verify(&claim, &sources);
    let cited = verified.citations.iter().map(|citation| citation.passage).collect();
    if verified.is_supported() && (careful || keeps_to_sources(&verified.text, &cited, &sources)) {
        return Step::Sentence(verified);
    }
    tracing::debug!(rejections = ?verified.rejected.len(), "the sources do not support a sentence of the model");
    Step::Unsupported
}
