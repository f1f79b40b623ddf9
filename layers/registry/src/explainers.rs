//! Explainers: each version's, made once when it is first asked for, kept under a bound.

use std::sync::Arc;

use mandi_core::ports::ObjectKey;
use mandi_core::{Problem, Result};
use mandi_inference::explain::{Game, ModelExplainer};
use mandi_inference::signature::Bound;
use moka::future::Cache;

use crate::engines::Engines;
use crate::ready::refused;
use crate::sample::kept_rows;

/// How many explainers are kept: one may take some 100 MB.
const MOST_EXPLAINERS: u64 = 4;

/// What an explainer is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Of {
    artifact: ObjectKey,
    background: ObjectKey,
    game: Game,
}

/// Makes explainers.
#[derive(Clone, Debug)]
pub(crate) struct Explainers {
    engines: Engines,
    made: Cache<Of, Arc<ModelExplainer>>,
}

impl Explainers {
    /// Explainers over loaded models.
    pub(crate) fn new(engines: Engines) -> Self {
        Self { engines, made: Cache::new(MOST_EXPLAINERS) }
    }

    /// The explainer of the model and the background under these keys.
    ///
    /// # Errors
    /// `unprocessable` when the model cannot be explained, with the reason.
    pub(crate) async fn explainer(
        &self,
        (artifact, background): (&ObjectKey, &ObjectKey),
        bound: &Arc<Bound>,
        game: Game,
    ) -> Result<Arc<ModelExplainer>> {
        let of = Of { artifact: artifact.clone(), background: background.clone(), game };
        let make = async {
            let (file, rows) = (self.engines.kept(artifact).await?, self.engines.kept(background).await?);
            let bound = bound.clone();
            let rows = kept_rows(&bound, &rows)?;
            let made = self.engines.compute(move |_| ModelExplainer::new(&file, &bound, rows, game));
            made.await?.map(Arc::new).map_err(refused)
        };
        self.made.try_get_with(of, make).await.map_err(|problem: Arc<Problem>| {
            Problem::new(problem.kind, problem.detail.clone()).caused_by(problem.causes())
        })
    }
}
