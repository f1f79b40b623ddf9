//! A fusion, its history and its answers, as callers see them.

use std::collections::BTreeMap;

use mandi_core::Timestamp;
use mandi_learning::fusion::{self, Cause, Fused, Hedge, Learning, LeftOut, Method, Mode, Opinion};
use serde::Serialize;
use utoipa::ToSchema;

use super::definition::{FusionLearning, FusionMember, FusionMethod, LearningRule};
use crate::fusion::{FusedAnswer, Kept, ServingOf, Source, Stored};

/// A fusion with its present weights.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FusionState {
    /// Its name.
    name: String,
    /// How opinions become one.
    method: FusionMethod,
    /// The absolute error that counts as a loss of 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    loss_range: Option<f64>,
    /// How weights learn.
    #[serde(skip_serializing_if = "Option::is_none")]
    learning: Option<FusionLearning>,
    /// How strongly the defined weights are preferred.
    #[serde(skip_serializing_if = "Option::is_none")]
    penalty: Option<f64>,
    /// How long a member may take, in milliseconds.
    timeout_ms: u64,
    /// For how many days an answer is kept.
    keep_days: u32,
    /// The members as they were defined, with what was learned of them.
    members: Vec<MemberState>,
    /// What is added to the weighted scores of a stacked fusion.
    #[serde(skip_serializing_if = "Option::is_none")]
    intercept: Option<f64>,
    /// The version of the weights: 1, 2, 3, ...
    version: u64,
    /// Since when they hold.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// Whether outcomes change nothing.
    frozen: bool,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    frozen_since: Option<Timestamp>,
}

/// A member, and what was learned of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MemberState {
    /// As it was defined.
    #[serde(flatten)]
    defined: FusionMember,
    /// What it counts now.
    learned_weight: f64,
    /// How far it can be trusted, by the outcomes: 0 to 1.
    confidence: f64,
}

/// The weights as they were at some time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WeightsEntry {
    /// Their version.
    version: u64,
    /// Since when they held.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who made them so.
    by: String,
    /// `defined`, `learned`, or `rolled_back`.
    #[schema(example = "learned")]
    cause: &'static str,
    /// How many outcomes they were learned from.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcomes: Option<usize>,
    /// The version that was gone back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<u64>,
    /// The weight of each member.
    weights: BTreeMap<String, f64>,
    /// What is added to the weighted scores of a stacked fusion.
    #[serde(skip_serializing_if = "Option::is_none")]
    intercept: Option<f64>,
}

/// One answer of several members.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FusionAnswer {
    /// Its id, for the outcome to name.
    #[schema(example = "fus_019a9f3e5b7c7d8e9f00112233445566")]
    id: String,
    /// Until when an outcome may name it; absent when it is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    kept_until: Option<Timestamp>,
    /// The version of the weights.
    version: u64,
    /// Of `weighted_sum` and `ridge`: base and contributions.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    /// Of `logistic`: its log-odds are base and contributions.
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<f64>,
    /// Of `vote`.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// The share of the weights that each label has.
    #[serde(skip_serializing_if = "Option::is_none")]
    shares: Option<BTreeMap<String, f64>>,
    /// What it would be if all contributions were 0.
    base: f64,
    /// How far it can be trusted, 0 to 1.
    confidence: f64,
    /// What each member did.
    members: Vec<MemberPart>,
    /// Who does not count here, and why.
    left_out: Vec<LeftOutMember>,
}

/// What a member did for an answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MemberPart {
    /// Its name.
    member: String,
    /// The version that answered, of a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    model_version: Option<u32>,
    /// The score that it gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    /// The label that it gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// What it counts in this answer.
    weight: f64,
    /// What it adds to the value or the log-odds; in a vote, its weight if it voted for the answer, else 0.
    contribution: f64,
    /// How far it can be trusted, 0 to 1.
    confidence: f64,
    /// Who says so: `stated` by the member, or `earned` by the outcomes.
    #[schema(example = "earned")]
    confidence_source: &'static str,
}

/// A member that does not count in an answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LeftOutMember {
    /// Its name.
    member: String,
    /// Why.
    reason: String,
}

