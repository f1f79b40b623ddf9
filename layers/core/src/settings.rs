//! Every environment variable, in one table: its name, its default, what it means.
//!
//! Code reads settings by the constants here and nowhere else; README shows the same table, and a test
//! compares the two.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::error::{Problem, Result};

/// One environment variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What holds when it is not set; `None` when it has to be set where it is read.
    pub default: Option<&'static str>,
    /// What it means, with its unit.
    pub meaning: &'static str,
}

macro_rules! settings {
    ($($constant:ident = $name:literal, $default:expr, $meaning:literal;)+) => {
        $(#[doc = $meaning] pub const $constant: Setting = Setting { name: $name, default: $default, meaning: $meaning };)+

        /// All of them.
        pub const ALL: &[Setting] = &[$($constant),+];
    };
}

settings! {
    DATA_DIR = "MANDI_DATA", Some(".mandi/data"), "folder of the local store (runner)";
    MODELS_DIR = "MANDI_MODELS", Some(".mandi/models"), "folder of the model files; `/opt/models` in the Lambda layer";
    PORT = "MANDI_PORT", Some("8080"), "port that the runner listens on; 0 picks a free one";
    LOG = "MANDI_LOG", Some("info,lance=warn"), "what is logged, as in `RUST_LOG`";
    JWT_ISSUER = "MANDI_JWT_ISSUER", Some("mandi-local"), "the `iss` that tokens must have";
    JWT_AUDIENCE = "MANDI_JWT_AUDIENCE", Some("mandi"), "the `aud` that tokens must have";
    JWKS_URL = "MANDI_JWKS_URL", None, "URL of the issuer's public keys (AWS)";
    JWT_SECRET = "MANDI_JWT_SECRET", None, "HS256 secret of at least 32 bytes, in place of a JWKS URL (tests of the Lambda binaries)";
    TABLE = "MANDI_TABLE", None, "name of the DynamoDB table (AWS)";
    BUCKET = "MANDI_BUCKET", None, "name of the S3 bucket for documents (AWS)";
    VECTORS_URI = "MANDI_VECTORS_URI", None, "where the LanceDB tables lie: `s3://bucket/prefix` (AWS); the runner uses its data folder";
    FUNCTION_NAME = "AWS_LAMBDA_FUNCTION_NAME", None, "name of this function, which it calls to run jobs; Lambda sets it";
    EMBEDDING_FUNCTION = "MANDI_EMBEDDING_FUNCTION", None, "name of the embedding function, which chat calls to search (AWS)";
    PROVIDER = "MANDI_PROVIDER", Some("local"), "the language model's provider: `local`, `bedrock`, `openai` or `none`";
    BEDROCK_MODEL = "MANDI_BEDROCK_MODEL", Some("global.anthropic.claude-haiku-4-5-20251001-v1:0"), "the model, or the inference profile, that Bedrock answers with";
    OPENAI_BASE_URL = "MANDI_OPENAI_BASE_URL", None, "base URL of an OpenAI-compatible endpoint, such as `http://127.0.0.1:11434/v1`";
    OPENAI_MODEL = "MANDI_OPENAI_MODEL", None, "the model to ask that endpoint for";
    OPENAI_KEY = "MANDI_OPENAI_KEY", None, "the key for that endpoint (a secret; never logged)";
    EMBEDDING_MODELS = "MANDI_EMBEDDING_MODELS", None, "embedding models beside the local one, by comma: `bedrock/<model>`, `openai/<model>`, with `=<dimensions>` where those are not known; by default those that the provider is known to have";
    TENANT_PROVIDERS = "MANDI_TENANT_PROVIDERS", None, "JSON file of providers by tenant, where they differ from the default";
    PRICES = "MANDI_PRICES", None, "JSON file of prices by `provider/model`, in micro-dollars a million tokens; over the built-in table";
    CONTEXT_TOKENS = "MANDI_CONTEXT_TOKENS", Some("8192"), "tokens that prompt and answer may have together, for a remote model";
    CONNECT_TIMEOUT_MS = "MANDI_CONNECT_TIMEOUT_MS", Some("5000"), "longest wait for a connection to a language model, in ms";
    FIRST_TOKEN_TIMEOUT_MS = "MANDI_FIRST_TOKEN_TIMEOUT_MS", Some("30000"), "longest wait for the first token, in ms";
    TOKEN_TIMEOUT_MS = "MANDI_TOKEN_TIMEOUT_MS", Some("15000"), "longest wait between two tokens, in ms";
    STREAM_LEASE_MS = "MANDI_STREAM_LEASE_MS", Some("10000"), "after how long without a sign the writer of a stream is taken for dead, in ms";
    STREAM_KEEP_ALIVE_MS = "MANDI_STREAM_KEEP_ALIVE_MS", Some("10000"), "after how long without an event a stream sends a comment, in ms";
    MODEL_CACHE_BYTES = "MANDI_MODEL_CACHE_BYTES", Some("1073741824"), "memory that loaded models may take together, in bytes";
    INFERENCE_TIMEOUT_MS = "MANDI_INFERENCE_TIMEOUT_MS", Some("10000"), "longest time that one call of a model may take, in ms";
    MACHINES = "MANDI_MACHINES", None, "ARN of the state machines up to their names, such as `arn:aws:states:ap-south-1:123456789012:stateMachine:mandi-dev-`";
    SHARDS_AT_ONCE = "MANDI_SHARDS_AT_ONCE", Some("40"), "how many shards of a batch prediction are worked on at the same time; the runner takes as many as there are processors";
    PUBLIC_URL = "MANDI_PUBLIC_URL", None, "base URL under which callers reach the runner, for the URLs that it signs; `http://127.0.0.1:<port>` when it is not set";
    EVENT_BUS = "MANDI_EVENT_BUS", None, "name of the EventBridge bus for events and alerts (AWS)";
    WEBHOOK_URL = "MANDI_WEBHOOK_URL", None, "where the runner delivers events and alerts of all tenants: `https`, or `http` on this machine";
    WEBHOOK_SECRET = "MANDI_WEBHOOK_SECRET", None, "what signs them, as Standard Webhooks says: `whsec_` and the Base64 of 24 to 64 random bytes (a secret; never logged)";
    CAPTURE_STREAM = "MANDI_CAPTURE_STREAM", None, "name of the delivery stream for captured predictions (AWS)";
    DRAIN_MS = "MANDI_DRAIN_MS", Some("20000"), "how long the runner waits on SIGTERM for requests to end, in ms";
    OPENAPI = "MANDI_OPENAPI", None, "file of the whole OpenAPI document, beside the chat function's binary; a function alone serves its own part";
}

/// The settings of this process, read once at start.
#[derive(Clone, Debug, Default)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// From the environment. An empty variable counts as not set.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_pairs(std::env::vars())
    }

    /// From pairs, for tests and the command line.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    /// With one more.
    #[must_use]
    pub fn with(mut self, setting: Setting, value: impl Into<String>) -> Self {
        self.0.insert(setting.name.to_owned(), value.into());
        self
    }

    /// The value, or the default, or `None`.
    #[must_use]
    pub fn optional(&self, setting: Setting) -> Option<&str> {
        self.0.get(setting.name).map(String::as_str).or(setting.default)
    }

    /// A variable that another setting refers to by name, such as the one that holds a tenant's key.
    #[must_use]
    pub fn referred(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value or the default.
    ///
    /// # Errors
    /// Neither is there: the error names the variable and what it means.
    pub fn required(&self, setting: Setting) -> Result<&str> {
        self.optional(setting)
            .ok_or_else(|| Problem::field(setting.name, format!("set this environment variable: {}", setting.meaning)))
    }

    /// The value as a number or another type that is read from text.
    ///
    /// # Errors
    /// It is not set and has no default, or it does not read as that type.
    pub fn parsed<T: std::str::FromStr>(&self, setting: Setting) -> Result<T> {
        let text = self.required(setting)?;
        text.parse().map_err(|_| Problem::field(setting.name, format!("`{text}` is not valid ({})", setting.meaning)))
    }

    /// The value as a number above zero.
    ///
    /// # Errors
    /// It is not set and has no default, or it is not such a number.
    pub fn positive(&self, setting: Setting) -> Result<NonZeroU32> {
        self.parsed(setting)
    }

    /// The value as a span of time above zero, of a setting in milliseconds.
    ///
    /// # Errors
    /// As [`Self::positive`].
    pub fn duration_ms(&self, setting: Setting) -> Result<Duration> {
        Ok(Duration::from_millis(self.positive(setting)?.get().into()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_variable_that_is_missing_is_named_with_its_meaning() {
        let error = Settings::default().required(TABLE).unwrap_err();
        assert_eq!(error.errors[0].pointer, "MANDI_TABLE");
        assert!(error.detail.contains("DynamoDB"));
    }

    #[test]
    fn a_default_holds_until_the_variable_is_set() {
        let settings = Settings::default();
        assert_eq!(settings.parsed::<u16>(PORT).ok(), Some(8080));
        let settings = settings.with(PORT, "x");
        assert!(settings.parsed::<u16>(PORT).unwrap_err().detail.contains("`x`"));
    }

    #[test]
    fn a_span_of_nothing_is_refused() {
        let settings = Settings::default().with(STREAM_LEASE_MS, "0");
        assert!(settings.duration_ms(STREAM_LEASE_MS).unwrap_err().detail.contains("`0` is not valid"));
        assert_eq!(Settings::default().duration_ms(STREAM_LEASE_MS).unwrap(), Duration::from_secs(10));
    }
}
