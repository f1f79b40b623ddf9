//! Outcomes, as they are learned from: with what members said, from a kept answer or from the caller.

use std::collections::BTreeSet;

use mandi_core::ids::FusedAnswerId;
use mandi_core::{Problem, Result, TenantId};
use mandi_inference::signature::Scalar;
use mandi_learning::fusion::{Method, Opinions, Outcome, Truth};

use super::store::{KeptAnswer, MAX_MARKS, Store};

/// The most outcomes of a call.
pub(crate) const MAX_OUTCOMES: usize = 1_000;

/// An outcome, as it is given.
#[derive(Clone, Debug)]
pub(crate) struct GivenOutcome {
    /// What it is the outcome of.
    pub(crate) of: Of,
    /// What came.
    pub(crate) truth: Scalar,
}

/// What an outcome is of.
#[derive(Clone, Debug)]
pub(crate) enum Of {
    /// A kept answer, by its id.
    Answer(String),
    /// What members said.
    Opinions(Opinions),
}

/// An outcome that nothing was learned from, by its place in the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) outcome: usize,
    pub(crate) reason: String,
}

/// Outcomes that can be offered to a fusion.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    /// Them.
    pub(super) outcomes: Vec<Outcome>,
    /// Their places in the call, and the kept answers that they name.
    pub(super) places: Vec<(usize, Option<FusedAnswerId>)>,
    /// The others.
    pub(super) passed: Vec<Passed>,
}

/// Checks how many outcomes there are.
///
/// # Errors
/// None, or too many, all together or of kept answers.
pub(super) fn check(given: &[GivenOutcome]) -> Result<()> {
    if !(1..=MAX_OUTCOMES).contains(&given.len()) {
        let detail = format!("there are {}; 1 to {MAX_OUTCOMES} are taken", given.len());
        return Err(Problem::field("/outcomes", detail));
    }
    let of_answers = given.iter().filter(|one| matches!(one.of, Of::Answer(_))).count();
    if of_answers > MAX_MARKS {
        let detail =
            format!("{of_answers} of them name an answer; up to {MAX_MARKS} may, send the others in another call");
        return Err(Problem::field("/outcomes", detail));
    }
    Ok(())
}

/// Finds what members said for each outcome.
///
/// # Errors
/// The store's.
pub(super) async fn resolve(
    store: &Store,
    (tenant, name): (&TenantId, &str),
    method: Method,
    given: &[GivenOutcome],
) -> Result<Resolved> {
    let mut resolved = Resolved::default();
    let mut named = BTreeSet::new();
    for (outcome, one) in given.iter().enumerate() {
        let found = match &one.of {
            Of::Opinions(opinions) => Ok((opinions.clone(), None)),
            Of::Answer(id) => match FusedAnswerId::parse(id) {
                None => Err("there is no such answer".to_owned()),
                Some(id) if !named.insert(id.clone()) => {
                    Err("another outcome of this call is of the same answer".to_owned())
                }
                Some(id) => match store.answer(tenant, name, &id).await? {
                    KeptAnswer::Waiting(opinions) => Ok((opinions, Some(id))),
                    KeptAnswer::Learned => Err("this answer was learned from already".to_owned()),
                    KeptAnswer::Gone => Err("there is no such answer, or it is kept no more".to_owned()),
                },
            },
        };
        match found.and_then(|(opinions, id)| Ok((Outcome { opinions, truth: truth(method, &one.truth)? }, id))) {
            Ok((found, id)) => {
                resolved.outcomes.push(found);
                resolved.places.push((outcome, id));
            }
            Err(reason) => resolved.passed.push(Passed { outcome, reason }),
        }
    }
    Ok(resolved)
}

/// What came, as the method takes it.
fn truth(method: Method, given: &Scalar) -> Result<Truth, String> {
    match (method, given) {
        (Method::Vote { .. }, label) => Ok(Truth::Label(label.to_string())),
        (Method::Logistic { .. }, Scalar::Boolean(true) | Scalar::Integer(1)) => Ok(Truth::Positive),
        (Method::Logistic { .. }, Scalar::Boolean(false) | Scalar::Integer(0)) => Ok(Truth::Negative),
        (Method::Logistic { .. }, other) => Err(format!("its truth is `{other}`; true or false is expected")),
        (_, Scalar::Number(value)) => Ok(Truth::Value(*value)),
        #[expect(clippy::cast_precision_loss, reason = "an outcome, as a number")]
        (_, Scalar::Integer(value)) => Ok(Truth::Value(*value as f64)),
        (_, other) => Err(format!("its truth is `{other}`; a number is expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mandi_learning::fusion::Learning;

    #[test]
    fn given_a_truth_of_another_kind_than_the_method_takes_then_it_is_named_with_what_is_expected() {
        let logistic = Method::Logistic { penalty: 1.0 };
        assert_eq!(truth(logistic, &Scalar::Boolean(true)), Ok(Truth::Positive));
        assert_eq!(truth(logistic, &Scalar::Integer(0)), Ok(Truth::Negative));
        let refused = truth(logistic, &Scalar::Number(0.5));
        assert_eq!(refused, Err("its truth is `0.5`; true or false is expected".to_owned()));
        let refused = truth(Method::Ridge { penalty: 1.0 }, &Scalar::Text("A".to_owned()));
        assert_eq!(refused, Err("its truth is `A`; a number is expected".to_owned()));
        let vote = Method::Vote { learning: Learning::Fixed };
        assert_eq!(truth(vote, &Scalar::Integer(3)), Ok(Truth::Label("3".to_owned())));
    }

    #[test]
    fn given_more_outcomes_of_answers_than_one_change_holds_then_the_refusal_says_how_many() {
        let one = GivenOutcome { of: Of::Answer(String::new()), truth: Scalar::Boolean(true) };
        let problem = check(&vec![one; 91]).err().map(|problem| problem.detail).unwrap_or_default();
        assert!(problem.contains("up to 90"), "{problem}");
    }
}
