//! Rates: events among calls.

use libm::lgamma;
use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::numbers::float;

/// How often something happened. Both counters only grow, so that they can be kept in a store and added to.
///
/// The e-process is the beta-binomial mixture with the prior `Beta(1/2, 1/2)`: with `s` hits and `f` misses
///
/// ```text
/// E(p) = B(s + 1/2, f + 1/2) / B(1/2, 1/2) / (p^s (1 - p)^f)
/// ```
///
/// exact at every count, without any approximation. (The mixture of Krichevsky and Trofimov, IEEE Transactions on
/// Information Theory 27(2), 1981; it needs no tuning and costs about `ln(n) / 2` against the best `p`.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// How often it happened.
    pub hits: u64,
    /// How often it did not.
    pub misses: u64,
}

impl Rate {
    /// Of `hits` among `calls`; more hits than calls count as all.
    #[must_use]
    pub const fn of(hits: u64, calls: u64) -> Self {
        Self { hits, misses: calls.saturating_sub(hits) }
    }

    /// One more call.
    pub const fn hit(&mut self) {
        self.hits = self.hits.saturating_add(1);
    }

    /// One more call at which it did not happen.
    pub const fn miss(&mut self) {
        self.misses = self.misses.saturating_add(1);
    }

    /// What both saw.
    #[must_use]
    pub const fn merged(self, other: Self) -> Self {
        Self { hits: self.hits.saturating_add(other.hits), misses: self.misses.saturating_add(other.misses) }
    }

    /// The observed rate; nothing before the first call.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        crate::numbers::share(self.hits, self.count())
    }
}

impl Evidence for Rate {
    fn centre(&self) -> f64 {
        self.rate().unwrap_or(0.5)
    }

    fn count(&self) -> u64 {
        self.hits.saturating_add(self.misses)
    }

    fn log_evidence(&self, mean: f64) -> f64 {
        let (hits, misses) = (float(self.hits), float(self.misses));
        log_beta(hits + 0.5, misses + 0.5) - LOG_PI - times_log(hits, mean) - times_log(misses, 1.0 - mean)
    }
}

/// `ln B(1/2, 1/2) = ln(pi)`.
const LOG_PI: f64 = 1.144_729_885_849_400_2;

fn log_beta(a: f64, b: f64) -> f64 {
    lgamma(a) + lgamma(b) - lgamma(a + b)
}

/// `count * ln(share)`, with nothing of nothing as 0.
fn times_log(count: f64, share: f64) -> f64 {
    if count > 0.0 { count * share.max(0.0).ln() } else { 0.0 }
}
