//! The OpenAPI document: what all functions' documents share.

use std::sync::Arc;

use mandi_core::settings::{self, Settings};
use mandi_core::{Problem, Result};
use utoipa::Modify;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder, Type};

use crate::idempotency;
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

/// Adds to every operation what all have: an id that no other has, the problem document as its default response, a
/// description of every response, and the header `Idempotency-Key` where it is a POST.
#[must_use]
pub fn completed(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        if let Some(post) = &mut item.post {
            post.parameters.get_or_insert_default().push(RefOr::T(idempotency_key()));
        }
        let operations = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("delete", &mut item.delete),
            ("patch", &mut item.patch),
        ];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            operation.operation_id = Some(operation_id(method, path));
            for response in operation.responses.responses.values_mut() {
                if let RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    response.description = "done".to_owned();
                }
            }
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

/// The id of an operation, such as `get_conversations_id_context`: handlers have the same names in several modules.
fn operation_id(method: &str, path: &str) -> String {
    let parts = path.split('/').map(|part| part.trim_matches(['{', '}'])).filter(|part| !part.is_empty());
    let named: Vec<String> = parts.skip_while(|part| *part == "v1").map(|part| part.replace(['.', '-'], "_")).collect();
    format!("{method}_{}", named.join("_"))
}

fn idempotency_key() -> Parameter {
    ParameterBuilder::new()
        .name(idempotency::IDEMPOTENCY_KEY.as_str())
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "A name of your choice for this request, such as a UUID. Sent again under the same key, a request that \
             succeeded is not done again: the stored answer comes back, a stream's too. With another body it is refused \
             (409), and while the first is still being answered too (409 with `Retry-After`). A key is kept for 24 hours.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(idempotency::MAX_KEY_BYTES))))
        .build()
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
