//! Which version of a model serves at a stage: pure transitions, of which every one is kept.

use mandi_core::ids::{ModelId, RolloutId};
use mandi_core::{Problem, Result, Timestamp};
use mandi_learning::guard::{Bound, Fraction, Guard, Quantile};
use mandi_learning::rollout as learning;
use mandi_learning::sequential::Alpha;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::metric::MetricSettings;

/// The most earlier versions that are remembered to go back to.
const MAX_EARLIER: usize = 100;

/// A stage that serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StageName {
    /// To be tried.
    Staging,
    /// What callers get who name nothing else.
    #[default]
    Production,
}

impl StageName {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Staging, Self::Production];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

/// How calls are split between the version that serves and the one that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// A share of the calls gets the new version's answers; a caller's `key` stays with what it got.
    Canary,
    /// The same, to compare two versions that are both thought good.
    Ab,
    /// A share of the calls is answered by both; the new version's answers are recorded and never returned.
    Shadow,
}

/// A version that is tried beside the one that serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Candidate {
    /// The version.
    pub version: u32,
    /// How calls are split.
    pub kind: Split,
    /// The share of calls that it gets, in percent, to a hundredth.
    pub percent: f64,
    /// When it goes back by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardSettings>,
    /// What its predictions are judged by when outcomes are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<MetricSettings>,
    /// This split of the calls: keys are drawn by it, and keep their arm while it lasts.
    #[schema(value_type = String)]
    pub rollout_id: RolloutId,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
}

/// The bounds that a version on trial has to keep. It goes back when the calls show, by a test that may look after each
/// of them, that it breaks one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GuardSettings {
    /// By how much its share of failed calls may exceed the other version's: 0 to 1.
    #[schema(default = 0.05)]
    pub error_excess: f64,
    /// How many times slower than the other version its 95th percentile may be; at least 1.
    #[schema(default = 2.0)]
    pub latency_ratio: f64,
    /// The share of answers that may differ from the other version's, 0 to 1; looked at in a shadow, where both answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disagreement: Option<f64>,
    /// How many calls of each version there have to be before anything is judged.
    #[schema(default = 50)]
    pub min_calls: u64,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self { error_excess: 0.05, latency_ratio: 2.0, disagreement: None, min_calls: 50 }
    }
}

impl GuardSettings {
    /// The guard that keeps these bounds.
    ///
    /// # Errors
    /// A bound is out of range.
    pub fn guard(&self) -> Result<Guard> {
        let share = |name: &str, share: f64| {
            let pointer = format!("/rollout/guard/{name}");
            Fraction::try_from(share).map_err(|fault| Problem::field(pointer, fault.to_string()))
        };
        if !(self.latency_ratio >= 1.0 && self.latency_ratio.is_finite()) {
            return Err(Problem::field("/rollout/guard/latency_ratio", "it is at least 1"));
        }
        let mut bounds = vec![
            Bound::ErrorExcess { at_most: share("error_excess", self.error_excess)? },
            Bound::LatencyRatio { quantile: Quantile::P95, at_most: self.latency_ratio },
        ];
        if let Some(disagreement) = self.disagreement {
            bounds.push(Bound::Disagreement { at_most: share("disagreement", disagreement)? });
        }
        let alpha = Alpha::FIVE_PERCENT;
        Ok(Guard { format: mandi_learning::Format, min_calls: self.min_calls, alpha, bounds })
    }
}

/// What serves at a stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Stage {
    /// The version that serves; none before the first deployment.
    pub version: Option<u32>,
    /// A version that is tried beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Candidate>,
    /// The versions that served before, the latest last: where a roll-back goes.
    #[serde(default)]
    pub earlier: Vec<u32>,
}

/// What is to serve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rollout {
    /// The version serves all calls.
    All,
    /// The version gets a share.
    Share(Share),
}

