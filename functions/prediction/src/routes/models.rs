//! Models: make, list, get, describe, delete.

use axum::extract::State;
use axum::http::StatusCode;
use mandi_core::capture::{CaptureCounts, LostReason};
use mandi_http::auth::{ModelsRead, ModelsWrite};
use mandi_http::cursor::{self, List};
use mandi_http::{ApiResult, Caller, Json, Path, Query};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

use crate::state::PredictionState;
use mandi_registry::{CaptureSettings, Described, Model, Stage, StageName};

/// What a model is to be called, and what is kept of its calls.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewModel {
    /// Its name; no other model of the tenant may have it.
    #[schema(min_length = 1, max_length = 100, example = "turmeric-quality")]
    name: String,
    /// What it is for, at most 1,000 characters.
    #[serde(default)]
    #[schema(max_length = 1_000)]
    description: Option<String>,
    /// Which of its calls are kept: none when nothing is said. Another policy takes effect within half a second.
    #[serde(default)]
    capture: CaptureSettings,
}

impl From<NewModel> for Described {
    fn from(new: NewModel) -> Self {
        Self { name: new.name, description: new.description, capture: new.capture }
    }
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ModelsQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only the model of this name.
    name: Option<String>,
}

/// A page of models, in the order of their making.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelPage {
    models: Vec<Model>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A model, and what serves at its stages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelDetails {
    #[serde(flatten)]
    model: Model,
    /// What serves, by stage: `staging` and `production`.
    #[schema(value_type = BTreeMap<String, Stage>)]
    stages: BTreeMap<&'static str, Stage>,
    /// What became of its captured calls in the process that answers, since that began.
    captures: CapturedLines,
}

/// What became of captured calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CapturedLines {
    /// Lines that are durable; a call has one, and more when it is long.
    captured: u64,
    /// Lines that were lost, by reason (docs/capture.md); reasons without any are left out.
    lost: BTreeMap<&'static str, u64>,
}

impl From<CaptureCounts> for CapturedLines {
    fn from(counts: CaptureCounts) -> Self {
        let lost = LostReason::ALL.iter().map(|reason| (reason.name(), counts.lost(*reason)));
        Self { captured: counts.captured, lost: lost.filter(|(_, count)| *count > 0).collect() }
    }
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelDeleted {
    /// The model's id.
    id: String,
    /// Its name.
    name: String,
}

/// Make a model, under which versions are registered.
#[utoipa::path(post, path = "/v1/models", tag = "models", security(("bearer" = ["models.write"])),
    request_body = NewModel, responses((status = 201, body = Model)))]
pub(crate) async fn create(
    State(state): State<PredictionState>,
    caller: Caller<ModelsWrite>,
    Json(new): Json<NewModel>,
) -> ApiResult<(StatusCode, Json<Model>)> {
    Ok((StatusCode::CREATED, Json(state.registry.create(&caller, new.into()).await?)))
}

/// List models, in the order of their making.
#[utoipa::path(get, path = "/v1/models", tag = "models", security(("bearer" = ["models.read"])),
    params(ModelsQuery), responses((status = 200, body = ModelPage)))]
pub(crate) async fn list(
    State(state): State<PredictionState>,
    caller: Caller<ModelsRead>,
    Query(page): Query<ModelsQuery>,
) -> ApiResult<Json<ModelPage>> {
    if let Some(name) = &page.name {
        let found = state.registry.named(&caller.tenant, name).await?;
        return Ok(Json(ModelPage { models: found.into_iter().collect(), next_cursor: None }));
    }
    let list = List { tenant: &caller.tenant, name: "models" };
    let after = page.cursor.as_deref().map(|cursor| list.after(cursor)).transpose()?;
    let (models, next) = state.registry.page(&caller.tenant, cursor::limit(page.limit)?, after).await?;
    Ok(Json(ModelPage { models, next_cursor: next.map(|next| list.cursor(&next)) }))
}

/// Get a model, with what serves at its stages.
#[utoipa::path(get, path = "/v1/models/{id}", tag = "models", security(("bearer" = ["models.read"])),
    params(("id" = String, Path, description = "the model")), responses((status = 200, body = ModelDetails)))]
pub(crate) async fn get(
    State(state): State<PredictionState>,
    caller: Caller<ModelsRead>,
    Path(id): Path<String>,
) -> ApiResult<Json<ModelDetails>> {
    let model = state.registry.model(&caller.tenant, &id).await?;
    let mut stages = BTreeMap::new();
    for name in StageName::ALL {
        stages.insert(name.name(), state.registry.stage(&caller.tenant, &model.id, name).await?);
    }
    let captures = state.capturing.counts(&model.id).into();
    Ok(Json(ModelDetails { model, stages, captures }))
}

/// Describe a model anew. What is left out is removed: without `capture` no calls are kept any more.
#[utoipa::path(put, path = "/v1/models/{id}", tag = "models", security(("bearer" = ["models.write"])),
    params(("id" = String, Path, description = "the model")), request_body = NewModel,
    responses((status = 200, body = Model)))]
pub(crate) async fn put(
    State(state): State<PredictionState>,
    caller: Caller<ModelsWrite>,
    Path(id): Path<String>,
    Json(new): Json<NewModel>,
) -> ApiResult<Json<Model>> {
    Ok(Json(state.registry.describe(&caller, &id, new.into()).await?))
}

/// Delete a model with all of its versions. One that serves in production needs `models.promote` too.
#[utoipa::path(delete, path = "/v1/models/{id}", tag = "models", security(("bearer" = ["models.write"])),
    params(("id" = String, Path, description = "the model")), responses((status = 200, body = ModelDeleted)))]
pub(crate) async fn delete(
    State(state): State<PredictionState>,
    caller: Caller<ModelsWrite>,
    Path(id): Path<String>,
) -> ApiResult<Json<ModelDeleted>> {
    let model = state.registry.delete(&caller, &id).await?;
    Ok(Json(ModelDeleted { id: model.id.as_str().to_owned(), name: model.name }))
}
