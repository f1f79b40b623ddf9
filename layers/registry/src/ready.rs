//! Versions that are ready to answer: signature and file at hand.

use std::sync::Arc;

use mandi_core::capture::{Privacy, Redaction};
use mandi_core::ids::ModelId;
use mandi_core::ports::ObjectKey;
use mandi_core::{Problem, ProblemKind, Result, TenantId};
use mandi_inference::explain::{ExplainFault, Explanation, Game, ModelExplainer};
use mandi_inference::onnx::Value;
use mandi_inference::signature::{Bound, Prediction, Row, Signature};
use moka::future::Cache;

use crate::engines::{Engines, Loaded};
use crate::explainers::Explainers;
use crate::intervals::{Intervals, Known};
use crate::model::Version;
use crate::registry::Registry;
use crate::sample::kept_rows;
use crate::store::artifact_key;

/// How many versions' signatures are kept in memory.
const MOST_VERSIONS: u64 = 512;

/// A version that is ready to answer.
#[derive(Debug)]
pub struct Ready {
    /// Its number.
    pub version: u32,
    /// What it takes and gives, tied to the inputs of its file.
    pub bound: Arc<Bound>,
    /// What of its rows may be kept.
    pub redaction: Redaction,
    artifact: ObjectKey,
    background: Option<ObjectKey>,
    known: Known,
}

impl Ready {
    /// What the outputs of its file say of `rows` rows, in their order, with the intervals of its calibration where it
    /// has one.
    ///
    /// # Errors
    /// They are not what its signature says: our fault, because that was checked.
    pub fn predictions(&self, rows: usize, outputs: &[Value]) -> Result<Vec<Prediction>> {
        let mut predictions = self.bound.predictions(rows, outputs).map_err(Problem::internal)?;
        if let Ok(Some(level)) = self.known.level(Intervals::Usual) {
            self.known.tell(level, &mut predictions);
        }
        Ok(predictions)
    }

    /// Whether answers have an interval, where the row allows one: what [`Self::predictions`] tells may lack it.
    pub fn gives_intervals(&self) -> bool {
        self.known.gives_intervals()
    }

    /// Checks that it was registered with what answers are to have.
    ///
    /// # Errors
    /// `unprocessable`, with the way out.
    pub fn check(&self, wanted: Wanted) -> Result<()> {
        self.known.level(wanted.intervals)?;
        if wanted.explained.is_some() && self.background.is_none() {
            return Err(no_background());
        }
        Ok(())
    }
}

/// How answers are explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explaining {
    /// The game.
    pub game: Game,
    /// Of several numbers the one that is explained, from 0.
    pub target: usize,
}

/// What answers are to have besides predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wanted {
    /// What each feature contributes.
    pub explained: Option<Explaining>,
    /// Intervals, or sets of classes.
    pub intervals: Intervals,
}

/// The answer for a row.
#[derive(Debug)]
pub struct Answer {
    /// What the model predicts.
    pub prediction: Prediction,
    /// What each feature contributes, where that was asked for.
    pub explanation: Option<Explanation>,
}

/// Makes versions ready, and asks them.
#[derive(Clone, Debug)]
pub struct Versions {
    registry: Registry,
    engines: Engines,
    explainers: Explainers,
    ready: Cache<(TenantId, ModelId, u32), Arc<Ready>>,
}

impl Versions {
    /// Versions of a registry, run by engines.
    #[must_use]
    pub fn new(registry: Registry, engines: Engines) -> Self {
        let explainers = Explainers::new(engines.clone());
        Self { registry, engines, explainers, ready: Cache::new(MOST_VERSIONS) }
    }

    /// A version, with its file read.
    ///
    /// # Errors
    /// `not-found`, or the store's.
    pub async fn ready(&self, tenant: &TenantId, id: &ModelId, version: u32) -> Result<Arc<Ready>> {
        let key = (tenant.clone(), id.clone(), version);
        if let Some(ready) = self.ready.get(&key).await {
            return Ok(ready);
        }
        let found: Version = self.registry.version(tenant, id, version).await?;
        let artifact = artifact_key(tenant, id, &found.artifact.sha256);
        let background = found.background.map(|background| artifact_key(tenant, id, &background.sha256));
        let loaded = self.engines.load(&artifact).await?;
        let known = Known::new(&found.signature, found.calibration);
        let redaction = redaction(&found.signature);
        let bound = Bound::new(found.signature, &loaded.model().signature().inputs).map_err(Problem::internal)?;
        let ready = Arc::new(Ready { version, artifact, background, known, bound: Arc::new(bound), redaction });
        self.ready.insert(key, ready.clone()).await;
        Ok(ready)
    }

    /// The model of a version in memory.
    ///
    /// # Errors
    /// Its file cannot be read.
    pub async fn loaded(&self, ready: &Ready) -> Result<Arc<Loaded>> {
        self.engines.load(&ready.artifact).await
    }

    /// The explainer of a version.
    ///
    /// # Errors
    /// `unprocessable`: it has no background, or cannot be explained.
    pub async fn explainer(&self, ready: &Ready, game: Game) -> Result<Arc<ModelExplainer>> {
        let background = ready.background.as_ref().ok_or_else(no_background)?;
        self.explainers.explainer((&ready.artifact, background), &ready.bound, game).await
    }

