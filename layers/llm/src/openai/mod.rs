//! Any endpoint that speaks OpenAI's protocol: chat completions as server-sent events, and embeddings.

mod chat;
mod embedder;
mod failure;
mod wire;

pub use chat::OpenAiCompatible;
pub use embedder::{OpenAiEmbedder, OpenAiEmbeddings};

use std::fmt;
use std::time::Duration;

use mandi_core::{Problem, Result};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use crate::timeouts::Timeouts;

/// The provider's name in metering, of which the price table's keys are made.
pub const PROVIDER: &str = "openai";

/// An endpoint and the key for it, with its connections. Made once for a process and cloned.
#[derive(Clone)]
pub struct Endpoint {
    base_url: String,
    client: reqwest::Client,
    timeouts: Timeouts,
}

impl Endpoint {
    /// An endpoint such as `https://api.openai.com/v1`; nothing is called yet.
    ///
    /// # Errors
    /// The URL is not one of http or https, or the key holds characters that a header cannot.
    pub fn new(base_url: &str, key: Option<&str>, timeouts: Timeouts) -> Result<Self> {
        let url = reqwest::Url::parse(base_url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| Problem::field("base_url", format!("`{base_url}` is not an http or https URL")))?;
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
                .map_err(|_| Problem::field("key", "the key holds characters that an HTTP header cannot"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(timeouts.connect)
            // A redirect could take the key and the prompt to another host.
            .redirect(reqwest::redirect::Policy::none())
            // Connections that some gateways close silently are not kept for long.
            .pool_idle_timeout(Duration::from_secs(30))
            .build()
            .map_err(Problem::internal)?;
        Ok(Self { base_url: url.as_str().trim_end_matches('/').to_owned(), client, timeouts })
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base_url)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client is left out: it holds the key.
        formatter.debug_struct("Endpoint").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}
