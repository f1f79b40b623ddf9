//! Who calls, for which tenant, and what they may do.
//!
//! A [`TenantId`] can only be made here: by verifying a token ([`Authenticator::verify`]), or from what this
//! platform stored for a verified caller ([`TenantId::from_stored`]). Every key, prefix and table name is
//! built from one, so that a request cannot name another tenant's data.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::error::{Problem, ProblemKind, Result};
use crate::time::Timestamp;

/// The longest name of a tenant, in characters.
pub const MAX_TENANT_CHARACTERS: usize = 64;

/// A tenant, as a verified token names it: 1 to 64 of `a-z`, `0-9`, `-` and `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(Arc<str>);

impl TenantId {
    fn new(name: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        let fits = (1..=MAX_TENANT_CHARACTERS).contains(&name.len()) && name.bytes().all(allowed);
        fits.then(|| Self(name.into()))
    }

    /// The tenant that a stored job or record belongs to. `stored` must come from a record that this
    /// platform wrote for a verified caller, never from a request.
    #[must_use]
    pub fn from_stored(stored: &str) -> Option<Self> {
        Self::new(stored)
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TenantId({})", self.0)
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

macro_rules! permissions {
    ($($(#[$meta:meta])* $variant:ident => $name:literal),+ $(,)?) => {
        /// What a caller may do. A route names the one it needs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission { $($(#[$meta])* $variant),+ }

        impl Permission {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name in a token's `permissions` claim and in the OpenAPI document.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

permissions! {
    /// Read conversations and their messages.
    ConversationsRead => "conversations.read",
    /// Start conversations and send messages.
    ConversationsWrite => "conversations.write",
    /// Search, ask, and read collections and documents.
    KnowledgeRead => "knowledge.read",
    /// Create and delete collections and documents.
    KnowledgeWrite => "knowledge.write",
    /// Compute embeddings.
    EmbeddingsCreate => "embeddings.create",
    /// Read usage and cost.
    UsageRead => "usage.read",
    /// Read models, their versions and how they are rolled out.
    ModelsRead => "models.read",
    /// Create and delete models, and register versions.
    ModelsWrite => "models.write",
    /// Say which version serves, and roll back.
    ModelsPromote => "models.promote",
    /// Ask models for predictions.
    PredictionsCreate => "predictions.create",
    /// Read batch predictions and what they gave.
    PredictionsRead => "predictions.read",
    /// Tell what came of predictions: weights are learned from it, and trials are judged by it.
    OutcomesWrite => "outcomes.write",
    /// Send files for later use.
    UploadsCreate => "uploads.create",
    /// Read the audit trail.
    AuditRead => "audit.read",
}

impl Permission {
    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.name() == name)
    }

    fn granted_by(role: &str) -> &'static [Self] {
        match role {
            "admin" => Self::ALL,
            "editor" => &[
                Self::ConversationsRead,
                Self::ConversationsWrite,
                Self::KnowledgeRead,
                Self::KnowledgeWrite,
                Self::EmbeddingsCreate,
                Self::ModelsRead,
                Self::ModelsWrite,
                Self::PredictionsCreate,
                Self::PredictionsRead,
                Self::OutcomesWrite,
                Self::UploadsCreate,
            ],
            "viewer" => &[
                Self::ConversationsRead,
                Self::ConversationsWrite,
                Self::KnowledgeRead,
                Self::ModelsRead,
                Self::PredictionsCreate,
                Self::PredictionsRead,
            ],
            _ => &[],
        }
    }
}

/// A verified caller.
#[derive(Clone)]
pub struct Principal {
    /// The tenant that the token is for.
    pub tenant: TenantId,
    /// The user within the tenant (`sub`).
    pub user: String,
    permissions: BTreeSet<Permission>,
    token: Arc<str>,
}

impl Principal {
    /// The token itself, to call another function in the same name. It is a secret: never log it.
    #[must_use]
    pub fn bearer_token(&self) -> &str {
        &self.token
    }

    /// Whether the caller has a permission.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// Checks a permission.
    ///
    /// # Errors
    /// [`ProblemKind::Forbidden`], naming the permission that is missing.
    pub fn require(&self, permission: Permission) -> Result<()> {
        if self.may(permission) {
            return Ok(());
        }
        let detail = format!(
            "the token of user `{}` lacks the permission `{}`; ask the tenant's administrator for a role that has it",
            self.user,
            permission.name()
        );
        Err(Problem::new(ProblemKind::Forbidden, detail))
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Principal")
            .field("tenant", &self.tenant)
            .field("user", &self.user)
            .field("permissions", &self.permissions)
            .finish_non_exhaustive()
    }
}

/// The claims that we read and, locally, write.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    tenant: Option<String>,
    sub: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    permissions: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<serde_json::Value>,
    /// Times are RFC 7519's NumericDate: seconds since 1970, whole or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<serde_json::Number>,
}

/// Public keys by their id, from a token issuer. The adapter caches and follows rotation.
#[async_trait]
pub trait KeySource: Send + Sync + fmt::Debug {
    /// The key of that id (`kid`), or `None` when the issuer has no such key.
    ///
    /// # Errors
    /// [`ProblemKind::Unavailable`] when the issuer cannot be reached and no cached key fits.
    async fn key(&self, kid: &str) -> Result<Option<(Algorithm, DecodingKey)>>;
}

/// The secret that signs local tokens (HS256).
#[derive(Clone)]
pub struct LocalSecret(Vec<u8>);

impl LocalSecret {
    /// The shortest secret that is accepted, in bytes.
    pub const MIN_BYTES: usize = 32;

    /// A secret of at least [`Self::MIN_BYTES`]; `None` when it is shorter.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() >= Self::MIN_BYTES).then_some(Self(bytes))
    }
}

impl fmt::Debug for LocalSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LocalSecret(..)")
    }
}

