//! One call: rows in, an answer for each row that is good, a fault for each that is not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mandi_core::ids::ModelId;
use mandi_core::{FieldError, Principal, Problem, ProblemKind, Result, TenantId};
use mandi_inference::signature::{Bound, CellFault, Prediction, Row};
use mandi_learning::rollout::{Arm, Choice, Subject};
use mandi_registry::{Answer, Candidate, Ready, Registry, Stage, StageName, Versions, Wanted, escaped};
use moka::future::Cache;
use serde_json::Value as Json;

use crate::traffic::{Call, Traffic, Trial};

/// For how long a stage is not read again: a roll-back takes effect within this time.
const STAGE_FRESH: Duration = Duration::from_millis(500);

/// Answers calls.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    registry: Registry,
    versions: Versions,
    traffic: Traffic,
    stages: Cache<(TenantId, ModelId, StageName), Arc<Stage>>,
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
    /// What answers are to have besides predictions.
    pub(crate) wanted: Wanted,
    /// What becomes of columns that the model does not have.
    pub(crate) strange: Strange,
    /// By what the arm of a trial is chosen; each call by itself when not given.
    pub(crate) key: Option<String>,
}

/// What becomes of columns of a row that the model does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Strange {
    /// They are faults.
    #[default]
    Refused,
    /// They are passed over: they are for other models.
    PassedOver,
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
    pub(crate) fn new(registry: Registry, versions: Versions, traffic: Traffic) -> Self {
        let stages = Cache::builder().max_capacity(10_000).time_to_live(STAGE_FRESH).build();
        Self { registry, versions, traffic, stages }
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
        let ready = self.versions.ready(tenant, id, version).await?;
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
        // What a version was registered without is no failure of its own.
        if let Ok(ready) = self.versions.ready(&trial.tenant, &trial.model, version).await {
            ready.check(asked.wanted)?;
        }
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
            let asked = Asked { wanted: Wanted::default(), ..asked };
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
            answers.push(match read(ready, place, row, asked.strange) {
                Ok(cells) => {
                    good.push(cells);
                    None
                }
                Err(faults) => Some(faults),
            });
        }
        let mut found = self.versions.answer(ready, Arc::new(good), asked.wanted).await?.into_iter();
        let answered = answers.into_iter().map(|faults| match faults {
            Some(faults) => Ok(Err(faults)),
            None => found.next().map(Ok).ok_or_else(|| Problem::internal("a row has no answer")),
        });
        answered.collect()
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
}

fn read(ready: &Ready, place: usize, row: &Json, strange: Strange) -> std::result::Result<Row, Vec<FieldError>> {
    let Json::Object(row) = row else {
        let detail = "a row is an object with a value by feature".to_owned();
        return Err(vec![FieldError { pointer: format!("/rows/{place}"), detail }]);
    };
    let signature = ready.bound.signature();
    let read = match strange {
        Strange::Refused => signature.read_row(row),
        Strange::PassedOver => {
            let known = |(name, _): &(&String, &Json)| signature.position(name).is_some();
            signature.read_row(&row.iter().filter(known).map(|(name, value)| (name.clone(), value.clone())).collect())
        }
    };
    read.map_err(|faults| {
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

/// What a caller is told who asks a stage where nothing serves.
pub(crate) fn nothing_serves(stage: StageName) -> Problem {
    let detail = format!(
        "no version serves in {}; deploy one (`POST /v1/models/{{id}}/deploy`), or name a `version`",
        stage.name()
    );
    Problem::new(ProblemKind::Conflict, detail)
}
