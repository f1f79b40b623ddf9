//! How long an adapter waits.

use std::time::Duration;

use mandi_core::Result;
use mandi_core::settings::{self, Settings};

/// The three waits of a generation. All adapters keep them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the connection, each time one is made.
    pub connect: Duration,
    /// From the call to the first text, the connection included.
    pub first_token: Duration,
    /// Between two pieces of the stream, once text has come.
    pub between_tokens: Duration,
}

impl Timeouts {
    /// From the settings, which are in milliseconds.
    ///
    /// # Errors
    /// One of them is not a number above zero.
    pub fn from_settings(settings: &Settings) -> Result<Self> {
        Ok(Self {
            connect: settings.duration_ms(settings::CONNECT_TIMEOUT_MS)?,
            first_token: settings.duration_ms(settings::FIRST_TOKEN_TIMEOUT_MS)?,
            between_tokens: settings.duration_ms(settings::TOKEN_TIMEOUT_MS)?,
        })
    }
}
