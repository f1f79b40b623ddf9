//! The difference of two arms.

use serde::{Deserialize, Serialize};

use super::{Alpha, Evidence, Range, edge};

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Errors, losses, latency.
    LowerIsBetter,
    /// Accuracy, gains.
    HigherIsBetter,
}

/// What is known of the treatment against the control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The treatment is better.
    Better,
    /// The treatment is worse.
    Worse,
    /// The data do not tell them apart yet.
    NoDifferenceYet,
}

/// The outcome of one look. Differences are treatment less control, on the scale 0..1 (a rate, or a value in its
/// scale; see [`Scale::difference`](super::Scale::difference)).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The verdict.
    pub verdict: Verdict,
    /// The observed difference.
    pub estimate: f64,
    /// What the difference can be: it holds the true one at all looks together with probability `1 - alpha`.
    pub interval: Range,
    /// The always-valid p-value: the least `alpha` at which this look would tell the arms apart.
    pub p_value: f64,
    /// What all looks together spend: the probability that any of them tells equal arms apart is at most this.
    pub alpha: Alpha,
}

/// Compares a treatment with a control. Look as often as you like; see the [module](super).
#[must_use]
pub fn compare<E: Evidence>(control: &E, treatment: &E, alpha: Alpha, direction: Direction) -> Comparison {
    let estimate = treatment.centre() - control.centre();
    let interval = difference(control, treatment, alpha);
    let p_value = (-least_log_evidence(control, treatment, 0.0, f64::NEG_INFINITY)).exp().min(1.0);
    Comparison { verdict: verdict(interval, direction), estimate, interval, p_value, alpha }
}

/// Compares a treatment with a control by the differences of the rows that both answered, on the scale of
/// [`Scale::of_differences`](super::Scale::of_differences). Look as often as you like; see the [module](super).
#[must_use]
pub fn compare_pairs(differences: &impl Evidence, alpha: Alpha, direction: Direction) -> Comparison {
    // The scale 0..1 stands for -1..1.
    let difference = |unit: f64| 2.0 * unit - 1.0;
    let known = super::interval(differences, alpha);
    let interval = Range { lower: difference(known.lower), upper: difference(known.upper) };
    let p_value = (-differences.log_evidence(0.5)).exp().min(1.0);
    let estimate = difference(differences.centre());
    Comparison { verdict: verdict(interval, direction), estimate, interval, p_value, alpha }
}

fn verdict(interval: Range, direction: Direction) -> Verdict {
    match direction {
        _ if interval.lower <= 0.0 && interval.upper >= 0.0 => Verdict::NoDifferenceYet,
        Direction::LowerIsBetter if interval.upper < 0.0 => Verdict::Better,
        Direction::HigherIsBetter if interval.lower > 0.0 => Verdict::Better,
        Direction::LowerIsBetter | Direction::HigherIsBetter => Verdict::Worse,
    }
}

impl Comparison {
    /// The same, with differences in the units of a scale.
    #[must_use]
    pub fn in_units(self, scale: super::Scale) -> Self {
        let units = |difference: f64| scale.difference(difference);
        let interval = Range { lower: units(self.interval.lower), upper: units(self.interval.upper) };
        Self { estimate: units(self.estimate), interval, ..self }
    }
}

/// The differences of means that the data do not reject.
fn difference<E: Evidence>(control: &E, treatment: &E, alpha: Alpha) -> Range {
    let estimate = treatment.centre() - control.centre();
    let threshold = alpha.log_threshold();
    let accepts = |difference: f64| least_log_evidence(control, treatment, difference, threshold) < threshold;
    Range { lower: edge(accepts, estimate, -1.0), upper: edge(accepts, estimate, 1.0) }
}

/// Whether the treatment's mean is above the control's by more than a margin: one test, of the given level.
#[must_use]
pub(crate) fn is_above<E: Evidence>(control: &E, treatment: &E, margin: f64, alpha: Alpha) -> bool {
    let threshold = alpha.log_threshold();
    treatment.centre() - control.centre() > margin
        && least_log_evidence(control, treatment, margin, threshold) >= threshold
}

/// The evidence against a difference: the least over all pairs of means that have it. Convex in the difference. Once it
/// is known to be below `enough`, it is looked for no further.
fn least_log_evidence<E: Evidence>(control: &E, treatment: &E, difference: f64, enough: f64) -> f64 {
    let at = |mean: f64| control.log_evidence(mean) + treatment.log_evidence(mean + difference);
    // Each summand grows away from its own centre, so the least is between them, within 0..1 for both.
    let (one, other) = (control.centre(), treatment.centre() - difference);
    let (lowest, highest) = ((-difference).max(0.0), (1.0 - difference).min(1.0));
    let within = |mean: f64| mean.min(highest).max(lowest);
    golden_section(at, within(one.min(other)), within(one.max(other)), enough)
}

/// The least of a convex function between two points, to 1e-10 of its value, or a value below `enough`.
fn golden_section(at: impl Fn(f64) -> f64, low: f64, high: f64, enough: f64) -> f64 {
    const SHARE: f64 = 0.618_033_988_749_894_8;
    let with_value = |mean: f64| (mean, at(mean));
    let between = |low: f64, high: f64, share: f64| with_value(low + (high - low) * share);
    let (mut low, mut high) = (with_value(low), with_value(high));
    let mut left = between(low.0, high.0, 1.0 - SHARE);
    let mut right = between(low.0, high.0, SHARE);
    for _ in 0..56 {
        let least = left.1.min(right.1);
        let known = low.1.max(high.1) - least <= 1e-10 * least.abs().max(1.0);
        if known || least < enough {
            break;
        }
        if left.1 <= right.1 {
            (high, right) = (right, left);
            left = between(low.0, high.0, 1.0 - SHARE);
        } else {
            (low, left) = (left, right);
            right = between(low.0, high.0, SHARE);
        }
    }
    [low, high, left, right].into_iter().fold(f64::INFINITY, |least, (_, value)| least.min(value))
}
