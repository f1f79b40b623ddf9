//! What the registry keeps of a model and of its versions.

use std::collections::BTreeMap;

use mandi_core::Timestamp;
use mandi_core::ids::ModelId;
use mandi_inference::signature::Signature;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A model: a name, under which versions are registered.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Model {
    /// Its id.
    #[schema(value_type = String, example = "mdl_019a9f3e5b7c7d8e9f00112233445566")]
    pub(crate) id: ModelId,
    /// Its name; no other model of the tenant has it.
    pub(crate) name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// Who made it.
    pub(crate) created_by: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
}

/// A file that was taken into the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Artifact {
    /// SHA-256 of its bytes, in hexadecimal.
    pub(crate) sha256: String,
    /// How long it is, in bytes.
    pub(crate) size_bytes: u64,
    /// What wrote it, as the file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) producer: Option<String>,
}

/// Where a version comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Lineage {
    /// The data that it was trained on: a name, a path or a checksum.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub(crate) data: Option<String>,
    /// The job that trained it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub(crate) job: Option<String>,
    /// The version that it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<u32>,
}

/// What the check of the sample found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct SampleCheck {
    /// How many rows it has.
    pub(crate) rows: usize,
    /// How many of them came with an expected answer.
    pub(crate) compared: usize,
    /// The largest difference to an expected number; of 1, or of the number where that is larger.
    pub(crate) largest_difference: f64,
    /// The difference that was allowed.
    pub(crate) tolerance: f64,
}

/// Typical rows, with which answers are compared when they are explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct BackgroundInfo {
    /// How many rows it has.
    pub(crate) rows: usize,
    /// SHA-256 of the rows as they are kept, in hexadecimal.
    pub(crate) sha256: String,
}

/// A version of a model. It never changes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Version {
    /// The model.
    #[schema(value_type = String)]
    pub(crate) model_id: ModelId,
    /// Its number: 1, 2, 3, ...
    pub(crate) version: u32,
    /// The file.
    pub(crate) artifact: Artifact,
    /// What it takes and gives.
    pub(crate) signature: Signature,
    /// The sample that was checked, when one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sample: Option<SampleCheck>,
    /// What answers are compared with when they are explained, when that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) background: Option<BackgroundInfo>,
    /// Metrics of its training, by name.
    #[serde(default)]
    pub(crate) metrics: BTreeMap<String, f64>,
    /// Where it comes from.
    #[serde(default)]
    pub(crate) lineage: Lineage,
    /// Who registered it.
    pub(crate) created_by: String,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
}