    /// The rows of a version's background.
    ///
    /// # Errors
    /// `unprocessable`: it has none.
    pub async fn background(&self, ready: &Ready) -> Result<Vec<Row>> {
        let background = ready.background.as_ref().ok_or_else(no_background)?;
        kept_rows(&ready.bound, &self.engines.kept(background).await?)
    }

    /// Explains answers that a version gave for some rows, in their order.
    ///
    /// # Errors
    /// `unprocessable` when they cannot be explained; `unavailable` when it takes too long.
    pub async fn explain(
        &self,
        ready: &Ready,
        explaining: Explaining,
        (rows, answers): (Arc<Vec<Row>>, Vec<Prediction>),
    ) -> Result<Vec<Explanation>> {
        let Explaining { game, target } = explaining;
        let (loaded, explainer) = (self.loaded(ready).await?, self.explainer(ready, game).await?);
        let bound = ready.bound.clone();
        let explained = self
            .engines
            .compute(move |is_over| explainer.explain((loaded.model(), &bound), (&rows, &answers), target, is_over));
        explained.await?.map_err(refused)
    }

    /// Runs good rows, and gives their answers what is wanted. One answer for each row, in their order; or why the model does
    /// not take it.
    ///
    /// # Errors
    /// `unprocessable` when answers cannot be explained, or lack what is wanted; `unavailable` when it takes too long.
    pub async fn answer_each(
        &self,
        ready: &Ready,
        rows: Vec<Row>,
        wanted: Wanted,
    ) -> Result<Vec<std::result::Result<Answer, String>>> {
        let level = ready.known.level(wanted.intervals)?;
        let mut rows = Arc::new(rows);
        let each = self.engines.within_the_limit(self.predict_each(ready, &rows)).await??;
        if each.iter().any(std::result::Result::is_err) {
            let good = rows.iter().zip(&each).filter(|(_, answer)| answer.is_ok());
            rows = Arc::new(good.map(|(row, _)| row.clone()).collect());
        }
        let mut predictions: Vec<Prediction> = each.iter().flatten().cloned().collect();
        if let Some(level) = level {
            ready.known.tell(level, &mut predictions);
        }
        let explanations = match wanted.explained {
            Some(explaining) if !rows.is_empty() => {
                let explained = self.explain(ready, explaining, (rows, predictions.clone())).await?;
                explained.into_iter().map(Some).collect()
            }
            _ => vec![None; predictions.len()],
        };
        let pairs = predictions.into_iter().zip(explanations);
        let mut answers = pairs.map(|(prediction, explanation)| Answer { prediction, explanation });
        let answered = each.into_iter().map(|answer| match answer {
            Ok(_) => answers.next().map(Ok).ok_or_else(|| Problem::internal("a row has no answer")),
            Err(reason) => Ok(Err(reason)),
        });
        answered.collect()
    }

    /// What the model predicts for each row, or why it does not take it: by halves where it does not take all at once.
    async fn predict_each(
        &self,
        ready: &Ready,
        rows: &Arc<Vec<Row>>,
    ) -> Result<Vec<std::result::Result<Prediction, String>>> {
        let mut each = Vec::with_capacity(rows.len());
        if rows.is_empty() {
            return Ok(each);
        }
        let loaded = self.loaded(ready).await?;
        // From the last to the first, so that the next one to be run is at the end.
        let mut open: Vec<_> = std::iter::once(0..rows.len()).collect();
        while let Some(places) = open.pop() {
            let own = if places.len() == rows.len() { rows.clone() } else { Arc::new(rows[places.clone()].to_vec()) };
            match self.engines.run(loaded.clone(), ready.bound.clone(), own).await {
                Ok(outputs) => {
                    let told = ready.bound.predictions(places.len(), &outputs).map_err(Problem::internal)?;
                    each.extend(told.into_iter().map(Ok));
                }
                Err(problem) if problem.kind != ProblemKind::Unprocessable => return Err(problem),
                Err(problem) if places.len() == 1 => each.push(Err(problem.detail)),
                Err(_) => {
                    let middle = places.start.midpoint(places.end);
                    open.extend([middle..places.end, places.start..middle]);
                }
            }
        }
        Ok(each)
    }

    /// As [`Self::answer_each`], of rows of which the model takes each.
    ///
    /// # Errors
    /// Its errors, and `unprocessable` with the first row that the model does not take.
    pub async fn answer(&self, ready: &Ready, rows: Vec<Row>, wanted: Wanted) -> Result<Vec<Answer>> {
        let each = self.answer_each(ready, rows, wanted).await?.into_iter().enumerate();
        let taken = each.map(|(row, answer)| {
            answer.map_err(|reason| Problem::new(ProblemKind::Unprocessable, format!("row {row}: {reason}")))
        });
        taken.collect()
    }
}

/// What a caller is told whose answers cannot be explained.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
pub(crate) fn refused(fault: ExplainFault) -> Problem {
    Problem::new(ProblemKind::Unprocessable, format!("the answers cannot be explained: {fault}"))
}

fn redaction(signature: &Signature) -> Redaction {
    let privacy = |private| if private { Privacy::Private } else { Privacy::Open };
    Redaction::of(signature.inputs.iter().map(|feature| (feature.name.clone(), privacy(feature.private))))
}

fn no_background() -> Problem {
    let detail = "this version was registered without a `background`, with which answers are compared when they are \
                  explained; register it anew with typical rows";
    Problem::new(ProblemKind::Unprocessable, detail)
}
