//! The prediction function in AWS: its adapters, and its tasks.

use std::sync::Arc;

use mandi_aws::Clients;
use mandi_core::capture::{CaptureLimits, Captures};
use mandi_core::event_log::{EventLog, LoggedBus};
use mandi_core::ports::{CaptureStore, Records};
use mandi_core::settings::{self, Settings};
use mandi_core::{Clock, Result, SystemClock};
use mandi_http::{Gate, jwks};
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::state::{PredictionParts, PredictionState};

/// What the function needs at start, checked.
///
/// # Errors
/// A setting is missing or wrong: the problem names it.
pub async fn state(settings: &Settings) -> Result<PredictionState> {
    let clients = Clients::from_env().await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let records: Arc<dyn Records> = Arc::new(clients.records(settings.required(settings::TABLE)?, clock.clone()));
    let bus = clients.bus(settings.required(settings::EVENT_BUS)?);
    let store: Arc<dyn CaptureStore> = Arc::new(clients.captures(settings.required(settings::CAPTURE_STREAM)?));
    let (captures, writer) = Captures::new(store, CaptureLimits::default());
    tokio::spawn(writer.run());
    Ok(PredictionState::new(PredictionParts {
        gate: Gate {
            authenticator: Arc::new(jwks::authenticator(settings)?),
            records: records.clone(),
            clock: clock.clone(),
        },
        objects: Arc::new(clients.objects(settings.required(settings::BUCKET)?)),
        bus: Arc::new(LoggedBus::new(EventLog::new(records.clone()), Arc::new(bus))),
        captures,
        model_cache_bytes: settings.parsed(settings::MODEL_CACHE_BYTES)?,
        inference_timeout: settings.duration_ms(settings::INFERENCE_TIMEOUT_MS)?,
        records,
        clock,
    }))
}

/// Serves until the runtime ends. Before an invocation ends, what its answer left to be done is done, since the process
/// stands still after it.
///
/// # Errors
/// The runtime cannot be reached.
pub async fn run(state: PredictionState) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut ending = signal(SignalKind::terminate())?;
    let (tasks, after) = (state.clone(), state.clone());
    let perform = move |json: String| {
        let state = tasks.clone();
        async move { Ok(perform(&state, &serde_json::from_str(&json)?).await?) }
    };
    let settle = move || {
        let state = after.clone();
        async move { state.settle().await }
    };
    tokio::select! {
        served = mandi_aws::lambda::serve_then(crate::router(state.clone()), perform, settle) => served,
        // Lambda takes the instance away; it tells those that have an extension.
        _ = ending.recv() => {
            state.finish().await;
            Ok(())
        }
    }
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
