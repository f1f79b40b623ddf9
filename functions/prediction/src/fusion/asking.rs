//! Asking the members of a fusion, all at the same time, each within the time limit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mandi_core::{FieldError, Principal, Problem, ProblemKind, Result};
use mandi_inference::signature::{Bound, Prediction, Scalar};
use mandi_learning::fusion::{Method, Opinion};
use mandi_registry::{Wanted, escaped};
use serde_json::{Map, Value};
use tokio::task::JoinSet;

use super::stored::{Said, ServingOf, Source, Stored};
use crate::serving::{Asked, Served, Serving, Strange};

/// How many faults of a row a reason names.
const MOST_FAULTS: usize = 3;

/// What members are asked, and what the caller says for some.
#[derive(Clone, Debug, Default)]
pub(crate) struct Question {
    /// The row of all models that have none of their own; each takes the columns that it has.
    pub(crate) row: Option<Map<String, Value>>,
    /// Rows by member.
    pub(crate) rows: BTreeMap<String, Map<String, Value>>,
    /// The opinions that the caller gives, by member.
    pub(crate) scores: BTreeMap<String, Opinion>,
    /// By what the arm of a trial is chosen.
    pub(crate) key: Option<String>,
}

/// A call of a member.
struct Call {
    model: String,
    serving: ServingOf,
    class: Option<String>,
    row: Map<String, Value>,
    key: Option<String>,
}

/// What a member answered, and with which columns.
struct Heard {
    said: Said,
    bound: Option<Arc<Bound>>,
}

/// The opinions of all members, by name. Those that fail or are too slow have a failure in their place.
///
/// # Errors
/// The question does not fit the members.
pub(super) async fn ask(
    serving: &Serving,
    caller: &Principal,
    stored: &Stored,
    question: &Question,
) -> Result<BTreeMap<String, Said>> {
    check(stored, question)?;
    let method = stored.fusion.definition().method();
    let limit = Duration::from_millis(stored.timeout_ms);
    let mut asked = JoinSet::new();
    let mut said = BTreeMap::new();
    for (name, source) in stored.members() {
        match source {
            Source::Caller => {
                if let Some(opinion) = question.scores.get(name) {
                    said.insert(name.to_owned(), Said { opinion: opinion.clone(), version: None });
                }
            }
            Source::Model { model, serving: of, class } => {
                let row = question.rows.get(name).or(question.row.as_ref()).cloned().unwrap_or_default();
                let (model, class) = (model.as_str().to_owned(), class.clone());
                let call = Call { model, serving: *of, class, row, key: question.key.clone() };
                let (serving, caller, name) = (serving.clone(), caller.clone(), name.to_owned());
                asked.spawn(async move {
                    let heard = tokio::time::timeout(limit, hear(&serving, &caller, method, &call)).await;
                    (name, heard.unwrap_or_else(|_| failed(format!("it took longer than {} ms", limit.as_millis()))))
                });
            }
        }
    }
    let mut bounds = Vec::new();
    while let Some(done) = asked.join_next().await {
        // What panicked has said nothing; the fusion names it so.
        let Ok((name, Heard { said: one, bound })) = done else { continue };
        if !question.rows.contains_key(&name) {
            bounds.push(bound);
        }
        said.insert(name, one);
    }
    check_columns(question.row.as_ref(), bounds)?;
    Ok(said)
}

/// Whether rows and opinions are of members that take them, and no model is without a row.
fn check(stored: &Stored, question: &Question) -> Result<()> {
    let refused = |pointer: String, detail: &str| {
        Err(Problem::field(pointer, detail.to_owned()).of_kind(ProblemKind::Unprocessable))
    };
    let sources: BTreeMap<&str, &Source> = stored.members().collect();
    for name in question.scores.keys() {
        match sources.get(name.as_str()) {
            Some(Source::Caller) => {}
            Some(Source::Model { .. }) => {
                return refused(format!("/scores/{}", escaped(name)), "this member is a model, and is asked");
            }
            None => return refused(format!("/scores/{}", escaped(name)), "the fusion has no such member"),
        }
    }
    for name in question.rows.keys() {
        if !matches!(sources.get(name.as_str()), Some(Source::Model { .. })) {
            return refused(format!("/rows/{}", escaped(name)), "the fusion has no such member that is a model");
        }
    }
    let without = sources.iter().find(|(name, source)| {
        matches!(source, Source::Model { .. }) && question.row.is_none() && !question.rows.contains_key(**name)
    });
    match without {
        Some((name, _)) => refused("/row".to_owned(), &format!("the member `{name}` is a model, and needs a row")),
        None => Ok(()),
    }
}

