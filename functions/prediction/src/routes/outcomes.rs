//! Outcomes of a trial's calls.

use axum::extract::State;
use mandi_core::Problem;
use mandi_http::auth::OutcomesWrite;
use mandi_http::{ApiResult, Caller, Json, Path};
use mandi_inference::signature::Scalar;
use mandi_learning::arm::MetricReport;
use mandi_registry::StageName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::outcomes::{GivenOutcome, Passed};
use crate::state::PredictionState;
use crate::traffic::Trial;

/// What came of calls that a trial answered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrialOutcomes {
    /// The stage at which the trial is; production when nothing is said.
    #[serde(default)]
    stage: StageName,
    /// 1 to 1,000 outcomes, of up to 90 calls.
    #[schema(min_items = 1, max_items = 1_000,
        example = json!([{"call": "call_019a9f3e5b7c7d8e9f00112233445566", "row": 0, "truth": "A"}]))]
    outcomes: Vec<TrialOutcome>,
}

/// What came of a row.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrialOutcome {
    /// The `id` of the answer.
    call: String,
    /// The row's place in the call, from 0.
    #[serde(default)]
    row: usize,
    /// What came: the class, or the number.
    truth: Scalar,
}

/// What became of outcomes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrialOutcomesResponse {
    /// How many were counted.
    used: usize,
    /// The others.
    skipped: Vec<SkippedTrialOutcome>,
    /// The metric of both versions as it is now known, their difference, and a verdict that holds however often one looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    metric: Option<MetricReport>,
}

/// An outcome that was not counted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SkippedTrialOutcome {
    /// Its place in the call, from 0.
    outcome: usize,
    /// Why.
    reason: String,
}

/// Tell what came of calls that a trial with a metric answered.
///
/// Each row's outcome counts once. One that cannot be used is skipped and named; the others are counted together. A call
/// waits for 30 days, and as long as its trial is on.
#[utoipa::path(post, path = "/v1/models/{id}/outcomes", tag = "models", security(("bearer" = ["outcomes.write"])),
    params(("id" = String, Path, description = "the model")), request_body = TrialOutcomes,
    responses((status = 200, body = TrialOutcomesResponse)))]
pub(crate) async fn send(
    State(state): State<PredictionState>,
    caller: Caller<OutcomesWrite>,
    Path(id): Path<String>,
    Json(sent): Json<TrialOutcomes>,
) -> ApiResult<Json<TrialOutcomesResponse>> {
    let model = state.registry.model(&caller.tenant, &id).await?;
    let stage = state.registry.stage(&caller.tenant, &model.id, sent.stage).await?;
    let Some(candidate) = &stage.candidate else {
        let detail = format!("no version is on trial in {}: outcomes are of a trial's calls", sent.stage.name());
        return Err(Problem::conflict(detail).into());
    };
    let (tenant, rollout) = (caller.tenant.clone(), candidate.rollout_id.clone());
    let trial = Trial { tenant, model: model.id, stage: sent.stage, rollout };
    let given = |one: TrialOutcome| GivenOutcome { call: one.call, row: one.row, truth: one.truth };
    let given: Vec<_> = sent.outcomes.into_iter().map(given).collect();
    let taken = state.outcomes.judge(&trial, candidate, &given).await?;
    let metric = state.traffic.report(&trial, candidate).await?.metric;
    let skipped = |Passed { outcome, reason }| SkippedTrialOutcome { outcome, reason };
    let skipped = taken.passed.into_iter().map(skipped).collect();
    Ok(Json(TrialOutcomesResponse { used: taken.used, skipped, metric }))
}
