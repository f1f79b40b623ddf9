//! Calibration of a version: from held-out rows with their outcomes to intervals and sets with a stated coverage.
//!
//! The mathematics is `mandi_learning::conformal`. What is kept with the version is one threshold for each coverage.

use std::collections::BTreeMap;

use mandi_core::{FieldError, Problem, ProblemKind, Result};
use mandi_inference::signature::{Bound, Prediction, Role, Row, Scalar, Signature};
use mandi_learning::Format;
use mandi_learning::conformal::{
    Absolute, CalibrationError, Classes, Coverage, HeldOut, HeldOutQuantiles, HeldOutScaled, Method, Normalised,
    Quantiles,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

use crate::sample::read_rows;

/// The most held-out rows.
const MAX_ROWS: usize = 10_000;
/// The most coverages.
const MAX_COVERAGES: usize = 10;
/// The coverage when none is given.
const USUAL_COVERAGE: f64 = 0.95;

/// Rows that the model was not trained on, with their outcomes: what intervals are calibrated by.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCalibration {
    /// Rows, each with a value by feature, up to 10,000; the model is asked for its predictions.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>)]
    rows: Option<Vec<Map<String, Json>>>,
    /// In place of `rows`: what the model predicted for them, taken at your word.
    #[serde(default)]
    predictions: Option<Vec<HeldOutPrediction>>,
    /// What came of each row, in their order: a number, or the class.
    outcomes: Vec<Scalar>,
    /// The shares of outcomes that intervals are to hold, each above 0 and below 1, up to 10; the first one is told when
    /// none is asked for. 0.95 when nothing is said.
    #[serde(default = "usual_coverages")]
    #[schema(default = json!([0.95]), example = json!([0.95, 0.8]))]
    coverages: Vec<f64>,
    /// How; what the outputs of the signature allow when nothing is said: `quantiles` of a lower and an upper end,
    /// `classes` of probabilities, else `absolute`.
    #[serde(default)]
    method: Option<CalibrationMethod>,
    /// For `normalised`: the output that says how uncertain a prediction is, a number above 0 (a standard deviation, say).
    #[serde(default)]
    scale: Option<String>,
}

fn usual_coverages() -> Vec<f64> {
    vec![USUAL_COVERAGE]
}

/// How a version is calibrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationMethod {
    /// One half width for all rows.
    Absolute,
    /// A half width in proportion to the output `scale`.
    Normalised,
    /// A margin for the model's own lower and upper quantile.
    Quantiles,
    /// A least probability for a class to be in the set.
    Classes,
}

/// What a model predicted for a held-out row; only what the method needs.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeldOutPrediction {
    /// The predicted number.
    #[serde(default)]
    value: Option<f64>,
    /// How uncertain it is, above 0.
    #[serde(default)]
    scale: Option<f64>,
    /// The predicted lower quantile.
    #[serde(default)]
    lower: Option<f64>,
    /// The predicted upper quantile.
    #[serde(default)]
    upper: Option<f64>,
    /// The probability of each class.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    probabilities: Option<BTreeMap<String, f64>>,
}

/// Whose predictions a calibration is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationSource {
    /// The model's own, of rows that were given.
    Rows,
    /// They were given.
    Predictions,
}

/// The calibration that a version carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Calibration {
    /// The version of this form.
    #[schema(value_type = u32)]
    format: Format<1>,
    /// Whose predictions it is of.
    source: CalibrationSource,
    /// The output that says how uncertain a prediction is, where widths are in proportion to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scale: Option<String>,
    /// For each coverage `method`, `coverage`, the number of held-out `rows` and the `threshold` of their scores
    /// (docs/rollout-and-fusion.md). The first one is told when none is asked for.
    #[schema(value_type = Vec<Object>)]
    levels: Vec<Method>,
}

/// What of a calibration is asked of the model.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Its predictions for these rows.
    Rows(Vec<Row>),
    /// Nothing: they were given.
    Nothing,
}

impl NewCalibration {
    /// Checks what does not need predictions, and reads the rows.
    ///
    /// # Errors
    /// What is wrong, by field.
    pub(crate) fn asked(&self, bound: &Bound) -> Result<Asked> {
        let count = self.outcomes.len();
        if !(1..=MAX_ROWS).contains(&count) {
            let detail = format!("there are {count}; 1 to {MAX_ROWS} are taken, one for each row");
            return Err(Problem::field("/calibration/outcomes", detail));
        }
        if !(1..=MAX_COVERAGES).contains(&self.coverages.len()) {
            let detail = format!("there are {}; 1 to {MAX_COVERAGES} are taken", self.coverages.len());
            return Err(Problem::field("/calibration/coverages", detail));
        }
        self.check_scale(bound.signature())?;
        let (given, pointer) = match (&self.rows, &self.predictions) {
            (Some(rows), None) => (rows.len(), "/calibration/rows"),
            (None, Some(predictions)) => (predictions.len(), "/calibration/predictions"),
            _ => {
                return Err(Problem::field(
                    "/calibration",
                    "give either `rows` or `predictions`, with their `outcomes`",
                ));
            }
        };
        if given != count {
            return Err(Problem::field(pointer, format!("there are {given}, and {count} outcomes")));
        }
        match &self.rows {
            Some(rows) => Ok(Asked::Rows(read_rows(bound, rows, pointer)?)),
            None => Ok(Asked::Nothing),
        }
    }

