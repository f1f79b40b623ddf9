//! An issuer's public keys (JWKS), cached, with rotation followed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey};
use mandi_core::identity::{Authenticator, KeySource, LocalSecret, Trust};
use mandi_core::settings::{self, Settings};
use mandi_core::{Problem, ProblemKind, Result};
use tokio::sync::{Mutex, RwLock};

/// How an issuer's keys are cached.
#[derive(Clone, Copy, Debug)]
pub struct JwksPolicy {
    /// How long fetched keys are trusted without asking again: a key that the issuer took back is refused after
    /// this.
    pub fresh_for: Duration,
    /// How long they are trusted when the issuer cannot be read.
    pub stale_for: Duration,
    /// How soon an unknown key id may cause another fetch, so that made-up ids do not load the issuer.
    pub fetch_at_most_every: Duration,
    /// How soon the issuer is asked again when it could not be read.
    pub retry_after: Duration,
}

impl Default for JwksPolicy {
    fn default() -> Self {
        Self {
            fresh_for: Duration::from_secs(3600),
            stale_for: Duration::from_secs(24 * 3600),
            fetch_at_most_every: Duration::from_secs(30),
            retry_after: Duration::from_secs(2),
        }
    }
}

/// The authenticator of a function in AWS: the issuer's keys at `MANDI_JWKS_URL`, or, where there is none, the
/// secret in `MANDI_JWT_SECRET`.
///
/// # Errors
/// Neither is set, or the secret is too short.
pub fn authenticator(settings: &Settings) -> Result<Authenticator> {
    let trust = match (settings.optional(settings::JWKS_URL), settings.optional(settings::JWT_SECRET)) {
        (Some(url), _) => Trust::Issuer(Arc::new(JwksKeys::new(url, JwksPolicy::default())?)),
        (None, Some(secret)) => {
            let too_short = || Problem::field(settings::JWT_SECRET.name, "it is shorter than 32 bytes");
            Trust::Secret(LocalSecret::new(secret.as_bytes().to_vec()).ok_or_else(too_short)?)
        }
        (None, None) => {
            let detail = format!("set this environment variable: {}", settings::JWKS_URL.meaning);
            return Err(Problem::field(settings::JWKS_URL.name, detail));
        }
    };
    let (issuer, audience) = (settings.required(settings::JWT_ISSUER)?, settings.required(settings::JWT_AUDIENCE)?);
    Ok(Authenticator::new(trust, issuer, audience))
}

/// The keys at a URL.
#[derive(Debug)]
pub struct JwksKeys {
    url: String,
    client: reqwest::Client,
    policy: JwksPolicy,
    /// Held while the issuer is asked; those whose key is known do not wait for it.
    asking: Mutex<()>,
    fetched: RwLock<Fetched>,
}

#[derive(Debug, Default)]
struct Fetched {
    keys: HashMap<String, (Algorithm, Jwk)>,
    succeeded_at: Option<Instant>,
    failed_at: Option<Instant>,
}

fn within(at: Option<Instant>, duration: Duration) -> bool {
    at.is_some_and(|at| at.elapsed() < duration)
}

impl JwksKeys {
    /// The keys at `url`; fetched when first needed.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(url: impl Into<String>, policy: JwksPolicy) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().map_err(Problem::internal)?;
        Ok(Self { url: url.into(), client, policy, asking: Mutex::default(), fetched: RwLock::default() })
    }

    async fn fetch(&self) -> Result<HashMap<String, (Algorithm, Jwk)>, reqwest::Error> {
        let set: JwkSet = self.client.get(&self.url).send().await?.error_for_status()?.json().await?;
        Ok(set
            .keys
            .into_iter()
            .filter_map(|key| usable(&key).map(|(kid, algorithm)| (kid, (algorithm, key))))
            .collect())
    }

    /// Asks the issuer, unless it was asked a moment ago. Callers that come meanwhile wait for the same answer.
    async fn refresh(&self) {
        let _asking = self.asking.lock().await;
        if self.was_asked().await {
            return;
        }
        let answer = self.fetch().await;
        let mut fetched = self.fetched.write().await;
        match answer {
            Ok(keys) => *fetched = Fetched { keys, succeeded_at: Some(Instant::now()), failed_at: None },
            Err(error) => {
                tracing::warn!(%error, "the issuer's keys could not be read");
                fetched.failed_at = Some(Instant::now());
            }
        }
    }

    /// Whether the issuer was asked so lately that it is not asked again.
    async fn was_asked(&self) -> bool {
        let fetched = self.fetched.read().await;
        within(fetched.succeeded_at, self.policy.fetch_at_most_every)
            || within(fetched.failed_at, self.policy.retry_after)
    }

    /// A key, if it was fetched within a time.
    async fn cached(&self, kid: &str, age: Duration) -> Option<(Algorithm, Jwk)> {
        let fetched = self.fetched.read().await;
        if within(fetched.succeeded_at, age) { fetched.keys.get(kid).cloned() } else { None }
    }
}

#[async_trait]
impl KeySource for JwksKeys {
    async fn key(&self, kid: &str) -> Result<Option<(Algorithm, DecodingKey)>> {
        let mut found = self.cached(kid, self.policy.fresh_for).await;
        if found.is_none() {
            self.refresh().await;
            found = self.cached(kid, self.policy.stale_for).await;
        }
        if found.is_none() && !within(self.fetched.read().await.succeeded_at, self.policy.stale_for) {
            let detail = "the token issuer's keys cannot be read now; try again";
            return Err(Problem::new(ProblemKind::Unavailable, detail).retry_after(2));
        }
        let decoded = found.map(|(algorithm, key)| Ok((algorithm, DecodingKey::from_jwk(&key)?)));
        decoded.transpose().map_err(|error: jsonwebtoken::errors::Error| Problem::internal(error))
    }
}

/// Keys that verify signatures with a public key; symmetric ones and those for encryption are left out.
fn usable(key: &Jwk) -> Option<(String, Algorithm)> {
    let algorithm = match key.common.key_algorithm? {
        KeyAlgorithm::RS256 => Algorithm::RS256,
        KeyAlgorithm::RS384 => Algorithm::RS384,
        KeyAlgorithm::RS512 => Algorithm::RS512,
        KeyAlgorithm::PS256 => Algorithm::PS256,
        KeyAlgorithm::ES256 => Algorithm::ES256,
        KeyAlgorithm::ES384 => Algorithm::ES384,
        KeyAlgorithm::EdDSA => Algorithm::EdDSA,
        _ => return None,
    };
    key.common.key_id.clone().map(|kid| (kid, algorithm))
}
