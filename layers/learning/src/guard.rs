//! The guard of a canary: whether it goes on, or back.
//!
//! A bound is broken only when the data prove it, by the tests of [`sequential`](crate::sequential): however often the
//! guard looks, a canary that keeps all of its bounds is sent back with probability `alpha` at most. `alpha` is shared
//! equally among the bounds (Bonferroni).
//!
//! - Error rate, disagreement: the lower end of the rate's interval is above the bound.
//! - Errors against the control: the lower end of the difference's interval is above the margin.
//! - A quantile of latency: *p95 is at most L* says that at most 5 % of the calls take longer than L, and that is a rate.
//! - A quantile against the control's: with half of the level it is shown that at most 5 % of the control's calls take
//!   `x` or longer, and with the other half that more than 5 % of the canary's take `ratio * x` or longer. The buckets'
//!   edges are tried for `x` without further cost, since the counts are monotone in it: if any claim about the control
//!   is false, that at the last edge below its quantile is, and if any about the canary is, that at the first edge
//!   from the quantile on is (as in Howard and Ramdas, *Sequential estimation of quantiles*, Bernoulli 28(3), 2022).

mod bound;

use serde::{Deserialize, Serialize};

pub use bound::{Bound, BoundError, Fraction, Quantile};

use crate::agreement::Agreement;
use crate::arm::ArmCounters;
use crate::sequential::{Alpha, Evidence, Rate, is_above, is_shown_above, is_shown_below};

/// When a canary goes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// The version of this format.
    pub format: crate::Format<1>,
    /// The least number of calls, of each arm that a bound looks at, before it is judged.
    pub min_calls: u64,
    /// The probability, over all bounds and all looks, of sending back a canary that keeps its bounds.
    pub alpha: Alpha,
    /// What it has to keep.
    pub bounds: Vec<Bound>,
}

/// What the guard says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// No bound is broken, as far as is known.
    GoOn {
        /// Each bound.
        findings: Vec<Finding>,
    },
    /// A bound is broken.
    RollBack {
        /// Why, as a sentence for a person.
        reason: String,
        /// Each bound.
        findings: Vec<Finding>,
    },
}

/// One bound and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The bound.
    pub bound: Bound,
    /// What it limits, as it was observed, in its units; nothing without data.
    pub observed: Option<f64>,
    /// How many calls of the treatment (for disagreement: pairs) were looked at.
    pub calls: u64,
    /// What follows.
    pub state: State,
}

/// What is known of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Too few calls to judge.
    TooFewCalls,
    /// Not shown to be broken.
    NotBroken,
    /// Shown to be broken.
    Broken,
}

impl Guard {
    /// Looks at the counters of both arms, and of the requests that both answered.
    #[must_use]
    pub fn look(&self, control: &ArmCounters, treatment: &ArmCounters, agreement: &Agreement) -> Decision {
        let alpha = self.alpha.split(self.bounds.len());
        let look = Look { control, treatment, agreement, alpha, min_calls: self.min_calls };
        let findings: Vec<_> = self.bounds.iter().map(|bound| look.at(*bound)).collect();
        let broken: Vec<_> =
            findings.iter().filter(|finding| finding.state == State::Broken).map(Finding::sentence).collect();
        if broken.is_empty() {
            return Decision::GoOn { findings };
        }
        Decision::RollBack { reason: broken.join("; "), findings }
    }
}

impl Finding {
    fn sentence(&self) -> String {
        let observed = self.observed.map_or_else(|| "unknown".to_owned(), |observed| self.bound.in_units(observed));
        format!("{}, observed {observed} in {} calls", self.bound, self.calls)
    }
}

/// One look at the counters.
struct Look<'a> {
    control: &'a ArmCounters,
    treatment: &'a ArmCounters,
    agreement: &'a Agreement,
    alpha: Alpha,
    min_calls: u64,
}

/// A bound's numbers, before the state is known.
struct Measured {
    observed: Option<f64>,
    calls: u64,
    /// The fewest calls that were looked at on either side.
    fewest: u64,
    breaks: bool,
}

impl Look<'_> {
    fn at(&self, bound: Bound) -> Finding {
        let measured = match bound {
            Bound::ErrorRate { at_most } => self.rate(self.treatment.errors, at_most),
            Bound::Disagreement { at_most } => self.rate(self.agreement.disagreement(), at_most),
            Bound::ErrorExcess { at_most } => self.excess(at_most),
            Bound::Latency { quantile, at_most_ms } => self.latency(quantile, at_most_ms),
            Bound::LatencyRatio { quantile, at_most } => self.latency_ratio(quantile, at_most),
        };
        let state = match measured {
            Measured { fewest, .. } if fewest < self.min_calls => State::TooFewCalls,
            Measured { breaks: true, .. } => State::Broken,
            Measured { breaks: false, .. } => State::NotBroken,
        };
        Finding { bound, observed: measured.observed, calls: measured.calls, state }
    }

    fn rate(&self, rate: Rate, at_most: Fraction) -> Measured {
        let calls = rate.count();
        let breaks = is_shown_above(&rate, at_most.get(), self.alpha);
        Measured { observed: rate.rate(), calls, fewest: calls, breaks }
    }

    fn excess(&self, at_most: Fraction) -> Measured {
        let (control, treatment) = (self.control.errors, self.treatment.errors);
        let observed = control.rate().zip(treatment.rate()).map(|(control, treatment)| treatment - control);
        let fewest = control.count().min(treatment.count());
        let breaks = is_above(&control, &treatment, at_most.get(), self.alpha);
        Measured { observed, calls: treatment.count(), fewest, breaks }
    }

    fn latency(&self, quantile: Quantile, at_most_ms: f64) -> Measured {
        let latency = &self.treatment.latency_ms;
        let slow = latency.at_least(at_most_ms);
        let breaks = is_shown_above(&slow, quantile.rest(), self.alpha);
        Measured { observed: latency.quantile(quantile.share()), calls: slow.count(), fewest: slow.count(), breaks }
    }

    fn latency_ratio(&self, quantile: Quantile, at_most: f64) -> Measured {
        let (control, treatment) = (&self.control.latency_ms, &self.treatment.latency_ms);
        let alpha = self.alpha.split(2);
        let is_rare = |edge: &f64| is_shown_below(&control.at_least(*edge), quantile.rest(), alpha);
        // The first edge from which on the control is shown to be rarely slower; more are only easier for the canary.
        let edge = first_where(&control.edges().collect::<Vec<_>>(), is_rare);
        let breaks =
            edge.is_some_and(|edge| is_shown_above(&treatment.at_least(edge * at_most), quantile.rest(), alpha));
        let of = |histogram: &crate::distribution::Histogram| histogram.quantile(quantile.share());
        let observed = of(control).zip(of(treatment)).map(|(control, treatment)| treatment / control);
        let observed = observed.filter(|ratio| ratio.is_finite());
        Measured { observed, calls: treatment.count(), fewest: control.count().min(treatment.count()), breaks }
    }
}

/// The first of the edges that has a property which all later ones have too.
fn first_where(edges: &[f64], has: impl Fn(&f64) -> bool) -> Option<f64> {
    let lacking = edges.partition_point(|edge| !has(edge));
    edges.get(lacking).copied()
}
