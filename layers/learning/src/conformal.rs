//! Split conformal calibration: intervals and sets with a stated coverage, from held-out rows.
//!
//! With scores `s_1..s_n` of `n` held-out rows, the threshold is the `ceil((n + 1) coverage)`-th least score. If these
//! rows and a new one are exchangeable, the new one's score is at most the threshold with probability `coverage` at
//! least, and at most `coverage + 1 / (n + 1)` where scores have no ties (Lei, G'Sell, Rinaldo, Tibshirani,
//! Wasserman, *Distribution-free predictive inference for regression*, JASA 113, 2018, theorem 2.2). Coverage is over
//! rows, not for each row; it is lost when the rows to come are unlike the held-out ones (drift).
//!
//! | calibration | score | answer |
//! |---|---|---|
//! | [`Absolute`] | `abs(y - value)` | `value -+ t` |
//! | [`Normalised`] | `abs(y - value) / scale` | `value -+ t * scale` |
//! | [`Quantiles`] | `max(lower - y, y - upper)` | `lower - t` to `upper + t` (Romano, Patterson, Candès, *Conformalized quantile regression*, `NeurIPS` 2019) |
//! | [`Classes`] | `1 - probability of y` | classes with a probability of `1 - t` or more (Sadinle, Lei, Wasserman, *Least ambiguous set-valued classifiers*, JASA 114, 2019) |

use serde::{Deserialize, Serialize};

use crate::numbers::float_of;

/// The share of rows that an interval or a set is to hold: above 0, below 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Coverage(f64);

/// A range that holds the true value with a probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub lower: f64,
    /// Its upper end.
    pub upper: f64,
    /// The share of rows whose value it holds.
    pub coverage: f64,
}

/// Why a calibration cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum CalibrationError {
    /// Not a coverage.
    #[error("coverage is {0}: give a number above 0 and below 1, such as 0.95")]
    Coverage(f64),
    /// Too few rows.
    #[error(
        "{rows} held-out rows are too few for a coverage of {coverage}: give {needed} or more, or a lower coverage"
    )]
    TooFewRows {
        /// How many there are.
        rows: usize,
        /// What is asked.
        coverage: f64,
        /// The least number that gives it.
        needed: u64,
    },
    /// A row has no score.
    #[error("held-out row {row} has no finite score: leave out rows whose outcome or prediction is missing{}", .hint)]
    NotFinite {
        /// Its place, from 0.
        row: usize,
        /// What else it may be.
        hint: &'static str,
    },
    /// A scale says nothing.
    #[error("the scale of a prediction is {0}: it has to be above 0")]
    Scale(f64),
    /// A calibration is asked for what it does not give.
    #[error("this calibration was made from {calibrated}, and {given} was given: calibrate the version anew")]
    WrongOutput {
        /// What the calibration takes.
        calibrated: &'static str,
        /// What was given.
        given: &'static str,
    },
}

impl TryFrom<f64> for Coverage {
    type Error = CalibrationError;

    fn try_from(coverage: f64) -> Result<Self, Self::Error> {
        if coverage > 0.0 && coverage < 1.0 { Ok(Self(coverage)) } else { Err(CalibrationError::Coverage(coverage)) }
    }
}

impl From<Coverage> for f64 {
    fn from(coverage: Coverage) -> Self {
        coverage.0
    }
}

/// A held-out row of a model of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOut {
    /// What was predicted.
    pub value: f64,
    /// What came.
    pub outcome: f64,
}

/// A held-out row of a model that also says how uncertain it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOutScaled {
    /// What was predicted.
    pub value: f64,
    /// How uncertain it was, above 0, in any unit (a standard deviation, a predicted absolute error).
    pub scale: f64,
    /// What came.
    pub outcome: f64,
}

/// A held-out row of a model of a lower and an upper quantile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOutQuantiles {
    /// The predicted lower quantile.
    pub lower: f64,
    /// The predicted upper quantile.
    pub upper: f64,
    /// What came.
    pub outcome: f64,
}

/// What calibrations have in common.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// The asked coverage.
    coverage: Coverage,
    /// How many rows were held out.
    rows: usize,
    /// The threshold of the scores.
    threshold: f64,
}

