//! One call: rows in, an answer for each row that is good, a fault for each that is not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mandi_core::capture::CapturedArm;
use mandi_core::ids::{CallId, ModelId};
use mandi_core::{FieldError, Principal, Problem, ProblemKind, Result, TenantId};
use mandi_inference::signature::{Bound, CellFault, Prediction, Row};
use mandi_learning::capture::CapturePolicy;
use mandi_learning::rollout::{Arm, Choice, Subject};
use mandi_registry::{Answer, Candidate, Ready, Registry, Stage, StageName, Versions, Wanted, escaped};
use moka::future::Cache;
use serde_json::Value as Json;
use tokio_util::task::TaskTracker;

use crate::capture::{Answered, Capturing, Kept, Named};
use crate::outcomes::{Outcomes, Waiting};
use crate::traffic::{Call, Outcome, Traffic, Trial};

/// For how long a stage is not read again: a roll-back takes effect within this time.
const STAGE_FRESH: Duration = Duration::from_millis(500);

/// Answers calls.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    registry: Registry,
    versions: Versions,
    traffic: Traffic,
    capturing: Capturing,
    outcomes: Outcomes,
    background: TaskTracker,
    stages: Cache<(TenantId, ModelId, StageName), Arc<Deployed>>,
}

/// What serves at a stage of a model, and which of its calls are kept.
#[derive(Debug)]
struct Deployed {
    stage: Stage,
    capture: CapturePolicy,
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
    /// What the caller knows the call by, to be kept with it.
    pub(crate) reference: Option<String>,
}

/// A call, and what is to be kept of it.
#[derive(Clone, Debug)]
struct Asking {
    call: CallId,
    tenant: TenantId,
    model: ModelId,
    asked: Asked,
    kept: Option<Kept>,
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
    /// The call's id.
    pub(crate) call: CallId,
    /// The version.
    pub(crate) version: u32,
    /// What it takes and gives.
    pub(crate) bound: Arc<Bound>,
    /// One for each row, in order.
    pub(crate) rows: Vec<RowAnswer>,
}

impl Serving {
    /// Serving from a registry.
    pub(crate) fn new(
        registry: Registry,
        versions: Versions,
        traffic: Traffic,
        capturing: Capturing,
        outcomes: Outcomes,
        background: TaskTracker,
    ) -> Self {
        let stages = Cache::builder().max_capacity(10_000).time_to_live(STAGE_FRESH).build();
        Self { registry, versions, traffic, capturing, outcomes, background, stages }
    }

    /// Answers a call.
    ///
    /// # Errors
    /// There is no such model or version, or the model fails on rows that are good by its signature.
    pub(crate) async fn predict(&self, caller: &Principal, model: &str, asked: Asked) -> Result<Served> {
        let id = ModelId::parse(model).ok_or_else(|| Problem::not_found("model"))?;
        let name = asked.stage;
        let deployed = self.deployed(&caller.tenant, &id, name).await?;
        let asking = self.asking(caller, id, asked, deployed.capture);
        if let Some(version) = asking.asked.version {
            return self.serve(&asking, None, version).await;
        }
        let policy = deployed.stage.policy(&asking.model).ok_or_else(|| nothing_serves(name))?;
        let subject = asking.asked.key.as_deref().map_or_else(|| Subject::Drawn(rand::random()), Subject::Key);
        match (policy.choose(subject), &deployed.stage.candidate) {
            (Choice::Compared(arm, version), Some(candidate)) => {
                let trial = trial(&asking, candidate);
                let served = self.counted((&trial, candidate), captured(arm), *version, &asking).await?;
                if let (Arm::Treatment, Some(serving)) = (arm, deployed.stage.version) {
                    self.ask_the_other(trial, candidate.clone(), serving, asking, &served);
                }
                Ok(served)
            }
            (Choice::Beside { answers, shadow }, Some(candidate)) => {
                let trial = trial(&asking, candidate);
                let served = self.counted((&trial, candidate), CapturedArm::Control, *answers, &asking).await?;
                self.shadow(trial, candidate.clone(), *shadow, asking, &served);
                Ok(served)
            }
            (choice, _) => self.serve(&asking, None, *choice.answers()).await,
        }
    }

    fn asking(&self, caller: &Principal, model: ModelId, asked: Asked, policy: CapturePolicy) -> Asking {
        let call = CallId::generate();
        let stage = asked.version.is_none().then_some(asked.stage);
        let named = Named { call: &call, model: &model, stage, reference: asked.reference.as_deref() };
        let kept = self.capturing.chosen(policy, caller, &named);
        Asking { call, tenant: caller.tenant.clone(), model, asked, kept }
    }

    /// Answers by a version, and keeps the answer where that is wanted.
    async fn serve(&self, asking: &Asking, arm: Option<CapturedArm>, version: u32) -> Result<Served> {
        let begun = Instant::now();
        let ready = self.versions.ready(&asking.tenant, &asking.model, version).await?;
        let rows = self.answer(&ready, &asking.asked).await?;
        if let Some(kept) = &asking.kept {
            let latency = begun.elapsed();
            let answered = Answered { ready: &ready, arm, latency, asked: &asking.asked.rows, rows: &rows };
            self.capturing.keep(kept, &answered);
        }
        Ok(Served { call: asking.call.clone(), version: ready.version, bound: ready.bound.clone(), rows })
    }