/// Where the keys that verify a token come from.
#[derive(Clone, Debug)]
pub enum Trust {
    /// HS256 with the secret of the data directory.
    Secret(LocalSecret),
    /// The issuer's public keys (RS256, ES256, ...), by key id.
    Issuer(Arc<dyn KeySource>),
}

/// Verifies tokens. The only maker of [`Principal`]s.
#[derive(Clone, Debug)]
pub struct Authenticator {
    trust: Trust,
    issuer: String,
    audience: String,
}

/// How far the issuer's clock and ours may differ, in seconds.
const LEEWAY_S: u64 = 30;

impl Authenticator {
    /// Accepts tokens of `issuer` (`iss`) for `audience` (`aud`).
    #[must_use]
    pub fn new(trust: Trust, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { trust, issuer: issuer.into(), audience: audience.into() }
    }

    /// Verifies a bearer token: signature, algorithm, issuer, audience, expiry, not-before, tenant, user.
    ///
    /// # Errors
    /// [`ProblemKind::Unauthorised`] with the reason; [`ProblemKind::Unavailable`] when the issuer's keys
    /// cannot be read.
    pub async fn verify(&self, token: &str) -> Result<Principal> {
        let header = jsonwebtoken::decode_header(token)
            .map_err(|error| unauthorised("the bearer token is not a signed JWT").caused_by(error))?;
        let (algorithm, key) = self.key_for(&header).await?;
        if header.alg != algorithm {
            return Err(unauthorised("the token is signed with another algorithm than its issuer uses"));
        }
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(explain)?.claims;
        principal(claims, token)
    }

    async fn key_for(&self, header: &Header) -> Result<(Algorithm, DecodingKey)> {
        match &self.trust {
            Trust::Secret(secret) => Ok((Algorithm::HS256, DecodingKey::from_secret(&secret.0))),
            Trust::Issuer(keys) => {
                let kid =
                    header.kid.as_deref().ok_or_else(|| unauthorised("the token's header has no key id (`kid`)"))?;
                let found = keys.key(kid).await?;
                found.ok_or_else(|| unauthorised("the token's key id (`kid`) is not among the issuer's keys"))
            }
        }
    }
}

/// Signs local tokens, for `mandi token` and tests.
#[derive(Debug)]
pub struct TokenIssuer {
    secret: LocalSecret,
    issuer: String,
    audience: String,
}

