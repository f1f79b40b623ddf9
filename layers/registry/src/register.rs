//! Registration of a version: the file is read, checked and kept, in this order.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use mandi_core::ids::{ModelId, UploadId};
use mandi_core::{FieldError, Principal, Problem, ProblemKind, Result, TenantId, files};
use mandi_inference::onnx::ModelFault;
use mandi_inference::signature::{Bound, Draft};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::calibration::{Asked, Calibration, NewCalibration};
use crate::engines::{Loaded, sha256};
use crate::model::{Artifact, BackgroundInfo, Lineage, SampleCheck, Version};
use crate::registry::Registry;
use crate::sample::{self, Background, Sample};
use crate::store;

/// The longest file of a model, in bytes.
pub const MAX_ARTIFACT_BYTES: u64 = 256 * 1024 * 1024;
/// How many held-out rows the model is asked for at a time.
const CALIBRATION_CHUNK: usize = 1_000;
/// The most metrics of a version.
const MAX_METRICS: usize = 100;

/// Where a file comes from.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum ArtifactSource {
    /// The id of an upload (`POST /v1/uploads`) whose bytes were sent.
    Upload(String),
    /// The key of a file in the tenant's folder of files.
    Object(String),
}

/// A version that is to be registered.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVersion {
    /// The ONNX file; in a form, the field `file` takes its place.
    #[serde(default)]
    pub artifact: Option<ArtifactSource>,
    /// What the file does not tell of its inputs and outputs.
    #[serde(default)]
    pub signature: Draft,
    /// Rows, and what the model is expected to answer.
    #[serde(default)]
    pub sample: Option<Sample>,
    /// Typical rows, with which answers are compared when they are explained. Without it nothing is explained.
    #[serde(default)]
    pub background: Option<Background>,
    /// Held-out rows with their outcomes, by which intervals are calibrated. Without it a version has the intervals that
    /// its model gives, if any.
    #[serde(default)]
    pub calibration: Option<NewCalibration>,
    /// Metrics of its training, by name, up to 100.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// Where it comes from.
    #[serde(default)]
    pub lineage: Lineage,
}

impl Registry {
    /// Checks a file and registers it as the model's next version. What fails is not kept.
    ///
    /// # Errors
    /// `unprocessable` with what of the file, its signature or its sample does not hold.
    pub async fn register(
        &self,
        caller: &Principal,
        id: &str,
        new: NewVersion,
        file: Option<Bytes>,
    ) -> Result<Version> {
        let model = self.model(&caller.tenant, id).await?;
        new.check()?;
        self.check_parent(&caller.tenant, &model.id, &new.lineage).await?;
        let (content, upload) = self.content(caller, &new, file).await?;
        let checksum = sha256(&content);
        let size_bytes = content.len() as u64;
        let parsed = {
            let content = content.clone();
            tokio::task::spawn_blocking(move || Loaded::parse(&content)).await.map_err(Problem::internal)?
        };
        let loaded = Arc::new(parsed.map_err(|fault| unusable(&fault))?);
        let file = loaded.model().signature();
        let signature = new.signature.complete(file).map_err(of_signature)?;
        let bound = Bound::new(signature.clone(), &file.inputs)
            .map_err(|detail| Problem::field("/signature/inputs", detail).of_kind(ProblemKind::Unprocessable))?;
        let producer = [&file.producer.name, &file.producer.version].map(String::as_str).join(" ");
        let producer = Some(producer.trim().to_owned()).filter(|producer| !producer.is_empty());
        let background = new.background.as_ref().map(|background| background.checked(&bound)).transpose()?;
        let bound = Arc::new(bound);
        let sample = self.try_out(&loaded, bound.clone(), new.sample.as_ref()).await?;
        let calibration = match &new.calibration {
            Some(given) => Some(self.calibrate(&loaded, &bound, given).await?),
            None => None,
        };
        let key = store::artifact_key(&caller.tenant, &model.id, &checksum);
        self.store.keep_artifact(&key, content).await?;
        self.engines.keep(key, loaded).await;
        let background = match (background, &new.background) {
            (Some(kept), Some(given)) => Some(self.keep_background(caller, &model.id, kept, given.rows.len()).await?),
            _ => None,
        };
        let artifact = Artifact { sha256: checksum, size_bytes, producer };
        let (created_at, model_id): (_, ModelId) = (self.clock.now(), model.id);
        let version = self.store.add_version(caller, &model_id, |version| Version {
            model_id: model_id.clone(),
            version,
            artifact: artifact.clone(),
            signature: signature.clone(),
            sample: sample.clone(),
            background: background.clone(),
            calibration: calibration.clone(),
            metrics: new.metrics.clone(),
            lineage: new.lineage.clone(),
            created_by: caller.user.clone(),
            created_at,
        });
        let version = version.await?;
        if let Some(upload) = upload {
            self.uploads.remove(&caller.tenant, &upload).await?;
        }
        Ok(version)
    }

    /// Whether the version is there that this one is said to come from.
    async fn check_parent(&self, tenant: &TenantId, id: &ModelId, lineage: &Lineage) -> Result<()> {
        let Some(parent) = lineage.parent else { return Ok(()) };
        match self.store.version(tenant, id, parent).await? {
            Some(_) => Ok(()),
            None => {
                let detail = format!("the model has no version {parent}");
                Err(Problem::field("/lineage/parent", detail).of_kind(ProblemKind::Unprocessable))
            }
        }
    }

