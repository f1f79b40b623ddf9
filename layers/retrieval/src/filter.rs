//! Metadata of documents, and conditions on documents that a search applies inside the index.

mod check;
mod evaluate;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use check::{MAX_CONDITIONS, MAX_DEPTH, MAX_TEXT_BYTES, MAX_VALUES, is_field_name};

use crate::passage::DocumentKey;

/// A single value of metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a value is a text, a number, true or false")]
pub enum Scalar {
    /// True or false.
    Bool(bool),
    /// A number (64-bit floating point; whole numbers up to 2^53 are exact).
    Number(f64),
    /// Text. Dates are ISO 8601 text (`2026-11-21`), which orders as dates do.
    Text(String),
}

/// The metadata of a document: one value for each name. A name is 1 to 64 of `a-z`, `0-9` and `_`, and
/// begins with a letter.
pub type Metadata = BTreeMap<String, Scalar>;

/// A condition on a document: on its metadata, or on which it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[schema(no_recursion)]
pub enum Filter {
    /// The field has this value.
    Equals(FieldValue),
    /// The field has one of these values.
    In(FieldValues),
    /// The field lies between bounds.
    Range(FieldRange),
    /// The field has a value.
    Exists(FieldName),
    /// The document is one of these, 1 to 100.
    Documents(Vec<DocumentKey>),
    /// All conditions hold.
    And(Vec<Filter>),
    /// One of the conditions holds.
    Or(Vec<Filter>),
    /// The condition does not hold.
    Not(Box<Filter>),
}

/// A field and a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldValue {
    /// The name of the field.
    pub field: String,
    /// The value.
    pub value: Scalar,
}

/// A field and several values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldValues {
    /// The name of the field.
    pub field: String,
    /// The values, 1 to 100, of one type.
    pub values: Vec<Scalar>,
}

/// A field and bounds, all of one type (number or text); at least one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldRange {
    /// The name of the field.
    pub field: String,
    /// Greater than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gt: Option<Scalar>,
    /// Greater than or equal to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gte: Option<Scalar>,
    /// Less than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lt: Option<Scalar>,
    /// Less than or equal to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lte: Option<Scalar>,
}

/// The name of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldName {
    /// The name of the field.
    pub field: String,
}

#[cfg(test)]
mod tests;
