//! What the registry keeps of a model and of its versions.

use std::collections::BTreeMap;

use mandi_core::Timestamp;
use mandi_core::ids::ModelId;
use mandi_inference::signature::Signature;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::calibration::Calibration;
use crate::capture::CaptureSettings;

/// A model: a name, under which versions are registered.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Model {
    /// Its id.
    #[schema(value_type = String, example = "mdl_019a9f3e5b7c7d8e9f00112233445566")]
    pub id: ModelId,
    /// Its name; no other model of the tenant has it.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Which of its calls are kept.
    #[serde(default)]
    pub capture: CaptureSettings,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A file that was taken into the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Artifact {
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// How long it is, in bytes.
    pub size_bytes: u64,
    /// What wrote it, as the file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer: Option<String>,
}

/// Where a version comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lineage {
    /// The data that it was trained on: a name, a path or a checksum.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub data: Option<String>,
    /// The job that trained it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub job: Option<String>,
    /// The version that it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<u32>,
}

/// What the check of the sample found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SampleCheck {
    /// How many rows it has.
    pub rows: usize,
    /// How many of them came with an expected answer.
    pub compared: usize,
    /// The largest difference to an expected number; of 1, or of the number where that is larger.
    pub largest_difference: f64,
    /// The difference that was allowed.
    pub tolerance: f64,
}

/// Typical rows, with which answers are compared when they are explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackgroundInfo {
    /// How many rows it has.
    pub rows: usize,
    /// SHA-256 of the rows as they are kept, in hexadecimal.
    pub sha256: String,
}

/// A version of a model. It never changes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// The model.
    #[schema(value_type = String)]
    pub model_id: ModelId,
    /// Its number: 1, 2, 3, ...
    pub version: u32,
    /// The file.
    pub artifact: Artifact,
    /// What it takes and gives.
    pub signature: Signature,
    /// The sample that was checked, when one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampleCheck>,
    /// What answers are compared with when they are explained, when that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<BackgroundInfo>,
    /// What its intervals are calibrated by, when that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Metrics of its training, by name.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// Where it comes from.
    #[serde(default)]
    pub lineage: Lineage,
    /// Who registered it.
    pub created_by: String,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}
