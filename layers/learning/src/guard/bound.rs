//! What a canary has to keep.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A fraction, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Fraction(f64);

/// Why a bound is refused.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum BoundError {
    /// Not a fraction.
    #[error("{0} is no fraction: give a number from 0 to 1, such as 0.02 for 2 %")]
    NotAFraction(f64),
    /// A limit of latency that means nothing.
    #[error("a latency of at most {0} ms cannot be kept: give a number above 0")]
    Latency(f64),
    /// A ratio that means nothing.
    #[error("a latency of at most {0} times the control's cannot be kept: give a number of 1 or more")]
    Ratio(f64),
}

impl Fraction {
    /// As a number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Fraction {
    type Error = BoundError;

    fn try_from(fraction: f64) -> Result<Self, Self::Error> {
        if (0.0..=1.0).contains(&fraction) { Ok(Self(fraction)) } else { Err(BoundError::NotAFraction(fraction)) }
    }
}

impl From<Fraction> for f64 {
    fn from(fraction: Fraction) -> Self {
        fraction.0
    }
}

/// A quantile of latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantile {
    /// The median.
    P50,
    /// 95 % of the calls are at most this slow.
    P95,
    /// 99 % of the calls are at most this slow.
    P99,
}

impl Quantile {
    /// The share of calls that are at most this slow.
    #[must_use]
    pub const fn share(self) -> f64 {
        match self {
            Self::P50 => 0.5,
            Self::P95 => 0.95,
            Self::P99 => 0.99,
        }
    }

    /// The share of calls that may be slower.
    pub(super) const fn rest(self) -> f64 {
        match self {
            Self::P50 => 0.5,
            Self::P95 => 0.05,
            Self::P99 => 0.01,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
        }
    }
}

/// One thing that a canary has to keep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "bound", rename_all = "snake_case", try_from = "AnyBound")]
pub enum Bound {
    /// The share of its calls that fail.
    ErrorRate {
        /// The most.
        at_most: Fraction,
    },
    /// The share of its calls that fail, less the control's.
    ErrorExcess {
        /// The most.
        at_most: Fraction,
    },
    /// A quantile of its latency, in milliseconds.
    Latency {
        /// Which.
        quantile: Quantile,
        /// The most. A latency in the bucket that holds it counts as kept: up to 3.2 % more goes unseen.
        at_most_ms: f64,
    },
    /// A quantile of its latency over the control's.
    LatencyRatio {
        /// Which.
        quantile: Quantile,
        /// The most, 1 or more.
        at_most: f64,
    },
    /// The share of the requests that both answered, and answered differently.
    Disagreement {
        /// The most.
        at_most: Fraction,
    },
}

/// A bound as it is read, before it is checked.
#[derive(Deserialize)]
#[serde(tag = "bound", rename_all = "snake_case", deny_unknown_fields)]
enum AnyBound {
    ErrorRate { at_most: Fraction },
    ErrorExcess { at_most: Fraction },
    Latency { quantile: Quantile, at_most_ms: f64 },
    LatencyRatio { quantile: Quantile, at_most: f64 },
    Disagreement { at_most: Fraction },
}

impl TryFrom<AnyBound> for Bound {
    type Error = BoundError;

    fn try_from(bound: AnyBound) -> Result<Self, Self::Error> {
        Ok(match bound {
            AnyBound::ErrorRate { at_most } => Self::ErrorRate { at_most },
            AnyBound::ErrorExcess { at_most } => Self::ErrorExcess { at_most },
            AnyBound::Latency { at_most_ms, .. } if !(at_most_ms.is_finite() && at_most_ms > 0.0) => {
                return Err(BoundError::Latency(at_most_ms));
            }
            AnyBound::Latency { quantile, at_most_ms } => Self::Latency { quantile, at_most_ms },
            AnyBound::LatencyRatio { at_most, .. } if !(at_most.is_finite() && at_most >= 1.0) => {
                return Err(BoundError::Ratio(at_most));
            }
            AnyBound::LatencyRatio { quantile, at_most } => Self::LatencyRatio { quantile, at_most },
            AnyBound::Disagreement { at_most } => Self::Disagreement { at_most },
        })
    }
}

impl Bound {
    /// A number of what it limits, with its unit.
    pub(super) fn in_units(&self, observed: f64) -> String {
        match self {
            Self::ErrorRate { .. } | Self::Disagreement { .. } => format!("{:.2} %", observed * 100.0),
            Self::ErrorExcess { .. } => format!("{:.2} points", observed * 100.0),
            Self::Latency { .. } => format!("{observed:.1} ms"),
            Self::LatencyRatio { .. } => format!("{observed:.2} times"),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, limit) = match self {
            Self::ErrorRate { at_most } => ("error rate".to_owned(), at_most.get()),
            Self::ErrorExcess { at_most } => ("error rate above the control's".to_owned(), at_most.get()),
            Self::Latency { quantile, at_most_ms } => (format!("latency {}", quantile.name()), *at_most_ms),
            Self::LatencyRatio { quantile, at_most } => {
                (format!("latency {} over the control's", quantile.name()), *at_most)
            }
            Self::Disagreement { at_most } => ("disagreement with the control".to_owned(), at_most.get()),
        };
        write!(formatter, "{what} is above {}", self.in_units(limit))
    }
}
