//! Documents as they are sent: as JSON, one or many, or as files.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use mandi_core::text::{check_all_characters, check_characters};
use mandi_core::{Problem, Result};
use mandi_http::json;
use mandi_retrieval::extract::{self, Extracted, Source, TextFormat};
use mandi_retrieval::filter;
use mandi_retrieval::{DocumentKey, Metadata, Scalar};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::object;

/// The longest entity type and the longest entity id, in bytes.
const MAX_TYPE_BYTES: usize = 64;
const MAX_ID_BYTES: usize = 256;
/// The most documents of one request.
pub(crate) const MAX_DOCUMENTS: usize = 100;

/// A document: its text as `content`; or its `fields` where the type has fields (`invoice`, `sales_order`,
/// `inventory_item`, `customer`, `contract`, `availability`, `requirement`, `jira_issue`,
/// `github_pull_request`, `commit`); or an `object`, a file that holds either.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentInput {
    /// What it is: 1 to 64 of `a-z`, `0-9` and `_`.
    #[schema(example = "contract", pattern = "^[a-z][a-z0-9_]{0,63}$")]
    pub(crate) entity_type: String,
    /// Which one: 1 to 256 bytes without control characters.
    #[schema(example = "SC-2026-014", max_length = 256)]
    pub(crate) entity_id: String,
    /// Its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<String>,
    /// How `content` is written; when it is not given, Markdown for type `markdown`, HTML for `html`, and plain
    /// text for all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<ContentFormat>,
    /// Its fields, as the type names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) fields: Option<serde_json::Value>,
    /// A file in the tenant's folder of files, by its key there: at most 512 bytes, relative, without `..`, `\` and
    /// `%`. Its extension says what it holds: `.md`, `.html` and `.txt` a text, `.json` the fields. It has at most
    /// 4 MiB, and is read when the document is indexed.
    ///
    /// `imports/contract.md` of the tenant `demo` is, in AWS, `s3://<documents bucket>/t/demo/files/imports/contract.md`;
    /// with the runner, `<MANDI_DATA>/objects/t@/demo@/files@/imports@/contract.md`: there each folder's name ends in
    /// `@`, and each byte but those of `a-z`, `0-9`, `_`, `-` and `.` is written as `%` and two hexadecimal digits
    /// (`A` as `%41`, a space as `%20`; a leading `.` as `%2e`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "imports/contract.md", max_length = 512)]
    pub(crate) object: Option<String>,
    /// Values to filter by, besides those that the type gives: names of 1 to 64 of `a-z`, `0-9`, `_`.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    #[schema(value_type = Object)]
    pub(crate) metadata: Metadata,
}

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ContentFormat {
    /// Plain text.
    Plain,
    /// Markdown (CommonMark with tables).
    Markdown,
    /// HTML.
    Html,
}

/// One document, or several.
#[derive(Debug, ToSchema)]
#[schema(as = NewDocuments)]
#[serde(untagged)]
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
    /// Several: each has an outcome.
    Many(Vec<OneOfMany>),
}

/// A document of several.
#[derive(Debug)]
pub(crate) struct OneOfMany {
    /// The type and the id that it was sent under, as far as they can be read.
    pub(crate) key: DocumentKey,
    /// The document; or why it cannot be read.
    pub(crate) input: Result<DocumentInput>,
}

impl OneOfMany {
    fn of_json(value: &serde_json::Value) -> Self {
        let text = |name: &str| value.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        Self {
            key: DocumentKey { entity_type: text("entity_type"), entity_id: text("entity_id") },
            input: json::parse::<DocumentInput>(value.to_string().as_bytes()),
        }
    }

    /// A file, under the name that it was sent with when it cannot be read.
    pub(crate) fn of_file(name: &str, input: Result<DocumentInput>) -> Self {
        let unread = || DocumentKey { entity_type: String::new(), entity_id: name.to_owned() };
        Self { key: input.as_ref().map_or_else(|_| unread(), DocumentInput::key), input }
    }
}

