//! Fusion: several members' opinions become one answer, and weights learn from outcomes.
//!
//! A [`Fusion`] is a value: a [`Definition`], a [`Mode`], and the current [`Snapshot`] of what was learned. Each change
//! gives a new value, whose snapshot has the next version, the time that the caller gave, and the cause. The history
//! is the list of those snapshots: keep each where you like, and give one back to [`Fusion::roll_back`].
//!
//! | method | answer | learns by | step | guard against drift to one member |
//! |---|---|---|---|---|
//! | weighted sum | `sum of w_i s_i`, weights sum to 1 | fixed share on absolute errors | `step` | no weight below `share * prior` |
//! | vote | label with the greatest sum of weights | fixed share on wrong votes | `step` | no weight below `share * prior` |
//! | ridge | `a + sum of w_i s_i` | least squares on all outcomes, exactly | none | a penalty on leaving the defined weights |
//! | logistic | `1 / (1 + exp(-(a + sum of w_i logit(p_i))))` | greatest posterior, batch by batch | none | the same |

mod answer;
mod definition;
mod hedge;
mod joint;
mod learn;
mod logistic;
mod opinion;

use serde::{Deserialize, Serialize};

pub use answer::{Answer, Contribution, Fused, Source};
pub use definition::{Definition, DefinitionError, Learning, MAX_MEMBERS, Member, Method};
pub use hedge::Hedge;
pub use joint::JointMoments;
pub use learn::{Outcome, Record, Skipped, Step, Truth};
pub use logistic::{Belief, INTERCEPT_PRECISION};
pub use opinion::{LeftOut, Opinion, Opinions};

/// A fusion and what it learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "AnyFusion")]
pub struct Fusion {
    format: crate::Format<1>,
    definition: Definition,
    mode: Mode,
    current: Snapshot,
}

/// A fusion as it is read, before it is checked.
#[derive(Deserialize)]
struct AnyFusion {
    format: crate::Format<1>,
    definition: Definition,
    mode: Mode,
    current: Snapshot,
}

/// Whether outcomes change weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Mode {
    /// They do.
    Learning,
    /// They do not.
    Frozen {
        /// Since when, in milliseconds since the Unix epoch.
        since_ms: i64,
    },
}

/// What was learned up to some time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The version of this format.
    pub format: crate::Format<1>,
    /// 1 for the definition; each change adds 1.
    pub version: u64,
    /// When, in milliseconds since the Unix epoch, as the caller said.
    pub at_ms: i64,
    /// Why it was made.
    pub cause: Cause,
    /// What was learned.
    pub learned: Learned,
}

/// Why a snapshot was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// The fusion was defined.
    Defined,
    /// Outcomes came.
    Learned {
        /// How many were used.
        outcomes: usize,
    },
    /// An older snapshot was taken up again.
    RolledBack {
        /// Its version.
        to: u64,
    },
}

/// What a fusion knows of its members, in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Learned {
    /// Weights that sum to 1, for sums and votes.
    Weights {
        /// Them.
        weights: Vec<f64>,
        /// How members did.
        records: Vec<Record>,
    },
    /// A linear function.
    Ridge {
        /// Of scores and outcome.
        moments: JointMoments,
        /// What is added to the sum.
        intercept: f64,
        /// The weights of all members, for who wants to see them; answers compute them from the moments.
        weights: Vec<f64>,
    },
    /// A logistic function.
    Logistic {
        /// Of log-odds and outcome.
        moments: JointMoments,
        /// Intercept and weights.
        belief: Belief,
    },
}

/// Why a fusion cannot do what is asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FusionError {
    /// The definition is refused.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// An opinion of nobody.
    #[error("{0:?} is no member of this fusion: use the names of its definition")]
    UnknownMember(String),
    /// No opinion counts.
    #[error("no member gave an opinion that counts: {}", .0.iter().map(|one| format!("{}: {}", one.member, one.reason)).collect::<Vec<_>>().join("; "))]
    NobodyLeft(Vec<LeftOut>),
    /// It is frozen.
    #[error("the fusion is frozen and learns nothing: thaw it first")]
    Frozen,
    /// It never learns.
    #[error("the weights of this fusion are fixed: define it with the rule `fixed_share` to let them learn")]
    Fixed,
    /// A snapshot of something else.
    #[error("snapshot {0} does not fit this fusion's members and method: give one of its own history")]
    WrongSnapshot(u64),
    /// The equations have no solution.
    #[error("the outcomes cannot be fitted: check the scores and outcomes for numbers beyond all scale")]
    Unsolvable,
}

impl Fusion {
    /// A new one; its weights are those of the definition.
    #[must_use]
    pub fn define(definition: Definition, at_ms: i64) -> Self {
        let learned = Learned::first(&definition);
        let current = Snapshot { format: crate::Format, version: 1, at_ms, cause: Cause::Defined, learned };
        Self { format: crate::Format, definition, mode: Mode::Learning, current }
    }

    /// The same under another definition: nothing of what was learned is kept, versions go on.
    #[must_use]
    pub fn redefined(&self, definition: Definition, at_ms: i64) -> Self {
        let learned = Learned::first(&definition);
        Self { definition, ..self.clone() }.next(Cause::Defined, learned, at_ms)
    }

    /// As it was defined.
    #[must_use]
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Whether it learns.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// What it knows now. Keep it: all of them are the history.
    #[must_use]
    pub const fn current(&self) -> &Snapshot {
        &self.current
    }

