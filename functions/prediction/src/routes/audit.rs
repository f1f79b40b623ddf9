//! The audit trail.

use axum::extract::State;
use mandi_core::Timestamp;
use mandi_core::audit::Entry;
use mandi_http::auth::AuditRead;
use mandi_http::cursor::{self, List};
use mandi_http::{ApiResult, Caller, Json, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::state::PredictionState;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only what was done to this model. A page may then have fewer items than `limit`, and still a `next_cursor`.
    model_id: Option<String>,
}

/// Who did what, when, to which model and version, with what outcome.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// The entry's id.
    id: String,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The user who did it; `platform` where nobody asked.
    user: String,
    /// What was done.
    #[schema(example = "model.deploy")]
    action: String,
    /// The model that it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    model_id: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    /// SHA-256 of what was given, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    input_sha256: Option<String>,
    /// What came of it.
    outcome: String,
}

impl From<Entry> for AuditEntry {
    fn from(entry: Entry) -> Self {
        let Entry { id, at, user, event } = entry;
        Self {
            id: id.as_str().to_owned(),
            at,
            user,
            action: event.action,
            model_id: event.model_id.map(|id| id.as_str().to_owned()),
            version: event.version,
            input_sha256: event.input_sha256,
            outcome: event.outcome,
        }
    }
}

/// A page of the trail, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditPage {
    entries: Vec<AuditEntry>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Read the audit trail, the latest entries first. Nothing changes or removes an entry.
#[utoipa::path(get, path = "/v1/audit", tag = "administration", security(("bearer" = ["audit.read"])),
    params(AuditQuery), responses((status = 200, body = AuditPage)))]
pub(crate) async fn list(
    State(state): State<PredictionState>,
    caller: Caller<AuditRead>,
    Query(page): Query<AuditQuery>,
) -> ApiResult<Json<AuditPage>> {
    let list = List { tenant: &caller.tenant, name: "audit" };
    let after = page.cursor.as_deref().map(|cursor| list.after(cursor)).transpose()?;
    let (entries, next) = state.audit.page(&caller.tenant, cursor::limit(page.limit)?, after).await?;
    let wanted = |entry: &Entry| {
        let id = entry.event.model_id.as_ref().map(mandi_core::ids::ModelId::as_str);
        page.model_id.is_none() || page.model_id.as_deref() == id
    };
    let entries = entries.into_iter().filter(wanted).map(AuditEntry::from).collect();
    Ok(Json(AuditPage { entries, next_cursor: next.map(|next| list.cursor(&next)) }))
}
