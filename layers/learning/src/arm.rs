//! What is counted of an arm, and the report that compares two.

use serde::{Deserialize, Serialize};

use crate::agreement::Agreement;
use crate::distribution::{self, Histogram, Labels, Stability};
use crate::sequential::{Alpha, Comparison, Direction, Evidence, Moments, Range, Rate, Scale, compare, interval};

/// What is counted of the calls of one arm. Instances count apart; the counters of all of them merge.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ArmCounters {
    /// The version of this format.
    pub format: crate::Format<1>,
    /// Hits: calls that failed. Misses: calls that did not.
    pub errors: Rate,
    /// Latencies in milliseconds.
    pub latency_ms: Histogram,
    /// Predicted values.
    pub values: Histogram,
    /// Predicted labels.
    pub labels: Labels,
    /// The metric, of calls whose outcome is known.
    pub metric: Moments,
}

impl ArmCounters {
    /// What both saw.
    #[must_use]
    pub fn merged(self, other: &Self) -> Self {
        Self {
            format: self.format,
            errors: self.errors.merged(other.errors),
            latency_ms: self.latency_ms.merged(&other.latency_ms),
            values: self.values.merged(&other.values),
            labels: self.labels.merged(&other.labels),
            metric: self.metric.merged(other.metric),
        }
    }
}

/// A metric of outcomes, such as the absolute error, or 1 for a right label and 0 for a wrong one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// What values it can have.
    pub scale: Scale,
    /// Which way is good.
    pub direction: Direction,
}

/// What is said of one arm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmReport {
    /// How many calls.
    pub calls: u64,
    /// How many failed.
    pub errors: u64,
    /// The share that failed; nothing before the first call.
    pub error_rate: Option<f64>,
    /// What that share can be, at all looks together.
    pub error_interval: Range,
    /// Quantiles of latency, in milliseconds.
    pub latency_ms: Option<Quantiles>,
    /// Quantiles of the predicted values.
    pub predictions: Option<Quantiles>,
}

/// Quantiles, each right to [`distribution::RELATIVE_ERROR`] of itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// 95 % are at most this.
    pub p95: f64,
    /// 99 % are at most this.
    pub p99: f64,
}

/// The comparison of two arms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version that answered before.
    pub control: ArmReport,
    /// The version that is tried.
    pub treatment: ArmReport,
    /// Error rates compared.
    pub errors: Comparison,
    /// How far the predicted values, or else the labels, moved.
    pub stability: Option<Stability>,
    /// How far both gave the same answers, where both answered.
    pub agreement: Option<AgreementReport>,
    /// The metric compared, where outcomes are known.
    pub metric: Option<MetricReport>,
}

/// How far two arms gave the same answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgreementReport {
    /// The share of equal answers.
    pub share: f64,
    /// What that share can be, at all looks together.
    pub interval: Range,
    /// The mean absolute difference of values.
    pub mean_absolute_difference: Option<f64>,
    /// Pearson's correlation of values.
    pub correlation: Option<f64>,
}

/// A metric of two arms, in its own units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricReport {
    /// The control's mean.
    pub control: f64,
    /// The treatment's mean.
    pub treatment: f64,
    /// How many outcomes of the control are known.
    pub control_count: u64,
    /// How many outcomes of the treatment are known.
    pub treatment_count: u64,
    /// The difference of means.
    pub comparison: Comparison,
}

impl Report {
    /// Compares two arms. `alpha` holds for each comparison by itself.
    #[must_use]
    pub fn of(
        control: &ArmCounters,
        treatment: &ArmCounters,
        agreement: &Agreement,
        metric: Option<Metric>,
        alpha: Alpha,
    ) -> Self {
        let by_label = || distribution::label_stability(&control.labels, &treatment.labels);
        Self {
            control: arm(control, alpha),
            treatment: arm(treatment, alpha),
            errors: compare(&control.errors, &treatment.errors, alpha, Direction::LowerIsBetter),
            stability: distribution::stability(&control.values, &treatment.values).or_else(by_label),
            agreement: agreed(agreement, alpha),
            metric: metric.and_then(|metric| measured(control.metric, treatment.metric, metric, alpha)),
        }
    }
}

fn arm(counters: &ArmCounters, alpha: Alpha) -> ArmReport {
    ArmReport {
        calls: counters.errors.count(),
        errors: counters.errors.hits,
        error_rate: counters.errors.rate(),
        error_interval: interval(&counters.errors, alpha),
        latency_ms: quantiles(&counters.latency_ms),
        predictions: quantiles(&counters.values),
    }
}

fn quantiles(histogram: &Histogram) -> Option<Quantiles> {
    let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| histogram.quantile(share));
    Some(Quantiles { p50: p50?, p95: p95?, p99: p99? })
}

fn agreed(agreement: &Agreement, alpha: Alpha) -> Option<AgreementReport> {
    Some(AgreementReport {
        share: agreement.same.rate()?,
        interval: interval(&agreement.same, alpha),
        mean_absolute_difference: agreement.values.mean_absolute_difference(),
        correlation: agreement.values.correlation(),
    })
}

fn measured(control: Moments, treatment: Moments, metric: Metric, alpha: Alpha) -> Option<MetricReport> {
    if control.count == 0 || treatment.count == 0 {
        return None;
    }
    let unit = compare(&control, &treatment, alpha, metric.direction);
    let in_units = |difference: f64| metric.scale.difference(difference);
    let interval = Range { lower: in_units(unit.interval.lower), upper: in_units(unit.interval.upper) };
    Some(MetricReport {
        control: metric.scale.mean(control.centre()),
        treatment: metric.scale.mean(treatment.centre()),
        control_count: control.count,
        treatment_count: treatment.count,
        comparison: Comparison { estimate: in_units(unit.estimate), interval, ..unit },
    })
}
