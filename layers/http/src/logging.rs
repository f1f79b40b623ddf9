//! Logs as JSON lines.

use mandi_core::settings::{self, Settings};
use mandi_core::{Problem, Result};
use tracing_subscriber::EnvFilter;

/// Sends the process's log to standard error as JSON, one line for each event. Call it once, at start.
///
/// # Errors
/// The filter in `MANDI_LOG` cannot be read, or a log was set up already.
pub fn init(settings: &Settings) -> Result<()> {
    let filter = settings.required(settings::LOG)?;
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Problem::field(settings::LOG.name, format!("`{filter}` is not a log filter: {error}")))?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init()
        .map_err(Problem::internal)
}
