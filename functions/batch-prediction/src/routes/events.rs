//! The progress of a job as server-sent events. The record is looked at each second: whoever writes it, in whatever
//! process, is seen.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures::Stream;
use mandi_core::TenantId;
use mandi_core::streams::StoredEvent;
use mandi_http::sse;

use super::jobs::BatchJob;
use crate::jobs::{Found, Jobs};

/// How often the record is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After how many looks without a change a comment is sent, so that the connection is kept.
const QUIET_LOOKS: u32 = 10;

/// A job that is watched.
struct Watch {
    jobs: Jobs,
    tenant: TenantId,
    last: BatchJob,
    sent: u64,
}

/// A stream of events that begins with what is known.
pub(super) fn response(jobs: Jobs, tenant: TenantId, found: Found) -> Response {
    let watch = Watch { jobs, tenant, last: found.into(), sent: 0 };
    let mut response = Response::new(Body::from_stream(events(watch)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn events(watch: Watch) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    futures::stream::unfold(Some(watch), |watch| async move {
        let mut watch = watch?;
        if watch.sent > 0 {
            if watch.last.state.is_over() {
                return None;
            }
            if !watch.changed().await {
                return Some((Ok(Bytes::from_static(b": keep-alive\n\n")), Some(watch)));
            }
        }
        watch.sent += 1;
        let event = if watch.last.state.is_over() { "done" } else { "progress" };
        let data = serde_json::to_string(&watch.last).unwrap_or_default();
        let event = sse::encode(&StoredEvent { id: watch.sent, event: event.to_owned(), data });
        Some((Ok(event), Some(watch)))
    })
}

impl Watch {
    /// Waits for a change, for some time.
    async fn changed(&mut self) -> bool {
        for look in 1..=QUIET_LOOKS {
            tokio::time::sleep(LOOK_EVERY).await;
            // Whether the machine still runs is asked now and then.
            let found = match look {
                QUIET_LOOKS => self.jobs.look(&self.tenant, &self.last.job_id).await,
                _ => self.jobs.find(&self.tenant, &self.last.job_id).await,
            };
            match found.map(BatchJob::from) {
                Ok(now) if now != self.last => {
                    self.last = now;
                    return true;
                }
                Ok(_) => {}
                Err(problem) => tracing::warn!(causes = problem.causes(), "a job that is watched was not read"),
            }
        }
        false
    }
}
