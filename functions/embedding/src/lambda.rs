//! The embedding function in AWS: its adapters, and its tasks.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use mandi_aws::{Clients, LambdaInvoker};
use mandi_core::ids::JobId;
use mandi_core::metering::Meter;
use mandi_core::ports::{Embedder, Records};
use mandi_core::settings::{self, Settings};
use mandi_core::streams::{StreamPolicy, Streams};
use mandi_core::{Clock, Permission, Principal, Problem, Result, SystemClock, TenantId, Timestamp};
use mandi_http::{Gate, jwks};
use mandi_index::{Caretaker, IndexOptions, LanceIndex};
use mandi_inference::{LocalEmbedder, LocalReranker, TextEncoder};
use mandi_llm::providers::Providers;
use mandi_retrieval::CollectionName;
use mandi_retrieval::ports::IndexTable;
use mandi_retrieval::remote::{RemoteAnswer, RemoteMissing, RemoteSearch};
use serde::{Deserialize, Serialize};
use tokio_util::task::TaskTracker;

use crate::embedders::Embedders;
use crate::jobs::RunJob;
use crate::state::{EmbeddingParts, EmbeddingState};

/// What the function needs at start, checked.
///
/// # Errors
/// A setting is missing or wrong, or a model's file is: the problem names it.
pub async fn state(settings: &Settings) -> Result<EmbeddingState> {
    let models = Path::new(settings.required(settings::MODELS_DIR)?).to_owned();
    let encoder = Arc::new(TextEncoder::load(&models.join("minilm-l6"))?);
    // Only those requests wait for it that have something judged.
    let reranker = LocalReranker::when_needed(&models.join("reranker"))?;
    let clients = Clients::from_env().await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let records: Arc<dyn Records> = Arc::new(clients.records(settings.required(settings::TABLE)?, clock.clone()));
    let providers = Arc::new(Providers::from_settings(settings).await?);
    let meter = Meter::new(records.clone(), Arc::new(providers.prices().clone()));
    let local: Arc<dyn Embedder> = Arc::new(LocalEmbedder::new(encoder.clone()));
    let function = settings.required(settings::FUNCTION_NAME)?.to_owned();
    let later = Arc::new(ByInvocation { invoker: clients.invoker(), function });
    // Background work stands still between requests.
    let caretaker: Arc<dyn Caretaker> = later.clone();
    let options = IndexOptions { background_upkeep: false, caretaker: Some(caretaker), ..IndexOptions::default() };
    Ok(EmbeddingState::new(EmbeddingParts {
        gate: Gate {
            authenticator: Arc::new(jwks::authenticator(settings)?),
            records: records.clone(),
            clock: clock.clone(),
        },
        objects: Arc::new(clients.objects(settings.required(settings::BUCKET)?)),
        index: Arc::new(LanceIndex::open(settings.required(settings::VECTORS_URI)?, options)?),
        embedders: Embedders::new(local, providers.clone(), records.clone(), meter.clone(), clock.clone()),
        reranker: Some(Arc::new(reranker)),
        tokens: encoder,
        run_job: later,
        streams: Streams::new(records.clone(), clock.clone(), StreamPolicy::from_settings(settings)?),
        keep_alive: settings.duration_ms(settings::STREAM_KEEP_ALIVE_MS)?,
        tasks: TaskTracker::new(),
        records,
        clock,
        meter,
        providers,
    }))
}

/// Serves until the runtime ends.
///
/// # Errors
/// The runtime cannot be reached.
pub async fn run(state: EmbeddingState) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let tasks = state.clone();
    mandi_aws::lambda::serve(crate::router(state), move |json| {
        let state = tasks.clone();
        async move { Ok(perform(&state, serde_json::from_str(&json)?).await?) }
    })
    .await
}

/// The tasks of this function, besides its routes.
#[derive(Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
enum Task {
    /// A search for a function that holds no index.
    Search(RemoteSearch),
    /// Which of some collections and documents there are not, for the same.
    Missing(RemoteMissing),
    /// Works on a job until it is done.
    RunJob {
        /// The job.
        job_id: JobId,
    },
    /// Starts the jobs that nobody works on. Called by a schedule.
    ResumeIngest,
    /// Looks after the index of a collection that was written to much.
    LookAfter {
        /// The tenant.
        tenant: String,
        /// The collection.
        collection: CollectionName,
        /// When it was made.
        made_at: Timestamp,
    },
}

/// Performs a task; its answer is JSON.
async fn perform(state: &EmbeddingState, task: Task) -> Result<String> {
    match task {
        Task::Search(RemoteSearch { token, request }) => {
            let outcome = match reader(state, &token).await {
                Ok(caller) => state.search.search(&caller, request).await,
                Err(problem) => Err(problem),
            };
            serde_json::to_string(&RemoteAnswer::from(outcome)).map_err(Problem::internal)
        }
        Task::Missing(RemoteMissing { token, named }) => {
            let outcome = match reader(state, &token).await {
                Ok(caller) => state.search.missing(&caller, &named).await,
                Err(problem) => Err(problem),
            };
            serde_json::to_string(&RemoteAnswer::from(outcome)).map_err(Problem::internal)
        }
        Task::RunJob { job_id } => {
            state.jobs().run(&job_id).await?;
            Ok("{}".to_owned())
        }
        Task::ResumeIngest => {
            let resumed = state.jobs().resume_abandoned().await?;
            Ok(format!(r#"{{"resumed":{resumed}}}"#))
        }
        Task::LookAfter { tenant, collection, made_at } => {
            let tenant = TenantId::from_stored(&tenant).ok_or_else(|| Problem::internal("the tenant is not one"))?;
            state.index.upkeep(&IndexTable { tenant, collection: collection.clone(), made_at }).await?;
            tracing::info!(collection = collection.as_str(), "looked after an index");
            Ok("{}".to_owned())
        }
    }
}

/// The caller of a token, who may read collections.
async fn reader(state: &EmbeddingState, token: &str) -> Result<Principal> {
    let caller = state.gate.authenticator.verify(token).await?;
    caller.require(Permission::KnowledgeRead)?;
    Ok(caller)
}

/// Does work later, as asynchronous invocations of this same function.
#[derive(Debug)]
struct ByInvocation {
    invoker: LambdaInvoker,
    function: String,
}

impl ByInvocation {
    async fn hand_on(&self, task: &Task) -> Result<()> {
        let task = serde_json::to_vec(task).map_err(Problem::internal)?;
        Ok(self.invoker.invoke_event(&self.function, task.into()).await?)
    }
}

#[async_trait]
impl RunJob for ByInvocation {
    async fn run_soon(&self, job: &JobId) -> Result<()> {
        self.hand_on(&Task::RunJob { job_id: job.clone() }).await
    }
}

#[async_trait]
impl Caretaker for ByInvocation {
    async fn look_after_soon(&self, table: &IndexTable) -> Result<()> {
        let IndexTable { tenant, collection, made_at } = table.clone();
        self.hand_on(&Task::LookAfter { tenant: tenant.as_str().to_owned(), collection, made_at }).await
    }
}
