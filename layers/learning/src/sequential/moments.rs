//! Means of bounded values.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::{Evidence, Range};
use crate::numbers::float;

/// What values a metric can have; they are taken to 0..1 by it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Range", into = "Range")]
pub struct Scale {
    low: f64,
    high: f64,
}

/// Why a value or a scale is refused.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum NotInScale {
    /// The scale is empty.
    #[error("a scale from {0} to {1} holds no values: give two finite numbers, the lower one first")]
    Empty(f64, f64),
    /// The value is outside.
    #[error("the value {value} is outside {low} to {high}: widen the metric's scale, or clip the metric itself")]
    Outside {
        /// The value.
        value: f64,
        /// The least of the scale.
        low: f64,
        /// The greatest of the scale.
        high: f64,
    },
}

impl Scale {
    /// From 0 to 1.
    pub const UNIT: Self = Self { low: 0.0, high: 1.0 };

    /// From `low` to `high`.
    ///
    /// # Errors
    /// Not finite, or not `low < high`.
    pub fn new(low: f64, high: f64) -> Result<Self, NotInScale> {
        let good = (high - low).is_finite() && low < high;
        if good { Ok(Self { low, high }) } else { Err(NotInScale::Empty(low, high)) }
    }

    fn unit(self, value: f64) -> Result<f64, NotInScale> {
        let outside = NotInScale::Outside { value, low: self.low, high: self.high };
        if (self.low..=self.high).contains(&value) {
            Ok((value - self.low) / (self.high - self.low))
        } else {
            Err(outside)
        }
    }

    /// The scale of differences of two values of this one.
    #[must_use]
    pub fn of_differences(self) -> Self {
        let width = self.high - self.low;
        Self { low: -width, high: width }
    }

    /// A mean on the scale 0..1 in the metric's own units.
    #[must_use]
    pub fn mean(self, unit: f64) -> f64 {
        self.low + unit * (self.high - self.low)
    }

    /// A difference on the scale 0..1 in the metric's own units.
    #[must_use]
    pub fn difference(self, unit: f64) -> f64 {
        unit * (self.high - self.low)
    }
}

impl TryFrom<Range> for Scale {
    type Error = NotInScale;

    fn try_from(range: Range) -> Result<Self, Self::Error> {
        Self::new(range.lower, range.upper)
    }
}

impl From<Scale> for Range {
    fn from(scale: Scale) -> Self {
        Self { lower: scale.low, upper: scale.high }
    }
}

/// Bounded values, as counters that only grow: they can be kept in a store and added to. All are on the scale 0..1.
///
/// The e-process is that of the empirical Bernstein inequality (Howard et al. 2021, theorem 4): with `S` the sum of
/// `x - m`, and `V` the sum of `(x - guess)^2`, where each guess is made before its value is seen,
///
/// ```text
/// E(m) = 1/2 M(S, V) + 1/2 M(-S, V),  M(s, v) = integral of exp(l s - v (-ln(1 - l) - l)) f(l) over l in 0..1
/// ```
///
/// with the gamma-exponential mixing density `f` of proposition 9, at `rho` = [`RHO`]. `M` is summed over a fixed grid
/// of `l` whose weights sum to 1, so that `E` is a martingale mixture itself, not only nearly one. It holds at any
/// count, whatever the values' distribution within the bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squared distances from what was guessed before each.
    pub variation: f64,
}

/// The variation at which the mixture is about tightest is some ten times this (Howard et al. 2021, section 3.5).
/// Values with a standard deviation of 0.1 have a variation of 10 after a thousand.
pub const RHO: f64 = 1.0;

impl Moments {
    /// One more value. The guess is the mean of what these counters saw.
    ///
    /// # Errors
    /// The value is outside the scale.
    pub fn add(&mut self, value: f64, scale: Scale) -> Result<(), NotInScale> {
        let known = *self;
        self.add_beside(value, scale, known)
    }

    /// One more value, where `known` are counters that saw more than these, none of it later: the arm's in the store,
    /// as they were read before, together with these. A better guess makes the interval narrower; any is right.
    ///
    /// # Errors
    /// The value is outside the scale.
    pub fn add_beside(&mut self, value: f64, scale: Scale, known: Self) -> Result<(), NotInScale> {
        let unit = scale.unit(value)?;
        self.count = self.count.saturating_add(1);
        self.sum += unit;
        self.variation += (unit - known.guess()).powi(2);
        Ok(())
    }

    /// What both saw.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            sum: self.sum + other.sum,
            variation: self.variation + other.variation,
        }
    }

    /// The mean, drawn to the middle by one value: a guess of the next one.
    fn guess(&self) -> f64 {
        ((self.sum + 0.5) / (float(self.count) + 1.0)).clamp(0.0, 1.0)
    }
}

impl Evidence for Moments {
    fn centre(&self) -> f64 {
        if self.count == 0 { 0.5 } else { (self.sum / float(self.count)).clamp(0.0, 1.0) }
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn log_evidence(&self, mean: f64) -> f64 {
        let sum = self.sum - float(self.count) * mean;
        let (up, down) = (log_mixture(sum, self.variation), log_mixture(-sum, self.variation));
        log_sum_exp(up, down) - std::f64::consts::LN_2
    }
}

fn log_sum_exp(one: f64, other: f64) -> f64 {
    let (less, more) = (one.min(other), one.max(other));
    more + (less - more).exp().ln_1p()
}

/// One `l` of the mixture.
struct Node {
    l: f64,
    /// `-ln(1 - l) - l`.
    cumulant: f64,
    log_weight: f64,
}

/// Steps of 1/4 in `t = ln(l / (1 - l))`, from -18 (`l` of 1.5e-8, for variations up to about 1e15) to 8.
static GRID: LazyLock<Vec<Node>> = LazyLock::new(|| {
    let at = |step: i32| {
        let t = f64::from(step) / 4.0;
        let l = 1.0 / (1.0 + (-t).exp());
        let rest = 1.0 / (1.0 + t.exp());
        // f(l) is (1 - l)^(rho - 1) exp(-rho (1 - l)) up to a factor, and dl = l (1 - l) dt.
        let log_weight = RHO * rest.ln() - RHO * rest + l.ln();
        Node { l, cumulant: -(-l).ln_1p() - l, log_weight }
    };
    let mut nodes: Vec<_> = (-72..=32).map(at).collect();
    let total: f64 = nodes.iter().map(|node| node.log_weight.exp()).sum();
    for node in &mut nodes {
        node.log_weight -= total.ln();
    }
    nodes
});

/// The natural logarithm of the gamma-exponential mixture.
fn log_mixture(sum: f64, variation: f64) -> f64 {
    let exponent = |node: &Node| node.log_weight + node.l * sum - node.cumulant * variation;
    let greatest = GRID.iter().map(exponent).fold(f64::NEG_INFINITY, f64::max);
    // What is less than e^-40 of the greatest would change nothing.
    let counting = GRID.iter().map(|node| exponent(node) - greatest).filter(|less| *less > -40.0);
    greatest + counting.map(f64::exp).sum::<f64>().ln()
}
