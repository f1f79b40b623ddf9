//! What a trial is judged by when outcomes are known, as a caller says it.

use mandi_core::{Problem, ProblemKind, Result};
use mandi_inference::signature::Role;
use mandi_learning::metric::Metric;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::Version;

/// What the predictions of a trial are judged by, when their outcomes are known (docs/rollout-and-fusion.md).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricSettings {
    /// The metric.
    pub kind: MetricKind,
    /// The greatest error that counts, in the value's unit: larger ones count as this. Above 0; of `absolute_error` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub at_most: Option<f64>,
}

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// The share of right labels.
    Accuracy,
    /// Half of the squared distance of all classes' probabilities from what came: 0 to 1, lower is better.
    BrierScore,
    /// The mean distance of values.
    AbsoluteError,
    /// The mean distance of values over the sum of both sizes: 0 to 1, lower is better.
    Smape,
}

impl MetricSettings {
    /// The metric.
    ///
    /// # Errors
    /// `at_most` is missing, out of range, or given beside another metric.
    pub fn metric(&self) -> Result<Metric> {
        let wrong = |detail: &str| Err(Problem::field("/rollout/metric/at_most", detail));
        let metric = match (self.kind, self.at_most) {
            (MetricKind::AbsoluteError, Some(at_most)) => Metric::AbsoluteError { at_most },
            (MetricKind::AbsoluteError, None) => {
                return wrong("`absolute_error` needs the greatest error that counts, in the value's unit");
            }
            (_, Some(_)) => return wrong("only `absolute_error` has a greatest error"),
            (MetricKind::Accuracy, None) => Metric::Accuracy,
            (MetricKind::BrierScore, None) => Metric::BrierScore,
            (MetricKind::Smape, None) => Metric::Smape,
        };
        if metric.scale().is_err() { wrong("it is a number above 0") } else { Ok(metric) }
    }

    /// Whether a version gives what the metric looks at.
    pub(crate) fn check(&self, version: &Version) -> Result<()> {
        let (role, what) = match self.kind {
            MetricKind::Accuracy => (Role::Label, "label"),
            MetricKind::BrierScore => (Role::Probabilities, "probabilities"),
            MetricKind::AbsoluteError | MetricKind::Smape => (Role::Value, "value"),
        };
        if version.signature.outputs.iter().any(|output| output.role == role) {
            return Ok(());
        }
        let detail = format!("version {} gives no {what}, which this metric is about; choose another", version.version);
        Err(Problem::field("/rollout/metric/kind", detail).of_kind(ProblemKind::Unprocessable))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn given_a_greatest_error_where_none_belongs_or_none_where_one_does_then_the_field_is_named() {
        let said = |kind, at_most| MetricSettings { kind, at_most }.metric().unwrap_err().errors[0].pointer.clone();
        assert_eq!(said(MetricKind::AbsoluteError, None), "/rollout/metric/at_most");
        assert_eq!(said(MetricKind::AbsoluteError, Some(-1.0)), "/rollout/metric/at_most");
        assert_eq!(said(MetricKind::Accuracy, Some(1.0)), "/rollout/metric/at_most");
        let good = MetricSettings { kind: MetricKind::AbsoluteError, at_most: Some(5.0) };
        assert_eq!(good.metric().unwrap(), Metric::AbsoluteError { at_most: 5.0 });
    }
}
