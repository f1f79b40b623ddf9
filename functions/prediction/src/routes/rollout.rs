//! Which version serves: deploy, roll back, look.

use axum::extract::State;
use mandi_core::{Problem, Result};
use mandi_http::auth::{ModelsPromote, ModelsRead};
use mandi_http::{ApiResult, Caller, Json, Path, Query};
use mandi_learning::arm::Report;
use mandi_learning::rollout::Percent;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::state::PredictionState;
use crate::traffic::Trial;
use mandi_registry::{GuardSettings, MetricSettings, Rollout, Share, Split, Stage, StageName};

/// What is to serve.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deployment {
    /// The version.
    #[schema(minimum = 1)]
    version: u32,
    /// Where.
    stage: StageName,
    /// Which calls it gets; all of them when nothing is said.
    #[serde(default)]
    rollout: RolloutSettings,
}

/// Which calls a version gets.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RolloutSettings {
    /// `all`, or a share beside the version that serves: `canary`, `ab`, `shadow`.
    #[serde(default)]
    kind: RolloutKind,
    /// The share, in percent, above 0 and at most 100; 10 for a canary, 50 for `ab`, 100 for a shadow when nothing is
    /// said.
    #[serde(default)]
    percent: Option<f64>,
    /// When the version goes back by itself: by default for a canary alone.
    #[serde(default)]
    guard: Option<GuardSettings>,
    /// What its predictions are compared by once their outcomes are sent (`POST /v1/models/{id}/outcomes`).
    #[serde(default)]
    metric: Option<MetricSettings>,
}

/// How a version comes into use.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RolloutKind {
    /// It serves all calls.
    #[default]
    All,
    /// It serves a share of them.
    Canary,
    /// The same, to compare two versions that are both thought good.
    Ab,
    /// It answers a share beside the other, and its answers are recorded alone.
    Shadow,
}

impl RolloutSettings {
    fn rollout(&self) -> Result<Rollout> {
        let (kind, usual) = match self.kind {
            RolloutKind::All if self.percent.is_some() => {
                return Err(Problem::field("/rollout/percent", "a version that gets all calls has no percentage"));
            }
            RolloutKind::All if self.guard.is_some() => {
                return Err(Problem::field("/rollout/guard", "a version that gets all calls is on no trial"));
            }
            RolloutKind::All if self.metric.is_some() => {
                return Err(Problem::field("/rollout/metric", "a version that gets all calls is on no trial"));
            }
            RolloutKind::All => return Ok(Rollout::All),
            RolloutKind::Canary => (Split::Canary, 10.0),
            RolloutKind::Ab => (Split::Ab, 50.0),
            RolloutKind::Shadow => (Split::Shadow, 100.0),
        };
        let percent = self.percent.unwrap_or(usual);
        if percent <= 0.0 || percent > 100.0 {
            let detail = format!("{percent} is out of range; it is above 0 and at most 100");
            return Err(Problem::field("/rollout/percent", detail));
        }
        Percent::try_from(percent).map_err(|fault| Problem::field("/rollout/percent", fault.to_string()))?;
        let guard = self.guard.or((kind == Split::Canary).then(GuardSettings::default));
        guard.as_ref().map(GuardSettings::guard).transpose()?;
        self.metric.as_ref().map(MetricSettings::metric).transpose()?;
        Ok(Rollout::Share(Share { kind, percent, guard, metric: self.metric }))
    }
}

/// Which stage.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollback {
    /// Where; production when nothing is said.
    #[serde(default)]
    stage: StageName,
}

/// Which stage.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StageQuery {
    /// Production when nothing is said.
    #[serde(default)]
    stage: StageName,
}

/// A stage after a change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StageResponse {
    /// Which stage.
    name: StageName,
    #[serde(flatten)]
    stage: Stage,
}

/// A stage after a deployment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeployedResponse {
    #[serde(flatten)]
    stage: StageResponse,
    /// Which rows, that were taken by the version that served before, are refused by this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// What a roll-back did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RolledBackResponse {
    /// The version that serves no more.
    from: u32,
    /// The version that serves.
    to: u32,
    #[serde(flatten)]
    stage: StageResponse,
}

/// Let a version serve at a stage: all calls, or a share.
///
/// Another percentage of the same trial keeps every key where it was. It takes effect within half a second.
#[utoipa::path(post, path = "/v1/models/{id}/deploy", tag = "models", security(("bearer" = ["models.promote"])),
    params(("id" = String, Path, description = "the model")), request_body = Deployment,
    responses((status = 200, body = DeployedResponse)))]
pub(crate) async fn deploy(
    State(state): State<PredictionState>,
    caller: Caller<ModelsPromote>,
    Path(id): Path<String>,
    Json(deployment): Json<Deployment>,
) -> ApiResult<Json<DeployedResponse>> {
    let model = state.registry.model(&caller.tenant, &id).await?;
    let Deployment { version, stage: name, rollout } = deployment;
    let done = state.registry.deploy(&caller, &model.id, name, version, rollout.rollout()?).await?;
    Ok(Json(DeployedResponse { stage: StageResponse { name, stage: done.stage }, warnings: done.warnings }))
}

/// Take the last deployment back: a trial ends, or the version that served before serves again.
///
/// It takes effect within half a second.
#[utoipa::path(post, path = "/v1/models/{id}/rollback", tag = "models", security(("bearer" = ["models.promote"])),
    params(("id" = String, Path, description = "the model")), request_body = Rollback,
    responses((status = 200, body = RolledBackResponse)))]
pub(crate) async fn roll_back(
    State(state): State<PredictionState>,
    caller: Caller<ModelsPromote>,
    Path(id): Path<String>,
    Json(asked): Json<Rollback>,
) -> ApiResult<Json<RolledBackResponse>> {
    let model = state.registry.model(&caller.tenant, &id).await?;
    let (stage, done) = state.registry.roll_back(&caller, &model.id, asked.stage).await?;
    let stage = StageResponse { name: asked.stage, stage };
    Ok(Json(RolledBackResponse { from: done.from, to: done.to, stage }))
}

/// A stage, and what the calls say of the trial at it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RolloutReport {
    #[serde(flatten)]
    stage: StageResponse,
    /// The comparison of the version that serves (`control`) with the one on trial (`treatment`): calls, errors, latency,
    /// predictions, agreement, the metric where outcomes are known, and verdicts whose intervals hold however often one looks (docs/rollout-and-fusion.md).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    report: Option<Report>,
}

/// What serves at a stage, what is tried beside it, and what its calls say.
///
/// Other processes' counts are up to two seconds old.
#[utoipa::path(get, path = "/v1/models/{id}/rollout", tag = "models", security(("bearer" = ["models.read"])),
    params(("id" = String, Path, description = "the model"), StageQuery),
    responses((status = 200, body = RolloutReport)))]
pub(crate) async fn get(
    State(state): State<PredictionState>,
    caller: Caller<ModelsRead>,
    Path(id): Path<String>,
    Query(asked): Query<StageQuery>,
) -> ApiResult<Json<RolloutReport>> {
    let model = state.registry.model(&caller.tenant, &id).await?;
    let stage = state.registry.stage(&caller.tenant, &model.id, asked.stage).await?;
    let report = match &stage.candidate {
        None => None,
        Some(candidate) => {
            let (tenant, rollout) = (caller.tenant.clone(), candidate.rollout_id.clone());
            let trial = Trial { tenant, model: model.id, stage: asked.stage, rollout };
            Some(state.traffic.report(&trial, candidate).await?)
        }
    };
    Ok(Json(RolloutReport { stage: StageResponse { name: asked.stage, stage }, report }))
}
