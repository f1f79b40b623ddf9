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
use tokio::sync::RwLock;

/// How long fetched keys are trusted without asking again.
const FRESH_FOR: Duration = Duration::from_secs(3600);
/// How soon an unknown key id may cause another fetch, so that made-up ids do not load the issuer.
const FETCH_AT_MOST_EVERY: Duration = Duration::from_secs(30);

/// The authenticator of a function in AWS: the issuer's keys at `MANDI_JWKS_URL`, or, where there is none, the
/// secret in `MANDI_JWT_SECRET`.
///
/// # Errors
/// Neither is set, or the secret is too short.
pub fn authenticator(settings: &Settings) -> Result<Authenticator> {
    let trust = match (settings.optional(settings::JWKS_URL), settings.optional(settings::JWT_SECRET)) {
        (Some(url), _) => Trust::Issuer(Arc::new(JwksKeys::new(url)?)),
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
    fetched: RwLock<Fetched>,
}

#[derive(Debug, Default)]
struct Fetched {
    keys: HashMap<String, (Algorithm, Jwk)>,
    tried_at: Option<Instant>,
    succeeded_at: Option<Instant>,
}

impl JwksKeys {
    /// The keys at `url`; fetched when first needed.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(url: impl Into<String>) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().map_err(Problem::internal)?;
        Ok(Self { url: url.into(), client, fetched: RwLock::default() })
    }

    async fn fetch(&self) -> Result<HashMap<String, (Algorithm, Jwk)>, reqwest::Error> {
        let set: JwkSet = self.client.get(&self.url).send().await?.error_for_status()?.json().await?;
        Ok(set
            .keys
            .into_iter()
            .filter_map(|key| usable(&key).map(|(kid, algorithm)| (kid, (algorithm, key))))
            .collect())
    }

    async fn refresh(&self) -> Result<()> {
        let mut fetched = self.fetched.write().await;
        if fetched.tried_at.is_some_and(|at| at.elapsed() < FETCH_AT_MOST_EVERY) {
            return Ok(());
        }
        fetched.tried_at = Some(Instant::now());
        match self.fetch().await {
            Ok(keys) => {
                fetched.keys = keys;
                fetched.succeeded_at = Some(Instant::now());
                Ok(())
            }
            Err(error) if fetched.succeeded_at.is_some() => {
                tracing::warn!(%error, "the issuer's keys could not be read; the cached ones are used");
                Ok(())
            }
            Err(error) => {
                fetched.tried_at = None;
                let detail = "the token issuer's keys cannot be read now; try again";
                Err(Problem::new(ProblemKind::Unavailable, detail).caused_by(error).retry_after(2))
            }
        }
    }

    async fn cached(&self, kid: &str) -> Option<(Algorithm, Jwk, bool)> {
        let fetched = self.fetched.read().await;
        let fresh = fetched.succeeded_at.is_some_and(|at| at.elapsed() < FRESH_FOR);
        fetched.keys.get(kid).map(|(algorithm, key)| (*algorithm, key.clone(), fresh))
    }
}

#[async_trait]
impl KeySource for JwksKeys {
    async fn key(&self, kid: &str) -> Result<Option<(Algorithm, DecodingKey)>> {
        let known = self.cached(kid).await;
        if !matches!(known, Some((_, _, true))) {
            self.refresh().await?;
        }
        let Some((algorithm, key, _)) = self.cached(kid).await else { return Ok(None) };
        let decoding = DecodingKey::from_jwk(&key).map_err(Problem::internal)?;
        Ok(Some((algorithm, decoding)))
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