/// What a local token says.
#[derive(Clone, Debug)]
pub struct Grant<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The user (`sub`).
    pub user: &'a str,
    /// Roles, each a set of permissions: `admin`, `editor`, `viewer`.
    pub roles: Vec<String>,
    /// Single permissions.
    pub permissions: Vec<String>,
    /// When the token begins to hold, if later than now.
    pub not_before: Option<Timestamp>,
    /// When the token ends.
    pub expires_at: Timestamp,
}

impl TokenIssuer {
    /// An issuer of tokens that an [`Authenticator`] with the same three accepts.
    #[must_use]
    pub fn new(secret: LocalSecret, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { secret, issuer: issuer.into(), audience: audience.into() }
    }

    /// A signed token.
    ///
    /// # Errors
    /// The tenant's name is not valid, or a role or permission is unknown.
    pub fn issue(&self, grant: &Grant<'_>) -> Result<String> {
        if TenantId::new(grant.tenant).is_none() {
            let rule = format!("a tenant is 1 to {MAX_TENANT_CHARACTERS} of `a-z`, `0-9`, `-`, `_`");
            return Err(Problem::field("tenant", rule));
        }
        if let Some(role) = grant.roles.iter().find(|role| Permission::granted_by(role).is_empty()) {
            return Err(Problem::field("role", format!("`{role}` is none of `admin`, `editor`, `viewer`")));
        }
        if let Some(unknown) = grant.permissions.iter().find(|name| Permission::named(name).is_none()) {
            return Err(Problem::field("permission", format!("`{unknown}` is not a permission")));
        }
        let claims = Claims {
            tenant: Some(grant.tenant.to_owned()),
            sub: Some(grant.user.to_owned()),
            roles: grant.roles.clone(),
            permissions: grant.permissions.clone(),
            iss: Some(self.issuer.clone()),
            aud: Some(self.audience.clone().into()),
            exp: Some(grant.expires_at.unix_s_ceil().into()),
            nbf: grant.not_before.map(|time| time.unix_s_ceil().into()),
        };
        let key = EncodingKey::from_secret(&self.secret.0);
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(Problem::internal)
    }
}

fn principal(claims: Claims, token: &str) -> Result<Principal> {
    let tenant = claims.tenant.as_deref().and_then(TenantId::new).ok_or_else(|| {
        unauthorised("the token has no `tenant` claim, or one that is not 1 to 64 of `a-z`, `0-9`, `-`, `_`")
    })?;
    let user = claims
        .sub
        .filter(|user| !user.is_empty() && user.len() <= 256)
        .ok_or_else(|| unauthorised("the token has no `sub` claim of 1 to 256 bytes"))?;
    let by_role = claims.roles.iter().flat_map(|role| Permission::granted_by(role).iter().copied());
    let by_name = claims.permissions.iter().filter_map(|name| Permission::named(name));
    Ok(Principal { tenant, user, permissions: by_role.chain(by_name).collect(), token: token.into() })
}

fn unauthorised(detail: &str) -> Problem {
    Problem::new(ProblemKind::Unauthorised, detail)
}

fn explain(error: jsonwebtoken::errors::Error) -> Problem {
    use jsonwebtoken::errors::ErrorKind;
    let detail = match error.kind() {
        ErrorKind::ExpiredSignature => "the token has expired; get a new one",
        ErrorKind::ImmatureSignature => "the token does not hold yet (`nbf`)",
        ErrorKind::InvalidIssuer => "the token is of another issuer (`iss`)",
        ErrorKind::InvalidAudience => "the token is for another audience (`aud`)",
        ErrorKind::InvalidAlgorithm => "the token is signed with another algorithm than its issuer uses",
        ErrorKind::InvalidSignature => "the token's signature does not verify",
        ErrorKind::MissingRequiredClaim(_) => "the token needs the claims `exp`, `iss` and `aud`",
        ErrorKind::Json(_) => {
            "the token's claims are not as they must be: `tenant` and `sub` are texts, `exp` and `nbf` numbers, `roles` \
             and `permissions` lists of texts"
        }
        _ => "the token is malformed",
    };
    unauthorised(detail).caused_by(error)
}

#[cfg(test)]
mod tests;
