//! A fusion as its caller defines it.

use mandi_core::{Problem, Result};
use mandi_learning::fusion::{Definition, DefinitionError, Hedge, Learning, Member, Method};
use mandi_registry::StageName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::fusion::{Defined, ServingOf, Source, model_id};

/// How long a member may take when nothing is said, in milliseconds.
const USUAL_TIMEOUT_MS: u64 = 2_000;
/// The longest time that a member may be given, in milliseconds: an answer over HTTP has 29 s in AWS.
const MAX_TIMEOUT_MS: u64 = 20_000;
/// For how many days answers are kept when nothing is said.
const USUAL_KEEP_DAYS: u32 = 30;
/// The longest time for which answers are kept, in days.
const MAX_KEEP_DAYS: u32 = 365;
/// The penalty of stacked fusions when nothing is said.
const USUAL_PENALTY: f64 = 1.0;
/// About how many outcomes count when nothing is said.
const USUAL_MEMORY: u32 = 100;
/// The longest name of a member or a class, in characters.
const MAX_NAME_CHARACTERS: usize = 200;

/// What a fusion is made of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FusionDefinition {
    /// The members, 1 to 32.
    #[schema(min_items = 1, max_items = 32)]
    members: Vec<FusionMember>,
    /// How their opinions become one.
    method: FusionMethod,
    /// For `weighted_sum`: the absolute error that counts as a loss of 1, in the unit of the scores.
    #[serde(default)]
    loss_range: Option<f64>,
    /// For `weighted_sum` and `vote`: how weights learn.
    #[serde(default)]
    learning: Option<FusionLearning>,
    /// For `ridge` and `logistic`: how strongly the defined weights are preferred; 1 when nothing is said.
    #[serde(default)]
    penalty: Option<f64>,
    /// How long a member may take, in milliseconds; then it is left out.
    #[serde(default = "usual_timeout_ms")]
    #[schema(minimum = 1, maximum = 20_000, default = 2_000)]
    timeout_ms: u64,
    /// For how many days an answer is kept, so that an outcome can name it; 0 keeps none.
    #[serde(default = "usual_keep_days")]
    #[schema(maximum = 365, default = 30)]
    keep_days: u32,
}

const fn usual_timeout_ms() -> u64 {
    USUAL_TIMEOUT_MS
}

const fn usual_keep_days() -> u32 {
    USUAL_KEEP_DAYS
}

/// How opinions become one (docs/rollout-and-fusion.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FusionMethod {
    /// The mean of the scores by weight.
    WeightedSum,
    /// The label with the greatest sum of weights.
    Vote,
    /// Stacked: a linear function of the scores, fitted on outcomes.
    Ridge,
    /// Stacked: a probability, by a logistic function of the members' log-odds, fitted on outcomes.
    Logistic,
}

/// A member: a model that is asked, or a score that the caller gives when there is no `model`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FusionMember {
    /// Its name in the fusion.
    #[schema(max_length = 200)]
    pub(super) name: String,
    /// What it counts against the others before anything was learned; above 0.
    #[serde(default = "one")]
    #[schema(default = 1.0)]
    pub(super) weight: f64,
    /// The id of the model that is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    /// Its version; what serves at the stage when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<u32>,
    /// Its stage; production when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stage: Option<StageName>,
    /// The class whose probability is the score; the predicted number when nothing is said. Not in a vote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) class: Option<String>,
}

const fn one() -> f64 {
    1.0
}

/// How weights learn.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FusionLearning {
    /// Whether they do.
    pub(super) rule: LearningRule,
    /// About how many outcomes count: it sets step and share. 100 when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 2)]
    pub(super) memory: Option<u32>,
    /// The learning rate, above 0, at most 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) step: Option<f64>,
    /// What goes back to the defined weights with each outcome: 1e-6 to 0.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) share: Option<f64>,
}

/// Whether weights learn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LearningRule {
    /// By fixed share (docs/rollout-and-fusion.md).
    #[default]
    FixedShare,
    /// They do not.
    Fixed,
}

