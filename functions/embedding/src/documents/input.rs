//! Documents as they are sent: as JSON, one or many, or as files.

use mandi_core::{Problem, ProblemKind, Result};
use mandi_http::json;
use mandi_retrieval::extract::{self, Extracted, Source};
use mandi_retrieval::{DocumentKey, Metadata};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// The longest entity type and the longest entity id, in bytes.
const MAX_TYPE_BYTES: usize = 64;
const MAX_ID_BYTES: usize = 256;
/// The most documents of one request.
pub(crate) const MAX_DOCUMENTS: usize = 100;

/// A document: its text as `content`, or its `fields` where the type has fields (`invoice`, `sales_order`,
/// `inventory_item`, `customer`, `contract`, `availability`, `requirement`, `jira_issue`,
/// `github_pull_request`, `commit`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentInput {
    /// What it is: 1 to 64 of `a-z`, `0-9` and `_`.
    #[schema(example = "contract", pattern = "^[a-z][a-z0-9_]{0,63}$")]
    pub(crate) entity_type: String,
    /// Which one: 1 to 256 bytes without control characters.
    #[schema(example = "SC-2026-014", max_length = 256)]
    pub(crate) entity_id: String,
    /// Its text: plain text, Markdown for type `markdown`, HTML for type `html`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<String>,
    /// Its fields, as the type names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) fields: Option<serde_json::Value>,
    /// Values to filter by, besides those that the type gives: names of 1 to 64 of `a-z`, `0-9`, `_`.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    #[schema(value_type = Object)]
    pub(crate) metadata: Metadata,
}

/// One document, or several.
#[derive(Debug, ToSchema)]
#[schema(as = NewDocuments)]
#[expect(dead_code, reason = "describes the body, which `NewDocuments::parse` reads")]
#[schema(no_recursion)]
pub(crate) enum NewDocumentsSchema {
    /// One document.
    #[schema(title = "One")]
    One(DocumentInput),
    /// 1 to 100 documents.
    #[schema(title = "Many")]
    Many(ManyDocuments),
}

/// Several documents.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManyDocuments {
    /// 1 to 100 documents.
    #[schema(min_items = 1, max_items = 100)]
    documents: Vec<serde_json::Value>,
}

/// What a request sent.
#[derive(Debug)]
pub(crate) enum NewDocuments {
    /// One document: its problem is the answer.
    One(DocumentInput),
    /// Several: each has an outcome. One that cannot be read has its problem in its place.
    Many(Vec<Result<DocumentInput>>),
}

impl NewDocuments {
    /// Reads a JSON body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self> {
        let shape: serde_json::Value = json::parse(body)?;
        if shape.get("documents").is_none() {
            return Ok(Self::One(json::parse(body)?));
        }
        let many: ManyDocuments = json::parse(body)?;
        let count = many.documents.len();
        if !(1..=MAX_DOCUMENTS).contains(&count) {
            return Err(Problem::field("/documents", format!("there are {count}; one request takes 1 to {MAX_DOCUMENTS}")));
        }
        let read = |value: serde_json::Value| json::parse::<DocumentInput>(value.to_string().as_bytes());
        Ok(Self::Many(many.documents.into_iter().map(read).collect()))
    }
}

impl DocumentInput {
    pub(crate) fn key(&self) -> DocumentKey {
        DocumentKey { entity_type: self.entity_type.clone(), entity_id: self.entity_id.clone() }
    }

    /// The SHA-256 of all that was sent, in hex.
    pub(crate) fn sha256(&self) -> String {
        let canonical = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(canonical).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// How much text there is, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        let fields = self.fields.as_ref().map_or(0, |fields| fields.to_string().len());
        self.content.as_ref().map_or(0, String::len) + fields
    }

    /// Checks what can be checked without reading the text.
    pub(crate) fn check(&self) -> Result<()> {
        let kind = &self.entity_type;
        let name_byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let named = kind.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase()) && kind.bytes().all(name_byte);
        if !named || kind.len() > MAX_TYPE_BYTES {
            return Err(Problem::field("/entity_type", "it is 1 to 64 of `a-z`, `0-9`, `_`, and begins with a letter"));
        }
        let id = &self.entity_id;
        if id.trim().is_empty() || id.len() > MAX_ID_BYTES || id.chars().any(char::is_control) {
            return Err(Problem::field("/entity_id", "it is 1 to 256 bytes without control characters, and not blank"));
        }
        match (&self.content, &self.fields) {
            (Some(_), None) | (None, Some(_)) => Ok(()),
            (None, None) => Err(Problem::field("/content", "give the text as `content`, or `fields` for a type that has them")),
            (Some(_), Some(_)) => Err(Problem::field("/fields", "give either `content` or `fields`, not both")),
        }
    }

    /// The document's text, title and metadata.
    pub(crate) fn extract(self) -> Result<Extracted> {
        self.check()?;
        let source = match (self.content, self.fields) {
            (Some(content), _) => Source::Content(content),
            (None, fields) => Source::Fields(fields.unwrap_or_default()),
        };
        let mut extracted = extract::extract(&self.entity_type, source)?;
        extracted.metadata.extend(self.metadata);
        mandi_retrieval::filter::check_metadata(&extracted.metadata)?;
        Ok(extracted)
    }
}

/// A document from an uploaded file: its type by its name and media type, its id the given one or its name.
pub(crate) fn from_file(name: &str, media_type: Option<&str>, bytes: &[u8], entity_type: Option<String>, entity_id: Option<String>) -> Result<DocumentInput> {
    let by_file = extract::entity_type_of_file(name, media_type)?;
    let content = std::str::from_utf8(bytes).map_err(|error| {
        let detail = format!("`{name}` is not UTF-8 text (byte {}); save it as UTF-8", error.valid_up_to());
        Problem::new(ProblemKind::UnsupportedMediaType, detail)
    })?;
    let id = entity_id.unwrap_or_else(|| name.to_owned());
    let mut input = DocumentInput {
        entity_type: entity_type.unwrap_or_else(|| by_file.to_owned()),
        entity_id: id,
        content: None,
        fields: None,
        metadata: Metadata::new(),
    };
    if extract::is_json_file(name, media_type) {
        let fields = serde_json::from_str(content)
            .map_err(|error| Problem::field("file", format!("`{name}` is not valid JSON: {error}")))?;
        input.fields = Some(fields);
    } else {
        input.content = Some(content.to_owned());
    }
    Ok(input)
}
