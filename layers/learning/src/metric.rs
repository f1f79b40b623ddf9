//! Metrics of outcomes: how far a prediction was from what came, as a bounded number, so that two arms can be compared at
//! any time (see [`sequential`](crate::sequential)).

use serde::{Deserialize, Serialize};

use crate::arm::{MetricArm, MetricReport};
use crate::rollout::Arm;
use crate::sequential::{
    Alpha, Direction, Evidence, Moments, NotInScale, Range, Scale, compare, compare_pairs, interval,
};

/// What predictions are judged by when their outcome is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Metric {
    /// 1 for the right label, 0 for another.
    Accuracy,
    /// Half of the sum, over the classes, of the squared distance of their probability from 1 for the class that came and
    /// 0 for the others: 0 to 1 (Brier, *Verification of forecasts expressed in terms of probability*, 1950). With two
    /// classes it is the squared distance of one probability.
    BrierScore,
    /// The distance of the value, where more than `at_most` counts as `at_most`, in the value's unit.
    AbsoluteError {
        /// The greatest that counts; above 0.
        at_most: f64,
    },
    /// The distance of the value over the sum of both sizes, 0 to 1; 0 where both are 0.
    Smape,
}

/// What a metric looks at in a prediction. What it has no use for need not be there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    /// The label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Each class with its probability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probabilities: Option<Vec<(String, f64)>>,
    /// The value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// What came.
#[derive(Clone, Debug, PartialEq)]
pub enum Truth {
    /// A class.
    Label(String),
    /// A number.
    Value(f64),
}

/// Why a prediction is not judged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NotJudged {
    /// The prediction lacks what the metric looks at.
    #[error("the prediction has no {0}, which the trial's metric is about")]
    Lacks(&'static str),
    /// The outcome is of another kind.
    #[error("the outcome is `{0}`; a finite number is expected")]
    NoNumber(String),
    /// The model does not have such a class.
    #[error("the outcome is `{0}`; the model's classes are {1}")]
    NoClass(String, String),
    /// The prediction is no finite number.
    #[error("the prediction is {0}: it has no distance")]
    NotFinite(f64),
}

impl Metric {
    /// What values it can have.
    ///
    /// # Errors
    /// `at_most` is not above 0, or not finite.
    pub fn scale(self) -> Result<Scale, NotInScale> {
        match self {
            Self::AbsoluteError { at_most } => Scale::new(0.0, at_most),
            Self::Accuracy | Self::BrierScore | Self::Smape => Ok(Scale::UNIT),
        }
    }

    /// Which way is good.
    #[must_use]
    pub const fn direction(self) -> Direction {
        match self {
            Self::Accuracy => Direction::HigherIsBetter,
            Self::BrierScore | Self::AbsoluteError { .. } | Self::Smape => Direction::LowerIsBetter,
        }
    }

    /// What of a prediction is to be kept until its outcome is known.
    #[must_use]
    pub fn of_use(self, predicted: Predicted) -> Predicted {
        let Predicted { label, probabilities, value } = predicted;
        match self {
            Self::Accuracy => Predicted { label, ..Predicted::default() },
            Self::BrierScore => Predicted { probabilities, ..Predicted::default() },
            Self::AbsoluteError { .. } | Self::Smape => Predicted { value, ..Predicted::default() },
        }
    }

    /// The metric of a prediction, in its scale.
    ///
    /// # Errors
    /// The prediction or the outcome is not of its kind.
    pub fn judge(self, predicted: &Predicted, came: &Truth) -> Result<f64, NotJudged> {
        match self {
            Self::Accuracy => {
                let label = predicted.label.as_ref().ok_or(NotJudged::Lacks("label"))?;
                Ok(if *label == came.text() { 1.0 } else { 0.0 })
            }
            Self::BrierScore => {
                let classes = predicted.probabilities.as_ref().ok_or(NotJudged::Lacks("probabilities"))?;
                brier(classes, &came.text())
            }
            Self::AbsoluteError { at_most } => {
                let (value, came) = numbers(predicted, came)?;
                Ok((value - came).abs().min(at_most))
            }
            Self::Smape => {
                let (value, came) = numbers(predicted, came)?;
                // Halves, so that no sum overflows.
                let (distance, size) = ((value / 2.0 - came / 2.0).abs(), value.abs() / 2.0 + came.abs() / 2.0);
                Ok(if size == 0.0 { 0.0 } else { (distance / size).min(1.0) })
            }
        }
    }
}

