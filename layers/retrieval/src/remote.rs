//! A search as one function asks it of another: the caller's own token goes along, so that the function that
//! searches verifies the caller itself, and no tenant is named anywhere.

use mandi_core::{FieldError, Problem, ProblemKind, Result};
use serde::{Deserialize, Serialize};

use crate::passage::{Named, SearchRequest};

/// The question.
#[derive(Clone, Serialize, Deserialize)]
pub struct RemoteSearch {
    /// The caller's bearer token. A secret.
    pub token: String,
    /// What is searched for.
    pub request: SearchRequest,
}

/// A question which of some collections and documents there are not.
#[derive(Clone, Serialize, Deserialize)]
pub struct RemoteMissing {
    /// The caller's bearer token. A secret.
    pub token: String,
    /// What is named. The answer is a [`crate::Missing`].
    pub named: Named,
}

/// The answer: what was asked for, or why there is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemoteAnswer<T> {
    /// What was asked for.
    Found(T),
    /// Why there is none.
    Problem {
        /// The name of the [`ProblemKind`].
        kind: String,
        /// Its words for the caller.
        detail: String,
        /// The fields that are wrong.
        errors: Vec<FieldError>,
        /// After how many seconds a retry makes sense.
        retry_after_s: Option<u32>,
    },
}

impl<T> From<Result<T>> for RemoteAnswer<T> {
    fn from(outcome: Result<T>) -> Self {
        match outcome {
            Ok(found) => Self::Found(found),
            Err(problem) => Self::Problem {
                kind: problem.kind.name().to_owned(),
                detail: problem.detail,
                errors: problem.errors,
                retry_after_s: problem.retry_after_s,
            },
        }
    }
}

impl<T> From<RemoteAnswer<T>> for Result<T> {
    fn from(answer: RemoteAnswer<T>) -> Self {
        match answer {
            RemoteAnswer::Found(found) => Ok(found),
            RemoteAnswer::Problem { kind, detail, errors, retry_after_s } => {
                let known = ProblemKind::ALL.into_iter().find(|known| known.name() == kind);
                let mut problem = Problem::new(known.unwrap_or(ProblemKind::Internal), detail);
                problem.errors = errors;
                problem.retry_after_s = retry_after_s;
                Err(problem)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests state what must hold")]

    use super::*;
    use crate::fixtures::passage;

    fn sent<T: Serialize + serde::de::DeserializeOwned>(outcome: Result<T>) -> Result<T> {
        let json = serde_json::to_string(&RemoteAnswer::from(outcome)).unwrap();
        serde_json::from_str::<RemoteAnswer<T>>(&json).unwrap().into()
    }

    #[test]
    fn an_answer_and_a_problem_come_over_whole() {
        assert_eq!(sent(Ok(vec![1, 2])).unwrap(), [1, 2]);
        let mut unmeasured = passage("Terms", "Pay in Pune.");
        unmeasured.scores.cosine_scale = None;
        let passages = vec![passage("Terms", "Pay in Pune."), unmeasured];
        assert_eq!(sent(Ok(passages.clone())).unwrap(), passages);
        let problem = Problem::field("/filter", "wrong").of_kind(ProblemKind::Throttled).retry_after(7);
        let problem = sent::<u8>(Err(problem)).unwrap_err();
        assert_eq!((problem.kind, problem.retry_after_s), (ProblemKind::Throttled, Some(7)));
        assert_eq!(problem.errors[0].pointer, "/filter");
    }
}
