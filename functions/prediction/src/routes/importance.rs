//! Global importance: how much each feature matters over a sample, and how contributions depend on a feature's value.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use mandi_core::{Problem, ProblemKind, Result};
use mandi_http::auth::PredictionsCreate;
use mandi_http::{ApiResult, Caller, Json, Path};
use mandi_inference::explain::{Explanation, Found, Game, Overall, Space};
use mandi_inference::signature::{Cell, Prediction, Row, Scalar, Signature};
use mandi_registry::{Explaining, Ready, StageName, Wanted, read_rows};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::predict::ExplainGame;
use crate::serving::nothing_serves;
use crate::state::PredictionState;

/// The most rows of a sample whose contributions are exact.
const MAX_ROWS: usize = 1_000;
/// The most rows of a sample whose contributions are estimates.
const MAX_ESTIMATED_ROWS: usize = 100;
/// The most features whose dependence is told.
const MAX_FEATURES: usize = 20;

/// What is asked of a model.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportanceRequest {
    /// The sample: rows, each an object with a value by feature, 1 to 1,000 (100 of a model whose contributions are
    /// estimates); the version's own background when nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>, min_items = 1, max_items = 1_000)]
    rows: Option<Vec<Map<String, Value>>>,
    /// Which version; the stage's when nothing is said.
    #[serde(default)]
    version: Option<u32>,
    /// Which stage; production when nothing is said. Not beside `version`.
    #[serde(default)]
    stage: Option<StageName>,
    /// The features whose dependence is told, up to 20.
    #[serde(default)]
    #[schema(max_items = 20)]
    features: Vec<String>,
    /// The class whose score is explained; when nothing is said, for each row the class that it is given.
    #[serde(default)]
    class: Option<String>,
    /// Of a model that gives several numbers, the place of the one that is explained, from 0.
    #[serde(default)]
    target: usize,
    /// Which game of Shapley values is played.
    #[serde(default)]
    game: ExplainGame,
}

/// How much each feature matters over a sample.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportanceResponse {
    /// The model.
    model: String,
    /// The version.
    version: u32,
    /// How many rows the sample has.
    rows: usize,
    /// `exact`, or `permutation`: an estimate.
    #[schema(example = "exact")]
    method: &'static str,
    /// Which game was played.
    game: ExplainGame,
    /// The unit: `raw` is what the model sums, a value or a margin; `probability` is that of the class.
    #[schema(example = "raw")]
    space: &'static str,
    /// The class whose score is explained, where it is one for all rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    /// The features, those that matter most first.
    importance: Vec<FeatureImportance>,
    /// For each feature that was named: a point for each row, in their order.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dependence: BTreeMap<String, Vec<DependencePoint>>,
}

/// How much a feature matters.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FeatureImportance {
    /// Its name.
    feature: String,
    /// The mean absolute contribution over the sample.
    importance: f64,
    /// A bound of its standard error, where contributions are estimates: the mean of theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    standard_error: Option<f64>,
}

/// A row's value of a feature, and what it contributes there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DependencePoint {
    /// The value; null where it is missing.
    value: Option<Scalar>,
    /// What it contributes.
    contribution: f64,
}

/// Say which features matter, over a sample.
///
/// The mean absolute contribution of each feature, exactly where a model's contributions are exact, and for the features
/// that are named each row's value with its contribution. The version needs a `background`.
#[utoipa::path(post, path = "/v1/models/{id}/importance", tag = "models",
    security(("bearer" = ["predictions.create"])), params(("id" = String, Path, description = "the model")),
    request_body = ImportanceRequest, responses((status = 200, body = ImportanceResponse)))]
pub(crate) async fn importance(
    State(state): State<PredictionState>,
    caller: Caller<PredictionsCreate>,
    Path(id): Path<String>,
    Json(request): Json<ImportanceRequest>,
) -> ApiResult<Json<ImportanceResponse>> {
    request.check()?;
    let model = state.registry.model(&caller.tenant, &id).await?;
    let version = match request.version {
        Some(version) => version,
        None => {
            let stage = request.stage.unwrap_or_default();
            let serving = state.registry.stage(&caller.tenant, &model.id, stage).await?.version;
            serving.ok_or_else(|| nothing_serves(stage))?
        }
    };
    let game: Game = request.game.into();
    let ready = state.versions.ready(&caller.tenant, &model.id, version).await?;
    let explaining = Explaining { game, target: request.target };
    ready.check(Wanted { explained: Some(explaining), ..Wanted::default() })?;
    let places = request.places(ready.bound.signature())?;
    let is_exact = state.versions.explainer(&ready, game).await?.found() == Found::Exactly;
    let rows = Arc::new(sample(&state, &ready, request.rows.as_deref(), is_exact).await?);
    let answers = state.versions.answer(&ready, rows.to_vec(), Wanted::default()).await?;
    let answers = answers.into_iter().map(|answer| of_class(answer.prediction, request.class.as_deref()));
    let answers = answers.collect::<Result<Vec<_>>>()?;
    let explanations = state.versions.explain(&ready, explaining, (rows.clone(), answers)).await?;
    let overall = Overall::of(&explanations).zip(explanations.first());
    let (overall, first) = overall.ok_or_else(|| Problem::internal("a sample has no explanation"))?;
    let same = explanations.iter().all(|one| one.subject == first.subject);
    let class = first.subject.class().filter(|_| same).map(str::to_owned);
    if !same && !places.is_empty() {
        let detail = "the rows are given several classes; name the one whose dependence on `features` is asked";
        return Err(Problem::field("/class", detail).of_kind(ProblemKind::Unprocessable).into());
    }
    let points = |(name, place): (String, usize)| (name, dependence(&rows, &explanations, place));
    Ok(Json(ImportanceResponse {
        model: id,
        version,
        rows: rows.len(),
        method: if first.found == Found::Exactly { "exact" } else { "permutation" },
        game: first.game.into(),
        space: if first.space == Space::Probability { "probability" } else { "raw" },
        class,
        importance: listed(ready.bound.signature(), &overall),
        dependence: places.into_iter().map(points).collect(),
    }))
}

