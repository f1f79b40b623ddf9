//! Alerts: events that people are told of.

use axum::extract::State;
use mandi_core::Timestamp;
use mandi_core::event_log::Listed;
use mandi_core::ports::{BusEvent, Severity};
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
pub(crate) struct AlertsQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// How much an alert matters.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AlertSeverity {
    /// Somebody has to look at it.
    Warning,
    /// Somebody has to look at it now.
    Critical,
}

/// What happened that people are told of.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alert {
    /// The event's id, as the webhook and the bus tell it too.
    id: String,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What happened.
    #[schema(example = "model.rolled-back")]
    kind: String,
    /// How much it matters.
    severity: AlertSeverity,
    /// To what it happened.
    subject: String,
    /// The reason, and what to do.
    text: String,
    /// The same for programs; its fields depend on `kind`.
    #[schema(value_type = Object)]
    details: serde_json::Map<String, serde_json::Value>,
}

impl From<BusEvent> for Alert {
    fn from(event: BusEvent) -> Self {
        Self {
            id: event.id.as_str().to_owned(),
            at: event.at,
            kind: event.kind.as_str().to_owned(),
            severity: if event.severity == Severity::Critical {
                AlertSeverity::Critical
            } else {
                AlertSeverity::Warning
            },
            subject: event.subject,
            text: event.text,
            details: event.details,
        }
    }
}

/// A page of alerts, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertPage {
    alerts: Vec<Alert>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List the alerts of the last 90 days, the latest first.
#[utoipa::path(get, path = "/v1/alerts", tag = "administration", security(("bearer" = ["audit.read"])),
    params(AlertsQuery), responses((status = 200, body = AlertPage)))]
pub(crate) async fn list(
    State(state): State<PredictionState>,
    caller: Caller<AuditRead>,
    Query(page): Query<AlertsQuery>,
) -> ApiResult<Json<AlertPage>> {
    let list = List { tenant: &caller.tenant, name: "alerts" };
    let after = page.cursor.as_deref().map(|cursor| list.after(cursor)).transpose()?;
    let limit = cursor::limit(page.limit)?;
    let (events, next) = state.events.page(&caller.tenant, Listed::Alerts, limit, after).await?;
    let alerts = events.into_iter().map(Alert::from).collect();
    Ok(Json(AlertPage { alerts, next_cursor: next.map(|next| list.cursor(&next)) }))
}
