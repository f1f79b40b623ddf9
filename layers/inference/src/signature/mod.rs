//! What a model takes and gives, in the caller's terms: named and typed features, and outputs with a role.
//!
//! A signature is derived from the file where the file tells ([`derive`]) and completed by whoever registers it
//! ([`Draft`]). Rows are read by it ([`Signature::read_row`]), and what the model gives is told by it
//! ([`Bound::predictions`]).

mod bind;
mod complete;
mod derive;
#[cfg(test)]
mod fuzz;
mod outputs;
mod row;
mod table;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use bind::Bound;
pub use complete::{Draft, FeatureDraft, OutputDraft};
pub use derive::derive;
pub use outputs::{ClassSet, Interval, Prediction};
pub use row::{Cell, CellFault, Row};
pub use table::{ColumnCells, ReadTable, TableFault};

/// What a model takes and gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Signature {
    /// The features, in the order of the model's columns.
    pub inputs: Vec<Feature>,
    /// What it gives, in the file's order.
    pub outputs: Vec<Output>,
}

/// What a feature is to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = FeatureType)]
pub enum Kind {
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// A text.
    String,
    /// True or false; the model gets 1 or 0 where it takes numbers.
    Boolean,
    /// A moment, in RFC 3339; the model gets seconds since 1970 in UTC.
    Timestamp,
}

/// What becomes of a value that is null or not given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MissingValue)]
pub enum Missing {
    /// The row is refused.
    #[default]
    Error,
    /// The feature's default takes its place.
    Default,
    /// The model gets "not a number"; for models that know missing values.
    Nan,
}

/// What becomes of a value that is none of the categories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = UnknownCategory)]
pub enum Unknown {
    /// The row is refused.
    #[default]
    Error,
    /// The model gets it as it is; for models that know what to do with it.
    Pass,
}

/// A single value: of a category, a default, or a label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = SingleValue)]
pub enum Scalar {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Boolean(value) => write!(formatter, "{value}"),
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Number(value) => write!(formatter, "{value}"),
            Self::Text(value) => formatter.write_str(value),
        }
    }
}

/// The numbers that a feature may have, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FeatureRange)]
pub struct Range {
    /// The smallest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// One thing that a model takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ModelFeature)]
pub struct Feature {
    /// Its name in a row.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The dimensions of a feature that is a tensor, such as an image; empty for a single value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shape: Vec<usize>,
    /// The numbers that it may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// The values that it may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<Scalar>>,
    /// What becomes of a value that is none of them.
    #[serde(default)]
    pub unknown: Unknown,
    /// The value that takes the place of a missing one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Scalar>,
    /// What becomes of a missing value.
    #[serde(default)]
    pub missing: Missing,
    /// Its values are redacted before anything is captured.
    #[serde(default)]
    pub private: bool,
    /// The input of the file that it goes to.
    pub input: String,
    /// Its column there.
    pub column: usize,
}

/// What an output is to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = OutputRole)]
pub enum Role {
    /// The class that was chosen.
    Label,
    /// A probability for each class.
    Probabilities,
    /// The predicted number, or several of several targets.
    Value,
    /// The lower end of an interval, by a quantile that the model gives.
    Lower,
    /// The upper end of it.
    Upper,
    /// Anything else: shown under its name.
    Other,
}

/// One thing that a model gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ModelOutput)]
pub struct Output {
    /// Its name in the file.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// The names of the classes, of probabilities without names of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<Scalar>>,
    /// Of `lower` and `upper`: the share of outcomes that the interval is to hold, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
}

impl Signature {
    /// The place of a feature.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|feature| feature.name == name)
    }
}
