//! `Idempotency-Key` on every POST: the same key and body give the same response and one side effect.
//!
//! The first request takes the key under a lease, which it renews while it works. Its response is stored when it
//! succeeded: what failed has done nothing, and a retry may do better. An answer that is stored as a stream is not
//! stored twice: its response names the stream, and the handler makes the replay of it. A replay needs the permission
//! that the request needs, by the token that comes with it.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use mandi_core::identity::Principal;
use mandi_core::lease::Lease;
use mandi_core::ports::{Condition, Key, Partition, Record, RecordsError, Update, Value};
use mandi_core::{Problem, Result};
use sha2::{Digest, Sha256};

use crate::auth;
use crate::body::too_large;
use crate::gate::{Gate, MAX_BODY_BYTES};
use crate::problem::ApiError;

/// The request header.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// On a response that was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 255;
/// How long an answer is remembered.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
/// How long a request that gives no sign keeps its key.
const LEASE: Duration = Duration::from_secs(30);
/// The size of the parts in which a response is stored, in bytes.
const PART_BYTES: usize = 300 * 1024;
/// The largest response that is kept, in bytes.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// On a response: the stored stream that it shows, as events or whole.
#[derive(Clone, Debug)]
pub struct StreamName(pub String);

/// On a request: its answer was given before, as this stream; the handler attaches to it, or answers anew if that was
/// cut off.
#[derive(Clone, Debug)]
pub struct ReplayStream(pub String);

/// On a request: it is not to be done, only its caller's permission is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PermissionOnly;

/// On the response to such a request: the caller has the permission.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permitted;

/// The middleware.
pub(crate) async fn remember(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(IDEMPOTENCY_KEY) {
        return next.run(request).await;
    }
    match remembered(&gate, request, next).await {
        Ok(response) => response,
        Err(problem) => ApiError(problem).into_response(),
    }
}

async fn remembered(gate: &Gate, request: Request, next: Next) -> Result<Response> {
    let key = checked_key(request.headers())?;
    let (mut parts, body) = request.into_parts();
    let principal = auth::principal(&mut parts, gate).await?;
    let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| too_large())?;
    let fingerprint = fingerprint(&parts, &body);
    let entry = Entry { gate, key: entry_key(&principal, &key), lease: Lease::new(LEASE) };

    match entry.take(&fingerprint).await? {
        Taken::Mine => {
            let response = entry.renewing(next.run(Request::from_parts(parts, Body::from(body)))).await;
            entry.store(response).await
        }
        Taken::Answered(record) => match record.text("stream") {
            Some(stream) => {
                parts.extensions.insert(ReplayStream(stream.to_owned()));
                let response = next.run(Request::from_parts(parts, Body::from(body))).await;
                match response.extensions().get::<StreamName>() {
                    // What was stored had been cut off, and the handler answered anew.
                    Some(StreamName(anew)) if anew != stream => {
                        let update = Update::new().set("stream", anew.as_str());
                        gate.records.update(&entry.key, update, Condition::Present).await?;
                        Ok(response)
                    }
                    _ => Ok(marked(response)),
                }
            }
            None => {
                parts.extensions.insert(PermissionOnly);
                let response = next.run(Request::from_parts(parts, Body::from(body))).await;
                if response.extensions().get::<Permitted>().is_none() {
                    return Ok(response);
                }
                Ok(marked(entry.replay(&record).await?))
            }
        },
    }
}

fn checked_key(headers: &HeaderMap) -> Result<String> {
    let key = headers.get(IDEMPOTENCY_KEY).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let fits = (1..=MAX_KEY_BYTES).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        return Ok(key.to_owned());
    }
    let rule = format!("it is 1 to {MAX_KEY_BYTES} visible ASCII characters, such as a UUID");
    Err(Problem::field("Idempotency-Key", rule))
}

/// What makes two requests the same: path, accepted type and body; of a form its parts, whatever stands between them.
fn fingerprint(request: &Parts, body: &[u8]) -> Vec<u8> {
    let header =
        |name| request.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let boundary = header(header::CONTENT_TYPE).split(';').find_map(|part| part.trim().strip_prefix("boundary="));
    let boundary = boundary.map(|quoted| quoted.trim_matches('"').as_bytes()).filter(|found| !found.is_empty());
    let body = boundary.map_or_else(|| vec![body], |boundary| split(body, boundary));
    let path = request.uri.to_string();
    let mut hash = Sha256::new();
    for part in [path.as_bytes(), header(header::ACCEPT).as_bytes()].into_iter().chain(body) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

fn split<'a>(body: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut rest = body;
    while let Some(place) = memchr::memmem::find(rest, separator) {
        parts.push(&rest[..place]);
        rest = &rest[place + separator.len()..];
    }
    parts.push(rest);
    parts
}