    /// The calibration. `predictions` are the model's of the rows, in their order, where it was asked.
    ///
    /// # Errors
    /// `unprocessable`: too few rows for a coverage, or rows that the method cannot use.
    pub(crate) fn fit(&self, signature: &Signature, predictions: Option<&[Prediction]>) -> Result<Calibration> {
        let given: Vec<HeldOutPrediction>;
        let (source, predictions) = match predictions {
            Some(predictions) => {
                given = predictions.iter().map(|prediction| self.held_out(prediction)).collect();
                (CalibrationSource::Rows, &given[..])
            }
            None => (CalibrationSource::Predictions, self.predictions.as_deref().unwrap_or_default()),
        };
        let scores = self.scores(self.method(signature), predictions)?;
        let mut levels: Vec<Method> = Vec::with_capacity(self.coverages.len());
        for (place, coverage) in self.coverages.iter().enumerate() {
            let pointer = format!("/calibration/coverages/{place}");
            let refused = |error: CalibrationError| Problem::field(pointer.clone(), error.to_string());
            let coverage_asked = Coverage::try_from(*coverage).map_err(refused)?;
            if self.coverages.iter().take(place).any(|earlier| same(*earlier, *coverage)) {
                return Err(Problem::field(pointer, format!("{coverage} stands there twice")));
            }
            let level = scores.threshold(coverage_asked);
            levels.push(level.map_err(|error| of_rows(&error, &pointer))?);
        }
        Ok(Calibration { format: Format, source, scale: self.scale.clone(), levels })
    }

    fn method(&self, signature: &Signature) -> CalibrationMethod {
        let has = |role: Role| signature.outputs.iter().any(|output| output.role == role);
        self.method.unwrap_or(match () {
            () if has(Role::Lower) && has(Role::Upper) => CalibrationMethod::Quantiles,
            () if has(Role::Probabilities) => CalibrationMethod::Classes,
            () => CalibrationMethod::Absolute,
        })
    }

    fn check_scale(&self, signature: &Signature) -> Result<()> {
        const POINTER: &str = "/calibration/scale";
        match (&self.scale, self.method == Some(CalibrationMethod::Normalised)) {
            (None, false) => Ok(()),
            (None, true) => Err(Problem::field(POINTER, "name the output that says how uncertain a prediction is")),
            (Some(_), false) => Err(Problem::field(POINTER, "only the method `normalised` has one")),
            (Some(name), true) => {
                let others = || signature.outputs.iter().filter(|output| output.role == Role::Other);
                if others().any(|output| output.name == *name) {
                    return Ok(());
                }
                let names: Vec<&str> = others().map(|output| output.name.as_str()).collect();
                let detail =
                    format!("the model has no output `{name}` of the role `other`; it has [{}]", names.join(", "));
                Err(Problem::field(POINTER, detail).of_kind(ProblemKind::Unprocessable))
            }
        }
    }

    fn held_out(&self, prediction: &Prediction) -> HeldOutPrediction {
        let interval = prediction.interval.as_ref();
        HeldOutPrediction {
            value: prediction.value,
            scale: self.scale.as_deref().and_then(|name| scale_of(prediction, name)),
            lower: interval.map(|interval| interval.lower),
            upper: interval.map(|interval| interval.upper),
            probabilities: prediction.probabilities.as_ref().map(|classes| classes.iter().cloned().collect()),
        }
    }

