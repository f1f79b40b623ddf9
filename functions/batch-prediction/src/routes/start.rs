//! The start of a job: model and table are looked at before anything runs.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use mandi_core::audit::Event;
use mandi_core::ids::{JobId, ModelId, UploadId};
use mandi_core::{FieldError, Principal, Problem, ProblemKind, Result, files};
use mandi_http::auth::PredictionsCreate;
use mandi_http::{ApiResult, Caller, Json};
use mandi_inference::signature::Signature;
use mandi_registry::{Ready, StageName};
use mandi_tables::{
    Compression, Format, Header, Inspection, Limits, Matching, Missing, Quote, SourceColumn, Storage, TableError,
    inspect, match_columns,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::jobs::BatchJob;
use crate::jobs::{CopiedColumn, Explained, Found, Input, Job, Output, StatedForm, execution};
use crate::state::BatchState;
use crate::tasks::{ObjectRange, features, is_ours, schema};

/// How many rows a shard has when nothing is said.
const SHARD_ROWS: u64 = 50_000;
/// The most rows of a shard.
const MAX_SHARD_ROWS: u64 = 1_000_000;
/// The share of rows that may fail when nothing is said.
const MAX_FAILED_SHARE: f64 = 0.1;
/// The most columns that are copied.
const MAX_COPIED: usize = 100;
/// The most warnings of a table.
const MAX_WARNINGS: usize = 20;

/// What is to be predicted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBatch {
    /// The model.
    #[schema(example = "mdl_019a9f3e5b7c7d8e9f00112233445566")]
    model_id: String,
    /// Which version; the one that serves at the stage when nothing is said. A version on trial has no part in it.
    #[serde(default)]
    version: Option<u32>,
    /// Which stage; production when nothing is said. Not beside `version`.
    #[serde(default)]
    stage: Option<StageName>,
    /// The table.
    input: NewInput,
    /// What is written.
    #[serde(default)]
    output: NewOutput,
    /// How many rows a shard has: what is done at once, and again if it is cut off.
    #[serde(default = "shard_rows")]
    #[schema(minimum = 1, maximum = 1_000_000, default = 50_000)]
    shard_rows: u64,
    /// The share of all rows that may fail, 0 to 1. When more do, the job fails at once, with the first reasons.
    #[serde(default = "max_failed_share")]
    #[schema(minimum = 0, maximum = 1, default = 0.1)]
    max_failed_share: f64,
}

const fn shard_rows() -> u64 {
    SHARD_ROWS
}

const fn max_failed_share() -> f64 {
    MAX_FAILED_SHARE
}

/// A table: CSV, JSON Lines or Parquet; text also compressed by gzip or Zstandard.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInput {
    /// The id of an upload (`POST /v1/uploads`) whose bytes were sent.
    #[serde(default)]
    upload: Option<String>,
    /// The key of a file in the tenant's folder of files.
    #[serde(default)]
    object: Option<String>,
    /// The format; it is looked for when nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "csv")]
    format: Option<Format>,
    /// The compression; it is looked for when nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "gzip")]
    compression: Option<Compression>,
    /// The encoding of text, by its label in the WHATWG Encoding Standard; UTF-8 when nothing is said and the file begins
    /// with no byte order mark.
    #[serde(default)]
    encoding: Option<String>,
    /// What separates the fields of CSV; it is looked for when nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = ";")]
    delimiter: Option<char>,
    /// What encloses the fields of CSV: `double`, `single` or `none`; double quotes when nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    quote: Option<Quote>,
    /// Whether the first record of CSV names the columns: `present` or `absent`; it is looked for when nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    header: Option<Header>,
    /// The names of the columns of CSV, in their order, in the place of the header's.
    #[serde(default)]
    names: Option<Vec<String>>,
}

/// What is written.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOutput {
    /// The format; the input's when nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "csv")]
    format: Option<Format>,
    /// The columns of the input that are copied to the results, by name; when nothing is said, those that the model does
    /// not take.
    #[serde(default)]
    columns: Option<Vec<String>>,
    /// Whether to say what each feature contributes to each answer. The version needs a `background`.
    #[serde(default)]
    explain: bool,
    /// Of a model that gives several numbers, the place of the one that is explained, from 0.
    #[serde(default)]
    target: usize,
    /// Which game of Shapley values is played: `interventional` or `path-dependent`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    game: Option<Explained>,
}

/// A job that was started, and how its table was understood.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchStarted {
    #[serde(flatten)]
    job: BatchJob,
    /// How the table was understood.
    input: Understood,
}

