//! The platform on one machine: every function's router over the local adapters.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use mandi_batch_prediction::{BatchParts, BatchState};
use mandi_chat::{ChatParts, ChatState};
use mandi_core::capture::{CaptureLimits, CaptureWriter, Captures};
use mandi_core::identity::{Authenticator, LocalSecret, Trust};
use mandi_core::metering::Meter;
use mandi_core::ports::{Bus, Embedder, Objects, Records};
use mandi_core::settings::{self, Settings};
use mandi_core::streams::{StreamPolicy, Streams};
use mandi_core::uploads::Uploads;
use mandi_core::{Clock, Problem, Result, SystemClock};
use mandi_embedding::{Embedders, EmbeddingParts, EmbeddingState, JobRunner, Jobs};
use mandi_http::Gate;
use mandi_index::{IndexOptions, LanceIndex};
use mandi_inference::{CrossEncoder, LocalEmbedder, LocalReranker, TextEncoder};
use mandi_llm::providers::Providers;
use mandi_local::{
    CaptureFiles, Courier, DataDir, Doorway, FileObjects, LocalBus, LocalOrchestrator, OrchestratorParts, RedbRecords,
    RetryPolicy, Webhook,
};
use mandi_prediction::{PredictionParts, PredictionState};
use tokio_util::task::TaskTracker;

use crate::{machines, receive};

/// All of it, ready to serve.
pub struct Platform {
    /// Every function's routes behind one gate.
    pub router: Router,
    /// The jobs that index documents.
    pub jobs: Jobs,
    /// What runs them.
    pub runner: JobRunner,
    /// Answers that are being written.
    pub tasks: TaskTracker,
    /// The store, for its upkeep.
    pub records: RedbRecords,
    /// What runs state machines.
    pub orchestrator: LocalOrchestrator,
    /// Files that are sent for later use, for the removal of those that nobody uses.
    pub uploads: Uploads,
    /// What predictions leave to be done after them.
    pub prediction: PredictionState,
    /// The queue of captured predictions.
    pub captures: Captures,
    /// What writes them.
    pub capture_writer: CaptureWriter,
    /// What delivers events to the webhook, where there is one.
    pub courier: Option<Courier>,
}

/// The OpenAPI document of all functions, as JSON.
///
/// # Errors
/// It cannot be written as JSON.
pub fn openapi_json() -> Result<String> {
    let mut document = mandi_chat::openapi();
    document.merge(mandi_embedding::openapi());
    document.merge(mandi_prediction::openapi());
    document.merge(mandi_batch_prediction::openapi());
    document.to_pretty_json().map_err(Problem::internal)
}

