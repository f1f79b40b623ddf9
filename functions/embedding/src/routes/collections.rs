//! Collections: make, list, get, delete, and the quality of their vectors.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use mandi_http::auth::{KnowledgeRead, KnowledgeWrite};
use mandi_http::cursor::{self, List};
use mandi_http::{ApiResult, Caller, Json, Query};
use mandi_retrieval::ports::IndexTable;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::collections::{Collection, CollectionSettings, Collections};
use crate::quality::{self, QualityReport};
use crate::state::EmbeddingState;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of collections, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CollectionPage {
    collections: Vec<Collection>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A collection, and how much is in it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CollectionDetails {
    #[serde(flatten)]
    collection: Collection,
    /// Documents in it.
    documents: u64,
    /// Chunks in its index.
    chunks: u64,
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CollectionDeleted {
    /// The collection's name.
    name: String,
    /// Documents that are gone.
    documents: u64,
    /// Chunks that are gone.
    chunks: u64,
}

/// Make a collection, or describe it anew.
#[utoipa::path(put, path = "/v1/collections/{collection}", tag = "collections",
    security(("bearer" = ["knowledge.write"])), request_body = CollectionSettings,
    params(("collection" = String, Path, description = "1 to 64 of `a-z`, `0-9`, `-`, `_`")),
    responses((status = 200, body = Collection), (status = 201, description = "it is new", body = Collection)))]
pub(crate) async fn put(
    State(state): State<EmbeddingState>,
    caller: Caller<KnowledgeWrite>,
    Path(name): Path<String>,
    Json(settings): Json<CollectionSettings>,
) -> ApiResult<(StatusCode, Json<Collection>)> {
    let name = Collections::parse(&name)?;
    let (collection, is_new) = state.collections.put(&caller.tenant, name, settings).await?;
    let table = IndexTable { tenant: caller.tenant.clone(), collection: collection.name.clone() };
    state.index.create(&table, collection.dimensions).await?;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(collection)))
}

/// List collections, by name.
#[utoipa::path(get, path = "/v1/collections", tag = "collections", security(("bearer" = ["knowledge.read"])),
    params(PageQuery), responses((status = 200, body = CollectionPage)))]
pub(crate) async fn list(
    State(state): State<EmbeddingState>,
    caller: Caller<KnowledgeRead>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<CollectionPage>> {
    let list = List { tenant: &caller.tenant, name: "collections" };
    let after = page.cursor.as_deref().map(|cursor| list.after(cursor)).transpose()?;
    let (collections, next) = state.collections.list(&caller.tenant, cursor::limit(page.limit)?, after).await?;
    Ok(Json(CollectionPage { collections, next_cursor: next.map(|next| list.cursor(&next)) }))
}

/// Get a collection, with how much is in it.
#[utoipa::path(get, path = "/v1/collections/{collection}", tag = "collections",
    security(("bearer" = ["knowledge.read"])), params(("collection" = String, Path, description = "the collection")),
    responses((status = 200, body = CollectionDetails)))]
pub(crate) async fn get(
    State(state): State<EmbeddingState>,
    caller: Caller<KnowledgeRead>,
    Path(name): Path<String>,
) -> ApiResult<Json<CollectionDetails>> {
    let collection = state.collections.get(&caller.tenant, &Collections::parse(&name)?).await?;
    let table = IndexTable { tenant: caller.tenant.clone(), collection: collection.name.clone() };
    let documents = state.documents.count(&table).await?;
    Ok(Json(CollectionDetails { chunks: state.index.count(&table).await?, documents, collection }))
}

/// Delete a collection with all that is in it.
#[utoipa::path(delete, path = "/v1/collections/{collection}", tag = "collections",
    security(("bearer" = ["knowledge.write"])), params(("collection" = String, Path, description = "the collection")),
    responses((status = 200, body = CollectionDeleted)))]
pub(crate) async fn delete(
    State(state): State<EmbeddingState>,
    caller: Caller<KnowledgeWrite>,
    Path(name): Path<String>,
) -> ApiResult<Json<CollectionDeleted>> {
    let name = Collections::parse(&name)?;
    state.collections.get(&caller.tenant, &name).await?;
    let table = IndexTable { tenant: caller.tenant.clone(), collection: name.clone() };
    let documents = state.documents.count(&table).await?;
    let chunks = state.index.count(&table).await?;
    state.documents.delete_all(&table).await?;
    state.collections.remove(&caller.tenant, &name).await?;
    Ok(Json(CollectionDeleted { name: name.as_str().to_owned(), documents, chunks }))
}

/// Report on the quality of a collection's vectors: what is wrong, in words.
#[utoipa::path(get, path = "/v1/collections/{collection}/quality", tag = "collections",
    security(("bearer" = ["knowledge.read"])), params(("collection" = String, Path, description = "the collection")),
    responses((status = 200, body = QualityReport)))]
pub(crate) async fn quality(
    State(state): State<EmbeddingState>,
    caller: Caller<KnowledgeRead>,
    Path(name): Path<String>,
) -> ApiResult<Json<QualityReport>> {
    let collection = state.collections.get(&caller.tenant, &Collections::parse(&name)?).await?;
    let table = IndexTable { tenant: caller.tenant.clone(), collection: collection.name.clone() };
    Ok(Json(quality::report(&state.documents, &table, collection.dimensions).await?))
}
