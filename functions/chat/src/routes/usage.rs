//! Usage and cost of the tenant.

use std::collections::BTreeMap;

use axum::extract::State;
use mandi_core::metering::UsageRow;
use mandi_core::{Problem, Result, Timestamp};
use mandi_http::auth::UsageRead;
use mandi_http::{ApiResult, Caller, Json, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::state::ChatState;

/// The longest range, in days.
const MAX_DAYS: u64 = 366;
const DAY_S: u64 = 24 * 3600;

/// Which days.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RangeQuery {
    /// So many days up to today (UTC): a number and `d`, such as `7d`; 1 to 366 days.
    #[param(default = "30d", example = "7d")]
    range: Option<String>,
}

/// Sums of model calls.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Totals {
    /// Calls.
    calls: i64,
    /// Calls that failed.
    failed: i64,
    /// Calls that a cache answered.
    cache_hits: i64,
    /// Input tokens.
    input_tokens: i64,
    /// Output tokens.
    output_tokens: i64,
    /// Cost, in micro-dollars.
    cost_micro_usd: i64,
}

/// Usage over a range.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageSummary {
    /// The first day (UTC).
    from: String,
    /// The last day (UTC).
    to: String,
    /// Of all calls.
    total: Totals,
    /// By provider.
    by_provider: BTreeMap<String, Totals>,
    /// By model (`provider/model`).
    by_model: BTreeMap<String, Totals>,
    /// By task: `chat`, `rewrite`, `embeddings`, `rerank`.
    by_task: BTreeMap<String, Totals>,
    /// By type of assistant.
    by_assistant: BTreeMap<String, Totals>,
    /// By language.
    by_language: BTreeMap<String, Totals>,
}

/// Usage day by day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DailyUsage {
    /// The days that have calls, oldest first.
    days: Vec<DayUsage>,
}

/// Usage of one day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DayUsage {
    /// The day (UTC).
    day: String,
    /// Of all calls.
    #[serde(flatten)]
    total: Totals,
}

impl Totals {
    fn add(&mut self, row: &UsageRow) {
        self.calls += row.calls;
        self.failed += row.failed;
        self.cache_hits += row.cache_hits;
        self.input_tokens += row.input_tokens;
        self.output_tokens += row.output_tokens;
        self.cost_micro_usd += row.cost.0;
    }
}

/// The sums of a range, by provider, model, task, assistant and language.
#[utoipa::path(get, path = "/v1/usage/summary", tag = "usage", security(("bearer" = ["usage.read"])),
    params(RangeQuery), responses((status = 200, body = UsageSummary)))]
pub(crate) async fn summary(
    State(state): State<ChatState>,
    caller: Caller<UsageRead>,
    Query(query): Query<RangeQuery>,
) -> ApiResult<Json<UsageSummary>> {
    let (from, to) = days(&query, state.clock.now())?;
    let rows = state.meter.usage(&caller.tenant, &from, &to).await?;
    let by = |name: fn(&UsageRow) -> String| {
        let mut groups = BTreeMap::<String, Totals>::new();
        for row in rows.iter().filter(|row| !name(row).is_empty()) {
            groups.entry(name(row)).or_default().add(row);
        }
        groups
    };
    let mut total = Totals::default();
    rows.iter().for_each(|row| total.add(row));
    Ok(Json(UsageSummary {
        total,
        by_provider: by(|row| row.provider.clone()),
        by_model: by(|row| format!("{}/{}", row.provider, row.model)),
        by_task: by(|row| row.task.clone()),
        by_assistant: by(|row| row.assistant.clone()),
        by_language: by(|row| row.language.clone()),
        from,
        to,
    }))
}

/// The sums of each day of a range.
#[utoipa::path(get, path = "/v1/usage/daily", tag = "usage", security(("bearer" = ["usage.read"])),
    params(RangeQuery), responses((status = 200, body = DailyUsage)))]
pub(crate) async fn daily(
    State(state): State<ChatState>,
    caller: Caller<UsageRead>,
    Query(query): Query<RangeQuery>,
) -> ApiResult<Json<DailyUsage>> {
    let (from, to) = days(&query, state.clock.now())?;
    let mut days = BTreeMap::<String, Totals>::new();
    for row in state.meter.usage(&caller.tenant, &from, &to).await? {
        days.entry(row.day.clone()).or_default().add(&row);
    }
    Ok(Json(DailyUsage { days: days.into_iter().map(|(day, total)| DayUsage { day, total }).collect() }))
}

/// The first and the last day of the range.
fn days(query: &RangeQuery, now: Timestamp) -> Result<(String, String)> {
    let range = query.range.as_deref().unwrap_or("30d");
    let count = range.strip_suffix('d').and_then(|number| number.parse::<u64>().ok());
    let Some(count @ 1..=MAX_DAYS) = count else {
        let detail = format!("`{range}` is not a range; it is 1 to {MAX_DAYS} days, such as `7d`");
        return Err(Problem::field("range", detail));
    };
    let back_ms = i64::try_from((count - 1) * DAY_S * 1000).unwrap_or(0);
    Ok((Timestamp::from_unix_ms(now.unix_ms() - back_ms).day(), now.day()))
}
