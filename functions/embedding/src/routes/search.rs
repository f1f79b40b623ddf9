//! Search in a collection.

use axum::extract::State;
use mandi_core::text::check_characters;
use mandi_core::{Problem, Result};
use mandi_http::auth::KnowledgeRead;
use mandi_http::json::up_to;
use mandi_http::{ApiResult, Caller, Json, Path};
use mandi_retrieval::{Filter, Passage, Reranking, SearchMode, SearchRequest, hybrid};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::collections::Collections;
use crate::state::EmbeddingState;

/// The most results, and the default.
const MAX_RESULTS: usize = 100;
const DEFAULT_RESULTS: usize = 10;
/// The longest query, in characters.
const MAX_QUERY_CHARACTERS: usize = hybrid::MAX_QUERY_CHARACTERS;

/// What to look for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchBody {
    /// 1 to 2,000 characters.
    #[schema(max_length = 2_000, example = "payment days")]
    query: String,
    /// How many results.
    #[schema(minimum = 1, maximum = 100, default = 10)]
    k: Option<i64>,
    /// Which lists to use: `hybrid`, `vector` or `keyword`.
    #[serde(default)]
    mode: SearchMode,
    /// Only documents that pass: by their metadata, or by name.
    filter: Option<Filter>,
    /// Whether a cross-encoder orders the best candidates anew. It costs about 1 s of one core for 10 chunks of 200 tokens.
    #[serde(default)]
    rerank: bool,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SearchResults {
    /// Best first.
    results: Vec<Passage>,
}

/// Search a collection by meaning and by words.
#[utoipa::path(post, path = "/v1/collections/{collection}/search", tag = "search",
    security(("bearer" = ["knowledge.read"])), request_body = SearchBody,
    params(("collection" = String, Path, description = "the collection")),
    responses((status = 200, body = SearchResults)))]
pub(crate) async fn search(
    State(state): State<EmbeddingState>,
    caller: Caller<KnowledgeRead>,
    Path(name): Path<String>,
    Json(body): Json<SearchBody>,
) -> ApiResult<Json<SearchResults>> {
    check_query(&body.query)?;
    if let Some(filter) = &body.filter {
        filter.validate("/filter")?;
    }
    let request = SearchRequest {
        collections: vec![Collections::parse(&name)?],
        query: body.query,
        k: up_to("/k", body.k, DEFAULT_RESULTS, MAX_RESULTS)?,
        mode: body.mode,
        filter: body.filter,
        documents: Vec::new(),
        rerank: if body.rerank { Reranking::Always } else { Reranking::Never },
    };
    Ok(Json(SearchResults { results: state.search.search(&caller, request).await? }))
}

/// Checks a query.
pub(crate) fn check_query(query: &str) -> Result<()> {
    let characters = query.chars().count();
    if !query.chars().any(char::is_alphanumeric) {
        return Err(Problem::field("/query", "it has no letters or digits; say in words what to look for"));
    }
    if characters > MAX_QUERY_CHARACTERS {
        return Err(Problem::field(
            "/query",
            format!("it has {characters} characters; at most {MAX_QUERY_CHARACTERS} are taken"),
        ));
    }
    check_characters(query, "/query")
}
