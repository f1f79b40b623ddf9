//! Collections: make, list, get, delete, and the quality of their vectors.

use axum::extract::State;
use axum::http::StatusCode;
use mandi_core::{Result, TenantId};
use mandi_http::auth::{KnowledgeRead, KnowledgeWrite};
use mandi_http::cursor::{self, List};
use mandi_http::{ApiResult, Caller, Json, Path, Query};
use mandi_retrieval::CollectionName;
use mandi_retrieval::ports::IndexTable;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::collections::{self, Collection, CollectionSettings, Collections};
use crate::quality::{self, QualityReport};
use crate::state::EmbeddingState;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// At most so many items.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
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
    if state.collections.is_half_deleted(&caller.tenant, &name).await? {
        delete_whole(&state, &caller.tenant, &name).await?;
    }
    let (collection, is_new) = state.collections.put(&caller.tenant, name, settings).await?;
    let table = collection.table(&caller.tenant);
    let made = state.index.create(&table, collection.dimensions).await;
    if !state.collections.is_there(&table).await? {
        // Deleted meanwhile: what was made of its table since is nobody's.
        state.index.remove(&table).await?;
        return Err(collections::changed_meanwhile().into());
    }
    made?;
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
    let table = collection.table(&caller.tenant);
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
    let (documents, chunks) = delete_whole(&state, &caller.tenant, &name).await?;
    Ok(Json(CollectionDeleted { name: name.as_str().to_owned(), documents, chunks }))
}

/// Deletes a collection with all that is in it. Returns how many documents and chunks it had.
async fn delete_whole(state: &EmbeddingState, tenant: &TenantId, name: &CollectionName) -> Result<(u64, u64)> {
    let deletion = state.collections.begin_deletion(tenant, name).await?;
    let emptied = empty(state, &deletion.collection.table(tenant)).await;
    state.collections.end_deletion(tenant, deletion, emptied).await
}

async fn empty(state: &EmbeddingState, table: &IndexTable) -> Result<(u64, u64)> {
    let documents = state.documents.count(table).await?;
    let chunks = state.index.count(table).await.unwrap_or_else(|problem| {
        // It is damaged, was never made whole, or was removed before a deletion failed: it goes all the same.
        tracing::info!(collection = table.collection.as_str(), causes = problem.causes(), "an index cannot be counted");
        0
    });
    state.documents.delete_all(table).await?;
    Ok((documents, chunks))
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
    let table = collection.table(&caller.tenant);
    Ok(Json(quality::report(&state.documents, &table, collection.dimensions).await?))
}
