//! The OpenAPI document: what all functions' documents share.

use std::sync::Arc;

use mandi_core::settings::{self, Settings};
use mandi_core::{Problem, Result};
use utoipa::Modify;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder};

use crate::problem::{Field, ProblemDocument};

/// The base of a function's document: title, licence, the bearer scheme and the problem document.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(
    info(
        title = "Mandi",
        description = "A multi-tenant AI back end for trading, ERP and CRM products. Times are RFC 3339, money is \
                       whole micro-dollars, errors are problem documents (RFC 9457), every POST takes an \
                       `Idempotency-Key`, and lists are paged by `cursor` and `limit`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ProblemDocument, Field)),
    modifiers(&Bearer)
)]
pub struct Base;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A JWT with the claims `tenant`, `sub`, `roles` or `permissions`, `iss`, `aud`, `exp`."))
            .build();
        document.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// Adds to every operation the problem document as its default response.
#[must_use]
pub fn with_problems(mut document: OpenApi) -> OpenApi {
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemDocument"))).build();
            let response = ResponseBuilder::new()
                .description("A problem: its `type` says which, its `errors` name the fields.")
                .content("application/problem+json", content)
                .build();
            operation.responses.responses.entry("default".to_owned()).or_insert(RefOr::T(response));
        }
    }
    document
}

/// The document to serve, as JSON: the whole one from the file of `MANDI_OPENAPI`, else this function's own part.
///
/// # Errors
/// The file cannot be read.
pub fn served(settings: &Settings, own: &OpenApi) -> Result<Arc<str>> {
    let json = match settings.optional(settings::OPENAPI) {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Problem::field(settings::OPENAPI.name, format!("`{file}` cannot be read: {error}")))?,
        None => own.to_json().map_err(Problem::internal)?,
    };
    Ok(json.into())
}
