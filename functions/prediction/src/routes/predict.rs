//! Predictions.

use std::collections::BTreeMap;

use axum::extract::State;
use mandi_core::{FieldError, Problem, ProblemKind, Result};
use mandi_http::auth::PredictionsCreate;
use mandi_http::{ApiResult, Caller, Json, Path};
use mandi_inference::explain::{Explanation, Found, Game, Space, Subject};
use mandi_inference::signature::{Prediction, Scalar, Signature};
use mandi_registry::{Answer, Explaining, Intervals, StageName, Wanted};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::serving::{Asked, RowAnswer, Served, Strange};
use crate::state::PredictionState;

/// The most rows of a call.
const MAX_ROWS: usize = 1_000;
/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 256;
/// The longest reference, in bytes.
const MAX_REFERENCE_BYTES: usize = 256;
/// The most rows of a call whose answers are explained.
const MAX_EXPLAINED_ROWS: usize = 100;

/// What is asked of a model.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PredictRequest {
    /// Rows, each an object with a value by feature; 1 to 1,000. More go to a batch prediction.
    #[schema(value_type = Vec<Object>, min_items = 1, max_items = 1_000)]
    rows: Vec<serde_json::Value>,
    /// Which version; the stage's when nothing is said.
    #[serde(default)]
    version: Option<u32>,
    /// Which stage; production when nothing is said. Not beside `version`.
    #[serde(default)]
    stage: Option<StageName>,
    /// By what the arm of a trial is chosen, such as a customer's id: the same key stays with the same version. At most
    /// 256 bytes.
    #[serde(default)]
    #[schema(max_length = 256)]
    key: Option<String>,
    /// Whether to say where each outcome is expected to lie: true, or the coverage that is wanted. The version needs
    /// quantile outputs or a `calibration`. When nothing is said, answers have what the model itself gives.
    #[serde(default)]
    interval: IntervalRequest,
    /// What you know the call by, such as an order's number: it is kept with a captured call, to join the outcome later.
    /// At most 256 bytes; not a place for personal data.
    #[serde(default)]
    #[schema(max_length = 256)]
    reference: Option<String>,
    /// Whether to say what each feature contributes to each answer; of up to 100 rows. The version needs a `background`.
    #[serde(default)]
    explain: bool,
    /// Which game of Shapley values is played.
    #[serde(default)]
    game: ExplainGame,
    /// Of a model that gives several numbers, the place of the one that is explained, from 0; with `explain` only.
    #[serde(default)]
    target: Option<usize>,
}

/// Which intervals are wanted.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "true, false, or a coverage above 0 and below 1 is expected")]
pub(crate) enum IntervalRequest {
    /// Whether any.
    Whether(bool),
    /// Those that hold this share of outcomes.
    Coverage(f64),
}

impl Default for IntervalRequest {
    fn default() -> Self {
        Self::Whether(false)
    }
}

/// What an answer is when only some features are known.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ExplainGame {
    /// The mean over the background's rows, with the known features replaced by those of the row.
    #[default]
    Interventional,
    /// Down the trees; where a branch asks for an unknown feature, both ways, by how many rows of the background take
    /// each. Of models that are no trees the other game is played.
    PathDependent,
}

impl From<ExplainGame> for Game {
    fn from(game: ExplainGame) -> Self {
        match game {
            ExplainGame::Interventional => Self::Interventional,
            ExplainGame::PathDependent => Self::PathDependent,
        }
    }
}

impl From<Game> for ExplainGame {
    fn from(game: Game) -> Self {
        match game {
            Game::Interventional => Self::Interventional,
            Game::PathDependent => Self::PathDependent,
        }
    }
}

impl IntervalRequest {
    fn intervals(self) -> Result<Intervals> {
        match self {
            Self::Whether(false) => Ok(Intervals::Own),
            Self::Whether(true) => Ok(Intervals::Usual),
            Self::Coverage(coverage) if coverage > 0.0 && coverage < 1.0 => Ok(Intervals::Of(coverage)),
            Self::Coverage(coverage) => {
                let detail = format!("{coverage} is no coverage; give true, or a number above 0 and below 1");
                Err(Problem::field("/interval", detail))
            }
        }
    }
}

