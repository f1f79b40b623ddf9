//! Logs as JSON lines.

use mandi_core::settings::{self, Settings};
use mandi_core::{Problem, Result};
use tracing::Level;
use tracing_subscriber::EnvFilter;

/// Sends the process's log to standard error as JSON, one line for each event. Call it once, at start.
///
/// # Errors
/// The filter in `MANDI_LOG` cannot be read, or a log was set up already.
pub fn init(settings: &Settings) -> Result<()> {
    let filter = filter(settings.required(settings::LOG)?)?;
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

/// Reads a filter. A bare word has to be a level: as a module's name it would silence all others.
fn filter(text: &str) -> Result<EnvFilter> {
    let refused = |why: &str| Problem::field(settings::LOG.name, format!("`{text}` is not a log filter: {why}"));
    let bare = text.split(',').find(|part| !part.contains(['=', '[']) && part.parse::<Level>().is_err());
    if let Some(word) = bare.filter(|word| *word != "off") {
        let way_out = format!("`{word}` is no level; give error, warn, info, debug, trace or off, or `{word}=debug`");
        return Err(refused(&way_out));
    }
    EnvFilter::try_new(text).map_err(|error| refused(&error.to_string()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_filter_is_made_of_levels_and_modules() {
        for good in ["info", "off", "info,lance=warn", "WARN,mandi_http=debug", "debug,hyper=info,lance=info"] {
            filter(good).unwrap();
        }
        for bad in ["loud", "info,lance", "lance=loud"] {
            assert!(filter(bad).unwrap_err().detail.contains("MANDI_LOG"), "{bad}");
        }
    }
}
