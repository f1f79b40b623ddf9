//! The prediction function in AWS: its adapters, and its tasks.

use std::sync::Arc;

use mandi_aws::Clients;
use mandi_core::ports::Records;
use mandi_core::settings::{self, Settings};
use mandi_core::{Clock, Result, SystemClock};
use mandi_http::{Gate, jwks};
use serde::Deserialize;

use crate::state::{PredictionParts, PredictionState};

/// What the function needs at start, checked.
///
/// # Errors
/// A setting is missing or wrong: the problem names it.
pub async fn state(settings: &Settings) -> Result<PredictionState> {
    let clients = Clients::from_env().await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let records: Arc<dyn Records> = Arc::new(clients.records(settings.required(settings::TABLE)?, clock.clone()));
    Ok(PredictionState::new(PredictionParts {
        gate: Gate {
            authenticator: Arc::new(jwks::authenticator(settings)?),
            records: records.clone(),
            clock: clock.clone(),
        },
        objects: Arc::new(clients.objects(settings.required(settings::BUCKET)?)),
        model_cache_bytes: settings.parsed(settings::MODEL_CACHE_BYTES)?,
        inference_timeout: settings.duration_ms(settings::INFERENCE_TIMEOUT_MS)?,
        records,
        clock,
    }))
}

/// Serves until the runtime ends.
///
/// # Errors
/// The runtime cannot be reached.
pub async fn run(state: PredictionState) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let tasks = state.clone();
    mandi_aws::lambda::serve(crate::router(state), move |json| {
        let state = tasks.clone();
        async move { Ok(perform(&state, &serde_json::from_str(&json)?).await?) }
    })
    .await
}

/// The tasks of this function, besides its routes.
#[derive(Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
enum Task {
    /// Removes uploads that nobody used in time. Called by a schedule.
    ExpireUploads,
}

/// Performs a task; its answer is JSON.
async fn perform(state: &PredictionState, task: &Task) -> Result<String> {
    match task {
        Task::ExpireUploads => {
            let removed = state.uploads().expire().await?;
            Ok(format!(r#"{{"removed":{removed}}}"#))
        }
    }
}