impl FusionState {
    /// A fusion as its callers see it.
    pub(super) fn new(name: String, stored: &Stored) -> Self {
        let fusion = &stored.fusion;
        let current = fusion.current();
        let (method, loss_range, learning, penalty) = match fusion.definition().method() {
            Method::WeightedSum { learning, loss_range } => {
                (FusionMethod::WeightedSum, Some(loss_range), Some(shown(learning)), None)
            }
            Method::Vote { learning } => (FusionMethod::Vote, None, Some(shown(learning)), None),
            Method::Ridge { penalty } => (FusionMethod::Ridge, None, None, Some(penalty)),
            Method::Logistic { penalty } => (FusionMethod::Logistic, None, None, Some(penalty)),
        };
        let frozen_since = match fusion.mode() {
            Mode::Learning => None,
            Mode::Frozen { since_ms } => Some(Timestamp::from_unix_ms(since_ms)),
        };
        Self {
            name,
            method,
            loss_range,
            learning,
            penalty,
            timeout_ms: stored.timeout_ms,
            keep_days: stored.keep_days,
            members: members(stored),
            intercept: penalty.map(|_| current.learned.intercept()),
            version: current.version,
            since: Timestamp::from_unix_ms(current.at_ms),
            frozen: frozen_since.is_some(),
            frozen_since,
        }
    }
}

/// The present weights by member.
pub(super) fn weights(stored: &Stored) -> BTreeMap<String, f64> {
    let names = stored.members().map(|(name, _)| name.to_owned());
    names.zip(stored.fusion.current().learned.weights().iter().copied()).collect()
}

fn members(stored: &Stored) -> Vec<MemberState> {
    let learned = &stored.fusion.current().learned;
    let every = stored.fusion.definition().members().iter().zip(&stored.sources).enumerate();
    let state = |(place, (member, source)): (usize, (&fusion::Member, &Source))| {
        let mut defined = FusionMember {
            name: member.name.clone(),
            weight: member.weight,
            model: None,
            version: None,
            stage: None,
            class: None,
        };
        if let Source::Model { model, serving, class } = source {
            defined.model = Some(model.as_str().to_owned());
            defined.class.clone_from(class);
            match serving {
                ServingOf::Version(version) => defined.version = Some(*version),
                ServingOf::Stage(stage) => defined.stage = Some(*stage),
            }
        }
        let learned_weight = learned.weights().get(place).copied().unwrap_or_default();
        MemberState { defined, learned_weight, confidence: learned.earned(place) }
    };
    every.map(state).collect()
}

const fn shown(learning: Learning) -> FusionLearning {
    match learning {
        Learning::Fixed => FusionLearning { rule: LearningRule::Fixed, memory: None, step: None, share: None },
        Learning::FixedShare(Hedge { step, share }) => {
            FusionLearning { rule: LearningRule::FixedShare, memory: None, step: Some(step), share: Some(share) }
        }
    }
}

impl From<Kept> for WeightsEntry {
    fn from(kept: Kept) -> Self {
        let Kept { members, by, snapshot } = kept;
        let (cause, outcomes, to) = match snapshot.cause {
            Cause::Defined => ("defined", None, None),
            Cause::Learned { outcomes } => ("learned", Some(outcomes), None),
            Cause::RolledBack { to } => ("rolled_back", None, Some(to)),
        };
        let stacked = !matches!(snapshot.learned, fusion::Learned::Weights { .. });
        Self {
            version: snapshot.version,
            at: Timestamp::from_unix_ms(snapshot.at_ms),
            by,
            cause,
            outcomes,
            to,
            intercept: stacked.then(|| snapshot.learned.intercept()),
            weights: members.into_iter().zip(snapshot.learned.weights().iter().copied()).collect(),
        }
    }
}

impl From<FusedAnswer> for FusionAnswer {
    fn from(found: FusedAnswer) -> Self {
        let FusedAnswer { id, answer, said, kept_until } = found;
        let (value, probability, label, shares) = match answer.fused {
            Fused::Value(value) => (Some(value), None, None, None),
            Fused::Probability(probability) => (None, Some(probability), None, None),
            Fused::Label { label, shares } => (None, None, Some(label), Some(shares)),
        };
        let part = |one: fusion::Contribution| {
            let (score, label) = match one.opinion {
                Opinion::Score { value, .. } => (Some(value), None),
                Opinion::Label { label, .. } => (None, Some(label)),
                Opinion::Failed { .. } => (None, None),
            };
            MemberPart {
                model_version: said.get(&one.member).and_then(|said| said.version),
                member: one.member,
                score,
                label,
                weight: one.weight,
                contribution: one.contribution,
                confidence: one.confidence,
                confidence_source: match one.confidence_source {
                    fusion::Source::Stated => "stated",
                    fusion::Source::Earned => "earned",
                },
            }
        };
        let left_out = |LeftOut { member, reason }| LeftOutMember { member, reason };
        Self {
            id: id.as_str().to_owned(),
            kept_until,
            version: answer.version,
            value,
            probability,
            label,
            shares,
            base: answer.base,
            confidence: answer.confidence,
            members: answer.contributions.into_iter().map(part).collect(),
            left_out: answer.left_out.into_iter().map(left_out).collect(),
        }
    }
}