impl ImportanceRequest {
    fn check(&self) -> Result<()> {
        if self.version.is_some() && self.stage.is_some() {
            return Err(Problem::field("/stage", "name a `version` or a `stage`, not both"));
        }
        if let Some(rows) = self.rows.as_ref().filter(|rows| !(1..=MAX_ROWS).contains(&rows.len())) {
            return Err(Problem::field("/rows", format!("there are {} rows; 1 to {MAX_ROWS} are taken", rows.len())));
        }
        if self.features.len() > MAX_FEATURES {
            let detail = format!("there are {}; up to {MAX_FEATURES} are taken", self.features.len());
            return Err(Problem::field("/features", detail));
        }
        Ok(())
    }

    /// The features whose dependence is told, with their places in the signature.
    fn places(&self, signature: &Signature) -> Result<Vec<(String, usize)>> {
        let place = |(at, name): (usize, &String)| {
            let found = signature.position(name).ok_or_else(|| {
                let detail = format!("the model has no feature `{name}`");
                Problem::field(format!("/features/{at}"), detail).of_kind(ProblemKind::Unprocessable)
            });
            Ok((name.clone(), found?))
        };
        self.features.iter().enumerate().map(place).collect()
    }
}

/// The rows of the sample: those that are given, or the version's background, as many of them as are taken.
async fn sample(
    state: &PredictionState,
    ready: &Ready,
    given: Option<&[Map<String, Value>]>,
    is_exact: bool,
) -> Result<Vec<Row>> {
    let most = if is_exact { MAX_ROWS } else { MAX_ESTIMATED_ROWS };
    let Some(given) = given else {
        let mut rows = state.versions.background(ready).await?;
        rows.truncate(most);
        return Ok(rows);
    };
    if given.len() > most {
        let detail = format!(
            "there are {} rows; the contributions of this model are estimates, and {most} rows are taken",
            given.len()
        );
        return Err(Problem::field("/rows", detail).of_kind(ProblemKind::Unprocessable));
    }
    read_rows(&ready.bound, given, "/rows")
}

/// The answer as if the class were the one that it gives, where one is named.
fn of_class(mut answer: Prediction, class: Option<&str>) -> Result<Prediction> {
    let Some(class) = class else { return Ok(answer) };
    let known: Vec<&str> = answer.probabilities.iter().flatten().map(|(name, _)| name.as_str()).collect();
    if !known.contains(&class) {
        let detail = match &known[..] {
            [] => "the model gives no probabilities of classes; leave it out".to_owned(),
            known => format!("the model knows no class `{class}`; it knows {}", known.join(", ")),
        };
        return Err(Problem::field("/class", detail).of_kind(ProblemKind::Unprocessable));
    }
    answer.label = Some(Scalar::Text(class.to_owned()));
    Ok(answer)
}

/// The features, those that matter most first.
fn listed(signature: &Signature, overall: &Overall) -> Vec<FeatureImportance> {
    let error = |place: usize| overall.errors.as_ref().and_then(|errors| errors.get(place).copied());
    let every = signature.inputs.iter().zip(&overall.importance).enumerate();
    let mut listed: Vec<FeatureImportance> = every
        .map(|(place, (feature, importance))| FeatureImportance {
            feature: feature.name.clone(),
            importance: *importance,
            standard_error: error(place),
        })
        .collect();
    listed.sort_by(|one, other| other.importance.total_cmp(&one.importance));
    listed
}

fn dependence(rows: &[Row], explanations: &[Explanation], place: usize) -> Vec<DependencePoint> {
    let point = |(row, explanation): (&Row, &Explanation)| DependencePoint {
        value: row.get(place).and_then(shown),
        contribution: explanation.values.get(place).copied().unwrap_or_default(),
    };
    rows.iter().zip(explanations).map(point).collect()
}

/// A value as a point shows it; none of a missing one, and of a tensor.
fn shown(cell: &Cell) -> Option<Scalar> {
    match cell {
        Cell::Number(number) => number.is_finite().then_some(Scalar::Number(*number)),
        Cell::Integer(number) => Some(Scalar::Integer(*number)),
        Cell::Text(text) => Some(Scalar::Text(text.clone())),
        Cell::Boolean(flag) => Some(Scalar::Boolean(*flag)),
        Cell::Tensor(_) => None,
    }
}
