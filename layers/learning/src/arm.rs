//! What is counted of an arm, and the report that compares two.

use serde::{Deserialize, Serialize};

use crate::agreement::Agreement;
use crate::distribution::{self, Histogram, Labels, Stability};
use crate::metric::{Judged, Metric};
use crate::sequential::{Alpha, Comparison, Direction, Evidence, Range, Rate, compare, interval};

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
        }
    }
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
    /// What was measured.
    pub metric: Metric,
    /// The control's.
    pub control: MetricArm,
    /// The treatment's.
    pub treatment: MetricArm,
    /// The difference of means: of pairs, where both arms answered the same rows.
    pub comparison: Comparison,
}

/// A metric of one arm, in its own units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricArm {
    /// The observed mean.
    pub mean: f64,
    /// How many outcomes are known.
    pub count: u64,
    /// What the mean can be, at all looks together.
    pub interval: Range,
}

impl Report {
    /// Compares two arms. `alpha` holds for each comparison by itself.
    #[must_use]
    pub fn of(
        control: &ArmCounters,
        treatment: &ArmCounters,
        agreement: &Agreement,
        outcomes: Option<(Metric, &Judged)>,
        alpha: Alpha,
    ) -> Self {
        let by_label = || distribution::label_stability(&control.labels, &treatment.labels);
        Self {
            control: arm(control, alpha),
            treatment: arm(treatment, alpha),
            errors: compare(&control.errors, &treatment.errors, alpha, Direction::LowerIsBetter),
            stability: distribution::stability(&control.values, &treatment.values).or_else(by_label),
            agreement: agreed(agreement, alpha),
            metric: outcomes.and_then(|(metric, judged)| judged.report(metric, alpha)),
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
