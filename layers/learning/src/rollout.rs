//! Rollout: which version of a model answers a request.
//!
//! The arm is a pure function of the rollout and of the request's key, or of a number that the caller drew:
//!
//! ```text
//! number    = the first 8 bytes, big-endian, of SHA-256(model "\0" rollout "\0" key)
//! bucket    = floor(number * 10,000 / 2^64)                      0 to 9,999
//! treatment = bucket < basis points of the rollout's percentage
//! ```
//!
//! So an arm is the same on each instance and after each restart, and anybody can compute it again. The rule is
//! monotone: a higher percentage adds keys to the treatment and moves none that was in. The id of the rollout is the
//! salt: two rollouts of one model, and one rollout of two models, split their keys independently of each other.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The number of buckets: a percentage has two decimals.
pub const BUCKETS: u16 = 10_000;

/// A percentage with two decimals, 0 to 100. In JSON a number: `12.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Percent(u16);

/// Why a number is no percentage.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("percent is {0}: give a number from 0 to 100 with at most two decimals, such as 12.5")]
pub struct NotAPercentage(f64);

/// Why a rollout cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("both arms have the same version: name another one for the second arm, or use kind `all`")]
pub struct SameVersion;

/// One of the two sides that a rollout compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// The version that answered before.
    Control,
    /// The version that is tried: canary, challenger or shadow.
    Treatment,
}

/// What a request brings to the choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// Its key: a customer, a device, a session. The same key gets the same arm.
    Key(&'a str),
    /// No key: a number that the caller drew for this request alone, uniform over all of `u64`.
    Drawn(u64),
}

/// A control version and another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AnyPair<V>", bound(deserialize = "V: Deserialize<'de> + PartialEq"))]
pub struct Pair<V> {
    control: V,
    treatment: V,
}

/// A pair as it is read, before it is checked.
#[derive(Deserialize)]
struct AnyPair<V> {
    control: V,
    treatment: V,
}

/// How a deployed version takes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", bound(deserialize = "V: Deserialize<'de> + PartialEq"))]
pub enum Policy<V> {
    /// One version answers all requests.
    All {
        /// It.
        version: V,
    },
    /// The treatment answers a share of the requests; by key where there is one, else drawn for each request.
    Canary {
        /// The versions.
        #[serde(flatten)]
        versions: Pair<V>,
        /// The share of the treatment.
        percent: Percent,
    },
    /// The treatment answers a share of the keys. A request without a key gets the control and is not compared: it
    /// could not be kept to its arm.
    Ab {
        /// The versions.
        #[serde(flatten)]
        versions: Pair<V>,
        /// The share of the treatment.
        percent: Percent,
    },
    /// The control answers all requests; the treatment is run beside it on a share of them, and recorded.
    Shadow {
        /// The versions.
        #[serde(flatten)]
        versions: Pair<V>,
        /// The share of the requests that the treatment is run on too.
        percent: Percent,
    },
}

/// A policy in force for one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "V: Deserialize<'de> + PartialEq"))]
pub struct Rollout<V> {
    /// The version of this format.
    pub format: crate::Format<1>,
    /// The model's id.
    pub model: String,
    /// The rollout's id, which salts the buckets. Keep it when the percentage changes.
    pub id: String,
    /// Who answers.
    pub policy: Policy<V>,
}

/// What is done with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice<'a, V> {
    /// This version answers, and the call counts for its arm.
    Compared(Arm, &'a V),
    /// This version answers, and the call counts for no arm.
    Alone(&'a V),
    /// The first version answers; the second one is run beside it, and its answer is recorded only.
    Beside {
        /// The version that answers.
        answers: &'a V,
        /// The version in its shadow.
        shadow: &'a V,
    },
}

impl<V> Choice<'_, V> {
    /// The version whose answer the caller gets.
    #[must_use]
    pub const fn answers(&self) -> &V {
        match self {
            Self::Compared(_, version) | Self::Alone(version) | Self::Beside { answers: version, .. } => version,
        }
    }
}

impl<V: PartialEq> Pair<V> {
    /// Two versions.
    ///
    /// # Errors
    /// They are the same.
    pub fn new(control: V, treatment: V) -> Result<Self, SameVersion> {
        if control == treatment { Err(SameVersion) } else { Ok(Self { control, treatment }) }
    }
}

impl<V> Pair<V> {
    /// The version that answered before.
    #[must_use]
    pub const fn control(&self) -> &V {
        &self.control
    }

    /// The version that is tried.
    #[must_use]
    pub const fn treatment(&self) -> &V {
        &self.treatment
    }

    const fn of(&self, arm: Arm) -> &V {
        match arm {
            Arm::Control => &self.control,
            Arm::Treatment => &self.treatment,
        }
    }
}

