//! The chat function in AWS: its adapters, and its search by a call of the embedding function.

use std::sync::Arc;

use async_trait::async_trait;
use mandi_aws::lambda::body_of;
use mandi_aws::{Clients, LambdaInvoker};
use mandi_core::metering::Meter;
use mandi_core::settings::{self, Settings};
use mandi_core::streams::{StreamPolicy, Streams};
use mandi_core::{Clock, Principal, Problem, Result, SystemClock};
use mandi_http::{Gate, jwks};
use mandi_llm::providers::Providers;
use mandi_retrieval::answer::{AnswerEngine, AnswerSettings};
use mandi_retrieval::remote::{RemoteAnswer, RemoteMissing, RemoteSearch};
use mandi_retrieval::{Missing, Named, Passage, Search, SearchRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::task::TaskTracker;

use crate::state::{ChatParts, ChatState};

/// What the function needs at start, checked.
///
/// # Errors
/// A setting is missing or wrong: the problem names it.
pub async fn state(settings: &Settings) -> Result<ChatState> {
    let clients = Clients::from_env().await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let records: Arc<dyn mandi_core::ports::Records> =
        Arc::new(clients.records(settings.required(settings::TABLE)?, clock.clone()));
    let providers = Arc::new(Providers::from_settings(settings).await?);
    let function = settings.required(settings::EMBEDDING_FUNCTION)?.to_owned();
    let search = Arc::new(SearchByInvocation { invoker: clients.invoker(), function });
    Ok(ChatState::new(ChatParts {
        gate: Gate {
            authenticator: Arc::new(jwks::authenticator(settings)?),
            records: records.clone(),
            clock: clock.clone(),
        },
        streams: Streams::new(records.clone(), clock.clone(), StreamPolicy::from_settings(settings)?),
        meter: Meter::new(records.clone(), Arc::new(providers.prices().clone())),
        engine: AnswerEngine::new(search, None, clock.clone(), AnswerSettings::default()),
        keep_alive: settings.duration_ms(settings::STREAM_KEEP_ALIVE_MS)?,
        tasks: TaskTracker::new(),
        openapi: mandi_http::openapi::served(settings, &crate::openapi())?,
        records,
        clock,
        providers,
    }))
}

/// Serves until the runtime ends.
///
/// # Errors
/// The runtime cannot be reached.
pub async fn run(state: ChatState) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    mandi_aws::lambda::serve(crate::router(state), |_| async { Err("the chat function has no tasks".into()) }).await
}

/// Searches by calling the embedding function in the caller's name.
#[derive(Debug)]
struct SearchByInvocation {
    invoker: LambdaInvoker,
    function: String,
}

/// A task of the embedding function.
#[derive(Serialize)]
struct Task<T> {
    task: &'static str,
    #[serde(flatten)]
    asked: T,
}

impl SearchByInvocation {
    async fn ask<T: DeserializeOwned>(&self, task: &'static str, asked: impl Serialize + Send) -> Result<T> {
        let task = serde_json::to_vec(&Task { task, asked }).map_err(Problem::internal)?;
        let answer = self.invoker.invoke(&self.function, task.into()).await?;
        let answer: RemoteAnswer<T> = serde_json::from_slice(&body_of(&answer)).map_err(Problem::internal)?;
        answer.into()
    }
}

#[async_trait]
impl Search for SearchByInvocation {
    async fn search(&self, caller: &Principal, request: SearchRequest) -> Result<Vec<Passage>> {
        self.ask("search", RemoteSearch { token: caller.bearer_token().to_owned(), request }).await
    }

    async fn missing(&self, caller: &Principal, named: &Named) -> Result<Missing> {
        let asked = RemoteMissing { token: caller.bearer_token().to_owned(), named: named.clone() };
        self.ask("missing", asked).await
    }
}