/// Checks documents that came together: each by itself, and that no two have the same id.
pub(crate) fn checked(documents: Vec<OneOfMany>) -> Vec<OneOfMany> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let check = |(place, OneOfMany { key, input }): (usize, OneOfMany)| {
        let input = input.and_then(|input| {
            input.check()?;
            match places.entry(input.entity_id.clone()) {
                Entry::Vacant(free) => {
                    free.insert(place);
                    Ok(input)
                }
                Entry::Occupied(first) => {
                    let first = first.get();
                    Err(Problem::field("/entity_id", format!("document {first} of this request has the same id")))
                }
            }
        });
        OneOfMany { key, input }
    };
    documents.into_iter().enumerate().map(check).collect()
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
            return Err(Problem::field(
                "/documents",
                format!("there are {count}; one request takes 1 to {MAX_DOCUMENTS}"),
            ));
        }
        Ok(Self::Many(many.documents.iter().map(OneOfMany::of_json).collect()))
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

    /// How much text was sent, in bytes.
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
        self.content.as_ref().map_or(Ok(()), |content| check_characters(content, "/content"))?;
        self.fields.as_ref().map_or(Ok(()), |fields| check_all_characters(fields, "/fields"))?;
        match (&self.content, &self.fields, &self.object) {
            (Some(_), None, None) | (None, Some(_), None) => Ok(()),
            (None, None, Some(_)) if self.format.is_some() => {
                Err(Problem::field("/format", "it is of `content`; what an object holds is said by its extension"))
            }
            (None, None, Some(object)) => mandi_core::files::parts(object, object::POINTER).map(drop),
            (None, None, None) => Err(Problem::field(
                "/content",
                "give the text as `content`, or `fields` for a type that has them, or a file's key as `object`",
            )),
            (Some(_), Some(_), _) => Err(Problem::field("/fields", "give either `content` or `fields`, not both")),
            (_, _, Some(_)) => Err(Problem::field("/object", "give either `object` or the document itself, not both")),
        }
    }

    /// The document whose file this is, with what the file holds in its place.
    ///
    /// # Errors
    /// `unsupported-media-type` and `invalid-request`, as for files that are sent.
    pub(crate) fn with_file(self, object: &str, bytes: &[u8]) -> Result<Self> {
        let name = object.rsplit('/').next().unwrap_or(object);
        let file = File { name, media_type: None, bytes };
        let read = Self::from_file(file, "/object", Some(self.entity_type), Some(self.entity_id))?;
        Ok(Self { metadata: self.metadata, ..read })
    }

    /// The document's text, title and metadata.
    pub(crate) fn extract(self) -> Result<Extracted> {
        self.check()?;
        let source = match (self.content, self.format, self.fields) {
            (Some(content), Some(format), _) => Source::Formatted(format.into(), content),
            (Some(content), None, _) => Source::Content(content),
            (None, _, fields) => Source::Fields(fields.unwrap_or_default()),
        };
        check_metadata(&self.metadata)?;
        let mut extracted = extract::extract(&self.entity_type, &source, "")?;
        extracted.metadata.extend(self.metadata);
        Ok(extracted)
    }

    /// A document from an uploaded file: its type the given one or by the file's format, its id the given one
    /// or the file's name. `pointer` is where the file is in the request.
    pub(crate) fn from_file(
        file: File<'_>,
        pointer: &str,
        entity_type: Option<String>,
        entity_id: Option<String>,
    ) -> Result<Self> {
        let source = extract::read_file(file.name, file.media_type, file.bytes, pointer)?;
        let (by_format, content, format, fields) = match source {
            Source::Formatted(format, text) => {
                let format = ContentFormat::from(format);
                (format.entity_type(), Some(text), Some(format), None)
            }
            Source::Content(text) => (ContentFormat::Plain.entity_type(), Some(text), None, None),
            Source::Fields(fields) => ("", None, None, Some(fields)),
        };
        let entity_type = match entity_type {
            Some(given) => given,
            None if by_format.is_empty() => {
                let detail = format!(
                    "`{}` holds the fields of an entity: say which by `entity_type` before the file",
                    file.name
                );
                return Err(Problem::field("entity_type", detail));
            }
            None => by_format.to_owned(),
        };
        let entity_id = entity_id.unwrap_or_else(|| file.name.to_owned());
        Ok(Self { entity_type, entity_id, content, format, fields, object: None, metadata: Metadata::new() })
    }
}

impl ContentFormat {
    const fn entity_type(self) -> &'static str {
        match self {
            Self::Plain => "text",
            Self::Markdown => "markdown",
            Self::Html => "html",
        }
    }
}

impl From<ContentFormat> for TextFormat {
    fn from(format: ContentFormat) -> Self {
        match format {
            ContentFormat::Plain => Self::Plain,
            ContentFormat::Markdown => Self::Markdown,
            ContentFormat::Html => Self::Html,
        }
    }
}

impl From<TextFormat> for ContentFormat {
    fn from(format: TextFormat) -> Self {
        match format {
            TextFormat::Plain => Self::Plain,
            TextFormat::Markdown => Self::Markdown,
            TextFormat::Html => Self::Html,
        }
    }
}

/// A file of a form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File<'a> {
    pub(crate) name: &'a str,
    pub(crate) media_type: Option<&'a str>,
    pub(crate) bytes: &'a [u8],
}

/// The most metadata fields of one document.
const MAX_METADATA_FIELDS: usize = 32;

fn check_metadata(metadata: &Metadata) -> Result<()> {
    if metadata.len() > MAX_METADATA_FIELDS {
        return Err(Problem::field(
            "/metadata",
            format!("it has {} fields; at most {MAX_METADATA_FIELDS} are kept", metadata.len()),
        ));
    }
    for (name, value) in metadata {
        let pointer = format!("/metadata/{name}");
        if !filter::is_field_name(name) {
            let rule = "a field's name is 1 to 64 of `a-z`, `0-9`, `_`, and begins with a letter";
            return Err(Problem::field(pointer, rule));
        }
        if let Scalar::Text(text) = value {
            if text.len() > filter::MAX_TEXT_BYTES {
                let detail = format!("it has {} bytes; at most {}", text.len(), filter::MAX_TEXT_BYTES);
                return Err(Problem::field(pointer, detail));
            }
            check_characters(text, &pointer)?;
        }
    }
    Ok(())
}
