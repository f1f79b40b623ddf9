//! One call: rows in, an answer for each row that is good, a fault for each that is not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mandi_core::ids::ModelId;
use mandi_core::ports::ObjectKey;
use mandi_core::{FieldError, Principal, Problem, ProblemKind, Result, TenantId};
use mandi_inference::explain::{Explanation, Game};
use mandi_inference::signature::{Bound, CellFault, Prediction, Row};
use mandi_learning::rollout::{Arm, Choice, Subject};
use moka::future::Cache;
use serde_json::Value as Json;

use super::engines::Engines;
use super::explainers::{Answered, Explainers};
use crate::registry::{Candidate, Registry, Stage, StageName, Version, artifact_key, escaped};
use crate::traffic::{Call, Traffic, Trial};

/// For how long a stage is not read again: a roll-back takes effect within this time.
const STAGE_FRESH: Duration = Duration::from_millis(500);
/// How many versions' signatures are kept in memory.
const MOST_VERSIONS: u64 = 512;

/// Answers calls.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    registry: Registry,
    engines: Engines,
    explainers: Explainers,
    traffic: Traffic,
    stages: Cache<(TenantId, ModelId, StageName), Arc<Stage>>,
    versions: Cache<(TenantId, ModelId, u32), Arc<Ready>>,
}

/// A version that is ready to answer.
#[derive(Debug)]
struct Ready {
    version: u32,
    artifact: ObjectKey,
    background: Option<ObjectKey>,
    bound: Arc<Bound>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The rows, each an object.
    pub(crate) rows: Vec<Json>,
    /// Which version; the stage's when not given.
    pub(crate) version: Option<u32>,
    /// Which stage.
    pub(crate) stage: StageName,
    /// Whether answers are explained, and by which game.
    pub(crate) explained: Option<Game>,
    /// By what the arm of a trial is chosen; each call by itself when not given.
    pub(crate) key: Option<String>,
}

/// The answer for a good row.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What the model predicts.
    pub(crate) prediction: Prediction,
    /// What each feature contributes, where that was asked for.
    pub(crate) explanation: Option<Explanation>,
}

/// The answer for a row, or what is wrong with it.
pub(crate) type RowAnswer = std::result::Result<Answer, Vec<FieldError>>;

/// The answers, and who gave them.
#[derive(Debug)]
pub(crate) struct Served {
    /// The version.
    pub(crate) version: u32,
    /// What it takes and gives.
    pub(crate) bound: Arc<Bound>,
    /// One for each row, in order.
    pub(crate) rows: Vec<RowAnswer>,
}

impl Serving {
    /// Serving from a registry.
    pub(crate) fn new(registry: Registry, engines: Engines, traffic: Traffic) -> Self {
        let stages = Cache::builder().max_capacity(10_000).time_to_live(STAGE_FRESH).build();
        let explainers = Explainers::new(engines.clone());
        Self { registry, engines, explainers, traffic, stages, versions: Cache::new(MOST_VERSIONS) }
    }

    /// Answers a call.
    ///
    /// # Errors
    /// There is no such model or version, or the model fails on rows that are good by its signature.
    pub(crate) async fn predict(&self, caller: &Principal, model: &str, asked: Asked) -> Result<Served> {
        let id = ModelId::parse(model).ok_or_else(|| Problem::not_found("model"))?;
        let stage = self.stage(&caller.tenant, &id, asked.stage).await?;
        if let Some(version) = asked.version {
            return self.serve(&caller.tenant, &id, version, &asked).await;
        }
        let policy = stage.policy(&id).ok_or_else(|| nothing_serves(asked.stage))?;
        let subject = asked.key.as_deref().map_or_else(|| Subject::Drawn(rand::random()), Subject::Key);
        match (policy.choose(subject), &stage.candidate) {
            (Choice::Compared(arm, version), Some(candidate)) => {
                let trial = trial(&caller.tenant, &id, asked.stage, candidate);
                self.counted((&trial, candidate), arm, *version, &asked).await
            }
            (Choice::Beside { answers, shadow }, Some(candidate)) => {
                let trial = trial(&caller.tenant, &id, asked.stage, candidate);
                let served = self.counted((&trial, candidate), Arm::Control, *answers, &asked).await?;
                self.shadow(trial, candidate.clone(), *shadow, asked, &served);
                Ok(served)
            }
            (choice, _) => self.serve(&caller.tenant, &id, *choice.answers(), &asked).await,
        }
    }

    async fn serve(&self, tenant: &TenantId, id: &ModelId, version: u32, asked: &Asked) -> Result<Served> {
        let ready = self.ready(tenant, id, version).await?;
        let rows = self.answer(&ready, asked).await?;
        Ok(Served { version: ready.version, bound: ready.bound.clone(), rows })
    }

    /// Answers by an arm of a trial, and counts the call.
    async fn counted(
        &self,
        (trial, candidate): (&Trial, &Candidate),
        arm: Arm,
        version: u32,
        asked: &Asked,
    ) -> Result<Served> {
        let begun = Instant::now();
        let served = self.serve(&trial.tenant, &trial.model, version, asked).await;
        let answers =
            served.as_ref().ok().map(|served| served.rows.iter().flatten().map(|row| &row.prediction).collect());
        self.traffic.count(trial, candidate, &Call { arm, latency: begun.elapsed(), answers });
        served
    }

