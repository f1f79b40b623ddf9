//! Intervals and sets of answers, by the model's own quantiles or by the calibration that its version carries.

use mandi_core::{Problem, ProblemKind, Result};
use mandi_inference::signature::{ClassSet, Interval, Prediction, Role, Signature};
use mandi_learning::conformal::{Calibration as Calibrated, Method, Output};

use crate::calibration::{Calibration, same, scale_of};

/// Which intervals answers are to have.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Intervals {
    /// Those that the model itself gives.
    #[default]
    Own,
    /// By the version's calibration, with the coverage that it names first; of a version without one the model's own.
    Usual,
    /// With this coverage.
    Of(f64),
}

/// What intervals a version has.
#[derive(Debug)]
pub(crate) struct Known {
    calibration: Option<Calibration>,
    /// The coverage of the model's own interval; the inner one is none where nobody said it.
    own: Option<Option<f64>>,
}

impl Known {
    /// Of a version with this signature and calibration.
    pub(crate) fn new(signature: &Signature, calibration: Option<Calibration>) -> Self {
        let mut ends = signature.outputs.iter().filter(|output| matches!(output.role, Role::Lower | Role::Upper));
        let own = ends.next().map(|first| first.coverage.or_else(|| ends.find_map(|end| end.coverage)));
        Self { calibration, own }
    }

    /// The level that gives what is asked; none where the model's own interval is it.
    ///
    /// # Errors
    /// `unprocessable`: the version has no such intervals; with the way out.
    pub(crate) fn level(&self, asked: Intervals) -> Result<Option<&Method>> {
        let levels = self.calibration.as_ref().map(Calibration::levels).unwrap_or_default();
        match asked {
            Intervals::Own => Ok(None),
            Intervals::Usual if levels.is_empty() && self.own.is_none() => Err(none_at_all()),
            Intervals::Usual => Ok(levels.first()),
            Intervals::Of(coverage) => {
                let found = levels.iter().find(|level| same(of(level), coverage));
                let is_own = self.own.flatten().is_some_and(|own| same(own, coverage));
                match found {
                    Some(level) => Ok(Some(level)),
                    None if is_own => Ok(None),
                    None => Err(self.not_of(coverage)),
                }
            }
        }
    }

    /// Puts the intervals or sets of a level into answers.
    pub(crate) fn tell(&self, level: &Method, predictions: &mut [Prediction]) {
        let scale = self.calibration.as_ref().and_then(Calibration::scale);
        for prediction in predictions {
            if let Method::Classes(classes) = level {
                prediction.set = prediction.probabilities.as_ref().map(|known| {
                    let shares: Vec<f64> = known.iter().map(|(_, share)| *share).collect();
                    let named = |place: usize| known.get(place).map(|(name, _)| name.clone());
                    ClassSet { classes: classes.set(&shares).into_iter().filter_map(named).collect(), coverage: of(level) }
                });
            } else {
                let output = output(level, prediction, scale);
                // A scale that is not above 0 gives no interval: the model does not say how uncertain it is.
                let interval = output.and_then(|output| Calibrated::from(*level).interval(output).ok());
                prediction.interval = interval.map(|found| Interval {
                    lower: found.lower,
                    upper: found.upper,
                    coverage: Some(found.coverage),
                });
            }
        }
    }

    fn not_of(&self, coverage: f64) -> Problem {
        let levels = self.calibration.as_ref().map(Calibration::levels).unwrap_or_default();
        let mut known: Vec<String> = levels.iter().map(|level| of(level).to_string()).collect();
        known.extend(self.own.flatten().map(|own| own.to_string()));
        if known.is_empty() && self.own.is_none() {
            return none_at_all();
        }
        let has = if known.is_empty() { "no stated one".to_owned() } else { known.join(", ") };
        let detail = format!(
            "this version has no intervals of the coverage {coverage}; it has {has}. Ask for one of these, or register the \
             version anew with a `calibration` that names it"
        );
        Problem::field("/interval", detail).of_kind(ProblemKind::Unprocessable)
    }
}

/// What a calibration takes of an answer; none where the answer does not have it.
fn output(level: &Method, prediction: &Prediction, scale: Option<&str>) -> Option<Output> {
    match level {
        Method::Absolute(_) => prediction.value.map(Output::Value),
        Method::Normalised(_) => {
            Some(Output::Scaled { value: prediction.value?, scale: scale_of(prediction, scale?)? })
        }
        Method::Quantiles(_) => {
            prediction.interval.as_ref().map(|own| Output::Quantiles { lower: own.lower, upper: own.upper })
        }
        Method::Classes(_) => None,
    }
}

/// The coverage of a level.
fn of(level: &Method) -> f64 {
    Calibrated::from(*level).coverage()
}

fn none_at_all() -> Problem {
    let detail = "this version has no intervals: its model gives no quantiles, and it was registered without a \
                  `calibration`; register it anew with held-out rows and their outcomes";
    Problem::field("/interval", detail).of_kind(ProblemKind::Unprocessable)
}