fn entry_key(principal: &Principal, key: &str) -> Key {
    Key::new(Partition::of(&principal.tenant, &["idempotency", &principal.user]), key)
}

fn marked(mut response: Response) -> Response {
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

enum Taken {
    Mine,
    Answered(Record),
}

struct Entry<'a> {
    gate: &'a Gate,
    key: Key,
    lease: Lease,
}

impl Entry<'_> {
    /// Takes the key, or finds what was answered under it.
    async fn take(&self, fingerprint: &[u8]) -> Result<Taken> {
        let now = self.gate.clock.now();
        let record = Record::new(self.key.clone())
            .with("fingerprint", Value::Bytes(fingerprint.to_vec()))
            .with("pending", true)
            .expiring(now.plus(KEPT_FOR));
        let abandoned = Condition::All(vec![Condition::equals("pending", true), Lease::run_out(now)]);
        let same = Condition::equals("fingerprint", Value::Bytes(fingerprint.to_vec()));
        let free = Condition::Any(vec![Condition::Absent, Condition::All(vec![abandoned, same])]);
        match self.gate.records.put(self.lease.on(record, now), free).await {
            Ok(()) => return Ok(Taken::Mine),
            Err(RecordsError::ConditionFailed { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let Some(found) = self.gate.records.get(&self.key).await? else {
            return Err(busy());
        };
        if found.fields.get("fingerprint") != Some(&Value::Bytes(fingerprint.to_vec())) {
            let detail = "this `Idempotency-Key` was used for another request; use a new key for a new request";
            return Err(Problem::conflict(detail));
        }
        if found.flag("pending") { Err(busy()) } else { Ok(Taken::Answered(found)) }
    }

    /// Renews the lease while the work goes on.
    async fn renewing(&self, work: impl Future<Output = Response>) -> Response {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                response = &mut work => return response,
                () = tokio::time::sleep(LEASE / 3) => {
                    let renewal = self.lease.renewing(Update::new(), self.gate.clock.now());
                    if let Err(error) = self.gate.records.update(&self.key, renewal, self.lease.mine()).await {
                        tracing::warn!(%error, "the lease of an idempotency key was not renewed");
                    }
                }
            }
        }
    }

    async fn store(&self, response: Response) -> Result<Response> {
        if !response.status().is_success() {
            self.gate.records.delete(&self.key, self.lease.mine()).await?;
            return Ok(response);
        }
        let answered = |record: Update| Lease::releasing(record).set("pending", false);
        if let Some(StreamName(stream)) = response.extensions().get() {
            let update = answered(Update::new().set("stream", stream.as_str()));
            self.gate.records.update(&self.key, update, self.lease.mine()).await?;
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, MAX_RESPONSE_BYTES).await.map_err(Problem::internal)?;
        let expires_at = self.gate.clock.now().plus(KEPT_FOR);
        for (number, part) in body.chunks(PART_BYTES).enumerate() {
            let record = Record::new(self.part(number)).with("bytes", Value::Bytes(part.to_vec()));
            self.gate.records.put(record.expiring(expires_at), Condition::Always).await?;
        }
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let update = Update::new()
            .set("status", i64::from(parts.status.as_u16()))
            .set("content_type", content_type.unwrap_or_default())
            .set("parts", i64::try_from(body.len().div_ceil(PART_BYTES)).unwrap_or(i64::MAX));
        self.gate.records.update(&self.key, answered(update), self.lease.mine()).await?;
        Ok(Response::from_parts(parts, Body::from(body)))
    }

    async fn replay(&self, record: &Record) -> Result<Response> {
        let mut body = Vec::new();
        let parts = usize::try_from(record.int("parts").unwrap_or(0)).unwrap_or(0);
        for number in 0..parts {
            let part = self.gate.records.get(&self.part(number)).await?;
            match part.and_then(|mut part| part.fields.remove("bytes")) {
                Some(Value::Bytes(bytes)) => body.extend_from_slice(&bytes),
                _ => return Err(Problem::internal("a part of a stored response is missing")),
            }
        }
        let status = record.int("status").and_then(|status| u16::try_from(status).ok()).unwrap_or(500);
        let mut response = Response::new(Body::from(Bytes::from(body)));
        *response.status_mut() = StatusCode::from_u16(status).map_err(Problem::internal)?;
        let content_type = record.text("content_type").unwrap_or_default();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_str(content_type).map_err(Problem::internal)?);
        Ok(response)
    }

    fn part(&self, number: usize) -> Key {
        Key::new(self.key.partition.clone(), format!("{}\u{1f}{number:04}", self.key.sort))
    }
}

fn busy() -> Problem {
    Problem::conflict("a request with this `Idempotency-Key` is still being answered; repeat it after a while")
        .retry_after(1)
}
