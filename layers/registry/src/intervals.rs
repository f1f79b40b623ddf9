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

    /// Whether there are intervals, by the model or by the calibration; sets of classes are none.
    pub(crate) fn gives_intervals(&self) -> bool {
        let mut levels = self.calibration.iter().flat_map(|known| known.levels());
        self.own.is_some() || levels.any(|level| !matches!(level, Method::Classes(_)))
    }

    /// Puts the intervals or sets of a level into answers.
    pub(crate) fn tell(&self, level: &Method, predictions: &mut [Prediction]) {
        let scale = self.calibration.as_ref().and_then(Calibration::scale);
        for prediction in predictions {
            if let Method::Classes(classes) = level {
                prediction.set = prediction.probabilities.as_ref().map(|known| {
                    let shares: Vec<f64> = known.iter().map(|(_, share)| *share).collect();
                    let named = |place: usize| known.get(place).map(|(name, _)| name.clone());
                    ClassSet {
                        classes: classes.set(&shares).into_iter().filter_map(named).collect(),
                        coverage: of(level),
                    }
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use mandi_inference::signature::Scalar;
    use serde_json::{Value, json};

    fn output(name: &str, role: &str, coverage: Option<f64>) -> Value {
        json!({"name": name, "role": role, "coverage": coverage})
    }

    fn known(outputs: &[Value], calibration: Value) -> Known {
        let signature = serde_json::from_value(json!({"inputs": [], "outputs": outputs})).unwrap();
        Known::new(&signature, serde_json::from_value(calibration).unwrap())
    }

    /// As a version keeps it.
    fn calibration(method: &str, thresholds: &[(f64, f64)]) -> Value {
        let level = |(coverage, threshold): &(f64, f64)| json!({"method": method, "coverage": coverage, "rows": 100, "threshold": threshold});
        let levels: Vec<Value> = thresholds.iter().map(level).collect();
        json!({"format": 1, "source": "rows", "scale": "spread", "levels": levels})
    }

    fn priced(spread: f64) -> Prediction {
        let others = vec![("spread".to_owned(), vec![Scalar::Number(spread)])];
        Prediction { value: Some(100.0), others, ..Prediction::default() }
    }

    fn told(known: &Known, asked: Intervals, mut prediction: Prediction) -> Prediction {
        let level = known.level(asked).unwrap().unwrap();
        known.tell(level, std::slice::from_mut(&mut prediction));
        prediction
    }

    #[test]
    fn given_two_coverages_then_the_first_is_usual_and_the_other_is_told_when_it_is_asked_for() {
        let known = known(&[output("price", "value", None)], calibration("absolute", &[(0.9, 5.0), (0.5, 2.0)]));
        let interval = |asked| told(&known, asked, priced(1.0)).interval;
        let expected = |lower, upper, coverage| Some(Interval { lower, upper, coverage: Some(coverage) });
        assert_eq!(interval(Intervals::Usual), expected(95.0, 105.0, 0.9));
        assert_eq!(interval(Intervals::Of(0.5)), expected(98.0, 102.0, 0.5));
        assert!(known.level(Intervals::Of(0.8)).unwrap_err().detail.contains("it has 0.9, 0.5"));
    }

    #[test]
    fn given_a_scale_that_says_nothing_then_that_row_alone_has_no_interval() {
        let known = known(&[output("price", "value", None)], calibration("normalised", &[(0.9, 2.0)]));
        let width =
            |spread| told(&known, Intervals::Usual, priced(spread)).interval.map(|found| found.upper - found.lower);
        assert_eq!((width(3.0), width(0.0)), (Some(12.0), None));
    }

    #[test]
    fn given_probabilities_then_the_set_has_the_classes_that_reach_the_threshold_in_their_order() {
        let known = known(&[], calibration("classes", &[(0.9, 0.75)]));
        let shares = [("A", 0.6), ("B", 0.1), ("C", 0.3)];
        let probabilities = Some(shares.iter().map(|(name, share)| ((*name).to_owned(), *share)).collect());
        let set = told(&known, Intervals::Usual, Prediction { probabilities, ..Prediction::default() }).set;
        assert_eq!(set, Some(ClassSet { classes: vec!["A".to_owned(), "C".to_owned()], coverage: 0.9 }));
    }

    #[test]
    fn given_quantiles_and_no_calibration_then_their_own_interval_is_the_answer_at_the_coverage_that_they_state() {
        let outputs = [output("low", "lower", None), output("high", "upper", Some(0.8))];
        let known = known(&outputs, Value::Null);
        for asked in [Intervals::Own, Intervals::Usual, Intervals::Of(0.8)] {
            assert!(known.level(asked).unwrap().is_none());
        }
        assert!(known.level(Intervals::Of(0.9)).unwrap_err().detail.contains("it has 0.8"));
    }

    #[test]
    fn given_neither_then_only_what_the_model_gives_can_be_asked_for() {
        let known = known(&[output("price", "value", None)], Value::Null);
        assert!(known.level(Intervals::Own).unwrap().is_none());
        for asked in [Intervals::Usual, Intervals::Of(0.9)] {
            assert!(known.level(asked).unwrap_err().detail.contains("without a `calibration`"));
        }
    }
}