    /// Answers by an arm of a trial, and counts the call.
    async fn counted(
        &self,
        (trial, candidate): (&Trial, &Candidate),
        arm: CapturedArm,
        version: u32,
        asking: &Asking,
    ) -> Result<Served> {
        // What a version was registered without is no failure of its own.
        if let Ok(ready) = self.versions.ready(&trial.tenant, &trial.model, version).await {
            ready.check(asking.asked.wanted)?;
        }
        let begun = Instant::now();
        let served = self.serve(asking, Some(arm), version).await;
        let rows = served.as_ref().map(|served| &served.rows[..]).unwrap_or_default();
        let answers = rows.iter().flatten().map(|row| &row.prediction).collect();
        let is_answered = served.is_ok() && rows.iter().all(std::result::Result::is_ok);
        let outcome = if is_answered { Outcome::Answered } else { Outcome::Failed };
        self.traffic.count(
            trial,
            candidate,
            &Call { arm: counted_as(arm), latency: begun.elapsed(), answers, outcome },
        );
        if let Ok(served) = &served {
            self.outcomes.keep(trial, candidate, &Waiting { call: &served.call, arm, rows: &served.rows });
        }
        served
    }

    /// Asks the version in the shadow, after the caller's answer is there. Nothing of it reaches the caller.
    fn shadow(&self, trial: Trial, candidate: Candidate, version: u32, mut asking: Asking, served: &Served) {
        let control = predictions(served);
        let serving = self.clone();
        asking.asked.wanted = Wanted::default();
        self.background.spawn(async move {
            match serving.counted((&trial, &candidate), CapturedArm::Shadow, version, &asking).await {
                Ok(shadow) => serving.traffic.compare(&trial, &candidate, &control, &predictions(&shadow)),
                Err(problem) => tracing::info!(causes = problem.causes(), detail = problem.detail, "a shadow failed"),
            }
        });
    }

    /// Asks the version that serves for what the one on trial answered, after the caller's answer is there, where the trial
    /// is bound to agree with it. It counts as no call.
    fn ask_the_other(&self, trial: Trial, candidate: Candidate, serving: u32, mut asking: Asking, served: &Served) {
        if candidate.guard.is_none_or(|guard| guard.disagreement.is_none()) {
            return;
        }
        let treatment = predictions(served);
        let this = self.clone();
        (asking.asked.wanted, asking.kept) = (Wanted::default(), None);
        self.background.spawn(async move {
            match this.serve(&asking, None, serving).await {
                Ok(control) => this.traffic.compare(&trial, &candidate, &predictions(&control), &treatment),
                Err(problem) => tracing::info!(causes = problem.causes(), "a trial's answer was compared with none"),
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
        let mut found = self.versions.answer_each(ready, good, asked.wanted).await?.into_iter();
        let answered = answers.into_iter().enumerate().map(|(place, faults)| {
            let refused = |detail| vec![FieldError { pointer: format!("/rows/{place}"), detail }];
            match faults {
                Some(faults) => Ok(Err(faults)),
                None => match found.next() {
                    Some(answer) => Ok(answer.map_err(refused)),
                    None => Err(Problem::internal("a row has no answer")),
                },
            }
        });
        answered.collect()
    }

    async fn deployed(&self, tenant: &TenantId, id: &ModelId, name: StageName) -> Result<Arc<Deployed>> {
        let key = (tenant.clone(), id.clone(), name);
        if let Some(deployed) = self.stages.get(&key).await {
            return Ok(deployed);
        }
        let (model, stage) =
            tokio::join!(self.registry.model(tenant, id.as_str()), self.registry.stage(tenant, id, name));
        let deployed = Arc::new(Deployed { capture: model?.capture.policy()?, stage: stage? });
        self.stages.insert(key, deployed.clone()).await;
        Ok(deployed)
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

fn trial(asking: &Asking, candidate: &Candidate) -> Trial {
    Trial {
        tenant: asking.tenant.clone(),
        model: asking.model.clone(),
        stage: asking.asked.stage,
        rollout: candidate.rollout_id.clone(),
    }
}

const fn captured(arm: Arm) -> CapturedArm {
    match arm {
        Arm::Control => CapturedArm::Control,
        Arm::Treatment => CapturedArm::Treatment,
    }
}

const fn counted_as(arm: CapturedArm) -> Arm {
    match arm {
        CapturedArm::Control => Arm::Control,
        CapturedArm::Treatment | CapturedArm::Shadow => Arm::Treatment,
    }
}

/// What a caller is told who asks a stage where nothing serves.
pub(crate) fn nothing_serves(stage: StageName) -> Problem {
    let detail = format!(
        "no version serves in {}; deploy one (`POST /v1/models/{{id}}/deploy`), or name a `version`",
        stage.name()
    );
    Problem::new(ProblemKind::Conflict, detail)
}
