//! A running stub: what every protocol's shares.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;

use super::script::{Call, End, Script, Streamed};
use super::server::{Ledger, Part, Server, plain, streamed};

/// How long what was written has to leave before the connection is cut.
const BEFORE_CUT: Duration = Duration::from_millis(20);

/// A wire protocol: how it says what a script says.
pub trait Protocol: Send + Sync + 'static {
    /// The media type of a stream.
    const STREAM_TYPE: &'static str;

    /// Why a call is refused whatever the script says; `None` when it is not.
    fn refusal(call: &Call) -> Option<Response>;

    /// What a call asks for.
    fn asked(call: &Call) -> Asked;

    /// An HTTP error, without its `Retry-After`.
    fn error(status: StatusCode, code: &str, message: &str) -> Response;

    /// The event before the first text.
    fn opening() -> Bytes;

    /// A piece of text.
    fn text(text: &str) -> Bytes;

    /// What a stream that is not cut ends with, but for its mark.
    fn closing(script: &Streamed) -> Vec<Bytes>;

    /// The mark of a whole stream's end.
    fn mark(script: &Streamed) -> Option<Bytes>;

    /// An event that cannot be read.
    fn malformed() -> Bytes;

    /// An error inside a stream.
    fn exception(name: &str) -> Bytes;
}

/// What a call asks for.
pub enum Asked {
    /// A stream, by the script.
    Stream,
    /// This, whatever the stream of the script is.
    Answer(Response),
}

/// A running endpoint of a protocol. It stops when it is dropped.
pub struct Stub<P> {
    server: Server,
    protocol: PhantomData<fn() -> P>,
}

impl<P> fmt::Debug for Stub<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stub").field("server", &self.server).finish_non_exhaustive()
    }
}

impl<P: Protocol> Stub<P> {
    /// Every call is answered with this script.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(script: Script) -> io::Result<Self> {
        Self::start_with(move |_| script.clone()).await
    }

    /// The script depends on the call.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start_with(responder: impl Fn(&Call) -> Script + Send + Sync + 'static) -> io::Result<Self> {
        let server = Server::start(Box::new(responder), speak::<P>).await?;
        Ok(Self { server, protocol: PhantomData })
    }

    /// How many calls came in.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.server.calls()
    }

    /// The calls.
    #[must_use]
    pub fn requests(&self) -> Vec<Call> {
        self.server.requests()
    }

    /// How many clients went away before their answer's end.
    #[must_use]
    pub fn disconnects(&self) -> u64 {
        self.server.disconnects()
    }

    /// How many answers are under way.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.server.open()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.server.address()
    }
}

fn speak<P: Protocol>(call: &Call, script: Script, ledger: &Arc<Ledger>) -> Response {
    if let Some(refusal) = P::refusal(call) {
        return refusal;
    }
    match script {
        Script::Status { status, retry_after, code, message } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = P::error(status, &code, &message);
            if let Some(value) = retry_after.and_then(|value| HeaderValue::from_str(&value).ok()) {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
            response
        }
        Script::Json(body) => plain(StatusCode::OK, "application/json", body.to_string()),
        Script::Mute => plain(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "mute scripts are not spoken"),
        Script::Stream(stream) => match P::asked(call) {
            Asked::Answer(response) => response,
            Asked::Stream => streamed(P::STREAM_TYPE, parts::<P>(&stream), stream.split_bytes, ledger),
        },
    }
}

fn parts<P: Protocol>(script: &Streamed) -> Vec<Part> {
    let mut parts = vec![Part::Bytes(P::opening()), Part::Wait(script.before_first)];
    for (index, text) in script.chunks.iter().enumerate() {
        if index > 0 && !script.between.is_zero() {
            parts.push(Part::Wait(script.between));
        }
        parts.push(Part::Bytes(P::text(text)));
    }
    match &script.end {
        End::Complete => parts.extend(P::closing(script).into_iter().chain(P::mark(script)).map(Part::Bytes)),
        End::WithoutMark => parts.extend(P::closing(script).into_iter().map(Part::Bytes)),
        End::Silent => {}
        End::Cut => {
            let event = P::text("never seen whole");
            parts.push(Part::Bytes(event.slice(..event.len() / 2)));
            parts.push(Part::Wait(BEFORE_CUT));
            parts.push(Part::Cut);
        }
        End::Stall => parts.push(Part::Stall),
        End::Malformed => parts.push(Part::Bytes(P::malformed())),
        End::Exception(name) => parts.push(Part::Bytes(P::exception(name))),
    }
    parts
}
