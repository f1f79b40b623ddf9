//! The HTTP server that both stubs share: it counts, records, scripts and notices who hangs up.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::script::{Call, Script};

/// Decides what to answer to a call.
pub(super) type Responder = Box<dyn Fn(&Call) -> Script + Send + Sync>;
/// Writes a script as the HTTP response of one protocol.
pub(super) type Speaker = fn(&Call, Script, &Arc<Ledger>) -> Response;

/// The largest request that is read, in bytes.
const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024;

/// What happened at a stub.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    started: AtomicU64,
    disconnects: AtomicU64,
    open: AtomicU64,
    calls: Mutex<Vec<Call>>,
}

impl Ledger {
    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running stub; it stops when it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    ledger: Arc<Ledger>,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens on a free port of 127.0.0.1.
    pub(super) async fn start(responder: Responder, speaker: Speaker) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let ledger = Arc::new(Ledger::default());
        let shared = (Arc::new(responder), Arc::clone(&ledger));
        let router = axum::Router::new().fallback(any(move |request: Request| {
            let (responder, ledger) = shared.clone();
            async move { answer(request, &**responder, ledger, speaker).await }
        }));
        let task = tokio::spawn(async move {
            // It ends when the stub is dropped; an error of one connection is that client's to see.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, ledger, task })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn calls(&self) -> u64 {
        self.ledger.started.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> Vec<Call> {
        self.ledger.calls().clone()
    }

    pub(super) fn disconnects(&self) -> u64 {
        self.ledger.disconnects.load(Ordering::SeqCst)
    }

    pub(super) fn open(&self) -> u64 {
        self.ledger.open.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    request: Request,
    responder: &(dyn Fn(&Call) -> Script + Send + Sync),
    ledger: Arc<Ledger>,
    speaker: Speaker,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_REQUEST_BYTES).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", "the request is too large");
    };
    let Ok(body) = serde_json::from_slice(&bytes) else {
        return plain(StatusCode::BAD_REQUEST, "text/plain", "the request is not JSON");
    };
    let authorization = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let call = Call {
        number: ledger.started.fetch_add(1, Ordering::SeqCst),
        path: head.uri.path().to_owned(),
        authorization: authorization.map(str::to_owned),
        body,
    };
    let script = responder(&call);
    ledger.calls().push(call.clone());
    if matches!(script, Script::Mute) {
        let _watch = Watch::on(&ledger);
        return std::future::pending().await;
    }
    speaker(&call, script, &ledger)
}

/// A whole response.
pub(super) fn plain(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}

/// What is written next in a streamed body.
pub(super) enum Part {
    /// Waits.
    Wait(Duration),
    /// Bytes.
    Bytes(Bytes),
    /// Never goes on.
    Stall,
    /// Cuts the connection.
    Cut,
}

/// A streamed response; the ledger learns when the client leaves before the end of it.
pub(super) fn streamed(
    content_type: &'static str,
    parts: Vec<Part>,
    split_bytes: Option<usize>,
    ledger: &Arc<Ledger>,
) -> Response {
    let parts = match split_bytes {
        Some(size) => split(parts, size),
        None => parts,
    };
    let state = (parts.into_iter(), Watch::on(ledger));
    let body = stream::unfold(state, |(mut parts, mut watch)| async move {
        loop {
            match parts.next() {
                None => {
                    watch.finished = true;
                    drop(watch);
                    return None;
                }
                Some(Part::Wait(duration)) => tokio::time::sleep(duration).await,
                Some(Part::Bytes(bytes)) => return Some((Ok(bytes), (parts, watch))),
                Some(Part::Stall) => std::future::pending().await,
                Some(Part::Cut) => {
                    watch.finished = true;
                    return Some((Err(io::Error::other("cut by the script")), (parts, watch)));
                }
            }
        }
    });
    plain(StatusCode::OK, content_type, Body::from_stream(body.boxed()))
}

fn split(parts: Vec<Part>, size: usize) -> Vec<Part> {
    let mut pieces = Vec::new();
    for part in parts {
        match part {
            Part::Bytes(mut bytes) => {
                while bytes.len() > size {
                    pieces.push(Part::Bytes(bytes.split_to(size)));
                }
                pieces.push(Part::Bytes(bytes));
            }
            other => pieces.push(other),
        }
    }
    pieces
}

/// Counts a response as open until it is dropped, and as a disconnect when that is before its end.
struct Watch {
    ledger: Arc<Ledger>,
    finished: bool,
}

impl Watch {
    fn on(ledger: &Arc<Ledger>) -> Self {
        ledger.open.fetch_add(1, Ordering::SeqCst);
        Self { ledger: Arc::clone(ledger), finished: false }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ledger.open.fetch_sub(1, Ordering::SeqCst);
        if !self.finished {
            self.ledger.disconnects.fetch_add(1, Ordering::SeqCst);
        }
    }
}
