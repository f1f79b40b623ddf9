//! Comparison of two arms that may be looked at as often as one likes.
//!
//! Method. Each arm has an *e-process*: for each possible mean `m`, a test martingale `E(m)` that starts at 1 and, when
//! `m` is the true mean, exceeds `1/alpha` at *any* time with probability at most `alpha` (Ville's inequality). Here it
//! is a mixture martingale (mixture sequential probability ratio test; Robbins 1970): beta-binomial for rates
//! ([`Rate`]), gamma-exponential over the empirical-Bernstein process for bounded values ([`Moments`]). The arms are
//! independent given what was assigned before, so that the product `E_control(m) * E_treatment(m')` is a martingale
//! again at the true pair. The pairs at which it is below `1/alpha` are a confidence region that holds at all times
//! together, and its shadow on `m' - m` is the interval that [`compare`] gives: with `alpha` = 5 % it holds the true
//! difference at all looks together with probability at least 95 %. A verdict is the interval leaving 0.
//!
//! Where both arms answer the same rows the product is no martingale, since the arms are not independent; there the
//! differences of each row are one sequence of bounded values, and [`compare_pairs`] gives its interval.
//!
//! All looks together spend at most `alpha`; there is no plan of looks, no end, and nothing to book for each look.
//! Assignment may change while the test runs (a canary's percentage), as long as it does not look into the future.
//!
//! Sources: Howard, Ramdas, McAuliffe, Sekhon, *Time-uniform, nonparametric, nonasymptotic confidence sequences*,
//! Annals of Statistics 49(2), 2021 (arXiv 1810.08240), theorem 4 and proposition 9; Robbins, *Statistical methods
//! related to the law of the iterated logarithm*, Annals of Mathematical Statistics 41(5), 1970; for the infimum over
//! a composite null: Ramdas, Grünwald, Vovk, Shafer, *Game-theoretic statistics and safe anytime-valid inference*,
//! Statistical Science 38(4), 2023.

mod compare;
mod moments;
mod rate;

use serde::{Deserialize, Serialize};

pub(crate) use compare::is_above;
pub use compare::{Comparison, Direction, Verdict, compare, compare_pairs};
pub use moments::{Moments, NotInScale, Scale};
pub use rate::Rate;

/// An arm's evidence about its own mean, on the scale 0 to 1.
pub trait Evidence {
    /// The arm's observed mean, 0 to 1; the middle before the first observation.
    fn centre(&self) -> f64;

    /// How many observations there are.
    fn count(&self) -> u64;

    /// The natural logarithm of the e-process at a mean: convex in it, at its least at the centre, 0 without data.
    fn log_evidence(&self, mean: f64) -> f64;
}

/// The share of false alarms that all looks together may give: between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Alpha(f64);

/// Why a number is no level.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("alpha is {0}: give a number above 0 and below 1, such as 0.05")]
pub struct NotALevel(f64);

impl Alpha {
    /// 5 %, for intervals of 95 %.
    pub const FIVE_PERCENT: Self = Self(0.05);

    /// One of so many equal parts (Bonferroni), for that many tests at once; of none, all of it.
    #[must_use]
    pub fn split(self, parts: usize) -> Self {
        Self(self.0 / crate::numbers::float_of(parts.max(1)))
    }

    /// As a number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The natural logarithm of the evidence that rejects.
    fn log_threshold(self) -> f64 {
        -self.0.ln()
    }
}

impl TryFrom<f64> for Alpha {
    type Error = NotALevel;

    fn try_from(alpha: f64) -> Result<Self, Self::Error> {
        if alpha > 0.0 && alpha < 1.0 { Ok(Self(alpha)) } else { Err(NotALevel(alpha)) }
    }
}

impl From<Alpha> for f64 {
    fn from(alpha: Alpha) -> Self {
        alpha.0
    }
}

/// A range of numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The least.
    pub lower: f64,
    /// The greatest.
    pub upper: f64,
}

/// The means that an arm's data do not reject: a confidence sequence for one arm, on the scale 0 to 1.
#[must_use]
pub fn interval(arm: &impl Evidence, alpha: Alpha) -> Range {
    let accepts = |mean: f64| arm.log_evidence(mean) < alpha.log_threshold();
    Range { lower: edge(accepts, arm.centre(), 0.0), upper: edge(accepts, arm.centre(), 1.0) }
}

/// Whether the data show that an arm's mean is above a limit: the limit is below its [`interval`].
pub(crate) fn is_shown_above(arm: &impl Evidence, limit: f64, alpha: Alpha) -> bool {
    arm.centre() > limit && arm.log_evidence(limit) >= alpha.log_threshold()
}

/// Whether the data show that an arm's mean is below a limit: the limit is above its [`interval`].
pub(crate) fn is_shown_below(arm: &impl Evidence, limit: f64, alpha: Alpha) -> bool {
    arm.centre() < limit && arm.log_evidence(limit) >= alpha.log_threshold()
}

/// Where `accepts` ends on the way from `inside` to `outside`: the last accepted point, rounded outwards.
fn edge(accepts: impl Fn(f64) -> bool, inside: f64, outside: f64) -> f64 {
    if accepts(outside) {
        return outside;
    }
    let (mut inside, mut outside) = (inside, outside);
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(inside, outside);
        if accepts(middle) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    outside
}

/// Halvings of a range of length 2 at most: an end is at most 3e-8 further out than it need be.
const BISECTIONS: u32 = 26;
