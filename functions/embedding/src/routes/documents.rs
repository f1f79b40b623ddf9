//! Documents: send, get, delete, and the jobs that index many of them.

use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use mandi_core::ids::JobId;
use mandi_core::{Principal, Problem, ProblemKind, Result};
use mandi_http::auth::{KnowledgeRead, KnowledgeWrite};
use mandi_http::{ApiResult, Caller, Json, Path};
use mandi_retrieval::DocumentKey;
use mandi_retrieval::ports::IndexTable;
use serde::Serialize;
use utoipa::ToSchema;

use crate::collections::Collections;
use crate::documents::{
    self, Document, DocumentInput, DocumentOutcome, DocumentStatus, File, NewDocuments, NewDocumentsSchema, OneOfMany,
    Target,
};
use crate::jobs::Job;
use crate::state::EmbeddingState;

/// What one request indexes at once, at most; what is more is done by a job.
const AT_ONCE_DOCUMENTS: usize = 10;
/// The same, in bytes of text.
const AT_ONCE_BYTES: usize = 32 * 1024;

/// What became of the documents.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DocumentsResponse {
    /// The job that indexes them, where it is not done yet: `GET /v1/jobs/{job_id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    job_id: Option<JobId>,
    /// One for each document, in order.
    documents: Vec<DocumentOutcome>,
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DocumentDeleted {
    /// What it was.
    entity_type: String,
    /// Which one.
    entity_id: String,
}

/// Documents as a form.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the form, which is read field by field")]
pub(crate) struct DocumentsForm {
    /// What the files are; before them.
    entity_type: Option<String>,
    /// Which one the first file is; before it.
    entity_id: Option<String>,
    /// A file; the field may come more than once.
    #[schema(value_type = Vec<String>, format = Binary)]
    file: Vec<u8>,
}

/// Send documents to be found.
///
/// One document, or `{documents: [...]}` with up to 100. Up to 10 documents and 32 KiB are done at once (200);
/// more are taken, and a job goes on with them (202). A document takes the place of what is there under its
/// type and id. In a list, one that fails does not harm the others. A file is sent as `multipart/form-data`
/// with the field `file`, and `entity_type` and `entity_id` before it if they are not to be made of its name. A file
/// that lies in the tenant's folder of files already is named by `object`.
#[utoipa::path(post, path = "/v1/collections/{collection}/documents", tag = "documents",
    security(("bearer" = ["knowledge.write"])),
    request_body(content(
        (NewDocumentsSchema = "application/json"),
        (DocumentsForm = "multipart/form-data")
    )),
    params(("collection" = String, Path, description = "the collection")),
    responses(
        (status = 200, description = "done", body = DocumentsResponse),
        (status = 202, description = "taken; a job goes on", body = DocumentsResponse)
    ))]
pub(crate) async fn create(
    State(state): State<EmbeddingState>,
    caller: Caller<KnowledgeWrite>,
    Path(name): Path<String>,
    request: Request,
) -> ApiResult<(StatusCode, Json<DocumentsResponse>)> {
    let collection = state.collections.get(&caller.tenant, &Collections::parse(&name)?).await?;
    let target = Target::new(&caller, &collection, state.clock.now());
    match read(request).await? {
        NewDocuments::One(input) => one(&state, &target, input).await,
        NewDocuments::Many(inputs) => many(&state, &target, inputs).await,
    }
}

async fn one(
    state: &EmbeddingState,
    target: &Target,
    input: DocumentInput,
) -> ApiResult<(StatusCode, Json<DocumentsResponse>)> {
    input.check()?;
    if !state.documents.fit(&target.table.tenant, std::iter::once(&input), AT_ONCE_BYTES).await? {
        return queue(state, target, vec![OneOfMany { key: input.key(), input: Ok(input) }]).await;
    }
    let outcomes = state.documents.index(target, vec![input]).await?;
    let documents = outcomes.into_iter().collect::<Result<_>>()?;
    Ok((StatusCode::OK, Json(DocumentsResponse { job_id: None, documents })))
}