    /// Asks the version in the shadow, after the caller's answer is there. Nothing of it reaches the caller.
    fn shadow(&self, trial: Trial, candidate: Candidate, version: u32, asked: Asked, served: &Served) {
        let control = predictions(served);
        let serving = self.clone();
        tokio::spawn(async move {
            let asked = Asked { explained: None, ..asked };
            match serving.counted((&trial, &candidate), Arm::Treatment, version, &asked).await {
                Ok(shadow) => serving.traffic.compare(&trial, &candidate, &control, &predictions(&shadow)),
                Err(problem) => tracing::info!(causes = problem.causes(), detail = problem.detail, "a shadow failed"),
            }
        });
    }

    /// Reads the rows, runs those that are good, and puts answers and faults in their order.
    async fn answer(&self, ready: &Ready, asked: &Asked) -> Result<Vec<RowAnswer>> {
        let mut good = Vec::with_capacity(asked.rows.len());
        let mut answers: Vec<Option<Vec<FieldError>>> = Vec::with_capacity(asked.rows.len());
        for (place, row) in asked.rows.iter().enumerate() {
            answers.push(match read(ready, place, row) {
                Ok(cells) => {
                    good.push(cells);
                    None
                }
                Err(faults) => Some(faults),
            });
        }
        let mut found = self.run(ready, Arc::new(good), asked.explained).await?.into_iter();
        let answered = answers.into_iter().map(|faults| match faults {
            Some(faults) => Ok(Err(faults)),
            None => found.next().map(Ok).ok_or_else(|| Problem::internal("a row has no answer")),
        });
        answered.collect()
    }

    /// Runs good rows, and explains their answers where that is asked for.
    async fn run(&self, ready: &Ready, rows: Arc<Vec<Row>>, explained: Option<Game>) -> Result<Vec<Answer>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let loaded = self.engines.load(&ready.artifact).await?;
        let outputs = self.engines.run(loaded, ready.bound.clone(), rows.clone()).await?;
        let predictions = ready.bound.predictions(rows.len(), &outputs).map_err(Problem::internal)?;
        let Some(game) = explained else {
            let alone = |prediction| Answer { prediction, explanation: None };
            return Ok(predictions.into_iter().map(alone).collect());
        };
        let background = ready.background.clone().ok_or_else(no_background)?;
        let (artifact, bound) = (ready.artifact.clone(), ready.bound.clone());
        let answered = Answered { artifact, background, bound, rows, answers: predictions.clone() };
        let explanations = self.explainers.explain(answered, game).await?;
        let pairs = predictions.into_iter().zip(explanations);
        Ok(pairs.map(|(prediction, explanation)| Answer { prediction, explanation: Some(explanation) }).collect())
    }

    async fn stage(&self, tenant: &TenantId, id: &ModelId, name: StageName) -> Result<Arc<Stage>> {
        let key = (tenant.clone(), id.clone(), name);
        if let Some(stage) = self.stages.get(&key).await {
            return Ok(stage);
        }
        let (model, stage) =
            tokio::join!(self.registry.model(tenant, id.as_str()), self.registry.stage(tenant, id, name));
        model?;
        let stage = Arc::new(stage?);
        self.stages.insert(key, stage.clone()).await;
        Ok(stage)
    }

    async fn ready(&self, tenant: &TenantId, id: &ModelId, version: u32) -> Result<Arc<Ready>> {
        let key = (tenant.clone(), id.clone(), version);
        if let Some(ready) = self.versions.get(&key).await {
            return Ok(ready);
        }
        let found: Version = self.registry.version(tenant, id, version).await?;
        let artifact = artifact_key(tenant, id, &found.artifact.sha256);
        let background = found.background.map(|background| artifact_key(tenant, id, &background.sha256));
        let loaded = self.engines.load(&artifact).await?;
        let bound = Bound::new(found.signature, &loaded.model().signature().inputs).map_err(Problem::internal)?;
        let ready = Arc::new(Ready { version, artifact, background, bound: Arc::new(bound) });
        self.versions.insert(key, ready.clone()).await;
        Ok(ready)
    }
}

fn read(ready: &Ready, place: usize, row: &Json) -> std::result::Result<Row, Vec<FieldError>> {
    let Json::Object(row) = row else {
        let detail = "a row is an object with a value by feature".to_owned();
        return Err(vec![FieldError { pointer: format!("/rows/{place}"), detail }]);
    };
    ready.bound.signature().read_row(row).map_err(|faults| {
        let named = |fault: CellFault| FieldError {
            pointer: format!("/rows/{place}/{}", escaped(&fault.column)),
            detail: fault.detail,
        };
        faults.into_iter().map(named).collect()
    })
}

/// The predictions of the good rows. Rows are read by each version's own signature: where they differ in what is good,
/// nothing is compared.
fn predictions(served: &Served) -> Vec<Prediction> {
    let all: Option<Vec<Prediction>> =
        served.rows.iter().map(|row| row.as_ref().ok().map(|answer| answer.prediction.clone())).collect();
    all.unwrap_or_default()
}

fn trial(tenant: &TenantId, model: &ModelId, stage: StageName, candidate: &Candidate) -> Trial {
    Trial { tenant: tenant.clone(), model: model.clone(), stage, rollout: candidate.rollout_id.clone() }
}

fn no_background() -> Problem {
    let detail = "this version was registered without a `background`, with which answers are compared; register it anew \
                  with typical rows";
    Problem::field("/explain", detail).of_kind(ProblemKind::Unprocessable)
}

fn nothing_serves(stage: StageName) -> Problem {
    let detail = format!(
        "no version serves in {}; deploy one (`POST /v1/models/{{id}}/deploy`), or name a `version`",
        stage.name()
    );
    Problem::new(ProblemKind::Conflict, detail)
}
