//! What a fusion is made of.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::hedge::Hedge;

/// The most members of a fusion.
pub const MAX_MEMBERS: usize = 32;

/// A member, and what it counts before anything was learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Its name: a model, a version, or a score that the caller gives.
    pub name: String,
    /// What it counts against the others at the start, and what the guard draws it back to: above 0. All 1 is equal.
    #[serde(default = "one")]
    pub weight: f64,
}

const fn one() -> f64 {
    1.0
}

/// Whether weights learn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Learning {
    /// They stay as they were defined.
    Fixed,
    /// They learn by fixed share.
    FixedShare(Hedge),
}

/// How the members' opinions become one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Method {
    /// The mean of the scores by weight.
    WeightedSum {
        /// How weights learn.
        learning: Learning,
        /// The absolute error that counts as a loss of 1; greater ones count as 1 too. Above 0.
        loss_range: f64,
    },
    /// The label with the greatest sum of weights. With equal, fixed weights it is the plurality.
    Vote {
        /// How weights learn.
        learning: Learning,
    },
    /// A linear function of the scores, fitted on outcomes by ridge regression.
    Ridge {
        /// How strongly the defined weights are preferred, as a sum of squares of scores. Above 0.
        penalty: f64,
    },
    /// The probability of the positive class, by a logistic function of the log-odds of the members' probabilities.
    Logistic {
        /// How strongly the defined weights are preferred, as the precision of a weight. Above 0.
        penalty: f64,
    },
}

/// A fusion as it was defined. What is refused on reading is refused by [`Definition::new`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "AnyDefinition")]
pub struct Definition {
    members: Vec<Member>,
    method: Method,
}

/// A definition as it is read, before it is checked.
#[derive(Deserialize)]
struct AnyDefinition {
    members: Vec<Member>,
    method: Method,
}

/// Why a definition is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DefinitionError {
    /// None or too many.
    #[error("members: there are {0}; give 1 to {MAX_MEMBERS}")]
    Count(usize),
    /// A name that stands twice or is empty.
    #[error("members: the name {0:?} is empty or stands twice; give each member a name of its own")]
    Name(String),
    /// A number out of its range.
    #[error("{field} is {value}: it has to be {rule}")]
    Number {
        /// Which.
        field: &'static str,
        /// As it was given.
        value: f64,
        /// What it may be.
        rule: &'static str,
    },
}

impl Definition {
    /// Of members and a method.
    ///
    /// # Errors
    /// No members or too many, names that are not distinct, numbers out of range.
    pub fn new(members: Vec<Member>, method: Method) -> Result<Self, DefinitionError> {
        if members.is_empty() || members.len() > MAX_MEMBERS {
            return Err(DefinitionError::Count(members.len()));
        }
        let mut names = BTreeSet::new();
        if let Some(member) = members.iter().find(|member| member.name.is_empty() || !names.insert(&member.name)) {
            return Err(DefinitionError::Name(member.name.clone()));
        }
        for member in &members {
            // The bounds keep sums and quotients of weights finite.
            positive("members: weight", member.weight)?;
        }
        let learning = match method {
            Method::WeightedSum { learning, loss_range } => {
                positive("loss_range", loss_range)?;
                learning
            }
            Method::Vote { learning } => learning,
            Method::Ridge { penalty } | Method::Logistic { penalty } => {
                positive("penalty", penalty)?;
                Learning::Fixed
            }
        };
        if let Learning::FixedShare(hedge) = learning {
            hedge.check()?;
        }
        Ok(Self { members, method })
    }

    /// The members, in the order in which all lists of a fusion have them.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// How opinions become one.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The weights at the start; they sum to 1.
    pub(super) fn prior(&self) -> Vec<f64> {
        let total: f64 = self.members.iter().map(|member| member.weight).sum();
        self.members.iter().map(|member| member.weight / total).collect()
    }
}

fn positive(field: &'static str, value: f64) -> Result<(), DefinitionError> {
    let rule = "between 1e-9 and 1e9";
    if (1e-9..=1e9).contains(&value) { Ok(()) } else { Err(DefinitionError::Number { field, value, rule }) }
}

impl TryFrom<AnyDefinition> for Definition {
    type Error = DefinitionError;

    fn try_from(any: AnyDefinition) -> Result<Self, Self::Error> {
        Self::new(any.members, any.method)
    }
}