/// How a table was understood.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Understood {
    /// Its format.
    #[schema(value_type = String, example = "csv")]
    format: Format,
    /// How it is stored, and how each part of that is known: `stated`, `detected` or `assumed`.
    #[schema(value_type = Object)]
    storage: serde_json::Value,
    /// Features that the table does not have; their missing values are treated as the signature says.
    missing: Vec<String>,
    /// Columns that the model does not take.
    extra: Vec<String>,
    /// Columns that are copied to the results.
    copied: Vec<String>,
    /// What may not be meant so: features that the table lacks, columns that cannot be copied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// Start a batch prediction.
///
/// The table's beginning is read before the answer: columns that are missing, there twice or of another type are told at
/// once, with 422.
#[utoipa::path(post, path = "/v1/predictions/batch", tag = "batch predictions",
    security(("bearer" = ["predictions.create"])), request_body = NewBatch,
    responses((status = 202, body = BatchStarted)))]
pub(crate) async fn start(
    State(state): State<BatchState>,
    caller: Caller<PredictionsCreate>,
    Json(new): Json<NewBatch>,
) -> ApiResult<(StatusCode, Json<BatchStarted>)> {
    new.check()?;
    let (model, version) = chosen(&state, &caller, &new).await?;
    let ready = state.versions.ready(&caller.tenant, &model, version).await?;
    let explained = new.output.explained();
    if let Some(game) = explained {
        state.versions.explainer(&ready, game.into()).await.map_err(|problem| problem.of_what("`/output/explain`"))?;
    }
    let input = located(&state, &caller, new.input).await?;
    let looked = Looked::at(&state, &input, &ready).await?;
    let copied = looked.copied(new.output.columns)?;
    let (format, target) = (new.output.format.unwrap_or(looked.inspection.format.value), new.output.target);
    let output = Output { format, copied, explained, target };
    let job = Job {
        id: JobId::generate(),
        model,
        version,
        input,
        output,
        shard_rows: new.shard_rows,
        max_failed_share: new.max_failed_share,
        created_by: caller.user.clone(),
        created_at: state.jobs.clock.now(),
    };
    let found = begin(&state, &caller, job).await?;
    let input = looked.understood(&found.job.output);
    Ok((StatusCode::ACCEPTED, Json(BatchStarted { job: BatchJob::from(found), input })))
}

impl NewOutput {
    fn explained(&self) -> Option<Explained> {
        self.explain.then(|| self.game.unwrap_or(Explained::Interventional))
    }
}

impl NewBatch {
    fn check(&self) -> Result<()> {
        if self.version.is_some() && self.stage.is_some() {
            return Err(Problem::field("/stage", "name a `version` or a `stage`, not both"));
        }
        if !(1..=MAX_SHARD_ROWS).contains(&self.shard_rows) {
            return Err(Problem::field("/shard_rows", format!("it is 1 to {MAX_SHARD_ROWS}")));
        }
        if !(0.0..=1.0).contains(&self.max_failed_share) {
            return Err(Problem::field("/max_failed_share", "it is a share: 0 to 1"));
        }
        if self.output.game.is_some() && !self.output.explain {
            return Err(Problem::field("/output/game", "it has a meaning with `explain` only"));
        }
        Ok(())
    }
}

/// Which version of which model.
async fn chosen(state: &BatchState, caller: &Principal, new: &NewBatch) -> Result<(ModelId, u32)> {
    let unknown = |problem: Problem| match problem.kind {
        ProblemKind::NotFound => {
            Problem::field("/model_id", "there is no such model").of_kind(ProblemKind::Unprocessable)
        }
        _ => problem,
    };
    let model = state.registry.model(&caller.tenant, &new.model_id).await.map_err(unknown)?;
    if let Some(version) = new.version {
        state.registry.version(&caller.tenant, &model.id, version).await.map_err(|problem| match problem.kind {
            ProblemKind::NotFound => Problem::field("/version", format!("the model has no version {version}"))
                .of_kind(ProblemKind::Unprocessable),
            _ => problem,
        })?;
        return Ok((model.id, version));
    }
    let name = new.stage.unwrap_or_default();
    let stage = state.registry.stage(&caller.tenant, &model.id, name).await?;
    let version = stage.version.ok_or_else(|| {
        let detail = format!("no version serves in {}; deploy one, or name a `version`", name.name());
        Problem::conflict(detail)
    })?;
    Ok((model.id, version))
}