impl Threshold {
    /// From scores of held-out rows; `hint` is said when one is not finite.
    fn of(mut scores: Vec<f64>, coverage: Coverage, hint: &'static str) -> Result<Self, CalibrationError> {
        if let Some(row) = scores.iter().position(|score| !score.is_finite()) {
            return Err(CalibrationError::NotFinite { row, hint });
        }
        let rows = scores.len();
        let index = rank(rows, coverage).checked_sub(1);
        let Some(index) = index.filter(|index| *index < rows) else {
            return Err(CalibrationError::TooFewRows { rows, coverage: coverage.0, needed: needed(coverage) });
        };
        let (_, threshold, _) = scores.select_nth_unstable_by(index, f64::total_cmp);
        Ok(Self { coverage, rows, threshold: *threshold })
    }

    const fn around(&self, lower: f64, upper: f64) -> Interval {
        Interval { lower, upper, coverage: self.coverage.0 }
    }
}

/// `ceil((n + 1) coverage)`; a product that is whole but for rounding is taken as whole.
fn rank(rows: usize, coverage: Coverage) -> usize {
    let product = (float_of(rows) + 1.0) * coverage.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the number of rows + 1")]
    let rank = (product - product * 1e-12).ceil() as usize;
    rank
}

/// The least number of rows whose rank is among them: `ceil(coverage / (1 - coverage))`.
fn needed(coverage: Coverage) -> u64 {
    let ratio = coverage.0 / (1.0 - coverage.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive; `as` saturates")]
    let needed = (ratio - ratio * 1e-12).ceil() as u64;
    needed
}

/// One half width for all rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Absolute(Threshold);

impl Absolute {
    /// From held-out rows.
    ///
    /// # Errors
    /// Too few rows for the coverage; a row whose values are not finite.
    pub fn fit(rows: &[HeldOut], coverage: Coverage) -> Result<Self, CalibrationError> {
        let score = |row: &HeldOut| (row.outcome - row.value).abs();
        Threshold::of(rows.iter().map(score).collect(), coverage, "").map(Self)
    }

    /// Half the width of all intervals.
    #[must_use]
    pub const fn half_width(&self) -> f64 {
        self.0.threshold
    }

    /// Around a prediction.
    #[must_use]
    pub fn interval(&self, value: f64) -> Interval {
        self.0.around(value - self.0.threshold, value + self.0.threshold)
    }
}

/// A half width in proportion to a scale that the model gives for each row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalised(Threshold);

impl Normalised {
    /// From held-out rows.
    ///
    /// # Errors
    /// Too few rows for the coverage; a row whose values are not finite or whose scale is not above 0.
    pub fn fit(rows: &[HeldOutScaled], coverage: Coverage) -> Result<Self, CalibrationError> {
        let score = |row: &HeldOutScaled| {
            if row.scale > 0.0 { (row.outcome - row.value).abs() / row.scale } else { f64::NAN }
        };
        Threshold::of(rows.iter().map(score).collect(), coverage, ", and check that scales are above 0").map(Self)
    }

    /// Around a prediction.
    ///
    /// # Errors
    /// The scale is not above 0.
    pub fn interval(&self, value: f64, scale: f64) -> Result<Interval, CalibrationError> {
        let half_width = self.0.threshold * scale;
        if scale > 0.0 {
            Ok(self.0.around(value - half_width, value + half_width))
        } else {
            Err(CalibrationError::Scale(scale))
        }
    }
}

/// A margin for predicted quantiles; it may be negative, where they were too far apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantiles(Threshold);

impl Quantiles {
    /// From held-out rows.
    ///
    /// # Errors
    /// Too few rows for the coverage; a row whose values are not finite.
    pub fn fit(rows: &[HeldOutQuantiles], coverage: Coverage) -> Result<Self, CalibrationError> {
        let score = |row: &HeldOutQuantiles| {
            let (below, above) = (row.lower - row.outcome, row.outcome - row.upper);
            if below.is_nan() {
                below
            } else if above.is_nan() {
                above
            } else {
                below.max(above)
            }
        };
        Threshold::of(rows.iter().map(score).collect(), coverage, "").map(Self)
    }

    /// From predicted quantiles. Where a negative margin would turn the ends round, both are the middle.
    #[must_use]
    pub fn interval(&self, lower: f64, upper: f64) -> Interval {
        let (low, high) = (lower - self.0.threshold, upper + self.0.threshold);
        let middle = f64::midpoint(low, high);
        if low <= high { self.0.around(low, high) } else { self.0.around(middle, middle) }
    }
}

/// A least probability for a class to be in the set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classes(Threshold);

impl Classes {
    /// From the probabilities that held-out rows gave to their true class.
    ///
    /// # Errors
    /// Too few rows for the coverage; a probability that is not finite.
    pub fn fit(probabilities_of_truth: &[f64], coverage: Coverage) -> Result<Self, CalibrationError> {
        let scores = probabilities_of_truth.iter().map(|probability| 1.0 - probability).collect();
        Threshold::of(scores, coverage, "").map(Self)
    }

    /// The least probability of a class in the set.
    #[must_use]
    pub const fn least_probability(&self) -> f64 {
        1.0 - self.0.threshold
    }

    /// Which classes are in the set, in their order; with a low coverage it may be empty.
    #[must_use]
    pub fn set(&self, probabilities: &[f64]) -> Vec<usize> {
        let holds = |(class, probability): (usize, &f64)| (1.0 - probability <= self.0.threshold).then_some(class);
        probabilities.iter().enumerate().filter_map(holds).collect()
    }
}

/// A calibration of any kind, as a version of a model carries it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The version of this format.
    pub format: crate::Format<1>,
    /// How it was made.
    pub method: Method,
}

