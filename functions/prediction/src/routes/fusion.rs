//! Fusion: define, ask, learn from outcomes, freeze, roll back, look.

mod definition;
mod shown;

use std::collections::BTreeMap;

use axum::extract::State;
use mandi_core::{Problem, Result};
use mandi_http::auth::{ModelsRead, ModelsWrite, OutcomesWrite, PredictionsCreate};
use mandi_http::cursor::{self, List};
use mandi_http::{ApiResult, Caller, Json, Path, Query};
use mandi_inference::signature::Scalar;
use mandi_learning::fusion::Opinion;
use mandi_registry::escaped;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::fusion::{GivenOutcome, Learns, Of, Passed, Question};
use crate::state::PredictionState;
use definition::FusionDefinition;
use shown::{FusionAnswer, FusionState, WeightsEntry, weights};

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 256;
/// The longest label, in characters.
const MAX_LABEL_CHARACTERS: usize = 200;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FusionQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of names, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FusionPage {
    /// The names of fusions.
    fusions: Vec<String>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A fusion, its weights, and a page of their history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FusionDetails {
    #[serde(flatten)]
    state: FusionState,
    /// The weights as they were, the latest first.
    history: Vec<WeightsEntry>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FusionDeleted {
    /// The fusion's name.
    name: String,
}

/// What is asked of a fusion.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FuseRequest {
    /// The row of all members that are models: each takes the columns that it has, and some model has to have each.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    row: Option<Map<String, Value>>,
    /// A row for a member of its own, by name, in place of `row`.
    #[serde(default)]
    #[schema(value_type = Object)]
    rows: BTreeMap<String, Map<String, Value>>,
    /// What members say that are not models, by name.
    #[serde(default)]
    scores: BTreeMap<String, GivenScore>,
    /// By what the arm of a model's trial is chosen; at most 256 bytes.
    #[serde(default)]
    #[schema(max_length = 256)]
    key: Option<String>,
}

/// What a member says: a score, a label, or either with how sure it is.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged, try_from = "Value")]
pub(crate) enum GivenScore {
    /// A score: a value, or the probability of the positive class.
    Score(f64),
    /// A label, in a vote.
    Label(String),
    /// A score with its confidence.
    SureScore(SureScore),
    /// A label with its confidence.
    SureLabel(SureLabel),
}

/// A score, and how sure the member is.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SureScore {
    /// The score.
    score: f64,
    /// How sure, 0 to 1.
    #[serde(default)]
    confidence: Option<f64>,
}

/// A label, and how sure the member is.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SureLabel {
    /// The label.
    label: String,
    /// How sure, 0 to 1.
    #[serde(default)]
    confidence: Option<f64>,
}

impl TryFrom<Value> for GivenScore {
    type Error = String;

    fn try_from(given: Value) -> Result<Self, String> {
        let sure = |error: serde_json::Error| error.to_string();
        match given {
            Value::Number(score) => score.as_f64().map(Self::Score).ok_or_else(|| format!("{score} is no score")),
            Value::String(label) => Ok(Self::Label(label)),
            Value::Object(fields) if fields.contains_key("label") => {
                serde_json::from_value(Value::Object(fields)).map(Self::SureLabel).map_err(sure)
            }
            Value::Object(fields) => serde_json::from_value(Value::Object(fields)).map(Self::SureScore).map_err(sure),
            _ => Err("a number, a label, or an object with `score` or `label` and perhaps `confidence` is expected"
                .to_owned()),
        }
    }
}

/// What came.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outcomes {
    /// Outcomes, in the order in which they came: 1 to 1,000, of which up to 90 may name an `answer`.
    #[schema(min_items = 1, max_items = 1_000, example = json!([{"scores": {"near": 101.0, "far": 90.5}, "truth": 99.0}]))]
    outcomes: Vec<FusionOutcome>,
}

/// An outcome, of a kept answer or with what the members said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FusionOutcome {
    /// The id of the answer.
    #[serde(default)]
    answer: Option<String>,
    /// In its place: what each member said, models too.
    #[serde(default)]
    scores: Option<BTreeMap<String, GivenScore>>,
    /// What came: a number (`weighted_sum`, `ridge`), a label (`vote`), true or false (`logistic`).
    truth: Scalar,
}

/// What came of outcomes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LearnedResponse {
    /// How many were learned from.
    used: usize,
    /// The others.
    skipped: Vec<SkippedOutcome>,
    /// The version of the weights after them.
    version: u64,
    /// The weight of each member.
    weights: BTreeMap<String, f64>,
}

/// An outcome that nothing was learned from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SkippedOutcome {
    /// Its place in the call, from 0.
    outcome: usize,
    /// Why.
    reason: String,
}