async fn many(
    state: &EmbeddingState,
    target: &Target,
    sent: Vec<OneOfMany>,
) -> ApiResult<(StatusCode, Json<DocumentsResponse>)> {
    let sent = documents::checked(sent);
    let inputs = sent.iter().filter_map(|document| document.input.as_ref().ok());
    let few = sent.len() <= AT_ONCE_DOCUMENTS;
    if !few || !state.documents.fit(&target.table.tenant, inputs, AT_ONCE_BYTES).await? {
        return queue(state, target, sent).await;
    }
    let mut outcomes = Vec::with_capacity(sent.len());
    for (place, OneOfMany { key, input }) in sent.into_iter().enumerate() {
        let outcome = match input {
            Ok(input) => state.documents.index(target, vec![input]).await?.pop(),
            Err(problem) => Some(Err(problem)),
        };
        match outcome {
            Some(Ok(outcome)) => outcomes.push(outcome),
            Some(Err(problem)) => outcomes.push(failed(place, &key, &problem)),
            None => return Err(Problem::internal("a document has no outcome").into()),
        }
    }
    Ok((StatusCode::OK, Json(DocumentsResponse { job_id: None, documents: outcomes })))
}

async fn queue(
    state: &EmbeddingState,
    target: &Target,
    sent: Vec<OneOfMany>,
) -> ApiResult<(StatusCode, Json<DocumentsResponse>)> {
    let mut entries: Vec<(DocumentOutcome, Option<DocumentInput>)> = Vec::with_capacity(sent.len());
    for (place, OneOfMany { key, input }) in sent.into_iter().enumerate() {
        entries.push(match input {
            Ok(input) => {
                state.documents.note(target, &key, DocumentStatus::Queued, None).await?;
                (queued(&key), Some(input))
            }
            Err(problem) => (failed(place, &key, &problem), None),
        });
    }
    let documents = entries.iter().map(|(outcome, _)| outcome.clone()).collect();
    let job_id = state.jobs().create(target, entries).await?;
    Ok((StatusCode::ACCEPTED, Json(DocumentsResponse { job_id: Some(job_id), documents })))
}

fn queued(key: &DocumentKey) -> DocumentOutcome {
    DocumentOutcome {
        entity_type: key.entity_type.clone(),
        entity_id: key.entity_id.clone(),
        status: DocumentStatus::Queued,
        chunks: 0,
        error: None,
    }
}

/// The outcome of a document that failed, with its place.
fn failed(place: usize, key: &DocumentKey, problem: &Problem) -> DocumentOutcome {
    let error = format!("document {place}: {}", problem.detail);
    DocumentOutcome { status: DocumentStatus::Failed, error: Some(error), ..queued(key) }
}

/// Reads the body: JSON, or files.
async fn read(request: Request) -> Result<NewDocuments> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content_type.starts_with("multipart/form-data") {
        let form = Multipart::from_request(request, &()).await;
        return read_files(form.map_err(|rejection| bad_form(&rejection.body_text()))?).await;
    }
    if !content_type.starts_with("application/json") {
        let detail = format!("the content type is `{content_type}`; send `application/json` or `multipart/form-data`");
        return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
    }
    let body = Bytes::from_request(request, &()).await.map_err(|rejection| mandi_http::json::unread(&rejection))?;
    NewDocuments::parse(&body)
}

async fn read_files(mut form: Multipart) -> Result<NewDocuments> {
    let (mut entity_type, mut entity_id) = (None, None);
    let mut files = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|error| bad_form(&error.body_text()))? {
        let name = field.name().unwrap_or_default().to_owned();
        let file_name = field.file_name().map(str::to_owned);
        let media_type = field.content_type().map(str::to_owned);
        let bytes = field.bytes().await.map_err(|error| bad_form(&error.body_text()))?;
        let text = || String::from_utf8(bytes.to_vec()).map_err(|_| Problem::field(name.clone(), "it is not UTF-8"));
        match name.as_str() {
            "entity_type" => entity_type = Some(text()?),
            "entity_id" => entity_id = Some(text()?),
            "file" => {
                let file_name = file_name.ok_or_else(|| Problem::field("file", "it has no file name"))?;
                let file = File { name: &file_name, media_type: media_type.as_deref(), bytes: &bytes };
                let read = DocumentInput::from_file(file, "file", entity_type.clone(), entity_id.take());
                files.push(OneOfMany::of_file(&file_name, read));
            }
            _ => return Err(Problem::field(name, "the fields of the form are `entity_type`, `entity_id` and `file`")),
        }
    }
    match files.len() {
        0 => Err(Problem::field("file", "the form has no file")),
        1 => files.remove(0).input.map(NewDocuments::One),
        _ => Ok(NewDocuments::Many(files)),
    }
}