/// Where the table lies.
async fn located(state: &BatchState, caller: &Principal, new: NewInput) -> Result<Input> {
    let NewInput { upload, object, format, compression, encoding, delimiter, quote, header, names } = new;
    let stated = StatedForm { format, compression, encoding, delimiter, quote, header, names };
    let tenant = &caller.tenant;
    match (upload, object) {
        (Some(id), None) => {
            let (upload, key) = state.jobs.uploads.hold(tenant, &id, "/input/upload").await?;
            let (object, upload, size_bytes, filename) =
                (key.as_str().to_owned(), UploadId::parse(&id), upload.size_bytes, upload.filename);
            Ok(Input { object, upload, filename, size_bytes, stated })
        }
        (None, Some(object)) => {
            const POINTER: &str = "/input/object";
            let key = files::key(tenant, &object, POINTER)?;
            let size_bytes = state.jobs.objects.size_bytes(&key).await?;
            let size_bytes = size_bytes.ok_or_else(|| files::missing(&object, POINTER))?;
            Ok(Input { object: key.as_str().to_owned(), upload: None, filename: object, size_bytes, stated })
        }
        _ => Err(Problem::field("/input", "name an `upload` or an `object`, one of them")),
    }
}

/// What the beginning of a table shows.
struct Looked {
    inspection: Inspection,
    matching: Matching,
}

impl Looked {
    async fn at(state: &BatchState, input: &Input, ready: &Arc<Ready>) -> Result<Self> {
        let source = ObjectRange::new(state.jobs.objects.clone(), input.key(), input.size_bytes);
        let (stated, signature) = (input.stated.clone(), ready.bound.signature().clone());
        no_tensors(&signature)?;
        let look = move || {
            let stated = stated.stated(features(&signature))?;
            let source: mandi_tables::Input = Arc::new(source);
            let inspection = inspect(&source, &stated, &Limits::default())?;
            let matching = match_columns(&schema(&signature, &[]), &inspection.columns);
            Ok(Self { inspection, matching })
        };
        let looked = tokio::task::spawn_blocking(look).await.map_err(Problem::internal)?;
        let looked: Self = looked.map_err(|error: TableError| refused(&error))?;
        looked.matching.clone().accept().map_err(|error| looked.unfit(&error))?;
        Ok(looked)
    }

    /// The columns that are copied: those that are asked for, or all that the model does not take.
    fn copied(&self, asked: Option<Vec<String>>) -> Result<Vec<CopiedColumn>> {
        let find = |name: &str| self.inspection.columns.iter().find(|column| column.name == name);
        let copied = |column: &SourceColumn| CopiedColumn { name: column.name.clone(), kind: column.copied };
        let Some(asked) = asked else {
            // Those that would take the place of ours stay out; `copied` in the answer says which are in.
            let mut extra: Vec<&str> = self.matching.extra.iter().map(String::as_str).collect();
            extra.sort_unstable();
            extra.dedup();
            let once = |name: &&SourceColumn| {
                extra.binary_search(&name.name.as_str()).is_ok()
                    && self.inspection.columns.iter().filter(|other| other.name == name.name).count() == 1
            };
            let usable = self.inspection.columns.iter().filter(once);
            let usable = usable.filter(|column| !is_ours(&column.name) && column.can_be_copied());
            return Ok(usable.take(MAX_COPIED).map(copied).collect());
        };
        if asked.len() > MAX_COPIED {
            return Err(Problem::field("/output/columns", format!("at most {MAX_COPIED} columns are copied")));
        }
        let mut found = Vec::with_capacity(asked.len());
        for (place, name) in asked.iter().enumerate() {
            let pointer = || format!("/output/columns/{place}");
            let wrong = |detail: String| Problem::field(pointer(), detail).of_kind(ProblemKind::Unprocessable);
            let column = find(name).ok_or_else(|| wrong(format!("the table has no column `{name}`")))?;
            if is_ours(name) {
                return Err(wrong(format!("the results have a column `{name}` of their own; rename the input's")));
            }
            if !column.can_be_copied() {
                return Err(wrong(format!("`{name}` is of a nested type, which is not copied")));
            }
            if found.iter().any(|other: &CopiedColumn| other.name == *name) {
                return Err(wrong(format!("`{name}` is named twice")));
            }
            found.push(copied(column));
        }
        Ok(found)
    }

    fn understood(&self, output: &Output) -> Understood {
        Understood {
            format: self.inspection.format.value,
            storage: json!(self.inspection.storage),
            missing: self.matching.absent.iter().map(|absent| absent.name.clone()).collect(),
            extra: self.matching.extra.clone(),
            copied: output.copied.iter().map(|column| column.name.clone()).collect(),
            warnings: self.warnings(output),
        }
    }

