//! A search as one function asks it of another: the caller's own token goes along, so that the function that
//! searches verifies the caller itself, and no tenant is named anywhere.

use mandi_core::{FieldError, Problem, ProblemKind, Result};
use serde::{Deserialize, Serialize};

use crate::passage::{Passage, SearchRequest};

/// The question.
#[derive(Clone, Serialize, Deserialize)]
pub struct RemoteSearch {
    /// The caller's bearer token. A secret.
    pub token: String,
    /// What is searched for.
    pub request: SearchRequest,
}

/// The answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemoteSearchAnswer {
    /// What was found, best first.
    Passages(Vec<Passage>),
    /// Why nothing could be searched.
    Problem {
        /// The name of the [`ProblemKind`].
        kind: String,
        /// Its words for the caller.
        detail: String,
        /// The fields that are wrong.
        errors: Vec<FieldError>,
    },
}

impl From<Result<Vec<Passage>>> for RemoteSearchAnswer {
    fn from(outcome: Result<Vec<Passage>>) -> Self {
        match outcome {
            Ok(passages) => Self::Passages(passages),
            Err(problem) => {
                let kind = problem.kind.name().to_owned();
                Self::Problem { kind, detail: problem.detail, errors: problem.errors }
            }
        }
    }
}

impl From<RemoteSearchAnswer> for Result<Vec<Passage>> {
    fn from(answer: RemoteSearchAnswer) -> Self {
        match answer {
            RemoteSearchAnswer::Passages(passages) => Ok(passages),
            RemoteSearchAnswer::Problem { kind, detail, errors } => {
                let known = ProblemKind::ALL.into_iter().find(|known| known.name() == kind);
                let mut problem = Problem::new(known.unwrap_or(ProblemKind::Internal), detail);
                problem.errors = errors;
                Err(problem)
            }
        }
    }
}