    /// The held-out rows as the method takes them.
    fn scores(&self, method: CalibrationMethod, predictions: &[HeldOutPrediction]) -> Result<Scores> {
        let rows = || predictions.iter().zip(&self.outcomes).enumerate();
        match method {
            CalibrationMethod::Absolute => {
                let row = |(row, (found, outcome)): (usize, (&HeldOutPrediction, &Scalar))| {
                    Ok(HeldOut { value: number(found.value, "value", row)?, outcome: outcome_number(outcome, row)? })
                };
                rows().map(row).collect::<Result<_>>().map(Scores::Absolute)
            }
            CalibrationMethod::Normalised => {
                let row = |(row, (found, outcome)): (usize, (&HeldOutPrediction, &Scalar))| {
                    Ok(HeldOutScaled {
                        value: number(found.value, "value", row)?,
                        scale: number(found.scale, "scale", row)?,
                        outcome: outcome_number(outcome, row)?,
                    })
                };
                rows().map(row).collect::<Result<_>>().map(Scores::Normalised)
            }
            CalibrationMethod::Quantiles => {
                let row = |(row, (found, outcome)): (usize, (&HeldOutPrediction, &Scalar))| {
                    Ok(HeldOutQuantiles {
                        lower: number(found.lower, "lower", row)?,
                        upper: number(found.upper, "upper", row)?,
                        outcome: outcome_number(outcome, row)?,
                    })
                };
                rows().map(row).collect::<Result<_>>().map(Scores::Quantiles)
            }
            CalibrationMethod::Classes => {
                let row = |(row, (found, outcome)): (usize, (&HeldOutPrediction, &Scalar))| {
                    let classes = found.probabilities.as_ref().ok_or_else(|| missing("probabilities", row))?;
                    classes.get(&outcome.to_string()).copied().ok_or_else(|| {
                        let names: Vec<&str> = classes.keys().take(10).map(String::as_str).collect();
                        let detail = format!("the model knows no class `{outcome}`; it knows {}", names.join(", "));
                        Problem::field(format!("/calibration/outcomes/{row}"), detail)
                            .of_kind(ProblemKind::Unprocessable)
                    })
                };
                rows().map(row).collect::<Result<_>>().map(Scores::Classes)
            }
        }
    }
}

/// Held-out rows, as a method takes them.
enum Scores {
    Absolute(Vec<HeldOut>),
    Normalised(Vec<HeldOutScaled>),
    Quantiles(Vec<HeldOutQuantiles>),
    /// The probabilities of the classes that came.
    Classes(Vec<f64>),
}

impl Scores {
    fn threshold(&self, coverage: Coverage) -> Result<Method, CalibrationError> {
        match self {
            Self::Absolute(rows) => Absolute::fit(rows, coverage).map(Method::Absolute),
            Self::Normalised(rows) => Normalised::fit(rows, coverage).map(Method::Normalised),
            Self::Quantiles(rows) => Quantiles::fit(rows, coverage).map(Method::Quantiles),
            Self::Classes(rows) => Classes::fit(rows, coverage).map(Method::Classes),
        }
    }
}

impl Calibration {
    /// How it was made, for each coverage.
    pub(crate) fn levels(&self) -> &[Method] {
        &self.levels
    }

    /// The output that says how uncertain a prediction is.
    pub(crate) fn scale(&self) -> Option<&str> {
        self.scale.as_deref()
    }
}

/// A prediction's number of the output that says how uncertain it is.
pub(crate) fn scale_of(prediction: &Prediction, name: &str) -> Option<f64> {
    let (_, found) = prediction.others.iter().find(|(other, _)| other == name)?;
    match &found[..] {
        [one] => as_number(one),
        _ => None,
    }
}

/// Whether two coverages are the same but for rounding.
pub(crate) fn same(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9
}

fn as_number(scalar: &Scalar) -> Option<f64> {
    match scalar {
        Scalar::Number(number) => Some(*number),
        #[expect(clippy::cast_precision_loss, reason = "an outcome or a scale, as a number")]
        Scalar::Integer(number) => Some(*number as f64),
        Scalar::Boolean(_) | Scalar::Text(_) => None,
    }
}

fn number(found: Option<f64>, what: &str, row: usize) -> Result<f64> {
    found.ok_or_else(|| missing(what, row))
}

fn outcome_number(outcome: &Scalar, row: usize) -> Result<f64> {
    as_number(outcome).ok_or_else(|| {
        let detail = format!("it is `{outcome}`; a number is expected");
        Problem::field(format!("/calibration/outcomes/{row}"), detail).of_kind(ProblemKind::Unprocessable)
    })
}

fn missing(what: &str, row: usize) -> Problem {
    let detail = format!(
        "the prediction of row {row} has no `{what}`, which the method needs; choose the `method` that fits the outputs"
    );
    Problem::field("/calibration/method", detail).of_kind(ProblemKind::Unprocessable)
}

fn of_rows(error: &CalibrationError, coverage: &str) -> Problem {
    let pointer = match error {
        CalibrationError::NotFinite { row, .. } => format!("/calibration/outcomes/{row}"),
        _ => coverage.to_owned(),
    };
    let mut problem = Problem::new(ProblemKind::Unprocessable, format!("`{pointer}`: {error}"));
    problem.errors.push(FieldError { pointer, detail: error.to_string() });
    problem
}