    fn warnings(&self, output: &Output) -> Vec<String> {
        let absent = self.matching.absent.iter().map(|absent| {
            let similar = absent.similar.as_ref().map(|name| format!(", though it has `{name}`")).unwrap_or_default();
            let name = &absent.name;
            format!("the table has no `{name}`{similar}: each row gets what the signature says of a missing value")
        });
        let left_out = |name: &&String| !output.copied.iter().any(|copied| copied.name == **name);
        let extra = self.matching.extra.iter().filter(left_out);
        let not_copied = extra.filter_map(|name| {
            let mut columns = self.inspection.columns.iter().filter(|column| column.name == *name);
            let column = columns.next()?;
            let reason = match columns.next() {
                Some(_) => "the table has it several times",
                None if is_ours(name) => "the results have a column of that name",
                None if !column.can_be_copied() => "it is of a nested type",
                None => return None,
            };
            Some(format!("`{name}` is not copied to the results: {reason}"))
        });
        let mut warnings: Vec<String> = absent.chain(not_copied).take(MAX_WARNINGS).collect();
        warnings.dedup();
        warnings
    }

    /// What a caller is told whose columns do not fit.
    fn unfit(&self, error: &TableError) -> Problem {
        let fault = |name: &str, detail: String| FieldError {
            pointer: "/input".to_owned(),
            detail: format!("column `{name}`: {detail}"),
        };
        let has_no_names = matches!(&self.inspection.storage, Storage::Csv { dialect, .. }
            if dialect.header.value == Header::Absent);
        let unnamed = if has_no_names { "; it was read without a header: `input.names` names its columns" } else { "" };
        let mut errors = Vec::new();
        for absent in self.matching.absent.iter().filter(|absent| absent.missing == Missing::Refused) {
            let similar = absent.similar.as_ref().map(|name| format!("; there is `{name}`")).unwrap_or_default();
            errors.push(fault(
                &absent.name,
                format!("the model takes it, and the table does not have it{similar}{unnamed}"),
            ));
        }
        for name in &self.matching.ambiguous {
            errors.push(fault(name, "the table has it several times".to_owned()));
        }
        for wrong in &self.matching.mistyped {
            errors.push(fault(
                &wrong.name,
                format!("it is {} in the file, where {} is wanted", wrong.found, json!(wrong.expected)),
            ));
        }
        let mut problem = Problem::new(ProblemKind::Unprocessable, error.to_string());
        errors.truncate(20);
        problem.errors = errors;
        problem
    }
}

/// A table has single values.
fn no_tensors(signature: &Signature) -> Result<()> {
    match signature.inputs.iter().find(|feature| !feature.shape.is_empty()) {
        None => Ok(()),
        Some(feature) => {
            let detail = format!(
                "feature `{}` of the model is {}, which is no cell of a table; use `POST /v1/models/{{id}}/predict`",
                feature.name,
                feature.expectation()
            );
            Err(Problem::field("/model_id", detail).of_kind(ProblemKind::Unprocessable))
        }
    }
}

fn refused(error: &TableError) -> Problem {
    let detail = error.to_string();
    match error {
        TableError::Read(_) => Problem::new(ProblemKind::Unavailable, detail),
        _ => Problem::field("/input", detail).of_kind(ProblemKind::Unprocessable),
    }
}

/// Keeps the job, and starts its machine.
async fn begin(state: &BatchState, caller: &Principal, job: Job) -> Result<Found> {
    let event = Event {
        action: "prediction.batch".to_owned(),
        model_id: Some(job.model.clone()),
        version: Some(job.version),
        input_sha256: None,
        outcome: format!("job {} over `{}` was started", job.id, job.input.filename),
    };
    let entry = state.jobs.audit.entry(caller, event)?;
    state.jobs.create(&caller.tenant, &job, entry).await?;
    let key = execution(&caller.tenant, &job.id)?;
    let of = json!({"tenant": caller.tenant.as_str(), "job_id": job.id.as_str()});
    if let Err(error) = state.jobs.orchestrator.start(&key, &of).await {
        let problem = Problem::from(error);
        let failure = crate::jobs::Failure {
            error: problem.kind.name().to_owned(),
            detail: format!("its machine did not start: {}", problem.detail),
        };
        state.jobs.end(&caller.tenant, &job.id, crate::jobs::State::Failed, Some(&failure)).await?;
        return Err(problem);
    }
    state.jobs.find(&caller.tenant, job.id.as_str()).await
}
