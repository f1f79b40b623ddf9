//! The Lambda runtime: a router for API Gateway's events, and tasks for events of our own.

use std::future::Future;

use axum::Router;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use lambda_http::request::LambdaRequest;
use lambda_http::{LambdaEvent, StreamAdapter, service_fn, tower::ServiceExt};
use lambda_runtime::{Diagnostic, FunctionResponse, StreamResponse};
use mandi_core::Problem;
use serde::Deserialize;
use serde_json::value::RawValue;

type Failure = lambda_runtime::Error;
type Answered = FunctionResponse<Box<RawValue>, BoxStream<'static, Result<Bytes, Failure>>>;

/// A task that failed, as Lambda tells it: a state machine's `ErrorEquals` matches the name.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{name}: {detail}")]
pub struct TaskFailure {
    /// The error's name.
    pub name: String,
    /// The reason and the way out, for people.
    pub detail: String,
}

/// Whether an event is one of ours: `{"task": "...", ...}`.
#[derive(Deserialize)]
struct TaskName {
    task: Option<String>,
}

/// Serves until the runtime ends. API Gateway's events go to `router`, whose answers are streamed; an event with
/// a `task` goes, whole, to `tasks`, whose answer is JSON. A task fails with the name of its [`TaskFailure`] or of its
/// [`Problem`]'s kind.
///
/// # Errors
/// The runtime cannot be reached.
pub async fn serve<Tasks, Answer>(router: Router, tasks: Tasks) -> Result<(), Failure>
where
    Tasks: Fn(String) -> Answer + Clone + Send + Sync + 'static,
    Answer: Future<Output = Result<String, Failure>> + Send,
{
    let handler = move |event: LambdaEvent<Box<RawValue>>| {
        let (router, tasks) = (router.clone(), tasks.clone());
        async move {
            let json = event.payload.get();
            if serde_json::from_str::<TaskName>(json).is_ok_and(|named| named.task.is_some()) {
                let answer = tasks(json.to_owned()).await.map_err(diagnostic)?;
                let answer = RawValue::from_string(answer).map_err(|error| diagnostic(error.into()))?;
                return Ok::<Answered, Diagnostic>(FunctionResponse::BufferedResponse(answer));
            }
            let request: LambdaRequest = serde_json::from_str(json).map_err(|error| diagnostic(error.into()))?;
            let call = LambdaEvent::new(request, event.context);
            let Ok(answer) = StreamAdapter::<_, axum::body::Body>::from(router).oneshot(call).await;
            let stream = answer.stream.map_err(Failure::from).boxed();
            let metadata_prelude = answer.metadata_prelude;
            Ok(FunctionResponse::StreamingResponse(StreamResponse { metadata_prelude, stream }))
        }
    };
    lambda_runtime::run(service_fn(handler)).await
}

/// What Lambda tells of a task that failed.
fn diagnostic(failure: Failure) -> Diagnostic {
    if let Some(TaskFailure { name, detail }) = failure.downcast_ref::<TaskFailure>() {
        return Diagnostic { error_type: name.clone(), error_message: detail.clone() };
    }
    match failure.downcast_ref::<Problem>() {
        Some(problem) => {
            tracing::warn!(causes = problem.causes(), "a task failed");
            Diagnostic { error_type: problem.kind.name().to_owned(), error_message: problem.detail.clone() }
        }
        None => failure.into(),
    }
}

/// The body of an answer that a function streamed, of one that was invoked and not called through API Gateway:
/// what follows the metadata and its eight zero bytes.
#[must_use]
pub fn body_of(answer: &Bytes) -> Bytes {
    const END: [u8; 8] = [0; 8];
    match answer.windows(END.len()).position(|window| window == END) {
        Some(place) => answer.slice(place + END.len()..),
        None => answer.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_follows_the_metadata() {
        let answer = Bytes::from_static(b"{\"statusCode\":200}\0\0\0\0\0\0\0\0{\"a\":1}");
        assert_eq!(body_of(&answer), "{\"a\":1}");
        assert_eq!(body_of(&Bytes::from_static(b"{}")), "{}");
    }
}