impl<V: PartialEq> TryFrom<AnyPair<V>> for Pair<V> {
    type Error = SameVersion;

    fn try_from(pair: AnyPair<V>) -> Result<Self, Self::Error> {
        Self::new(pair.control, pair.treatment)
    }
}

impl Percent {
    /// Of `basis_points` hundredths of a percent.
    ///
    /// # Errors
    /// More than 10,000.
    pub fn from_basis_points(basis_points: u16) -> Result<Self, NotAPercentage> {
        if basis_points <= BUCKETS {
            Ok(Self(basis_points))
        } else {
            Err(NotAPercentage(f64::from(basis_points) / 100.0))
        }
    }

    /// In hundredths of a percent.
    #[must_use]
    pub const fn basis_points(self) -> u16 {
        self.0
    }

    /// Whether a number, uniform over all of `u64`, falls into this share.
    pub(crate) const fn holds(self, number: u64) -> bool {
        bucket(number) < self.0
    }
}

impl TryFrom<f64> for Percent {
    type Error = NotAPercentage;

    fn try_from(percent: f64) -> Result<Self, Self::Error> {
        let basis_points = (percent * 100.0).round();
        let whole = (percent * 100.0 - basis_points).abs() < 1e-6;
        if !whole || !(0.0..=f64::from(BUCKETS)).contains(&basis_points) {
            return Err(NotAPercentage(percent));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, and 0 to 10,000 as checked"
        )]
        Ok(Self(basis_points as u16))
    }
}

impl From<Percent> for f64 {
    fn from(percent: Percent) -> Self {
        Self::from(percent.0) / 100.0
    }
}

/// The bucket of a number that is uniform over all of `u64`: 0 to 9,999.
#[must_use]
pub const fn bucket(number: u64) -> u16 {
    #[expect(clippy::cast_possible_truncation, reason = "the product over 2^64 is below 10,000")]
    let bucket = ((number as u128 * BUCKETS as u128) >> 64) as u16;
    bucket
}

/// The number that a key has in a rollout of a model, uniform over all of `u64`.
#[must_use]
pub fn number(model: &str, rollout: &str, key: &str) -> u64 {
    let mut hash = Sha256::new();
    for part in [model.as_bytes(), b"\0", rollout.as_bytes(), b"\0", key.as_bytes()] {
        hash.update(part);
    }
    hash.finalize().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl<V> Rollout<V> {
    /// A policy for a model. `id` is new for each rollout; neither it nor `model` holds a zero byte.
    #[must_use]
    pub const fn new(model: String, id: String, policy: Policy<V>) -> Self {
        Self { format: crate::Format, model, id, policy }
    }

    /// Who answers a request.
    #[must_use]
    pub fn choose(&self, subject: Subject<'_>) -> Choice<'_, V> {
        let arm = |percent: Percent| if percent.holds(self.number(subject)) { Arm::Treatment } else { Arm::Control };
        match (&self.policy, subject) {
            (Policy::All { version }, _) => Choice::Alone(version),
            (Policy::Ab { versions, .. }, Subject::Drawn(_)) => Choice::Alone(&versions.control),
            (Policy::Canary { versions, percent } | Policy::Ab { versions, percent }, _) => {
                let arm = arm(*percent);
                Choice::Compared(arm, versions.of(arm))
            }
            (Policy::Shadow { versions, percent }, _) => match arm(*percent) {
                Arm::Treatment => Choice::Beside { answers: &versions.control, shadow: &versions.treatment },
                Arm::Control => Choice::Alone(&versions.control),
            },
        }
    }

    fn number(&self, subject: Subject<'_>) -> u64 {
        match subject {
            Subject::Key(key) => number(&self.model, &self.id, key),
            Subject::Drawn(number) => number,
        }
    }
}

impl<V: Clone> Rollout<V> {
    /// The same rollout at another percentage: no key leaves the treatment when it grows, none enters when it shrinks.
    /// One version for all has no percentage and stays as it is.
    #[must_use]
    pub fn at(&self, percent: Percent) -> Self {
        let mut changed = self.clone();
        match &mut changed.policy {
            Policy::All { .. } => {}
            Policy::Canary { percent: old, .. }
            | Policy::Ab { percent: old, .. }
            | Policy::Shadow { percent: old, .. } => {
                *old = percent;
            }
        }
        changed
    }

    /// The version of one arm for all requests: a promotion, or the way back.
    #[must_use]
    pub fn ended_with(&self, arm: Arm) -> Self {
        let version = match &self.policy {
            Policy::All { version } => version,
            Policy::Canary { versions, .. } | Policy::Ab { versions, .. } | Policy::Shadow { versions, .. } => {
                versions.of(arm)
            }
        };
        Self::new(self.model.clone(), self.id.clone(), Policy::All { version: version.clone() })
    }
}
