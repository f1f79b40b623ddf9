//! Where signed URLs of the local store lead: the runner takes the bytes, as S3 does in AWS.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use mandi_core::{Problem, ProblemKind};
use mandi_http::{ApiError, Query};
use mandi_local::{FileObjects, PutQuery, ReceiveFault};
use serde::Deserialize;

/// The path of signed URLs.
pub const PATH: &str = "/local-objects";

/// The route. It lies beside the gate: the URL itself says who may send what, and files are longer than requests.
pub fn routes(store: FileObjects) -> Router {
    Router::new().route(PATH, put(receive)).with_state(store)
}

/// The query of a signed URL.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    key: String,
    size_bytes: u64,
    expires_ms: i64,
    signature: String,
}

async fn receive(State(store): State<FileObjects>, Query(signed): Query<Signed>, body: Body) -> Response {
    let Signed { key, size_bytes, expires_ms, signature } = signed;
    let query = PutQuery { key, size_bytes, expires_ms, signature };
    match store.receive(query, body.into_data_stream()).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(fault) => ApiError(problem(fault)).into_response(),
    }
}

fn problem(fault: ReceiveFault) -> Problem {
    let detail = fault.to_string();
    match fault {
        ReceiveFault::NotAdmitted => {
            Problem::new(ProblemKind::Forbidden, format!("{detail}; announce the file anew (`POST /v1/uploads`)"))
        }
        ReceiveFault::Size { .. } => Problem::new(ProblemKind::InvalidRequest, format!("{detail}; announce its size")),
        ReceiveFault::CutOff => Problem::new(ProblemKind::InvalidRequest, format!("{detail}; send it again")),
        ReceiveFault::Store(error) => error.into(),
    }
}