/// Which weights.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FusionRollback {
    /// The version to go back to; the one before the last change when nothing is said.
    #[serde(default)]
    #[schema(minimum = 1)]
    to: Option<u64>,
}

/// Whether a fusion learns.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Frozen {
    /// Whether outcomes are to change nothing.
    frozen: bool,
}

/// List fusions by their names.
#[utoipa::path(get, path = "/v1/fusion", tag = "fusion", security(("bearer" = ["models.read"])), params(FusionQuery),
    responses((status = 200, body = FusionPage)))]
pub(crate) async fn list(
    State(state): State<PredictionState>,
    caller: Caller<ModelsRead>,
    Query(page): Query<FusionQuery>,
) -> ApiResult<Json<FusionPage>> {
    let list = List { tenant: &caller.tenant, name: "fusion" };
    let after = page.cursor.as_deref().map(|cursor| list.after(cursor)).transpose()?;
    let (fusions, next) = state.fusions.names(&caller.tenant, cursor::limit(page.limit)?, after).await?;
    Ok(Json(FusionPage { fusions, next_cursor: next.map(|next| list.cursor(&next)) }))
}

/// Define a fusion of models and scores.
///
/// With other members or another method than before, learning begins anew; the history keeps what was.
#[utoipa::path(put, path = "/v1/fusion/{name}", tag = "fusion", security(("bearer" = ["models.write"])),
    params(("name" = String, Path, description = "its name: letters, digits, `-`, `_` and `.`, up to 100")),
    request_body = FusionDefinition, responses((status = 200, body = FusionState)))]
pub(crate) async fn define(
    State(state): State<PredictionState>,
    caller: Caller<ModelsWrite>,
    Path(name): Path<String>,
    Json(given): Json<FusionDefinition>,
) -> ApiResult<Json<FusionState>> {
    let stored = state.fusions.define(&caller, &name, given.defined()?).await?;
    Ok(Json(FusionState::new(name, &stored)))
}

/// Get a fusion: its weights, and their history, the latest first.
#[utoipa::path(get, path = "/v1/fusion/{name}", tag = "fusion", security(("bearer" = ["models.read"])),
    params(("name" = String, Path, description = "the fusion"), FusionQuery),
    responses((status = 200, body = FusionDetails)))]
pub(crate) async fn get(
    State(state): State<PredictionState>,
    caller: Caller<ModelsRead>,
    Path(name): Path<String>,
    Query(page): Query<FusionQuery>,
) -> ApiResult<Json<FusionDetails>> {
    let stored = state.fusions.get(&caller.tenant, &name).await?;
    let of_history = format!("history of fusion {name}");
    let list = List { tenant: &caller.tenant, name: &of_history };
    let after = page.cursor.as_deref().map(|cursor| list.after(cursor)).transpose()?;
    let (history, next) = state.fusions.history(&caller.tenant, &name, cursor::limit(page.limit)?, after).await?;
    Ok(Json(FusionDetails {
        state: FusionState::new(name.clone(), &stored),
        history: history.into_iter().map(WeightsEntry::from).collect(),
        next_cursor: next.map(|next| list.cursor(&next)),
    }))
}

/// Delete a fusion, with its history.
#[utoipa::path(delete, path = "/v1/fusion/{name}", tag = "fusion", security(("bearer" = ["models.write"])),
    params(("name" = String, Path, description = "the fusion")),
    responses((status = 200, body = FusionDeleted)))]
pub(crate) async fn delete(
    State(state): State<PredictionState>,
    caller: Caller<ModelsWrite>,
    Path(name): Path<String>,
) -> ApiResult<Json<FusionDeleted>> {
    state.fusions.delete(&caller, &name).await?;
    Ok(Json(FusionDeleted { name }))
}

/// Make one answer of what the members say.
///
/// Models are asked at the same time, within the fusion's time limit. A member that fails or is too slow is left out and
/// named, and the others' weights are made anew.
#[utoipa::path(post, path = "/v1/fusion/{name}", tag = "fusion", security(("bearer" = ["predictions.create"])),
    params(("name" = String, Path, description = "the fusion")), request_body = FuseRequest,
    responses((status = 200, body = FusionAnswer)))]
pub(crate) async fn fuse(
    State(state): State<PredictionState>,
    caller: Caller<PredictionsCreate>,
    Path(name): Path<String>,
    Json(request): Json<FuseRequest>,
) -> ApiResult<Json<FusionAnswer>> {
    if request.key.as_ref().is_some_and(|key| key.is_empty() || key.len() > MAX_KEY_BYTES) {
        return Err(Problem::field("/key", format!("it is 1 to {MAX_KEY_BYTES} bytes")).into());
    }
    let scores = opinions(request.scores, "/scores")?;
    let question = Question { row: request.row, rows: request.rows, scores, key: request.key };
    Ok(Json(state.fusions.fuse(&caller, &name, &question).await?.into()))
}

