//! Uploads: files that are sent for later use.

use axum::extract::State;
use axum::http::StatusCode;
use mandi_core::Timestamp;
use mandi_core::ids::UploadId;
use mandi_core::uploads::Announced;
use mandi_http::auth::UploadsCreate;
use mandi_http::{ApiResult, Caller, Json};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

use crate::state::PredictionState;

/// A file that is to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUpload {
    /// Its name.
    #[schema(min_length = 1, max_length = 255, example = "quality.onnx")]
    filename: String,
    /// How long it is, in bytes.
    #[schema(minimum = 1, maximum = 5_368_709_120_u64)]
    size_bytes: u64,
    /// Its SHA-256, in hexadecimal; the file is compared with it when it is used.
    #[serde(default)]
    sha256: Option<String>,
}

/// Where to send a file, and the id that names it where a route takes one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadResponse {
    /// The id.
    #[schema(value_type = String, example = "upl_019a9f3e5b7c7d8e9f00112233445566")]
    upload_id: UploadId,
    /// The method to send it by.
    #[schema(example = "PUT")]
    method: &'static str,
    /// Where to send it, within an hour, without a token. A secret.
    url: String,
    /// Headers to send with it.
    headers: BTreeMap<String, String>,
    /// When it is removed unless it is used.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Announce a file.
///
/// The answer has a signed URL to send its bytes to. `{upload: upload_id}` is taken wherever a route takes a file. A file
/// that is not used within a day is removed.
#[utoipa::path(post, path = "/v1/uploads", tag = "uploads", security(("bearer" = ["uploads.create"])),
    request_body = NewUpload, responses((status = 201, body = UploadResponse)))]
pub(crate) async fn create(
    State(state): State<PredictionState>,
    caller: Caller<UploadsCreate>,
    Json(new): Json<NewUpload>,
) -> ApiResult<(StatusCode, Json<UploadResponse>)> {
    let announced = Announced { filename: new.filename, size_bytes: new.size_bytes, sha256: new.sha256 };
    let (upload, signed) = state.uploads().announce(&caller, announced).await?;
    let response = UploadResponse {
        upload_id: upload.id,
        method: "PUT",
        url: signed.url,
        headers: signed.headers.into_iter().collect(),
        expires_at: upload.expires_at,
    };
    Ok((StatusCode::CREATED, Json(response)))
}
