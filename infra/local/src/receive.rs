//! Where signed URLs of the local store lead: the runner takes and gives the bytes, as S3 does in AWS.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use mandi_core::ports::content_disposition;
use mandi_core::{Problem, ProblemKind};
use mandi_http::{ApiError, Query};
use mandi_local::{FileObjects, GetQuery, Part, PutQuery, ReceiveFault, SendFault, Sending};
use serde::Deserialize;

/// The path of signed URLs.
pub const PATH: &str = "/local-objects";

/// The route. It lies beside the gate: the URL itself says who may send or read what, and files are longer than requests.
pub fn routes(store: FileObjects) -> Router {
    Router::new().route(PATH, put(receive).get(send)).with_state(store)
}

/// The query of a signed URL to send a file to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedPut {
    key: String,
    size_bytes: u64,
    expires_ms: i64,
    signature: String,
}

/// The query of a signed URL to read a file from.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedGet {
    key: String,
    filename: String,
    content_type: String,
    expires_ms: i64,
    signature: String,
}

async fn receive(State(store): State<FileObjects>, Query(signed): Query<SignedPut>, body: Body) -> Response {
    let SignedPut { key, size_bytes, expires_ms, signature } = signed;
    let query = PutQuery { key, size_bytes, expires_ms, signature };
    match store.receive(query, body.into_data_stream()).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(fault) => ApiError(not_received(fault)).into_response(),
    }
}

fn not_received(fault: ReceiveFault) -> Problem {
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

async fn send(State(store): State<FileObjects>, Query(signed): Query<SignedGet>, headers: HeaderMap) -> Response {
    let SignedGet { key, filename, content_type, expires_ms, signature } = signed;
    let query = GetQuery { key, filename, content_type, expires_ms, signature };
    let answered = match store.send(query).await {
        Ok(sending) => answer(sending, &headers),
        Err(fault) => Err(not_sent(fault)),
    };
    answered.unwrap_or_else(|problem| ApiError(problem).into_response())
}

/// The file, or the part of it that is asked for, so that a broken download can be resumed.
fn answer(sending: Sending, headers: &HeaderMap) -> Result<Response, Problem> {
    let size_bytes = sending.size_bytes;
    // Our answers have no validator that `If-Range` could name, so that it names another file.
    let range = headers.get(header::RANGE).filter(|_| !headers.contains_key(header::IF_RANGE));
    let (status, content_range, bytes) = match sending.part(range.and_then(|range| range.to_str().ok())) {
        Part::Whole => (StatusCode::OK, None, 0..size_bytes),
        Part::Bytes(bytes) => {
            let stated = format!("bytes {}-{}/{size_bytes}", bytes.start, bytes.end - 1);
            (StatusCode::PARTIAL_CONTENT, Some(stated), bytes)
        }
        Part::Outside => (StatusCode::RANGE_NOT_SATISFIABLE, Some(format!("bytes */{size_bytes}")), 0..0),
    };
    let mut response = Response::builder()
        .status(status)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_DISPOSITION, content_disposition(&sending.filename))
        .header(header::CONTENT_LENGTH, bytes.end - bytes.start)
        .header(header::CONTENT_TYPE, &sending.content_type)
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if let Some(stated) = content_range {
        response = response.header(header::CONTENT_RANGE, stated);
    }
    response
        .body(Body::from_stream(sending.pieces(bytes)))
        .map_err(|error| Problem::internal("the file's content type is no header").caused_by(error))
}

fn not_sent(fault: SendFault) -> Problem {
    let detail = fault.to_string();
    match fault {
        SendFault::NotAdmitted => Problem::new(ProblemKind::Forbidden, format!("{detail}; ask for a new one")),
        SendFault::Absent => Problem::new(ProblemKind::NotFound, detail),
        SendFault::Store(error) => error.into(),
    }
}