/// A share of the calls for a version on trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// How calls are split.
    pub kind: Split,
    /// The share, in percent.
    pub percent: f64,
    /// The bounds that the version has to keep.
    pub guard: Option<GuardSettings>,
    /// What it is judged by when outcomes are known; as before, when a trial goes on with another share.
    pub metric: Option<MetricSettings>,
}

impl Share {
    /// A share without bounds and metric.
    pub const fn of(kind: Split, percent: f64) -> Self {
        Self { kind, percent, guard: None, metric: None }
    }
}

/// What a roll-back did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolledBack {
    /// The version that serves no more.
    pub from: u32,
    /// The version that serves.
    pub to: u32,
}

impl Stage {
    /// The stage after a deployment at `now`.
    ///
    /// # Errors
    /// `conflict`: a share was asked for, and nothing serves beside which it could be tried; or a trial that goes on is to
    /// be judged by another metric.
    pub fn deploy(&self, version: u32, rollout: Rollout, now: Timestamp) -> Result<Self> {
        let Share { kind, percent, guard, metric } = match rollout {
            Rollout::All => return Ok(self.serving(version)),
            Rollout::Share(share) => share,
        };
        let conflict = |detail: &str| Err(Problem::conflict(detail));
        match self.version {
            None => return conflict("nothing serves at this stage yet: deploy a version to `all` first"),
            Some(serving) if serving == version => {
                return conflict("this version serves already; try another one beside it, or deploy this one to `all`");
            }
            Some(_) => {}
        }
        // Another percentage of the same trial keeps its draw, so that no key that was in goes out.
        let kept = self.candidate.as_ref().filter(|candidate| candidate.version == version && candidate.kind == kind);
        let candidate = match kept {
            Some(Candidate { metric: Some(before), .. }) if metric.is_some_and(|metric| metric != *before) => {
                return conflict(
                    "the trial is judged by another metric already: leave `metric` out to go on with it, or roll the trial \
                     back and begin it anew",
                );
            }
            Some(candidate) => Candidate { percent, guard, metric: metric.or(candidate.metric), ..candidate.clone() },
            None => {
                let rollout_id = RolloutId::generate();
                Candidate { version, kind, percent, guard, metric, rollout_id, started_at: now }
            }
        };
        Ok(Self { candidate: Some(candidate), ..self.clone() })
    }

    fn serving(&self, version: u32) -> Self {
        let mut earlier = self.earlier.clone();
        earlier.extend(self.version.filter(|serving| *serving != version));
        let surplus = earlier.len().saturating_sub(MAX_EARLIER);
        earlier.drain(..surplus);
        Self { version: Some(version), candidate: None, earlier }
    }

    /// The stage after a roll-back: without the version that was tried, or with the one that served before.
    ///
    /// # Errors
    /// `conflict`: there is nothing to go back to.
    pub fn roll_back(&self) -> Result<(Self, RolledBack)> {
        let nothing = || Problem::conflict("there is no earlier version at this stage to go back to");
        let serving = self.version.ok_or_else(nothing)?;
        if let Some(candidate) = &self.candidate {
            let stage = Self { candidate: None, ..self.clone() };
            return Ok((stage, RolledBack { from: candidate.version, to: serving }));
        }
        let mut earlier = self.earlier.clone();
        let to = earlier.pop().ok_or_else(nothing)?;
        Ok((Self { version: Some(to), candidate: None, earlier }, RolledBack { from: serving, to }))
    }

    /// Who answers a call: the policy of the present trial, or the one version that serves.
    pub fn policy(&self, model: &ModelId) -> Option<learning::Rollout<u32>> {
        let control = self.version?;
        let alone = |policy| Some(learning::Rollout::new(model.as_str().to_owned(), String::new(), policy));
        let Some(candidate) = &self.candidate else { return alone(learning::Policy::All { version: control }) };
        // Both were checked when the trial began.
        let pair = learning::Pair::new(control, candidate.version).ok();
        let Some((versions, percent)) = pair.zip(learning::Percent::try_from(candidate.percent).ok()) else {
            return alone(learning::Policy::All { version: control });
        };
        let policy = match candidate.kind {
            Split::Canary => learning::Policy::Canary { versions, percent },
            Split::Ab => learning::Policy::Ab { versions, percent },
            Split::Shadow => learning::Policy::Shadow { versions, percent },
        };
        let id = candidate.rollout_id.as_str().to_owned();
        Some(learning::Rollout::new(model.as_str().to_owned(), id, policy))
    }