impl Truth {
    fn text(&self) -> String {
        match self {
            Self::Label(label) => label.clone(),
            Self::Value(value) => value.to_string(),
        }
    }
}

fn brier(classes: &[(String, f64)], came: &str) -> Result<f64, NotJudged> {
    if !classes.iter().any(|(class, _)| class == came) {
        let names: Vec<_> = classes.iter().take(20).map(|(class, _)| format!("`{class}`")).collect();
        return Err(NotJudged::NoClass(came.to_owned(), names.join(", ")));
    }
    let distance = |(class, probability): &(String, f64)| {
        let truth = if class == came { 1.0 } else { 0.0 };
        (probability - truth).powi(2)
    };
    let score = classes.iter().map(distance).sum::<f64>() / 2.0;
    if score.is_finite() { Ok(score.clamp(0.0, 1.0)) } else { Err(NotJudged::NotFinite(score)) }
}

fn numbers(predicted: &Predicted, came: &Truth) -> Result<(f64, f64), NotJudged> {
    let value = predicted.value.ok_or(NotJudged::Lacks("value"))?;
    match came {
        Truth::Value(came) if came.is_finite() && value.is_finite() => Ok((value, *came)),
        Truth::Value(came) if came.is_finite() => Err(NotJudged::NotFinite(value)),
        other => Err(NotJudged::NoNumber(other.text())),
    }
}

/// What outcomes say of two arms: it only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The version of this format.
    pub format: crate::Format<1>,
    /// The metric of the control's predictions.
    pub control: Moments,
    /// The metric of the treatment's.
    pub treatment: Moments,
    /// Treatment less control, where both answered the same row: a shadow. On a scale of twice the width.
    pub differences: Moments,
}

impl Judged {
    /// The metric of a row that one arm answered.
    ///
    /// # Errors
    /// It is outside the scale.
    pub fn add(&mut self, arm: Arm, metric: f64, scale: Scale) -> Result<(), NotInScale> {
        match arm {
            Arm::Control => self.control.add(metric, scale),
            Arm::Treatment => self.treatment.add(metric, scale),
        }
    }

    /// The metrics of a row that both arms answered.
    ///
    /// # Errors
    /// One is outside the scale; nothing is counted then.
    pub fn add_pair(&mut self, control: f64, treatment: f64, scale: Scale) -> Result<(), NotInScale> {
        let mut both = *self;
        both.control.add(control, scale)?;
        both.treatment.add(treatment, scale)?;
        both.differences.add(treatment - control, scale.of_differences())?;
        *self = both;
        Ok(())
    }

    /// The comparison, once both arms have an outcome. `alpha` holds for all looks together.
    #[must_use]
    pub fn report(&self, metric: Metric, alpha: Alpha) -> Option<MetricReport> {
        if self.control.count == 0 || self.treatment.count == 0 {
            return None;
        }
        let scale = metric.scale().ok()?;
        let arm = |arm: &Moments| {
            let known = interval(arm, alpha);
            let interval = Range { lower: scale.mean(known.lower), upper: scale.mean(known.upper) };
            MetricArm { mean: scale.mean(arm.centre()), count: arm.count, interval }
        };
        let found = match self.differences.count {
            0 => compare(&self.control, &self.treatment, alpha, metric.direction()),
            _ => compare_pairs(&self.differences, alpha, metric.direction()),
        };
        let comparison = found.in_units(scale);
        Some(MetricReport { metric, control: arm(&self.control), treatment: arm(&self.treatment), comparison })
    }
}
