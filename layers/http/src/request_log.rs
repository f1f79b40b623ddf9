//! One log line for each request: id, tenant, route, status, duration, models and cost. That of a stream is written at
//! its end, or when its client goes away.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use futures::StreamExt;
use mandi_core::metering::Tally;
use tracing::{Instrument, Span};

/// The header that carries the request's id, in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header that carries a trace over function boundaries.
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request that is being answered.
#[must_use]
pub fn current_request_id() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok()
}

/// What becomes known of a request while it is answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestFacts(Arc<Mutex<Option<String>>>);

impl RequestFacts {
    pub(crate) fn tenant(&self, tenant: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(tenant.to_owned());
    }

    fn known_tenant(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
    }
}

/// The middleware. Bodies, queries and headers are never logged.
pub(crate) async fn log(mut request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let trace_id = trace_id(&request);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let facts = RequestFacts::default();
    request.extensions_mut().insert(facts.clone());
    let tally = Tally::default();
    let started = Instant::now();
    let span = tracing::info_span!("request", request_id = %id, trace_id = %trace_id);
    let work = CURRENT.scope(id.clone(), tally.count(next.run(request)));
    let mut response = work.instrument(span.clone()).await;
    let line = Line { span, facts, tally, method, route, status: response.status().as_u16(), started };
    if is_stream(&response) {
        response = response.map(|body| until_its_end(body, line));
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// A request's line, written when it is dropped.
struct Line {
    span: Span,
    facts: RequestFacts,
    tally: Tally,
    method: Method,
    route: String,
    status: u16,
    started: Instant,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.span.in_scope(|| {
            tracing::info!(
                tenant = self.facts.known_tenant(),
                method = %self.method,
                route = self.route,
                status = self.status,
                duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
                model = self.tally.models(),
                cost_micro_usd = self.tally.cost().0,
                "request"
            );
        });
    }
}

fn is_stream(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}

/// The same body, which keeps the line as long as it lives.
fn until_its_end(body: Body, line: Line) -> Body {
    let mut pieces = body.into_data_stream();
    Body::from_stream(futures::stream::poll_fn(move |context| {
        let _kept = &line;
        pieces.poll_next_unpin(context)
    }))
}

/// The caller's own id, if it is harmless, or a new one.
fn request_id(request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let harmless = |id: &&str| {
        (8..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    given.filter(harmless).map_or_else(|| format!("req_{}", uuid::Uuid::now_v7().simple()), str::to_owned)
}

/// The trace id of a W3C `traceparent`, or of X-Ray's environment, or a new one.
fn trace_id(request: &Request) -> String {
    let parent = request.headers().get(TRACE_PARENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut fields = parent.split('-');
    match (fields.next(), fields.next()) {
        (Some("00"), Some(id)) if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => id.to_owned(),
        _ => uuid::Uuid::new_v4().simple().to_string(),
    }
}