impl FusionDefinition {
    /// Checks what is said.
    ///
    /// # Errors
    /// `invalid-request` or `unprocessable` with the field.
    pub(super) fn defined(self) -> Result<Defined> {
        let method = self.method()?;
        if !(1..=MAX_TIMEOUT_MS).contains(&self.timeout_ms) {
            let detail = format!("{} is out of range; it is 1 to {MAX_TIMEOUT_MS}", self.timeout_ms);
            return Err(Problem::field("/timeout_ms", detail));
        }
        if self.keep_days > MAX_KEEP_DAYS {
            let detail = format!("{} is out of range; it is 0 to {MAX_KEEP_DAYS}", self.keep_days);
            return Err(Problem::field("/keep_days", detail));
        }
        let sources = self.members.iter().enumerate().map(|(place, member)| member.source(place, self.method));
        let sources = sources.collect::<Result<_>>()?;
        let members =
            self.members.iter().map(|member| Member { name: member.name.clone(), weight: member.weight }).collect();
        let definition = Definition::new(members, method).map_err(|error| of_definition(&error))?;
        Ok(Defined { definition, sources, timeout_ms: self.timeout_ms, keep_days: self.keep_days })
    }

    fn method(&self) -> Result<Method> {
        let stacked = matches!(self.method, FusionMethod::Ridge | FusionMethod::Logistic);
        let stray = |is_given: bool, field: &str, methods: &str| match is_given {
            true => Err(Problem::field(field, format!("only {methods} has it"))),
            false => Ok(()),
        };
        stray(stacked && self.learning.is_some(), "/learning", "`weighted_sum` or `vote`")?;
        stray(!stacked && self.penalty.is_some(), "/penalty", "`ridge` or `logistic`")?;
        let is_sum = self.method == FusionMethod::WeightedSum;
        stray(!is_sum && self.loss_range.is_some(), "/loss_range", "`weighted_sum`")?;
        let penalty = self.penalty.unwrap_or(USUAL_PENALTY);
        match self.method {
            FusionMethod::WeightedSum => {
                let missing = || Problem::field("/loss_range", "say which absolute error counts as a loss of 1");
                let loss_range = self.loss_range.ok_or_else(missing)?;
                Ok(Method::WeightedSum { learning: self.learning()?, loss_range })
            }
            FusionMethod::Vote => Ok(Method::Vote { learning: self.learning()? }),
            FusionMethod::Ridge => Ok(Method::Ridge { penalty }),
            FusionMethod::Logistic => Ok(Method::Logistic { penalty }),
        }
    }

    fn learning(&self) -> Result<Learning> {
        let FusionLearning { rule, memory, step, share } = self.learning.unwrap_or_default();
        if rule == LearningRule::Fixed {
            return match (memory, step, share) {
                (None, None, None) => Ok(Learning::Fixed),
                _ => Err(Problem::field("/learning/rule", "weights that are fixed have no memory, step or share")),
            };
        }
        if memory.is_some_and(|memory| memory < 2) {
            return Err(Problem::field("/learning/memory", "it is at least 2"));
        }
        let usual = Hedge::for_memory(memory.unwrap_or(USUAL_MEMORY), self.members.len());
        Ok(Learning::FixedShare(Hedge { step: step.unwrap_or(usual.step), share: share.unwrap_or(usual.share) }))
    }
}

