//! The caller of a request, with the permission that the route needs.

use std::marker::PhantomData;

use axum::Extension;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use mandi_core::identity::{Permission, Principal};
use mandi_core::{Problem, ProblemKind, Result};

use crate::gate::Gate;
use crate::idempotency::{PermissionOnly, Permitted};
use crate::problem::ApiError;
use crate::request_log::RequestFacts;

/// A permission as a type, so that a handler's signature says what it needs.
pub trait Needs: Send + Sync + 'static {
    /// The permission.
    const PERMISSION: Permission;
}

macro_rules! needs {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {
        $($(#[$meta])* #[derive(Clone, Copy, Debug)] pub struct $name;
        impl Needs for $name { const PERMISSION: Permission = Permission::$name; })+
    };
}

needs! {
    /// `conversations.read`
    ConversationsRead,
    /// `conversations.write`
    ConversationsWrite,
    /// `knowledge.read`
    KnowledgeRead,
    /// `knowledge.write`
    KnowledgeWrite,
    /// `embeddings.create`
    EmbeddingsCreate,
    /// `usage.read`
    UsageRead,
    /// `models.read`
    ModelsRead,
    /// `models.write`
    ModelsWrite,
    /// `models.promote`
    ModelsPromote,
    /// `predictions.create`
    PredictionsCreate,
    /// `predictions.read`
    PredictionsRead,
    /// `outcomes.write`
    OutcomesWrite,
    /// `uploads.create`
    UploadsCreate,
    /// `audit.read`
    AuditRead,
}

/// A verified caller who has the permission `P`. There is no other way to a tenant in a handler.
#[derive(Clone, Debug)]
pub struct Caller<P> {
    principal: Principal,
    permission: PhantomData<P>,
}

impl<P> std::ops::Deref for Caller<P> {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

impl<P: Needs, S: Send + Sync> FromRequestParts<S> for Caller<P>
where
    Gate: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> std::result::Result<Self, Response> {
        let refused = |problem| ApiError(problem).into_response();
        let principal = principal(parts, &Gate::from_ref(state)).await.map_err(refused)?;
        principal.require(P::PERMISSION).map_err(refused)?;
        if parts.extensions.get::<PermissionOnly>().is_some() {
            return Err(Extension(Permitted).into_response());
        }
        Ok(Self { principal, permission: PhantomData })
    }
}

/// The verified caller of a request. It is verified once, and kept with the request.
///
/// # Errors
/// There is no bearer token, or it does not hold.
pub async fn principal(parts: &mut Parts, gate: &Gate) -> Result<Principal> {
    if let Some(principal) = parts.extensions.get::<Principal>() {
        return Ok(principal.clone());
    }
    let principal = gate.authenticator.verify(bearer(parts)?).await?;
    if let Some(facts) = parts.extensions.get::<RequestFacts>() {
        facts.tenant(principal.tenant.as_str());
    }
    parts.extensions.insert(principal.clone());
    Ok(principal)
}

fn bearer(parts: &Parts) -> Result<&str> {
    let missing = || {
        Problem::new(ProblemKind::Unauthorised, "send `Authorization: Bearer <token>`; `mandi token` makes a local one")
    };
    let header = parts.headers.get(AUTHORIZATION).ok_or_else(missing)?;
    let text = header.to_str().map_err(|_| missing())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}
