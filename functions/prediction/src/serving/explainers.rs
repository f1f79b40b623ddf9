//! Explainers: each version's, made once when it is first asked for, kept under a bound.

use std::sync::Arc;

use mandi_core::ports::ObjectKey;
use mandi_core::{Problem, ProblemKind, Result};
use mandi_inference::explain::{ExplainFault, Explanation, Game, ModelExplainer};
use mandi_inference::signature::{Bound, Prediction, Row};
use moka::future::Cache;

use super::engines::Engines;
use crate::registry::kept_rows;

/// How many explainers are kept: one may take some 100 MB.
const MOST_EXPLAINERS: u64 = 4;

/// What an explainer is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Of {
    artifact: ObjectKey,
    background: ObjectKey,
    is_path_dependent: bool,
}

/// Makes explainers, and asks them.
#[derive(Clone, Debug)]
pub(super) struct Explainers {
    engines: Engines,
    made: Cache<Of, Arc<ModelExplainer>>,
}

/// What is to be explained.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    /// The file of the model.
    pub(super) artifact: ObjectKey,
    /// The rows that answers are compared with.
    pub(super) background: ObjectKey,
    /// The signature.
    pub(super) bound: Arc<Bound>,
    /// The rows, and the model's answers.
    pub(super) rows: Arc<Vec<Row>>,
    /// One for each row.
    pub(super) answers: Vec<Prediction>,
}

impl Explainers {
    /// Explainers over loaded models.
    pub(super) fn new(engines: Engines) -> Self {
        Self { engines, made: Cache::new(MOST_EXPLAINERS) }
    }

    /// Explains answers.
    ///
    /// # Errors
    /// `unprocessable` when they cannot be explained, with the reason.
    pub(super) async fn explain(&self, answered: Answered, game: Game) -> Result<Vec<Explanation>> {
        let loaded = self.engines.load(&answered.artifact).await?;
        let explainer = self.explainer(&answered, game).await?;
        let explained = self.engines.compute(move || {
            let Answered { bound, rows, answers, .. } = answered;
            explainer.explain((loaded.model(), &bound), &rows, &answers)
        });
        explained.await?.map_err(refused)
    }

    async fn explainer(&self, answered: &Answered, game: Game) -> Result<Arc<ModelExplainer>> {
        let Answered { artifact, background, bound, .. } = answered.clone();
        let is_path_dependent = game == Game::PathDependent;
        let of = Of { artifact: artifact.clone(), background: background.clone(), is_path_dependent };
        let make = async {
            let (file, rows) = (self.engines.kept(&artifact).await?, self.engines.kept(&background).await?);
            let rows = kept_rows(&bound, &rows)?;
            let made = self.engines.compute(move || ModelExplainer::new(&file, &bound, rows, game));
            made.await?.map(Arc::new).map_err(refused)
        };
        self.made.try_get_with(of, make).await.map_err(|problem: Arc<Problem>| {
            Problem::new(problem.kind, problem.detail.clone()).caused_by(problem.causes())
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
fn refused(fault: ExplainFault) -> Problem {
    Problem::new(ProblemKind::Unprocessable, format!("the answers cannot be explained: {fault}"))
}
