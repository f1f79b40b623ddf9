//! `post_transform` of classifiers and regressors: scores to what is shown, as ONNX Runtime understands it where the
//! standard is silent.

use super::attributes::{AttributeFault, Attributes};

/// What is done to the scores of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PostTransform {
    /// Nothing.
    #[default]
    None,
    /// Each is put between 0 and 1 by the logistic function.
    Logistic,
    /// Together they are made to sum to 1.
    Softmax,
    /// The same, but zeros stay zeros.
    SoftmaxZero,
    /// Each, a probability, becomes the quantile of the normal distribution.
    Probit,
}

/// How the one score of two classes becomes two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Second {
    /// `1 - score` and `score`: it is a probability.
    Complement,
    /// `-score` and `score`: it is a margin.
    Opposite,
}

impl PostTransform {
    /// The attribute `post_transform`.
    pub(crate) fn of(attributes: Attributes<'_>) -> Result<Self, AttributeFault> {
        match attributes.text("post_transform")? {
            None | Some("NONE") => Ok(Self::None),
            Some("LOGISTIC") => Ok(Self::Logistic),
            Some("SOFTMAX") => Ok(Self::Softmax),
            Some("SOFTMAX_ZERO") => Ok(Self::SoftmaxZero),
            Some("PROBIT") => Ok(Self::Probit),
            Some(other) => Err(AttributeFault::new("post_transform", format!("has the value `{other}`"))),
        }
    }

    /// The attribute `post_transform` of `TreeEnsemble`, a number as the standard says; ONNX Runtime 1.31 has 1 and 2 the
    /// other way round.
    pub(crate) fn of_number(attributes: Attributes<'_>) -> Result<Self, AttributeFault> {
        match attributes.int("post_transform").unwrap_or(0) {
            0 => Ok(Self::None),
            1 => Ok(Self::Softmax),
            2 => Ok(Self::Logistic),
            3 => Ok(Self::SoftmaxZero),
            4 => Ok(Self::Probit),
            other => Err(AttributeFault::new("post_transform", format!("has the value {other}"))),
        }
    }

    /// The scores of a row in place. A single score is only ever made a quantile.
    pub(crate) fn apply(self, scores: &mut [f32]) {
        match self {
            Self::Probit => scores.iter_mut().for_each(|score| *score = probit(*score)),
            _ if scores.len() < 2 => {}
            Self::None => {}
            Self::Logistic => scores.iter_mut().for_each(|score| *score = logistic(*score)),
            Self::Softmax => softmax(scores),
            Self::SoftmaxZero => softmax_zero(scores),
        }
    }

    /// The two scores of a row that has one; the logistic function takes it for a margin in any case.
    pub(crate) fn second(self, score: f32, second: Second) -> [f32; 2] {
        match (self, second) {
            (Self::Logistic, _) => [logistic(-score), logistic(score)],
            (_, Second::Complement) => [1.0 - score, score],
            (_, Second::Opposite) => [-score, score],
        }
    }
}

/// `1 / (1 + exp(-x))`.
pub(crate) fn logistic(x: f32) -> f32 {
    let positive = 1.0 / (1.0 + (-x.abs()).exp());
    if x < 0.0 { 1.0 - positive } else { positive }
}

fn softmax(scores: &mut [f32]) {
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    scores.iter_mut().for_each(|score| *score = (*score - most).exp());
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
}

fn softmax_zero(scores: &mut [f32]) {
    /// What counts as zero.
    const ZERO: f32 = 1e-7;
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    let mut sum = 0.0;
    for score in &mut *scores {
        if score.abs() > ZERO {
            *score = (*score - most).exp();
            sum += *score;
        } else {
            *score *= (-most).exp();
        }
    }
    scores.iter_mut().for_each(|score| *score /= sum);
}

/// `sqrt(2) * erfinv(2 p - 1)`, with Winitzki's approximation of the inverse error function that ONNX Runtime uses.
fn probit(p: f32) -> f32 {
    const A: f32 = 0.147;
    let x = 2.0 * p - 1.0;
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let v = 2.0 / (std::f32::consts::PI * A) + 0.5 * log;
    let inverse = (-v + (v * v - log / A).sqrt()).sqrt();
    std::f32::consts::SQRT_2 * if x < 0.0 { -inverse } else { inverse }
}