    /// Asks the model for predictions of the held-out rows, where they were not given, and calibrates by them.
    async fn calibrate(&self, loaded: &Arc<Loaded>, bound: &Arc<Bound>, given: &NewCalibration) -> Result<Calibration> {
        let Asked::Rows(rows) = given.asked(bound)? else { return given.fit(bound.signature(), None) };
        let mut predictions = Vec::with_capacity(rows.len());
        for rows in rows.chunks(CALIBRATION_CHUNK) {
            let outputs = self.engines.run(loaded.clone(), bound.clone(), Arc::new(rows.to_vec())).await;
            let told = outputs.and_then(|outputs| {
                let told = bound.predictions(rows.len(), &outputs);
                told.map_err(|fault| Problem::new(ProblemKind::Unprocessable, fault.to_string()))
            });
            predictions.extend(told.map_err(|problem| problem.of_what("the rows of the calibration do not run"))?);
        }
        given.fit(bound.signature(), Some(&predictions))
    }

    async fn keep_background(
        &self,
        caller: &Principal,
        model: &ModelId,
        kept: Bytes,
        rows: usize,
    ) -> Result<BackgroundInfo> {
        let sha256 = sha256(&kept);
        self.store.keep_artifact(&store::artifact_key(&caller.tenant, model, &sha256), kept).await?;
        Ok(BackgroundInfo { rows, sha256 })
    }

    /// The bytes of the file, and the upload that brought them.
    async fn content(
        &self,
        caller: &Principal,
        new: &NewVersion,
        file: Option<Bytes>,
    ) -> Result<(Bytes, Option<UploadId>)> {
        match (&new.artifact, file) {
            (None, Some(file)) => Ok((file, None)),
            (Some(ArtifactSource::Upload(id)), None) => {
                let content = self.uploads.read(&caller.tenant, id, MAX_ARTIFACT_BYTES, "/artifact/upload").await?;
                Ok((content, UploadId::parse(id)))
            }
            (Some(ArtifactSource::Object(object)), None) => Ok((self.object(caller, object).await?, None)),
            (Some(_), Some(_)) => Err(Problem::field("/artifact", "the file is in the form; leave this out")),
            (None, None) => {
                Err(Problem::field("/artifact", "name an upload or an object, or send the file in a form as `file`"))
            }
        }
    }

    async fn object(&self, caller: &Principal, object: &str) -> Result<Bytes> {
        const POINTER: &str = "/artifact/object";
        let key = files::key(&caller.tenant, object, POINTER)?;
        let size_bytes = self.store.objects.size_bytes(&key).await?.ok_or_else(|| files::missing(object, POINTER))?;
        if size_bytes > MAX_ARTIFACT_BYTES {
            let detail = format!("the file has {size_bytes} bytes; at most {MAX_ARTIFACT_BYTES} are taken");
            return Err(Problem::field(POINTER, detail).of_kind(ProblemKind::TooLarge));
        }
        self.store.objects.get(&key).await?.ok_or_else(|| files::missing(object, POINTER))
    }

    /// Runs the sample, or a row that is made up of the signature.
    async fn try_out(
        &self,
        loaded: &Arc<Loaded>,
        bound: Arc<Bound>,
        sample: Option<&Sample>,
    ) -> Result<Option<SampleCheck>> {
        let rows = match sample {
            Some(sample) => sample.rows(&bound)?,
            None => vec![sample::made_up(&bound)],
        };
        let count = rows.len();
        let run = self.engines.run(loaded.clone(), bound.clone(), Arc::new(rows)).await;
        let told = run.and_then(|outputs| {
            let told = bound.predictions(count, &outputs);
            told.map_err(|fault| Problem::new(ProblemKind::Unprocessable, fault.to_string()))
        });
        match (sample, told) {
            (Some(sample), Ok(predictions)) => sample.check(&predictions).map(Some),
            (None, Ok(_)) => Ok(None),
            (Some(_), Err(problem)) => Err(problem.of_what("the sample does not run")),
            (None, Err(problem)) => Err(problem.of_what(
                "a row that was made up of the signature does not run; give a `sample` of real rows, or complete the \
                 `signature`",
            )),
        }
    }
}

impl NewVersion {
    fn check(&self) -> Result<()> {
        if self.metrics.len() > MAX_METRICS {
            return Err(Problem::field(
                "/metrics",
                format!("there are {}; at most {MAX_METRICS} are taken", self.metrics.len()),
            ));
        }
        for (name, text) in [("data", &self.lineage.data), ("job", &self.lineage.job)] {
            if text.as_ref().is_some_and(|text| text.chars().count() > 500) {
                return Err(Problem::field(format!("/lineage/{name}"), "it is at most 500 characters"));
            }
        }
        Ok(())
    }
}

fn unusable(fault: &ModelFault) -> Problem {
    Problem::field("/artifact", fault.to_string()).of_kind(ProblemKind::Unprocessable)
}

fn of_signature(faults: Vec<FieldError>) -> Problem {
    let named = faults.into_iter().map(|fault| FieldError { pointer: format!("/signature{}", fault.pointer), ..fault });
    let mut named: Vec<FieldError> = named.collect();
    named.truncate(20);
    let first = named.first().map_or_else(String::new, |first| format!("`{}`: {}", first.pointer, first.detail));
    let mut problem = Problem::new(ProblemKind::Unprocessable, first);
    problem.errors = named;
    problem
}
