//! What a file is sent as.

use std::path::Path;

use mandi_core::{Problem, ProblemKind, Result};
use mandi_http::gate::MAX_BODY_BYTES;
use serde_json::Value;

/// The largest file that is sent, in bytes: what a request takes, but for what its form says beside the file.
const MAX_FILE_BYTES: u64 = MAX_BODY_BYTES as u64 - 4096;

/// What a JSON file has to hold.
const JSON_RULE: &str = "a JSON file holds one document, `{\"entity_type\": .., \"entity_id\": .., \"content\": ..}` \
                         (or \"fields\" or \"object\" in place of \"content\"), or, with --entity-type, the fields of \
                         one such entity";

/// What is sent.
pub(super) enum Content {
    /// A document as the API takes it.
    Document(Value),
    /// The file as it is.
    File(Vec<u8>),
}

/// Reads a file. `has_type` says whether the command line says what the files are.
///
/// # Errors
/// It cannot be read, is too large for a request, or is JSON of another form.
pub(super) async fn read(path: &Path, has_type: bool) -> Result<Content> {
    let unreadable = |error: std::io::Error| refused(format!("it cannot be read: {error}"));
    let size = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if size > MAX_FILE_BYTES {
        let detail =
            format!("it has {size} bytes, and a file may have {MAX_FILE_BYTES}; split it into several, and load those");
        return Err(refused(detail).of_kind(ProblemKind::TooLarge));
    }
    let bytes = tokio::fs::read(path).await.map_err(unreadable)?;
    if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        return Ok(Content::File(bytes));
    }
    let json = serde_json::from_slice(&bytes).map_err(|error| refused(format!("it is not JSON: {error}")))?;
    match document(json) {
        Ok(document) => Ok(Content::Document(document)),
        Err(_) if has_type => Ok(Content::File(bytes)),
        Err(problem) => Err(problem),
    }
}

/// A document as the API takes it, with or without a collection beside it: the command line says which that is.
fn document(mut json: Value) -> Result<Value> {
    let has = |name: &str| json.get(name).is_some();
    let is_document = has("entity_type") && has("entity_id");
    if is_document {
        json.as_object_mut().map(|fields| fields.remove("collection"));
        return Ok(json);
    }
    Err(refused(if has("documents") {
        format!("it holds several documents, so put each into a file of its own; {JSON_RULE}")
    } else {
        format!("it is not a document; {JSON_RULE}")
    }))
}

fn refused(detail: String) -> Problem {
    Problem::new(ProblemKind::InvalidRequest, detail)
}