/// The kinds of calibration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Method {
    /// One half width.
    Absolute(Absolute),
    /// A half width in proportion to a scale.
    Normalised(Normalised),
    /// A margin for quantiles.
    Quantiles(Quantiles),
    /// A least probability.
    Classes(Classes),
}

/// What a model gave for one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Output {
    /// A value.
    Value(f64),
    /// A value and how uncertain it is.
    Scaled {
        /// The value.
        value: f64,
        /// How uncertain, above 0.
        scale: f64,
    },
    /// A lower and an upper quantile.
    Quantiles {
        /// The lower.
        lower: f64,
        /// The upper.
        upper: f64,
    },
}

impl From<Method> for Calibration {
    fn from(method: Method) -> Self {
        Self { format: crate::Format, method }
    }
}

impl Calibration {
    /// The interval of one row.
    ///
    /// # Errors
    /// The calibration was made from another kind of output.
    pub fn interval(&self, output: Output) -> Result<Interval, CalibrationError> {
        match (self.method, output) {
            (Method::Absolute(method), Output::Value(value) | Output::Scaled { value, .. }) => {
                Ok(method.interval(value))
            }
            (Method::Normalised(method), Output::Scaled { value, scale }) => method.interval(value, scale),
            (Method::Quantiles(method), Output::Quantiles { lower, upper }) => Ok(method.interval(lower, upper)),
            (method, output) => Err(CalibrationError::WrongOutput { calibrated: method.takes(), given: output.name() }),
        }
    }

    /// The coverage that it was made for.
    #[must_use]
    pub const fn coverage(&self) -> f64 {
        self.threshold().coverage.0
    }

    /// How many rows were held out for it.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.threshold().rows
    }

    const fn threshold(&self) -> &Threshold {
        match &self.method {
            Method::Absolute(Absolute(threshold))
            | Method::Normalised(Normalised(threshold))
            | Method::Quantiles(Quantiles(threshold))
            | Method::Classes(Classes(threshold)) => threshold,
        }
    }
}

impl Method {
    const fn takes(self) -> &'static str {
        match self {
            Self::Absolute(_) => "values",
            Self::Normalised(_) => "values with scales",
            Self::Quantiles(_) => "quantiles",
            Self::Classes(_) => "class probabilities",
        }
    }
}

impl Output {
    const fn name(self) -> &'static str {
        match self {
            Self::Value(_) => "a value",
            Self::Scaled { .. } => "a value with a scale",
            Self::Quantiles { .. } => "a pair of quantiles",
        }
    }
}