impl Platform {
    /// Opens the data folder and the models, and puts the functions together. Callers reach it at `base_url`.
    ///
    /// # Errors
    /// The folder is in use, a model's file is missing or damaged, or a setting is wrong: the problem says which
    /// and what to do.
    pub async fn open(settings: &Settings, base_url: &str) -> Result<Self> {
        let models = Path::new(settings.required(settings::MODELS_DIR)?).to_owned();
        let encoder = Arc::new(TextEncoder::load(&models.join("minilm-l6"))?);
        let cross_encoder = Arc::new(CrossEncoder::load(&models.join("reranker"))?);
        let providers = Arc::new(Providers::from_settings(settings).await?);
        let data = DataDir::open(settings.required(settings::DATA_DIR)?)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = RedbRecords::open(&data, clock.clone())?;
        let records: Arc<dyn Records> = Arc::new(store.clone());
        let gate = Gate {
            authenticator: Arc::new(authenticator(settings, &data)?),
            records: records.clone(),
            clock: clock.clone(),
        };
        let streams = Streams::new(records.clone(), clock.clone(), StreamPolicy::from_settings(settings)?);
        let meter = Meter::new(records.clone(), Arc::new(providers.prices().clone()));
        let keep_alive = settings.duration_ms(settings::STREAM_KEEP_ALIVE_MS)?;
        let tasks = TaskTracker::new();
        let local: Arc<dyn Embedder> = Arc::new(LocalEmbedder::new(encoder.clone()));
        let (run_job, runner) = JobRunner::new();
        let doorway = Doorway::new(format!("{base_url}{}", receive::PATH), data.secret().clone(), clock.clone());
        let files = FileObjects::open(&data, doorway)?;
        let objects: Arc<dyn Objects> = Arc::new(files.clone());

        let embedding = EmbeddingState::new(EmbeddingParts {
            gate: gate.clone(),
            records: records.clone(),
            objects: objects.clone(),
            index: Arc::new(LanceIndex::open(&data.vectors_folder().to_string_lossy(), IndexOptions::default())?),
            embedders: Embedders::new(local, providers.clone(), records.clone(), meter.clone(), clock.clone()),
            reranker: Some(Arc::new(LocalReranker::new(cross_encoder))),
            tokens: encoder,
            run_job,
            clock: clock.clone(),
            streams: streams.clone(),
            meter: meter.clone(),
            providers: providers.clone(),
            keep_alive,
            tasks: tasks.clone(),
        });
        let (bus, courier) = bus(settings, &records, &clock)?;
        let (captures, capture_writer) = Captures::new(Arc::new(CaptureFiles::open(&data)?), CaptureLimits::default());
        let prediction = PredictionState::new(PredictionParts {
            gate: gate.clone(),
            records: records.clone(),
            objects: objects.clone(),
            bus,
            captures: captures.clone(),
            clock: clock.clone(),
            model_cache_bytes: settings.parsed(settings::MODEL_CACHE_BYTES)?,
            inference_timeout: settings.duration_ms(settings::INFERENCE_TIMEOUT_MS)?,
        });
        let functions = Arc::new(machines::Functions::default());
        let orchestrator = LocalOrchestrator::new(OrchestratorParts {
            records: records.clone(),
            objects: objects.clone(),
            tasks: functions.clone(),
            clock: clock.clone(),
            machines: machines::all()?,
            lease: machines::LEASE,
        });
        let batch = BatchState::new(BatchParts {
            gate: gate.clone(),
            records: records.clone(),
            objects,
            orchestrator: Arc::new(orchestrator.clone()),
            clock: clock.clone(),
            model_cache_bytes: settings.parsed(settings::MODEL_CACHE_BYTES)?,
            inference_timeout: settings.duration_ms(settings::INFERENCE_TIMEOUT_MS)?,
            shards_at_once: machines::processors(),
        });
        functions.serve(batch.tasks().clone());
        let uploads = prediction.uploads().clone();
        let chat = ChatState::new(ChatParts {
            gate: gate.clone(),
            records,
            clock,
            streams,
            meter,
            engine: embedding.engine(),
            providers,
            keep_alive,
            tasks: tasks.clone(),
            openapi: openapi_json()?.into(),
        });
        let jobs = embedding.jobs().clone();
        let routes = mandi_chat::routes(chat)
            .merge(mandi_embedding::routes(embedding))
            .merge(mandi_prediction::routes(prediction.clone()))
            .merge(mandi_batch_prediction::routes(batch));
        let router = gate.guard(routes).merge(receive::routes(files));
        Ok(Self {
            router,
            jobs,
            runner,
            tasks,
            records: store,
            orchestrator,
            uploads,
            prediction,
            captures,
            capture_writer,
            courier,
        })
    }
}

/// The bus, and who delivers to the webhook of the settings.
fn bus(
    settings: &Settings,
    records: &Arc<dyn Records>,
    clock: &Arc<dyn Clock>,
) -> Result<(Arc<dyn Bus>, Option<Courier>)> {
    let Some(webhook) = Webhook::from_settings(settings)? else {
        return Ok((Arc::new(LocalBus::new(records.clone())), None));
    };
    let (bus, courier) = LocalBus::with_webhook(records.clone(), webhook, RetryPolicy::default(), clock.clone());
    Ok((Arc::new(bus), Some(courier)))
}

fn authenticator(settings: &Settings, data: &DataDir) -> Result<Authenticator> {
    let secret = LocalSecret::new(data.secret().as_bytes().to_vec())
        .ok_or_else(|| Problem::internal("the secret is too short"))?;
    let (issuer, audience) = (settings.required(settings::JWT_ISSUER)?, settings.required(settings::JWT_AUDIENCE)?);
    Ok(Authenticator::new(Trust::Secret(secret), issuer, audience))
}