/// The answers of a model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PredictResponse {
    /// The call's id, by which it is known where it is captured.
    id: String,
    /// The model.
    model: String,
    /// The version that answered.
    version: u32,
    /// One for each row, in their order; null for a row that is wrong.
    predictions: Vec<Option<RowPrediction>>,
    /// What is wrong, by row and column.
    errors: Vec<RowError>,
}

/// The answer for a row.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct RowPrediction {
    /// The predicted number.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    /// The numbers of several targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<f64>>,
    /// The class.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Scalar>,
    /// The probability of each class.
    #[serde(skip_serializing_if = "Option::is_none")]
    probabilities: Option<BTreeMap<String, f64>>,
    /// Where the outcome is expected to lie.
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<PredictionInterval>,
    /// The classes among which the outcome is expected to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    set: Option<PredictionSet>,
    /// What each feature contributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    contributions: Option<PredictionContributions>,
    /// What else the model gives, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    outputs: BTreeMap<String, Vec<Scalar>>,
}

/// Where an outcome is expected to lie.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PredictionInterval {
    /// The lower end.
    lower: f64,
    /// The upper end.
    upper: f64,
    /// The share of outcomes that it is to hold, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<f64>,
}

/// The classes among which an outcome is expected to be; with a low coverage there may be none.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PredictionSet {
    /// Them.
    classes: Vec<String>,
    /// The share of outcomes that such sets are to hold, 0 to 1.
    coverage: f64,
}

/// What each feature contributes to an answer: base and contributions make the output.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PredictionContributions {
    /// The mean output over the background.
    base: f64,
    /// The contribution of each feature.
    values: BTreeMap<String, f64>,
    /// The standard error of each contribution, where they are estimates.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<BTreeMap<String, f64>>,
    /// `exact`, of trees and linear models, or `permutation`: an estimate.
    #[schema(example = "exact")]
    method: &'static str,
    /// Which game was played.
    game: ExplainGame,
    /// The unit: `raw` is what the model sums, a value or a margin, before a logistic function or the like; `probability`
    /// is that of the class.
    #[schema(example = "raw")]
    space: &'static str,
    /// The class whose score is explained, where the answer is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    /// The place of the number that is explained, where the model gives several.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<usize>,
    /// The output that is explained, where it is neither the value nor a class.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
}

impl PredictionContributions {
    fn new(found: Explanation, signature: &Signature) -> Self {
        let named = |values: Vec<f64>| -> BTreeMap<String, f64> {
            signature.inputs.iter().map(|feature| feature.name.clone()).zip(values).collect()
        };
        let (class, target, output) = match found.subject {
            Subject::Value => (None, None, None),
            Subject::Class(class) => (Some(class), None, None),
            Subject::Target(target) => (None, Some(target), None),
            Subject::Output(output) => (None, None, Some(output)),
        };
        Self {
            base: found.base,
            values: named(found.values),
            errors: found.errors.map(named),
            method: if found.found == Found::Exactly { "exact" } else { "permutation" },
            game: found.game.into(),
            space: if found.space == Space::Probability { "probability" } else { "raw" },
            class,
            target,
            output,
        }
    }
}

/// What is wrong with a row.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RowError {
    /// The row's place in `rows`, from 0.
    row: usize,
    /// A JSON pointer to the value.
    #[schema(example = "/rows/3/moisture")]
    pointer: String,
    /// What it holds, and what is expected.
    detail: String,
}

impl RowPrediction {
    fn new(answer: Answer, signature: &Signature) -> Self {
        let contributions = answer.explanation.map(|found| PredictionContributions::new(found, signature));
        Self { contributions, ..answer.prediction.into() }
    }
}

/// Without what each feature contributes.
impl From<Prediction> for RowPrediction {
    fn from(found: Prediction) -> Self {
        Self {
            contributions: None,
            value: found.value,
            values: found.values,
            label: found.label,
            probabilities: found.probabilities.map(|classes| classes.into_iter().collect()),
            interval: found.interval.map(|interval| PredictionInterval {
                lower: interval.lower,
                upper: interval.upper,
                coverage: interval.coverage,
            }),
            set: found.set.map(|set| PredictionSet { classes: set.classes, coverage: set.coverage }),
            outputs: found.others.into_iter().collect(),
        }
    }
}