    /// The same, learning no more. One that is frozen stays so since it was.
    #[must_use]
    pub fn frozen(&self, at_ms: i64) -> Self {
        let mode = match self.mode {
            Mode::Learning => Mode::Frozen { since_ms: at_ms },
            frozen @ Mode::Frozen { .. } => frozen,
        };
        Self { mode, ..self.clone() }
    }

    /// The same, learning again.
    #[must_use]
    pub fn thawed(&self) -> Self {
        Self { mode: Mode::Learning, ..self.clone() }
    }

    /// Takes up an older snapshot as a new version. Frozen stays frozen, learning goes on from it.
    ///
    /// # Errors
    /// The snapshot is not of this fusion's members and method, or not older than the current one.
    pub fn roll_back(&self, to: &Snapshot, at_ms: i64) -> Result<Self, FusionError> {
        if to.version >= self.current.version || !to.learned.fits(&self.definition) {
            return Err(FusionError::WrongSnapshot(to.version));
        }
        Ok(self.next(Cause::RolledBack { to: to.version }, to.learned.clone(), at_ms))
    }

    fn next(&self, cause: Cause, learned: Learned, at_ms: i64) -> Self {
        let version = self.current.version.saturating_add(1);
        Self { current: Snapshot { format: crate::Format, version, at_ms, cause, learned }, ..self.clone() }
    }

    fn check_names(&self, opinions: &Opinions) -> Result<(), FusionError> {
        let is_member = |name: &&String| self.definition.members().iter().any(|member| member.name == **name);
        match opinions.keys().find(|name| !is_member(name)) {
            Some(name) => Err(FusionError::UnknownMember(name.clone())),
            None => Ok(()),
        }
    }

    const fn check_learning(&self) -> Result<(), FusionError> {
        match (self.mode, self.definition.method()) {
            (Mode::Frozen { .. }, _) => Err(FusionError::Frozen),
            (_, Method::WeightedSum { learning: Learning::Fixed, .. } | Method::Vote { learning: Learning::Fixed }) => {
                Err(FusionError::Fixed)
            }
            _ => Ok(()),
        }
    }
}

impl Learned {
    fn first(definition: &Definition) -> Self {
        let members = definition.members().len();
        match definition.method() {
            Method::WeightedSum { .. } | Method::Vote { .. } => {
                Self::Weights { weights: definition.prior(), records: vec![Record::default(); members] }
            }
            Method::Ridge { penalty } => Self::of_ridge(JointMoments::new(members + 1), &definition.prior(), penalty),
            Method::Logistic { penalty } => Self::Logistic {
                moments: JointMoments::new(members + 1),
                belief: Belief::new(&definition.prior(), penalty),
            },
        }
    }

    /// The ridge regression of the last number on all others.
    fn of_ridge(moments: JointMoments, prior: &[f64], penalty: f64) -> Self {
        let members = moments.size().saturating_sub(1);
        let line = moments.ridge(members, &(0..members).collect::<Vec<_>>(), prior, penalty);
        Self::Ridge { moments, intercept: line.intercept, weights: line.weights }
    }

    /// The weights of all members.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        match self {
            Self::Weights { weights, .. } | Self::Ridge { weights, .. } => weights,
            Self::Logistic { belief, .. } => belief.weights(),
        }
    }

    /// What is added to the weighted scores of a stacked fusion; 0 for sums and votes.
    #[must_use]
    pub fn intercept(&self) -> f64 {
        match self {
            Self::Weights { .. } => 0.0,
            Self::Ridge { intercept, .. } => *intercept,
            Self::Logistic { belief, .. } => belief.intercept(),
        }
    }

    /// The confidence that a member earned, by its place in the definition: 0 to 1.
    #[must_use]
    pub fn earned(&self, place: usize) -> f64 {
        match self {
            Self::Weights { records, .. } => records.get(place).copied().unwrap_or_default().confidence(),
            Self::Ridge { moments, .. } | Self::Logistic { moments, .. } => {
                moments.explained(moments.size().saturating_sub(1), place)
            }
        }
    }

    /// Whether it can be of a fusion that was defined so.
    fn fits(&self, definition: &Definition) -> bool {
        let members = definition.members().len();
        match (self, definition.method()) {
            (Self::Weights { weights, records }, Method::WeightedSum { .. } | Method::Vote { .. }) => {
                let sum: f64 = weights.iter().sum();
                let good = |weight: &f64| *weight > 0.0 && *weight <= 1.0 + 1e-9;
                let whole = (sum - 1.0).abs() < 1e-6;
                weights.len() == members && records.len() == members && weights.iter().all(good) && whole
            }
            (Self::Ridge { moments, weights, .. }, Method::Ridge { .. }) => {
                moments.is_of(members + 1) && weights.len() == members
            }
            (Self::Logistic { moments, belief }, Method::Logistic { .. }) => {
                moments.is_of(members + 1) && belief.is_of(members)
            }
            _ => false,
        }
    }
}

impl TryFrom<AnyFusion> for Fusion {
    type Error = FusionError;

    fn try_from(any: AnyFusion) -> Result<Self, Self::Error> {
        if !any.current.learned.fits(&any.definition) {
            return Err(FusionError::WrongSnapshot(any.current.version));
        }
        let AnyFusion { format, definition, mode, current } = any;
        Ok(Self { format, definition, mode, current })
    }
}
