//! What is stored of a document, and what a search gives back.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cosine::CosineScale;
use crate::filter::{Filter, Metadata};

/// The name of a collection: 1 to 64 of `a-z`, `0-9`, `-` and `_`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9_-]{0,63}$", example = "contracts")]
pub struct CollectionName(String);

impl CollectionName {
    /// The rule, in words, for error messages.
    pub const RULE: &str =
        "a collection's name is 1 to 64 of `a-z`, `0-9`, `-`, `_`, and begins with a letter or digit";

    /// Checks a name that came from outside.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        let first = name.bytes().next()?;
        let fits = first.is_ascii_alphanumeric() && name.len() <= 64 && name.bytes().all(inner);
        fits.then(|| Self(name.to_owned()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for CollectionName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).ok_or_else(|| serde::de::Error::custom(Self::RULE))
    }
}

impl std::fmt::Display for CollectionName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A document of a collection, by what it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentKey {
    /// What it is: `contract`, `invoice`, ...
    #[schema(example = "contract")]
    pub entity_type: String,
    /// Which one, by the caller's own id (1 to 256 bytes of any characters but control characters).
    #[schema(example = "SHK6-170")]
    pub entity_id: String,
}

/// A document, and the collection that it is in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentReference {
    /// The collection.
    pub collection: CollectionName,
    /// What it is: `contract`, `invoice`, ...
    #[schema(example = "contract")]
    pub entity_type: String,
    /// Which one.
    #[schema(example = "SHK6-170")]
    pub entity_id: String,
}

impl DocumentReference {
    /// The document within its collection.
    #[must_use]
    pub fn key(&self) -> DocumentKey {
        DocumentKey { entity_type: self.entity_type.clone(), entity_id: self.entity_id.clone() }
    }
}

/// Collections and documents that a request names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Collections.
    pub collections: Vec<CollectionName>,
    /// Documents.
    pub documents: Vec<DocumentReference>,
}

/// The places (from 0) of what is named and not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Of the collections.
    pub collections: Vec<usize>,
    /// Of the documents.
    pub documents: Vec<usize>,
}

/// A chunk of a document, as the index keeps it beside its vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// The document.
    pub document: DocumentKey,
    /// Its place among the document's chunks, from 0.
    pub number: u32,
    /// The title of the document, if it has one.
    pub title: Option<String>,
    /// The text, verbatim from the document's extracted text.
    pub text: String,
    /// Where it lies in the document's extracted text, in characters (Unicode scalar values), end excluded.
    pub characters: std::ops::Range<u32>,
    /// The document's metadata.
    pub metadata: Metadata,
}

/// Which lists a search uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SearchMode {
    /// Vectors and keywords, fused by reciprocal rank.
    #[default]
    Hybrid,
    /// Vectors alone.
    Vector,
    /// Keywords (BM25) alone.
    Keyword,
}

/// Which searches a cross-encoder orders anew, and so judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reranking {
    /// None.
    Never,
    /// Those in Latin script that find passages by cosines without a [`CosineScale`]: nothing else tells whether
    /// such a passage is relevant.
    Unmeasured,
    /// Those in Latin script, for an answer that no careful model writes: nobody after the search judges whether a
    /// passage is relevant.
    Judging,
    /// All.
    Always,
}

/// A search over one or more collections of the caller's tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchRequest {
    /// Where to look; none for all collections of the tenant.
    pub collections: Vec<CollectionName>,
    /// What to look for.
    pub query: String,
    /// How many passages to return, 1 to 100.
    pub k: usize,
    /// Which lists to use.
    pub mode: SearchMode,
    /// Only chunks whose document passes.
    pub filter: Option<Filter>,
    /// Only these documents, and their collections whatever `collections` says; none for all.
    #[serde(default)]
    pub documents: Vec<DocumentReference>,
    /// Whether the cross-encoder orders the candidates anew.
    pub rerank: Reranking,
}

/// How a passage came to its place. A score is absent when that list did not have the passage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Scores {
    /// Cosine similarity to the query, -1 to 1.
    pub vector: Option<f32>,
    /// What that cosine says. Absent when it was not measured for the collection's embedding model: the cosine then
    /// orders the passages of that model, and says nothing of whether they are relevant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosine_scale: Option<CosineScale>,
    /// BM25, 0 and up; comparable within one answer only.
    pub keyword: Option<f32>,
    /// Reciprocal rank fusion, scaled so that first in every list is 1.
    pub fused: Option<f32>,
    /// The cross-encoder's probability that the passage answers the query, 0 to 1.
    pub rerank: Option<f32>,
}

impl Scores {
    /// The cosine with what it says, where both are known.
    #[must_use]
    pub fn measured_cosine(&self) -> Option<(f32, CosineScale)> {
        self.vector.zip(self.cosine_scale)
    }
}

/// A chunk that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Passage {
    /// The collection it is in.
    pub collection: CollectionName,
    /// The document.
    pub document: DocumentKey,
    /// Its place among the document's chunks, from 0.
    pub chunk: u32,
    /// The title of the document, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The chunk's text, verbatim.
    pub text: String,
    /// The document's metadata.
    #[schema(value_type = Object)]
    pub metadata: Metadata,
    /// The score that orders the results: rerank if asked for, else fused, else the one list's.
    pub score: f32,
    /// Each list's own score.
    pub scores: Scores,
}
