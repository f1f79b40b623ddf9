//! The check of a version before it is kept: its sample runs, and gives what is expected of it.

use bytes::Bytes;
use mandi_core::{FieldError, Problem, ProblemKind, Result};
use mandi_inference::explain::MAX_BACKGROUND;
use mandi_inference::signature::{Bound, Cell, Feature, Kind, Prediction, Row, Scalar};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

use crate::model::SampleCheck;

/// The most rows of a sample.
pub const MAX_SAMPLE_ROWS: usize = 1_000;
/// The difference that is allowed when nothing is said: of 1, or of the number where that is larger.
const TOLERANCE: f64 = 1e-5;

/// Rows, and what the model is expected to answer.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Rows, each with a value by feature, up to 1,000.
    #[schema(value_type = Vec<Object>)]
    pub rows: Vec<Map<String, Json>>,
    /// The expected answer of each row, in their order. Without it the rows only have to run.
    #[serde(default)]
    pub expected: Option<Vec<Expected>>,
    /// The difference that is allowed: of 1, or of the number where that is larger.
    #[serde(default = "tolerance")]
    #[schema(default = 1e-5)]
    pub tolerance: f64,
}

const fn tolerance() -> f64 {
    TOLERANCE
}

/// An expected answer; what is not given is not compared.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The predicted number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    /// The numbers of several targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    values: Option<Vec<f64>>,
    /// The class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<Scalar>,
    /// The probability of each class that is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    probabilities: Option<std::collections::BTreeMap<String, f64>>,
}

impl Sample {
    /// Reads the rows by a signature.
    ///
    /// # Errors
    /// `unprocessable` with each wrong column of the first rows that have one.
    pub fn rows(&self, bound: &Bound) -> Result<Vec<Row>> {
        if !(1..=MAX_SAMPLE_ROWS).contains(&self.rows.len()) {
            let detail = format!("it has {} rows; 1 to {MAX_SAMPLE_ROWS} are taken", self.rows.len());
            return Err(Problem::field("/sample/rows", detail));
        }
        if !(self.tolerance.is_finite() && self.tolerance >= 0.0) {
            return Err(Problem::field("/sample/tolerance", "it is a number of at least 0"));
        }
        if let Some(expected) = &self.expected
            && expected.len() != self.rows.len()
        {
            let detail = format!("there are {} answers for {} rows", expected.len(), self.rows.len());
            return Err(Problem::field("/sample/expected", detail));
        }
        read_rows(bound, &self.rows, "/sample/rows")
    }

    /// Compares the answers with what is expected.
    ///
    /// # Errors
    /// `unprocessable`, with the first rows that differ.
    pub fn check(&self, predictions: &[Prediction]) -> Result<SampleCheck> {
        let expected = self.expected.as_deref().unwrap_or_default();
        let mut largest_difference: f64 = 0.0;
        let mut faults = Vec::new();
        for (row, (expected, found)) in expected.iter().zip(predictions).enumerate() {
            match expected.difference(found, self.tolerance) {
                Ok(difference) => largest_difference = largest_difference.max(difference),
                Err(detail) => faults.push(FieldError { pointer: format!("/sample/expected/{row}"), detail }),
            }
        }
        if faults.is_empty() {
            let compared = expected.len();
            return Ok(SampleCheck { rows: self.rows.len(), compared, largest_difference, tolerance: self.tolerance });
        }
        let detail = format!(
            "the model's answer differs from what is expected in {} of {} rows; the first ones are named",
            faults.len(),
            self.rows.len()
        );
        faults.truncate(10);
        let mut problem = Problem::new(ProblemKind::Unprocessable, detail);
        problem.errors = faults;
        Err(problem)
    }
}

/// Typical rows, with which answers are compared when they are explained: from the training data, as a rule.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Background {
    /// Rows, each with a value by feature, 1 to 1,000.
    #[schema(value_type = Vec<Object>)]
    pub rows: Vec<Map<String, Json>>,
}

impl Background {
    /// Checks the rows by a signature. Returns them as they are kept.
    ///
    /// # Errors
    /// `unprocessable` with each wrong column of the first rows that have one.
    pub fn checked(&self, bound: &Bound) -> Result<Bytes> {
        if !(1..=MAX_BACKGROUND).contains(&self.rows.len()) {
            let detail = format!("it has {} rows; 1 to {MAX_BACKGROUND} are taken", self.rows.len());
            return Err(Problem::field("/background/rows", detail));
        }
        read_rows(bound, &self.rows, "/background/rows")?;
        Ok(serde_json::to_vec(&self.rows).map_err(Problem::internal)?.into())
    }
}