fn bad_form(reason: &str) -> Problem {
    if reason.contains("length limit") || reason.contains("too large") {
        let detail = format!(
            "the body is over {} bytes; send the file in parts, or as text in several documents",
            mandi_http::gate::MAX_BODY_BYTES
        );
        return Problem::new(ProblemKind::TooLarge, detail);
    }
    Problem::new(ProblemKind::InvalidRequest, format!("the form cannot be read: {reason}"))
}

/// How far a document has come.
#[utoipa::path(get, path = "/v1/collections/{collection}/documents/{entity_type}/{entity_id}", tag = "documents",
    security(("bearer" = ["knowledge.read"])),
    params(
        ("collection" = String, Path, description = "the collection"),
        ("entity_type" = String, Path, description = "what it is"),
        ("entity_id" = String, Path, description = "which one")
    ),
    responses((status = 200, body = Document)))]
pub(crate) async fn get(
    State(state): State<EmbeddingState>,
    caller: Caller<KnowledgeRead>,
    Path((name, entity_type, entity_id)): Path<(String, String, String)>,
) -> ApiResult<Json<Document>> {
    let table = table(&state, &caller, &name).await?;
    let key = DocumentKey { entity_type, entity_id };
    match state.documents.find_or_noted(&table, &key).await? {
        Some(document) => Ok(Json(document)),
        None => Err(not_there(&state, &table, &key).await?.into()),
    }
}

/// Delete a document: no search finds it any more.
#[utoipa::path(delete, path = "/v1/collections/{collection}/documents/{entity_type}/{entity_id}", tag = "documents",
    security(("bearer" = ["knowledge.write"])),
    params(
        ("collection" = String, Path, description = "the collection"),
        ("entity_type" = String, Path, description = "what it is"),
        ("entity_id" = String, Path, description = "which one")
    ),
    responses((status = 200, body = DocumentDeleted)))]
pub(crate) async fn delete(
    State(state): State<EmbeddingState>,
    caller: Caller<KnowledgeWrite>,
    Path((name, entity_type, entity_id)): Path<(String, String, String)>,
) -> ApiResult<Json<DocumentDeleted>> {
    let table = table(&state, &caller, &name).await?;
    let key = DocumentKey { entity_type, entity_id };
    if state.documents.delete(&table, &key).await? {
        return Ok(Json(DocumentDeleted { entity_type: key.entity_type, entity_id: key.entity_id }));
    }
    Err(not_there(&state, &table, &key).await?.into())
}

/// How far a job has come.
#[utoipa::path(get, path = "/v1/jobs/{job_id}", tag = "documents", security(("bearer" = ["knowledge.read"])),
    params(("job_id" = String, Path, description = "the job")), responses((status = 200, body = Job)))]
pub(crate) async fn job(
    State(state): State<EmbeddingState>,
    caller: Caller<KnowledgeRead>,
    Path(job): Path<String>,
) -> ApiResult<Json<Job>> {
    Ok(Json(state.jobs().get(&caller.tenant, &job).await?))
}

async fn table(state: &EmbeddingState, caller: &Principal, name: &str) -> Result<IndexTable> {
    let collection = state.collections.get(&caller.tenant, &Collections::parse(name)?).await?;
    Ok(collection.table(&caller.tenant))
}

async fn not_there(state: &EmbeddingState, table: &IndexTable, key: &DocumentKey) -> Result<Problem> {
    let types = state.documents.types_of(table, &key.entity_id).await?;
    Ok(documents::missing(key, &table.collection, &types))
}
