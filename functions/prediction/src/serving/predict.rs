//! One call: rows in, an answer for each row that is good, a fault for each that is not.

use std::sync::Arc;
use std::time::Duration;

use mandi_core::ids::ModelId;
use mandi_core::ports::ObjectKey;
use mandi_core::{FieldError, Principal, Problem, ProblemKind, Result, TenantId};
use mandi_inference::signature::{Bound, Prediction};
use moka::future::Cache;
use serde_json::Value as Json;

use super::engines::Engines;
use crate::registry::{Registry, Stage, StageName, Version, artifact_key, escaped};

/// For how long a stage is not read again: a roll-back takes effect within this time.
const STAGE_FRESH: Duration = Duration::from_millis(500);
/// How many versions' signatures are kept in memory.
const MOST_VERSIONS: u64 = 512;

/// Answers calls.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    registry: Registry,
    engines: Engines,
    stages: Cache<(TenantId, ModelId, StageName), Arc<Stage>>,
    versions: Cache<(TenantId, ModelId, u32), Arc<Ready>>,
}

/// A version that is ready to answer.
#[derive(Debug)]
struct Ready {
    version: u32,
    artifact: ObjectKey,
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
}

/// The answer for a row, or what is wrong with it.
pub(crate) type RowAnswer = std::result::Result<Prediction, Vec<FieldError>>;

/// The answers, and who gave them.
#[derive(Debug)]
pub(crate) struct Served {
    /// The version.
    pub(crate) version: u32,
    /// One for each row, in order.
    pub(crate) rows: Vec<RowAnswer>,
}

impl Serving {
    /// Serving from a registry.
    pub(crate) fn new(registry: Registry, engines: Engines) -> Self {
        let stages = Cache::builder().max_capacity(10_000).time_to_live(STAGE_FRESH).build();
        Self { registry, engines, stages, versions: Cache::new(MOST_VERSIONS) }
    }

    /// Answers a call.
    ///
    /// # Errors
    /// There is no such model or version, or the model fails on rows that are good by its signature.
    pub(crate) async fn predict(&self, caller: &Principal, model: &str, asked: Asked) -> Result<Served> {
        let id = ModelId::parse(model).ok_or_else(|| Problem::not_found("model"))?;
        let stage = self.stage(&caller.tenant, &id, asked.stage).await?;
        let version = match (asked.version, stage.version) {
            (Some(version), _) | (None, Some(version)) => version,
            (None, None) => return Err(nothing_serves(asked.stage)),
        };
        let ready = self.ready(&caller.tenant, &id, version).await?;
        let rows = self.answer(&ready, &asked.rows).await?;
        Ok(Served { version: ready.version, rows })
    }

    /// Reads the rows, runs those that are good, and puts answers and faults in their order.
    async fn answer(&self, ready: &Ready, rows: &[Json]) -> Result<Vec<RowAnswer>> {
        let mut good = Vec::with_capacity(rows.len());
        let mut answers: Vec<Option<Vec<FieldError>>> = Vec::with_capacity(rows.len());
        for (place, row) in rows.iter().enumerate() {
            answers.push(match read(ready, place, row) {
                Ok(cells) => {
                    good.push(cells);
                    None
                }
                Err(faults) => Some(faults),
            });
        }
        let mut predictions = Vec::new();
        if !good.is_empty() {
            let count = good.len();
            let loaded = self.engines.load(&ready.artifact).await?;
            let outputs = self.engines.run(loaded, ready.bound.clone(), Arc::new(good)).await?;
            predictions = ready.bound.predictions(count, &outputs).map_err(Problem::internal)?;
        }
        let mut predictions = predictions.into_iter();
        let answered = answers.into_iter().map(|faults| match faults {
            Some(faults) => Ok(Err(faults)),
            None => predictions.next().map(Ok).ok_or_else(|| Problem::internal("a row has no answer")),
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

    async fn ready(&self, tenant: &TenantId, id: &ModelId, version: u32) -> Result<Arc<Ready>> {
        let key = (tenant.clone(), id.clone(), version);
        if let Some(ready) = self.versions.get(&key).await {
            return Ok(ready);
        }
        let found: Version = self.registry.version(tenant, id, version).await?;
        let artifact = artifact_key(tenant, id, &found.artifact.sha256);
        let loaded = self.engines.load(&artifact).await?;
        let bound = Bound::new(found.signature, &loaded.model().signature().inputs).map_err(Problem::internal)?;
        let ready = Arc::new(Ready { version, artifact, bound: Arc::new(bound) });
        self.versions.insert(key, ready.clone()).await;
        Ok(ready)
    }
}

fn read(
    ready: &Ready,
    place: usize,
    row: &Json,
) -> std::result::Result<mandi_inference::signature::Row, Vec<FieldError>> {
    let Json::Object(row) = row else {
        let detail = "a row is an object with a value by feature".to_owned();
        return Err(vec![FieldError { pointer: format!("/rows/{place}"), detail }]);
    };
    ready.bound.signature().read_row(row).map_err(|faults| {
        let named = |fault: mandi_inference::signature::CellFault| FieldError {
            pointer: format!("/rows/{place}/{}", escaped(&fault.column)),
            detail: fault.detail,
        };
        faults.into_iter().map(named).collect()
    })
}

fn nothing_serves(stage: StageName) -> Problem {
    let detail = format!(
        "no version serves in {}; deploy one (`POST /v1/models/{{id}}/deploy`), or name a `version`",
        stage.name()
    );
    Problem::new(ProblemKind::Conflict, detail)
}
