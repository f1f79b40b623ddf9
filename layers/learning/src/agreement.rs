//! Agreement of two arms that both answered the same requests (a shadow, or a canary with its control beside it).

use serde::{Deserialize, Serialize};

use crate::numbers::float;
use crate::sequential::Rate;

/// How far the answers of two versions to the same requests agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Hits: pairs that agree. Misses: pairs that do not.
    pub same: Rate,
    /// What is known of pairs of values.
    pub values: PairedValues,
}

impl Agreement {
    /// Two labels for one request: they agree when they are equal.
    pub fn add_labels(&mut self, control: &str, treatment: &str) {
        self.count(control == treatment);
    }

    /// Two values for one request: they agree when they differ by `tolerance` at most. A value that is not finite
    /// agrees with nothing, and is left out of difference and correlation.
    pub fn add_values(&mut self, control: f64, treatment: f64, tolerance: f64) {
        self.count((control - treatment).abs() <= tolerance);
        if control.is_finite() && treatment.is_finite() {
            self.values = self.values.merged(PairedValues::one(control, treatment));
        }
    }

    /// What both saw.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        Self { same: self.same.merged(other.same), values: self.values.merged(other.values) }
    }

    /// How often they did not agree.
    #[must_use]
    pub const fn disagreement(&self) -> Rate {
        Rate { hits: self.same.misses, misses: self.same.hits }
    }

    const fn count(&mut self, agrees: bool) {
        if agrees {
            self.same.hit();
        } else {
            self.same.miss();
        }
    }
}

/// Means and centred second moments of pairs of values. They merge without loss of precision, by the updates of Chan,
/// Golub and `LeVeque` (*Updating formulae and a pairwise algorithm for computing sample variances*, 1979). They are no
/// sums: where several instances count, each keeps its own, and the reader merges them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PairedValues {
    count: u64,
    control_mean: f64,
    treatment_mean: f64,
    control_squares: f64,
    treatment_squares: f64,
    products: f64,
    absolute_mean: f64,
}

impl PairedValues {
    fn one(control: f64, treatment: f64) -> Self {
        Self {
            count: 1,
            control_mean: control,
            treatment_mean: treatment,
            absolute_mean: (control - treatment).abs(),
            ..Self::default()
        }
    }

    /// What both saw.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        let count = self.count.saturating_add(other.count);
        if other.count == 0 || self.count == 0 {
            return if self.count == 0 { other } else { self };
        }
        let share = float(other.count) / float(count);
        let weight = float(self.count) * share;
        let control = other.control_mean - self.control_mean;
        let treatment = other.treatment_mean - self.treatment_mean;
        Self {
            count,
            control_mean: self.control_mean + share * control,
            treatment_mean: self.treatment_mean + share * treatment,
            control_squares: self.control_squares + other.control_squares + weight * control * control,
            treatment_squares: self.treatment_squares + other.treatment_squares + weight * treatment * treatment,
            products: self.products + other.products + weight * control * treatment,
            absolute_mean: self.absolute_mean + share * (other.absolute_mean - self.absolute_mean),
        }
    }

    /// How many pairs.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The mean absolute difference; nothing without pairs.
    #[must_use]
    pub fn mean_absolute_difference(&self) -> Option<f64> {
        (self.count > 0).then_some(self.absolute_mean)
    }

    /// Treatment less control on average; nothing without pairs.
    #[must_use]
    pub fn mean_difference(&self) -> Option<f64> {
        (self.count > 0).then_some(self.treatment_mean - self.control_mean)
    }

    /// Pearson's correlation, -1 to 1; nothing where one side does not vary.
    #[must_use]
    pub fn correlation(&self) -> Option<f64> {
        let correlation = self.products / (self.control_squares.sqrt() * self.treatment_squares.sqrt());
        correlation.is_finite().then(|| correlation.clamp(-1.0, 1.0))
    }
}