/// The rows of a background as they were kept.
///
/// # Errors
/// They are not what was kept.
pub fn kept_rows(bound: &Bound, kept: &[u8]) -> Result<Vec<Row>> {
    let rows: Vec<Map<String, Json>> = serde_json::from_slice(kept).map_err(Problem::internal)?;
    read_rows(bound, &rows, "/background/rows").map_err(Problem::internal)
}

/// Reads rows by a signature; `pointer` names their list.
pub fn read_rows(bound: &Bound, rows: &[Map<String, Json>], pointer: &str) -> Result<Vec<Row>> {
    let mut faults = Vec::new();
    let mut read = Vec::with_capacity(rows.len());
    for (place, row) in rows.iter().enumerate() {
        match bound.signature().read_row(row) {
            Ok(row) => read.push(row),
            Err(found) => faults.extend(found.into_iter().map(|fault| FieldError {
                pointer: format!("{pointer}/{place}/{}", escaped(&fault.column)),
                detail: fault.detail,
            })),
        }
        if faults.len() >= 10 {
            break;
        }
    }
    let Some(first) = faults.first() else { return Ok(read) };
    let mut problem = Problem::field(first.pointer.clone(), first.detail.clone()).of_kind(ProblemKind::Unprocessable);
    problem.errors = faults;
    Err(problem)
}

/// A name as a part of a JSON pointer (RFC 6901).
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A row that is made of the signature alone, to see whether the model runs.
pub fn made_up(bound: &Bound) -> Row {
    bound.signature().inputs.iter().map(cell).collect()
}

fn cell(feature: &Feature) -> Cell {
    if !feature.shape.is_empty() {
        return Cell::Tensor(vec![0.0; feature.shape.iter().product()]);
    }
    let first = feature.default.as_ref().or(feature.categories.as_ref().and_then(|categories| categories.first()));
    let number = feature.range.and_then(|range| range.min.or(range.max)).unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, reason = "any whole number near the range does")]
    match (first, feature.kind) {
        (Some(Scalar::Text(text)), Kind::String) => Cell::Text(text.clone()),
        (Some(Scalar::Integer(number)), Kind::Integer) => Cell::Integer(*number),
        (Some(Scalar::Number(number)), _) => Cell::Number(*number),
        (_, Kind::String) => Cell::Text(String::new()),
        (_, Kind::Integer) => Cell::Integer(number.ceil() as i64),
        (_, Kind::Boolean) => Cell::Boolean(false),
        (_, Kind::Number | Kind::Timestamp) => Cell::Number(number),
    }
}

impl Expected {
    /// The largest difference to an answer.
    fn difference(&self, found: &Prediction, tolerance: f64) -> Result<f64, String> {
        let mut largest: f64 = 0.0;
        let mut compare = |what: &str, expected: f64, found: f64| {
            let difference = (expected - found).abs() / expected.abs().max(1.0);
            largest = largest.max(difference);
            // A difference that is not a number is none that is small enough.
            if difference <= tolerance { Ok(()) } else { Err(format!("{what} is {found}; {expected} is expected")) }
        };
        if let Some(value) = self.value {
            compare("`value`", value, found.value.ok_or("the model gives no `value`")?)?;
        }
        if let Some(values) = &self.values {
            let found = found.values.as_ref().filter(|found| found.len() == values.len());
            let found = found.ok_or_else(|| format!("the model does not give {} `values`", values.len()))?;
            values.iter().zip(found).try_for_each(|(expected, found)| compare("one of `values`", *expected, *found))?;
        }
        for (class, expected) in self.probabilities.iter().flatten() {
            let named = found.probabilities.iter().flatten().find(|(name, _)| name == class);
            let (_, found) = named.ok_or_else(|| format!("the model gives no probability of `{class}`"))?;
            compare(&format!("the probability of `{class}`"), *expected, *found)?;
        }
        if let Some(expected) = &self.label {
            let found = found.label.as_ref().ok_or("the model gives no `label`")?;
            if found.to_string() != expected.to_string() {
                return Err(format!("`label` is `{found}`; `{expected}` is expected"));
            }
        }
        Ok(largest)
    }
}
