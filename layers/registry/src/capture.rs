//! Which calls of a model are kept, as a caller says it.

use mandi_core::{Problem, Result};
use mandi_learning::capture::CapturePolicy;
use mandi_learning::rollout::Percent;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which calls of a model are kept with their answers (docs/capture.md).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaptureSettings {
    /// None, a share, or each.
    #[serde(default)]
    pub policy: CaptureChoice,
    /// The share, in percent, to a hundredth, above 0 and at most 100; of `percentage` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100)]
    pub percent: Option<f64>,
}

/// How many calls are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CaptureChoice {
    /// None.
    #[default]
    Off,
    /// A share of them.
    Percentage,
    /// Each.
    All,
}

impl CaptureSettings {
    /// The policy.
    ///
    /// # Errors
    /// A percentage is missing, out of range, or given beside another choice.
    pub fn policy(&self) -> Result<CapturePolicy> {
        let wrong = |detail: String| Problem::field("/capture/percent", detail);
        match (self.policy, self.percent) {
            (CaptureChoice::Off, None) => Ok(CapturePolicy::Off),
            (CaptureChoice::All, None) => Ok(CapturePolicy::All),
            (CaptureChoice::Percentage, Some(percent)) if percent > 0.0 => {
                let percent = Percent::try_from(percent).map_err(|fault| wrong(fault.to_string()))?;
                Ok(CapturePolicy::Percentage { percent })
            }
            (CaptureChoice::Percentage, Some(percent)) => {
                Err(wrong(format!("{percent} is out of range; it is above 0 and at most 100")))
            }
            (CaptureChoice::Percentage, None) => {
                Err(wrong("the policy `percentage` needs a percentage, above 0 and at most 100".to_owned()))
            }
            (CaptureChoice::Off | CaptureChoice::All, Some(_)) => {
                Err(wrong("only the policy `percentage` has a percentage".to_owned()))
            }
        }
    }

    /// In words, for the audit trail.
    pub(crate) fn in_words(&self) -> String {
        match (self.policy, self.percent) {
            (CaptureChoice::Off, _) => "no calls are captured".to_owned(),
            (CaptureChoice::Percentage, percent) => {
                format!("{} % of the calls are captured", percent.unwrap_or_default())
            }
            (CaptureChoice::All, _) => "all calls are captured".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn policy(json: &str) -> Result<CapturePolicy> {
        serde_json::from_str::<CaptureSettings>(json).unwrap().policy()
    }

    #[test]
    fn each_choice_is_a_policy_and_nothing_said_means_off() {
        let quarter = CapturePolicy::Percentage { percent: Percent::try_from(0.25).unwrap() };
        for (json, expected) in [
            ("{}", CapturePolicy::Off),
            (r#"{"policy":"off"}"#, CapturePolicy::Off),
            (r#"{"policy":"percentage","percent":0.25}"#, quarter),
            (r#"{"policy":"all"}"#, CapturePolicy::All),
        ] {
            assert_eq!(policy(json).unwrap(), expected, "{json}");
        }
    }

    #[test]
    fn a_percentage_that_cannot_be_is_refused_with_its_field() {
        for json in [
            r#"{"policy":"percentage"}"#,
            r#"{"policy":"percentage","percent":0}"#,
            r#"{"policy":"percentage","percent":100.5}"#,
            r#"{"policy":"percentage","percent":1.234}"#,
            r#"{"policy":"all","percent":5}"#,
            r#"{"percent":5}"#,
        ] {
            assert_eq!(policy(json).unwrap_err().errors[0].pointer, "/capture/percent", "{json}");
        }
    }
}
