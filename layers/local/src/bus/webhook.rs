//! One delivery to a webhook: a POST of the event's JSON, signed as Standard Webhooks says (version 1.0.0, symmetric
//! signatures: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
//!
//! `webhook-id` is the event's id, `webhook-timestamp` the time of this try in seconds since 1970, `webhook-signature`
//! `v1,` and the Base64 of HMAC-SHA256 over `id.timestamp.body`. Who receives it checks the signature, refuses a time that
//! is far off, and takes an id once.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use mandi_core::settings::{self, Settings};
use mandi_core::{Problem, Result, Timestamp};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use sha2::Sha256;

/// How long a delivery may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How secrets begin.
const SECRET_PREFIX: &str = "whsec_";

/// The secret that signs deliveries: `whsec_` and the Base64 of 24 to 64 bytes.
#[derive(Clone)]
pub struct SigningSecret(Vec<u8>);

impl SigningSecret {
    /// Reads a secret; `None` when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix(SECRET_PREFIX)?).ok()?;
        (24..=64).contains(&bytes.len()).then_some(Self(bytes))
    }

    fn sign(&self, id: &str, timestamp_s: i64, body: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(format!("{id}.{timestamp_s}.{body}").as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningSecret(..)")
    }
}

/// Where events are delivered.
#[derive(Clone)]
pub struct Webhook {
    client: Client,
    url: Url,
    secret: SigningSecret,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A path or a query may hold a token.
        write!(formatter, "Webhook({})", self.url.host_str().unwrap_or_default())
    }
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// The receiver has it (2xx).
    Taken,
    /// The receiver does not take it, now or later.
    Refused(String),
    /// It may work later: no connection, no answer in time, 408, 429 or 5xx.
    Failed {
        /// Why.
        reason: String,
        /// When the receiver wants to be asked again, where it says.
        after: Option<Duration>,
    },
}

impl Webhook {
    /// The webhook of the settings, where there is one.
    ///
    /// # Errors
    /// A setting is wrong or missing: the problem names it.
    pub fn from_settings(settings: &Settings) -> Result<Option<Self>> {
        let Some(url) = settings.optional(settings::WEBHOOK_URL) else { return Ok(None) };
        let secret = SigningSecret::parse(settings.required(settings::WEBHOOK_SECRET)?).ok_or_else(|| {
            let rule =
                "it is not `whsec_` and the Base64 of 24 to 64 random bytes, such as of `openssl rand -base64 32`";
            Problem::field(settings::WEBHOOK_SECRET.name, rule)
        })?;
        Self::new(url, secret).map(Some)
    }

    /// A webhook at `url`: `https`, or `http` on this machine, since events name tenants and what happened to them.
    ///
    /// # Errors
    /// The URL is not one of those.
    pub fn new(url: &str, secret: SigningSecret) -> Result<Self> {
        let wrong = || {
            let rule = "it is not a URL with `https`, or with `http` on this machine (127.0.0.1, ::1 or localhost)";
            Problem::field(settings::WEBHOOK_URL.name, rule)
        };
        let url = Url::parse(url).map_err(|_| wrong())?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if url.scheme() != "https" && !(url.scheme() == "http" && is_here) {
            return Err(wrong());
        }
        // A redirection would send a tenant's events where nobody configured them to go.
        let client = Client::builder().timeout(TIMEOUT).redirect(Policy::none()).build().map_err(Problem::internal)?;
        Ok(Self { client, url, secret })
    }

    /// Delivers the JSON of an event.
    pub(super) async fn deliver(&self, id: &str, body: String, now: Timestamp) -> Tried {
        let timestamp_s = now.unix_ms().div_euclid(1_000);
        let Some(signature) = self.secret.sign(id, timestamp_s, &body) else {
            return Tried::Refused("the secret cannot sign".to_owned());
        };
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp_s)
            .header("webhook-signature", signature)
            .body(body);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
                // Without the URL, which may hold a token.
                return Tried::Failed { reason: format!("{}{cause}", error.without_url()), after: None };
            }
        };
        let status = answer.status();
        let reason = format!("the receiver answered {}", status.as_u16());
        if status.is_success() {
            Tried::Taken
        } else if status.is_server_error() || matches!(status.as_u16(), 408 | 429) {
            let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            Tried::Failed { reason, after: after.map(Duration::from_secs) }
        } else {
            Tried::Refused(reason)
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const SECRET: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

    /// The expected value is of `Webhook(SECRET).sign(..)` of the Python package standardwebhooks 1.0.0.
    #[test]
    fn a_signature_is_that_of_the_standards_own_library() {
        let signature = SigningSecret::parse(SECRET).unwrap().sign("evt_0123", 1_795_254_600, r#"{"text":"चावल"}"#);
        assert_eq!(signature.unwrap(), "v1,jXE7YjjVbBrYBt4YRdH1fY7834izlLRkOZ7dT4W6JVc=");
    }

    #[test]
    fn a_secret_that_is_short_or_not_base64_is_refused() {
        for bad in ["", "whsec_", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=", "whsec_AQID", "whsec_%%%%"] {
            assert!(SigningSecret::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_url_without_encryption_is_refused_unless_it_is_on_this_machine() {
        let webhook = |url: &str| Webhook::new(url, SigningSecret::parse(SECRET).unwrap());
        for good in ["https://example.com/x", "http://127.0.0.1:9/x", "http://[::1]:9", "http://localhost:9"] {
            assert!(webhook(good).is_ok(), "{good}");
        }
        for bad in
            ["http://example.com", "ftp://localhost", "example.com", "http://10.0.0.1", "http://localhost.evil.in"]
        {
            assert!(webhook(bad).unwrap_err().detail.contains("MANDI_WEBHOOK_URL"), "{bad}");
        }
    }

    #[test]
    fn given_a_url_without_a_secret_when_settings_are_read_then_the_secret_is_asked_for() {
        let settings = Settings::default().with(settings::WEBHOOK_URL, "https://example.com");
        assert!(Webhook::from_settings(&settings).unwrap_err().detail.contains("MANDI_WEBHOOK_SECRET"));
        assert!(Webhook::from_settings(&Settings::default()).unwrap().is_none());
    }
}
