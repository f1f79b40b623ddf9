//! Versions: register, list, get.

use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use mandi_core::{Problem, ProblemKind, Result, TenantId};
use mandi_http::auth::{ModelsRead, ModelsWrite};
use mandi_http::cursor::{self, List};
use mandi_http::{ApiResult, Caller, Json, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::state::PredictionState;
use mandi_registry::{Model, NewVersion, StageName, Version};

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VersionsQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A version as a form.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the form, which is read field by field")]
pub(crate) struct VersionForm {
    /// The ONNX file.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// The rest, as JSON, without `artifact`.
    version: Option<NewVersion>,
}

/// A version, and the stage that it is at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionDetails {
    #[serde(flatten)]
    version: Version,
    /// `production` or `staging` where it serves or is tried there, `archived` when it served in production before, else
    /// `none`.
    #[schema(example = "production")]
    stage: &'static str,
}

/// A page of versions, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionPage {
    versions: Vec<VersionDetails>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Register a version.
///
/// The file is read within limits, each of its operators has to be supported, the signature has to fit, and the sample
/// has to give what is expected of it. A file that fails is not kept. The body is JSON that names the file, or a form
/// with the file in the field `file` and the JSON in the field `version`.
#[utoipa::path(post, path = "/v1/models/{id}/versions", tag = "models", security(("bearer" = ["models.write"])),
    params(("id" = String, Path, description = "the model")),
    request_body(content((NewVersion = "application/json"), (VersionForm = "multipart/form-data"))),
    responses((status = 201, body = VersionDetails)))]
pub(crate) async fn create(
    State(state): State<PredictionState>,
    caller: Caller<ModelsWrite>,
    Path(id): Path<String>,
    request: Request,
) -> ApiResult<(StatusCode, Json<VersionDetails>)> {
    let (new, file) = read(request).await?;
    let version = state.registry.register(&caller, &id, new, file).await?;
    Ok((StatusCode::CREATED, Json(VersionDetails { version, stage: "none" })))
}

/// List the versions of a model, the latest first.
#[utoipa::path(get, path = "/v1/models/{id}/versions", tag = "models", security(("bearer" = ["models.read"])),
    params(("id" = String, Path, description = "the model"), VersionsQuery),
    responses((status = 200, body = VersionPage)))]
pub(crate) async fn list(
    State(state): State<PredictionState>,
    caller: Caller<ModelsRead>,
    Path(id): Path<String>,
    Query(page): Query<VersionsQuery>,
) -> ApiResult<Json<VersionPage>> {
    let model = state.registry.model(&caller.tenant, &id).await?;
    let name = format!("versions of {}", model.id);
    let list = List { tenant: &caller.tenant, name: &name };
    let after = page.cursor.as_deref().map(|cursor| list.after(cursor)).transpose()?;
    let limit = cursor::limit(page.limit)?;
    let (versions, next) = state.registry.versions(&caller.tenant, &model.id, limit, after).await?;
    let stages = Stages::read(&state, &caller.tenant, &model).await?;
    let versions = versions.into_iter().map(|version| stages.of(version)).collect();
    Ok(Json(VersionPage { versions, next_cursor: next.map(|next| list.cursor(&next)) }))
}

/// Get a version.
#[utoipa::path(get, path = "/v1/models/{id}/versions/{version}", tag = "models",
    security(("bearer" = ["models.read"])),
    params(("id" = String, Path, description = "the model"), ("version" = u32, Path, description = "its number")),
    responses((status = 200, body = VersionDetails)))]
pub(crate) async fn get(
    State(state): State<PredictionState>,
    caller: Caller<ModelsRead>,
    Path((id, version)): Path<(String, String)>,
) -> ApiResult<Json<VersionDetails>> {
    let model = state.registry.model(&caller.tenant, &id).await?;
    let number = version.parse().map_err(|_| Problem::not_found("version"))?;
    let version = state.registry.version(&caller.tenant, &model.id, number).await?;
    Ok(Json(Stages::read(&state, &caller.tenant, &model).await?.of(version)))
}

/// What serves at each stage of a model.
struct Stages(Vec<(StageName, mandi_registry::Stage)>);

impl Stages {
    async fn read(state: &PredictionState, tenant: &TenantId, model: &Model) -> Result<Self> {
        let mut stages = Vec::new();
        for name in [StageName::Production, StageName::Staging] {
            stages.push((name, state.registry.stage(tenant, &model.id, name).await?));
        }
        Ok(Self(stages))
    }

    fn of(&self, version: Version) -> VersionDetails {
        let number = version.version;
        let serving = self.0.iter().find(|(_, stage)| stage.uses(number)).map(|(name, _)| name.name());
        let earlier =
            self.0.iter().any(|(name, stage)| *name == StageName::Production && stage.earlier.contains(&number));
        let stage = serving.unwrap_or(if earlier { "archived" } else { "none" });
        VersionDetails { version, stage }
    }
}

/// Reads the body: JSON, or a form with the file.
async fn read(request: Request) -> Result<(NewVersion, Option<Bytes>)> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.starts_with("multipart/form-data") {
        let json = Json::<NewVersion>::from_request(request, &()).await.map_err(|error| error.0)?;
        return Ok((json.0, None));
    }
    let mut form = Multipart::from_request(request, &()).await.map_err(|fault| bad_form(&fault.body_text()))?;
    let (mut new, mut file) = (None, None);
    while let Some(field) = form.next_field().await.map_err(|error| bad_form(&error.body_text()))? {
        let name = field.name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(|error| bad_form(&error.body_text()))?;
        match name.as_str() {
            "version" => new = Some(mandi_http::json::parse(&bytes)?),
            "file" => file = Some(bytes),
            _ => return Err(Problem::field(name, "the fields of the form are `file` and `version`")),
        }
    }
    let file = file.ok_or_else(|| Problem::field("file", "the form has no file"))?;
    let new = match new {
        Some(new) => new,
        None => mandi_http::json::parse(b"{}")?,
    };
    Ok((new, Some(file)))
}

fn bad_form(reason: &str) -> Problem {
    if reason.contains("length limit") || reason.contains("too large") {
        let detail = format!(
            "the body is over {} bytes; send the file to an upload (`POST /v1/uploads`), and name it in `artifact`",
            mandi_http::gate::MAX_BODY_BYTES
        );
        return Problem::new(ProblemKind::TooLarge, detail);
    }
    Problem::new(ProblemKind::InvalidRequest, format!("the form cannot be read: {reason}"))
}
