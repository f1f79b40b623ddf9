//! How far an answer can be trusted, as one number with its parts.
//!
//! `confidence = 0.3 * retrieval + 0.2 * agreement + 0.5 * support`, and 0 without a citation.
//!
//! - `retrieval`: how well the best cited passage fits the question: the cross-encoder's probability where there
//!   is one; else the cosine similarity on the scale of its model (for MiniLM from 0 at 0.2 to 1 at 0.7); else, when
//!   only keywords found it or the model has no [`crate::CosineScale`], 0.5.
//! - `agreement`: over the cited passages, the mean share of the two lists (vectors, keywords) that found them.
//! - `support`: the mean over the shown sentences of what their sources hold of them (a generated sentence), or
//!   the share of the question's terms, by weight, that they answer (a sentence taken from a source).
//!
//! Support weighs most, since it looks at the answer itself; retrieval may be high for a passage that is about
//! the right thing and does not answer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::passage::Scores;

/// The parts of a confidence, each 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConfidenceParts {
    /// How well the best cited passage fits the question.
    pub retrieval: f32,
    /// How far the vector list and the keyword list both found the cited passages.
    pub agreement: f32,
    /// How far the sources hold what the answer says.
    pub support: f32,
}

/// What a passage counts that no model judged.
const KEYWORDS_ALONE: f32 = 0.5;

impl ConfidenceParts {
    /// The parts for an answer, from the scores of the passages that it cites and the support of its sentences.
    #[must_use]
    pub fn of(cited: &[Scores], support: &[f32]) -> Self {
        if cited.is_empty() || support.is_empty() {
            return Self::default();
        }
        let lists = |scores: &Scores| {
            [scores.vector, scores.keyword].iter().map(|score| if score.is_some() { 0.5 } else { 0.0 }).sum::<f32>()
        };
        Self {
            retrieval: cited.iter().map(fit).fold(0.0, f32::max),
            agreement: mean(cited.iter().map(lists)),
            support: mean(support.iter().copied()),
        }
    }

    /// The confidence, 0 to 1.
    #[must_use]
    pub fn confidence(&self) -> f32 {
        let weighted = 0.3 * self.retrieval + 0.2 * self.agreement + 0.5 * self.support;
        weighted.clamp(0.0, 1.0)
    }
}

fn fit(scores: &Scores) -> f32 {
    let by_vector = scores.measured_cosine().map(|(cosine, scale)| scale.share(cosine));
    scores.rerank.or(by_vector).unwrap_or(KEYWORDS_ALONE).clamp(0.0, 1.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts of passages are far below 2^24")]
fn mean(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let count = values.len() as f32;
    values.sum::<f32>() / count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cosine::CosineScale;

    /// Expected values below are by hand from the formula in the module's documentation.
    const TOLERANCE: f32 = 1e-6;

    fn by_cosine(cosine: f32) -> Scores {
        Scores { vector: Some(cosine), cosine_scale: Some(CosineScale::MINILM), ..Scores::default() }
    }

    #[test]
    fn given_a_cosine_without_a_scale_then_it_counts_as_keywords_alone_do_whatever_it_is() {
        for cosine in [-0.5, 0.1, 0.8, 1.0] {
            let scores = Scores { cosine_scale: None, ..by_cosine(cosine) };
            assert!((ConfidenceParts::of(&[scores], &[1.0]).retrieval - 0.5).abs() < TOLERANCE, "{cosine}");
            let judged = Scores { rerank: Some(0.01), ..scores };
            assert!((ConfidenceParts::of(&[judged], &[1.0]).retrieval - 0.01).abs() < TOLERANCE, "{cosine}");
        }
    }

    #[test]
    fn both_lists_a_sure_reranker_and_full_support_give_one() {
        let scores = Scores { keyword: Some(3.0), fused: Some(1.0), rerank: Some(1.0), ..by_cosine(0.6) };
        let parts = ConfidenceParts::of(&[scores], &[1.0]);
        assert!((parts.confidence() - 1.0).abs() < TOLERANCE);
    }

    #[test]
    fn the_formula_is_the_documented_one() {
        let one = by_cosine(0.45);
        let other = Scores { keyword: Some(1.0), ..by_cosine(0.2) };
        let parts = ConfidenceParts::of(&[one, other], &[0.8, 0.6]);
        assert!((parts.retrieval - 0.5).abs() < TOLERANCE);
        assert!((parts.agreement - 0.75).abs() < TOLERANCE);
        assert!((parts.support - 0.7).abs() < TOLERANCE);
        assert!((parts.confidence() - (0.15 + 0.15 + 0.35)).abs() < TOLERANCE);
    }

    #[test]
    fn without_a_citation_there_is_no_confidence() {
        assert!(ConfidenceParts::of(&[], &[]).confidence().abs() < TOLERANCE);
    }
}