/// Ask a model for predictions.
///
/// Good rows are answered also when others are wrong: a wrong row has null in its place, and its faults are in `errors`.
/// When no row is good the answer is 422 with the same faults.
#[utoipa::path(post, path = "/v1/models/{id}/predict", tag = "models",
    security(("bearer" = ["predictions.create"])), params(("id" = String, Path, description = "the model")),
    request_body = PredictRequest, responses((status = 200, body = PredictResponse)))]
pub(crate) async fn predict(
    State(state): State<PredictionState>,
    caller: Caller<PredictionsCreate>,
    Path(id): Path<String>,
    Json(request): Json<PredictRequest>,
) -> ApiResult<Json<PredictResponse>> {
    let asked = request.checked()?;
    let Served { call, version, bound, rows } = state.serving.predict(&caller, &id, asked).await?;
    if rows.iter().all(std::result::Result::is_err) {
        return Err(all_wrong(rows).into());
    }
    let id_of_call = call.as_str().to_owned();
    let mut response =
        PredictResponse { id: id_of_call, model: id, version, predictions: Vec::new(), errors: Vec::new() };
    for (row, answer) in rows.into_iter().enumerate() {
        match answer {
            Ok(answer) => response.predictions.push(Some(RowPrediction::new(answer, bound.signature()))),
            Err(faults) => {
                response.predictions.push(None);
                let error = |fault: FieldError| RowError { row, pointer: fault.pointer, detail: fault.detail };
                response.errors.extend(faults.into_iter().map(error));
            }
        }
    }
    Ok(Json(response))
}

impl PredictRequest {
    fn checked(self) -> Result<Asked> {
        if !(1..=MAX_ROWS).contains(&self.rows.len()) {
            let detail = format!(
                "there are {} rows; 1 to {MAX_ROWS} are taken, and a batch prediction takes more",
                self.rows.len()
            );
            return Err(Problem::field("/rows", detail));
        }
        if self.version.is_some() && self.stage.is_some() {
            return Err(Problem::field("/stage", "name a `version` or a `stage`, not both"));
        }
        if self.explain && self.rows.len() > MAX_EXPLAINED_ROWS {
            let detail = format!("there are {} rows; up to {MAX_EXPLAINED_ROWS} are explained", self.rows.len());
            return Err(Problem::field("/explain", detail));
        }
        if self.key.as_ref().is_some_and(|key| key.is_empty() || key.len() > MAX_KEY_BYTES) {
            return Err(Problem::field("/key", format!("it is 1 to {MAX_KEY_BYTES} bytes")));
        }
        if self.target.is_some() && !self.explain {
            return Err(Problem::field("/target", "it has a meaning with `explain` only"));
        }
        let explaining = || Explaining { game: self.game.into(), target: self.target.unwrap_or_default() };
        let explained = self.explain.then(explaining);
        if self.reference.as_ref().is_some_and(|reference| reference.len() > MAX_REFERENCE_BYTES) {
            return Err(Problem::field("/reference", format!("it is at most {MAX_REFERENCE_BYTES} bytes")));
        }
        Ok(Asked {
            rows: self.rows,
            version: self.version,
            stage: self.stage.unwrap_or_default(),
            wanted: Wanted { explained, intervals: self.interval.intervals()? },
            strange: Strange::Refused,
            key: self.key,
            reference: self.reference,
        })
    }
}

/// What a caller is told none of whose rows is good.
fn all_wrong(rows: Vec<RowAnswer>) -> Problem {
    let faults: Vec<FieldError> = rows.into_iter().filter_map(std::result::Result::err).flatten().collect();
    let first = faults.first().map_or_else(String::new, |fault| format!("`{}`: {}", fault.pointer, fault.detail));
    let mut problem =
        Problem::new(ProblemKind::Unprocessable, format!("no row can be used; the first fault is {first}"));
    problem.errors = faults;
    problem
}