    /// The stage without the trial, if it is still that one.
    pub fn without(&self, rollout: &RolloutId) -> Option<Self> {
        let is_on = self.candidate.as_ref().is_some_and(|candidate| candidate.rollout_id == *rollout);
        is_on.then(|| Self { candidate: None, ..self.clone() })
    }

    /// Whether calls may come to a version.
    pub fn uses(&self, version: u32) -> bool {
        self.version == Some(version) || self.candidate.as_ref().is_some_and(|candidate| candidate.version == version)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::metric::MetricKind;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_795_254_600_000);

    fn after(steps: &[(u32, Rollout)]) -> Stage {
        steps.iter().fold(Stage::default(), |stage, (version, rollout)| stage.deploy(*version, *rollout, NOW).unwrap())
    }

    #[test]
    fn given_two_deployments_when_rolled_back_then_the_first_serves_again() {
        let (stage, done) = after(&[(1, Rollout::All), (2, Rollout::All)]).roll_back().unwrap();
        assert_eq!((stage.version, done), (Some(1), RolledBack { from: 2, to: 1 }));
        assert!(stage.roll_back().is_err());
    }

    #[test]
    fn given_a_trial_when_rolled_back_then_it_ends_and_what_served_serves() {
        let trial = after(&[(1, Rollout::All), (2, Rollout::All), (3, Rollout::Share(Share::of(Split::Canary, 10.0)))]);
        let (stage, done) = trial.roll_back().unwrap();
        assert_eq!((stage.version, stage.candidate, done), (Some(2), None, RolledBack { from: 3, to: 2 }));
    }

    #[test]
    fn given_a_trial_when_its_percentage_changes_then_keys_are_drawn_as_before() {
        let small = after(&[(1, Rollout::All), (2, Rollout::Share(Share::of(Split::Canary, 10.0)))]);
        let large = small.deploy(2, Rollout::Share(Share::of(Split::Canary, 50.0)), NOW).unwrap();
        let id = |stage: &Stage| stage.candidate.as_ref().unwrap().rollout_id.clone();
        assert_eq!(id(&small), id(&large));
        assert_ne!(id(&small), id(&small.deploy(3, Rollout::Share(Share::of(Split::Canary, 10.0)), NOW).unwrap()));
    }

    #[test]
    fn given_a_trial_with_a_metric_when_its_percentage_changes_then_it_is_judged_by_the_same() {
        let share = |percent, kind: Option<MetricKind>| {
            let metric = kind.map(|kind| MetricSettings { kind, at_most: None });
            Rollout::Share(Share { metric, ..Share::of(Split::Ab, percent) })
        };
        let small = after(&[(1, Rollout::All), (2, share(10.0, Some(MetricKind::Accuracy)))]);
        let large = small.deploy(2, share(50.0, None), NOW).unwrap();
        assert_eq!(large.candidate.unwrap().metric.unwrap().kind, MetricKind::Accuracy);
        assert!(small.deploy(2, share(50.0, Some(MetricKind::BrierScore)), NOW).is_err());
    }

    #[test]
    fn given_nothing_that_serves_then_no_version_is_tried_beside_it() {
        assert!(Stage::default().deploy(1, Rollout::Share(Share::of(Split::Shadow, 100.0)), NOW).is_err());
        assert!(after(&[(1, Rollout::All)]).deploy(1, Rollout::Share(Share::of(Split::Ab, 50.0)), NOW).is_err());
    }

    #[test]
    fn given_a_version_that_is_deployed_twice_then_it_is_not_its_own_earlier_one() {
        assert!(after(&[(1, Rollout::All), (1, Rollout::All)]).earlier.is_empty());
    }
}