impl FusionMember {
    fn source(&self, place: usize, method: FusionMethod) -> Result<Source> {
        let pointer = |field: &str| format!("/members/{place}/{field}");
        for (field, text) in [("name", Some(&self.name)), ("class", self.class.as_ref())] {
            if text.is_some_and(|text| text.chars().count() > MAX_NAME_CHARACTERS) {
                return Err(Problem::field(pointer(field), format!("it is at most {MAX_NAME_CHARACTERS} characters")));
            }
        }
        let Some(model) = &self.model else {
            let strays = [("version", self.version.is_some()), ("stage", self.stage.is_some())];
            return match strays.into_iter().chain([("class", self.class.is_some())]).find(|(_, is_given)| *is_given) {
                Some((field, _)) => Err(Problem::field(pointer(field), "only a member with a `model` has it")),
                None => Ok(Source::Caller),
            };
        };
        let serving = match (self.version, self.stage) {
            (Some(_), Some(_)) => {
                return Err(Problem::field(pointer("stage"), "name a `version` or a `stage`, not both"));
            }
            (Some(version), None) => ServingOf::Version(version),
            (None, stage) => ServingOf::Stage(stage.unwrap_or_default()),
        };
        match (method, &self.class) {
            (FusionMethod::Vote, Some(_)) => {
                return Err(Problem::field(pointer("class"), "in a vote a model votes for the label that it gives"));
            }
            (FusionMethod::Logistic, None) => {
                return Err(Problem::field(pointer("class"), "name the class whose probability is the score"));
            }
            _ => {}
        }
        Ok(Source::Model { model: model_id(model, &pointer("model"))?, serving, class: self.class.clone() })
    }
}

fn of_definition(error: &DefinitionError) -> Problem {
    let pointer = match error {
        DefinitionError::Number { field: "loss_range", .. } => "/loss_range",
        DefinitionError::Number { field: "penalty", .. } => "/penalty",
        DefinitionError::Number { field: "step", .. } => "/learning/step",
        DefinitionError::Number { field: "share", .. } => "/learning/share",
        _ => "/members",
    };
    Problem::field(pointer, error.to_string())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::{Value, json};

    fn defined(json: Value) -> Result<Defined> {
        serde_json::from_value::<FusionDefinition>(json).unwrap().defined()
    }

    #[test]
    fn given_only_members_and_a_method_then_weights_learn_with_a_memory_of_a_hundred_outcomes() {
        let found = defined(json!({"members": [{"name": "a"}, {"name": "b"}], "method": "vote"})).unwrap();
        // docs/rollout-and-fusion.md: share = 1 / H, step = sqrt(8 ln(members) / H).
        let expected = Hedge { step: (8.0 * 2.0_f64.ln() / 100.0).sqrt(), share: 0.01 };
        assert_eq!(found.definition.method(), Method::Vote { learning: Learning::FixedShare(expected) });
        assert_eq!((found.timeout_ms, found.keep_days), (2_000, 30));
    }

    #[test]
    fn given_what_a_method_does_not_have_then_the_refusal_names_the_field() {
        let model = "mdl_019a9f3e5b7c7d8e9f00112233445566";
        for (change, pointer) in [
            (json!({"method": "weighted_sum"}), "/loss_range"),
            (json!({"method": "weighted_sum", "loss_range": -1.0}), "/loss_range"),
            (json!({"loss_range": 1.0}), "/loss_range"),
            (json!({"penalty": 1.0}), "/penalty"),
            (json!({"method": "ridge", "learning": {}}), "/learning"),
            (json!({"learning": {"rule": "fixed", "step": 1.0}}), "/learning/rule"),
            (json!({"learning": {"memory": 1}}), "/learning/memory"),
            (json!({"learning": {"share": 0.9}}), "/learning/share"),
            (json!({"members": []}), "/members"),
            (json!({"members": [{"name": "a"}, {"name": "a"}]}), "/members"),
            (json!({"members": [{"name": "a", "version": 1}]}), "/members/0/version"),
            (json!({"members": [{"name": "a", "class": "A"}]}), "/members/0/class"),
            (json!({"members": [{"name": "a", "model": model, "class": "A"}]}), "/members/0/class"),
            (json!({"members": [{"name": "a", "model": model, "version": 1, "stage": "staging"}]}), "/members/0/stage"),
            (json!({"members": [{"name": "a", "model": "7"}]}), "/members/0/model"),
            (json!({"members": [{"name": "a", "model": model}], "method": "logistic"}), "/members/0/class"),
            (json!({"timeout_ms": 0}), "/timeout_ms"),
            (json!({"keep_days": 366}), "/keep_days"),
        ] {
            let mut given = json!({"members": [{"name": "a"}], "method": "vote"});
            given.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let problem = defined(given).err().unwrap();
            assert_eq!(problem.errors[0].pointer, pointer, "{change}: {problem}");
        }
    }
}