/// Whether each column of the common row is of some model. Where a model failed, nobody knows its columns.
fn check_columns(row: Option<&Map<String, Value>>, bounds: Vec<Option<Arc<Bound>>>) -> Result<()> {
    let (Some(row), Some(bounds)) = (row, bounds.into_iter().collect::<Option<Vec<_>>>()) else { return Ok(()) };
    let known: BTreeSet<&str> =
        bounds.iter().flat_map(|bound| bound.signature().inputs.iter().map(|feature| feature.name.as_str())).collect();
    match row.keys().find(|name| !known.contains(name.as_str())) {
        Some(name) => {
            let detail = if known.is_empty() { "no member takes the row" } else { "no model has such a feature" };
            Err(Problem::field(format!("/row/{}", escaped(name)), detail).of_kind(ProblemKind::Unprocessable))
        }
        None => Ok(()),
    }
}

async fn hear(serving: &Serving, caller: &Principal, method: Method, call: &Call) -> Heard {
    let (version, stage) = match call.serving {
        ServingOf::Version(version) => (Some(version), mandi_registry::StageName::default()),
        ServingOf::Stage(stage) => (None, stage),
    };
    let asked = Asked {
        rows: vec![Value::Object(call.row.clone())],
        version,
        stage,
        wanted: Wanted::default(),
        strange: Strange::PassedOver,
        key: call.key.clone(),
        reference: None,
    };
    match serving.predict(caller, &call.model, asked).await {
        Ok(Served { version, bound, rows, .. }) => {
            let opinion = match rows.into_iter().next() {
                Some(Ok(answer)) => opinion(method, call.class.as_deref(), &answer.prediction),
                Some(Err(faults)) => Opinion::Failed { reason: told(&faults) },
                None => Opinion::Failed { reason: "it gave no answer".to_owned() },
            };
            Heard { said: Said { opinion, version: Some(version) }, bound: Some(bound) }
        }
        Err(problem) => {
            if problem.kind == ProblemKind::Internal {
                tracing::warn!(causes = problem.causes(), model = call.model, "a member of a fusion failed");
            }
            failed(problem.detail)
        }
    }
}

const fn failed(reason: String) -> Heard {
    Heard { said: Said { opinion: Opinion::Failed { reason }, version: None }, bound: None }
}

/// What is wrong with the row, without the place of the only row.
fn told(faults: &[FieldError]) -> String {
    let fault = |fault: &FieldError| match fault.pointer.strip_prefix("/rows/0/") {
        Some(column) => format!("{column}: {}", fault.detail),
        None => fault.detail.clone(),
    };
    faults.iter().take(MOST_FAULTS).map(fault).collect::<Vec<_>>().join("; ")
}

/// What a model's answer says to a fusion: its label in a vote, the probability of the class where one is named, else its
/// number.
fn opinion(method: Method, class: Option<&str>, answer: &Prediction) -> Opinion {
    let probability = |class: &str| {
        let mut classes = answer.probabilities.iter().flatten();
        classes.find(|(name, _)| name == class).map(|(_, share)| *share)
    };
    let failed = |reason: String| Opinion::Failed { reason };
    match (method, class) {
        (Method::Vote { .. }, _) => match answer.label.as_ref().map(Scalar::to_string) {
            Some(label) => {
                let confidence = probability(&label);
                Opinion::Label { label, confidence }
            }
            None => failed("it gives no label".to_owned()),
        },
        (_, Some(class)) => match probability(class) {
            Some(value) => Opinion::Score { value, confidence: None },
            None => failed(format!("it gives no probability of the class `{class}`")),
        },
        (_, None) => match answer.value {
            Some(value) => Opinion::Score { value, confidence: None },
            None => failed("it gives no number; name the `class` whose probability is its score".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: Method = Method::WeightedSum { learning: mandi_learning::fusion::Learning::Fixed, loss_range: 1.0 };
    const VOTE: Method = Method::Vote { learning: mandi_learning::fusion::Learning::Fixed };

    fn graded() -> Prediction {
        let probabilities = Some(vec![("A".to_owned(), 0.75), ("B".to_owned(), 0.25)]);
        Prediction { label: Some(Scalar::Text("A".to_owned())), probabilities, ..Prediction::default() }
    }

    #[test]
    fn given_a_vote_when_a_classifier_answers_then_it_votes_for_its_label_as_surely_as_it_says() {
        let said = opinion(VOTE, None, &graded());
        assert_eq!(said, Opinion::Label { label: "A".to_owned(), confidence: Some(0.75) });
    }

    #[test]
    fn given_a_class_when_a_classifier_answers_then_its_score_is_the_probability_of_that_class() {
        let said = opinion(SUM, Some("B"), &graded());
        assert_eq!(said, Opinion::Score { value: 0.25, confidence: None });
    }

    #[test]
    fn given_no_class_when_a_classifier_is_summed_then_it_fails_with_the_way_out() {
        let Opinion::Failed { reason } = opinion(SUM, None, &graded()) else { panic!("it said something") };
        assert!(reason.contains("name the `class`"), "{reason}");
    }

    #[test]
    fn given_faults_of_a_row_then_the_reason_names_columns_without_the_place_of_the_row() {
        let fault = FieldError { pointer: "/rows/0/origin".to_owned(), detail: "it holds null".to_owned() };
        assert_eq!(told(&[fault]), "origin: it holds null");
    }
}
