//! The batch prediction function in AWS: its adapters, and the tasks of its machine.

use std::num::NonZeroU32;
use std::sync::Arc;

use mandi_aws::Clients;
use mandi_aws::lambda::TaskFailure;
use mandi_core::ports::Records;
use mandi_core::settings::{self, Settings};
use mandi_core::{Clock, Result, SystemClock};
use mandi_http::{Gate, jwks};

use crate::state::{BatchParts, BatchState};

/// What the function needs at start, checked.
///
/// # Errors
/// A setting is missing or wrong: the problem names it.
pub async fn state(settings: &Settings) -> Result<BatchState> {
    let clients = Clients::from_env().await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let records: Arc<dyn Records> = Arc::new(clients.records(settings.required(settings::TABLE)?, clock.clone()));
    Ok(BatchState::new(BatchParts {
        gate: Gate {
            authenticator: Arc::new(jwks::authenticator(settings)?),
            records: records.clone(),
            clock: clock.clone(),
        },
        objects: Arc::new(clients.objects(settings.required(settings::BUCKET)?)),
        orchestrator: Arc::new(clients.orchestrator(settings.required(settings::MACHINES)?)),
        model_cache_bytes: settings.parsed(settings::MODEL_CACHE_BYTES)?,
        inference_timeout: settings.duration_ms(settings::INFERENCE_TIMEOUT_MS)?,
        shards_at_once: settings.parsed::<NonZeroU32>(settings::SHARDS_AT_ONCE)?,
        records,
        clock,
    }))
}

/// Serves until the runtime ends.
///
/// # Errors
/// The runtime cannot be reached.
pub async fn run(state: BatchState) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let tasks = state.tasks().clone();
    mandi_aws::lambda::serve(crate::router(state), move |json| {
        let tasks = tasks.clone();
        async move {
            let done = tasks.perform(serde_json::from_str(&json)?).await;
            Ok(done.map_err(|error| TaskFailure { name: error.name.to_owned(), detail: error.detail })?.to_string())
        }
    })
    .await
}