/// Learn from outcomes.
///
/// An outcome names a kept answer, once, or brings what the members said. One that cannot be used is skipped and named;
/// the others make one new version of the weights.
#[utoipa::path(post, path = "/v1/fusion/{name}/outcomes", tag = "fusion",
    security(("bearer" = ["outcomes.write"])), params(("name" = String, Path, description = "the fusion")),
    request_body = Outcomes, responses((status = 200, body = LearnedResponse)))]
pub(crate) async fn learn(
    State(state): State<PredictionState>,
    caller: Caller<OutcomesWrite>,
    Path(name): Path<String>,
    Json(given): Json<Outcomes>,
) -> ApiResult<Json<LearnedResponse>> {
    let given = given.outcomes.into_iter().enumerate().map(|(place, one)| one.given(place));
    let given = given.collect::<Result<Vec<_>>>()?;
    let learned = state.fusions.learn(&caller, &name, &given).await?;
    let skipped = |Passed { outcome, reason }| SkippedOutcome { outcome, reason };
    Ok(Json(LearnedResponse {
        used: learned.used,
        skipped: learned.passed.into_iter().map(skipped).collect(),
        version: learned.stored.fusion.current().version,
        weights: weights(&learned.stored),
    }))
}

/// Take older weights up again, as a new version.
#[utoipa::path(post, path = "/v1/fusion/{name}/rollback", tag = "fusion", security(("bearer" = ["models.write"])),
    params(("name" = String, Path, description = "the fusion")), request_body = FusionRollback,
    responses((status = 200, body = FusionState)))]
pub(crate) async fn roll_back(
    State(state): State<PredictionState>,
    caller: Caller<ModelsWrite>,
    Path(name): Path<String>,
    Json(asked): Json<FusionRollback>,
) -> ApiResult<Json<FusionState>> {
    let stored = state.fusions.roll_back(&caller, &name, asked.to).await?;
    Ok(Json(FusionState::new(name, &stored)))
}

/// Freeze a fusion, so that outcomes change nothing, or let it learn again.
#[utoipa::path(put, path = "/v1/fusion/{name}/frozen", tag = "fusion", security(("bearer" = ["models.write"])),
    params(("name" = String, Path, description = "the fusion")), request_body = Frozen,
    responses((status = 200, body = FusionState)))]
pub(crate) async fn freeze(
    State(state): State<PredictionState>,
    caller: Caller<ModelsWrite>,
    Path(name): Path<String>,
    Json(asked): Json<Frozen>,
) -> ApiResult<Json<FusionState>> {
    let mode = if asked.frozen { Learns::No } else { Learns::Yes };
    let stored = state.fusions.set_mode(&caller, &name, mode).await?;
    Ok(Json(FusionState::new(name, &stored)))
}

impl FusionOutcome {
    fn given(self, place: usize) -> Result<GivenOutcome> {
        let pointer = format!("/outcomes/{place}");
        let of = match (self.answer, self.scores) {
            (Some(id), None) => Of::Answer(id),
            (None, Some(scores)) => Of::Opinions(opinions(scores, &format!("{pointer}/scores"))?),
            _ => return Err(Problem::field(pointer, "give either the `answer` that it is of, or `scores`")),
        };
        if matches!(&self.truth, Scalar::Text(label) if label.chars().count() > MAX_LABEL_CHARACTERS) {
            let detail = format!("a label is at most {MAX_LABEL_CHARACTERS} characters");
            return Err(Problem::field(format!("{pointer}/truth"), detail));
        }
        Ok(GivenOutcome { of, truth: self.truth })
    }
}

/// Opinions as a fusion takes them.
fn opinions(given: BTreeMap<String, GivenScore>, pointer: &str) -> Result<BTreeMap<String, Opinion>> {
    let opinion = |(name, score): (String, GivenScore)| {
        let opinion = match score {
            GivenScore::Score(value) => Opinion::Score { value, confidence: None },
            GivenScore::Label(label) => Opinion::Label { label, confidence: None },
            GivenScore::SureScore(SureScore { score, confidence }) => Opinion::Score { value: score, confidence },
            GivenScore::SureLabel(SureLabel { label, confidence }) => Opinion::Label { label, confidence },
        };
        let too_long = matches!(&opinion, Opinion::Label { label, .. } if label.chars().count() > MAX_LABEL_CHARACTERS);
        match too_long {
            true => {
                let detail = format!("a label is at most {MAX_LABEL_CHARACTERS} characters");
                Err(Problem::field(format!("{pointer}/{}", escaped(&name)), detail))
            }
            false => Ok((name, opinion)),
        }
    };
    given.into_iter().map(opinion).collect()
}
