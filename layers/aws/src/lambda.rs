//! The Lambda runtime: a router for API Gateway's events, and tasks for events of our own.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use lambda_extension::{Extension, NextEvent};
use lambda_http::request::LambdaRequest;
use lambda_http::{LambdaEvent, StreamAdapter, service_fn, tower::ServiceExt};
use lambda_runtime::{Diagnostic, FunctionResponse, StreamResponse};
use mandi_core::Problem;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{Mutex, mpsc};

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

/// The name of the extension that works after answers.
const EXTENSION: &str = "mandi-after-answer";

/// Tells, when it is dropped, that an answer was sent, or that there will be none.
struct Ending(Option<mpsc::UnboundedSender<()>>);

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(ended) = &self.0 {
            let _ = ended.send(());
        }
    }
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
    answer_events(router, tasks, None).await
}

/// Serves as [`serve`] does, and waits for `after` each time an answer was sent. The caller has the whole answer then;
/// Lambda waits, and stops the process (or sends it the next event) when `after` is done. `after` has to end by itself,
/// well within the function's time-out.
///
/// This is an internal extension of Lambda, registered for `INVOKE`.
///
/// # Errors
/// The runtime cannot be reached.
pub async fn serve_then<Tasks, Answer, After, Done>(router: Router, tasks: Tasks, after: After) -> Result<(), Failure>
where
    Tasks: Fn(String) -> Answer + Clone + Send + Sync + 'static,
    Answer: Future<Output = Result<String, Failure>> + Send,
    After: Fn() -> Done + Send + Sync,
    Done: Future<Output = ()> + Send,
{
    let (ended, endings) = mpsc::unbounded_channel();
    let shared = Arc::new((Mutex::new(endings), after));
    let processor = service_fn(move |event: lambda_extension::LambdaEvent| {
        let shared = Arc::clone(&shared);
        async move {
            if matches!(event.next, NextEvent::Invoke(_)) {
                let (endings, after) = &*shared;
                endings.lock().await.recv().await;
                after().await;
            }
            Ok::<(), Failure>(())
        }
    });
    let extension = Extension::new().with_extension_name(EXTENSION).with_events(&["INVOKE"]);
    let extension = extension.with_events_processor(processor).register().await?;
    tokio::try_join!(answer_events(router, tasks, Some(ended)), extension.run()).map(drop)
}

async fn answer_events<Tasks, Answer>(
    router: Router,
    tasks: Tasks,
    ended: Option<mpsc::UnboundedSender<()>>,
) -> Result<(), Failure>
where
    Tasks: Fn(String) -> Answer + Clone + Send + Sync + 'static,
    Answer: Future<Output = Result<String, Failure>> + Send,
{
    let handler = move |event: LambdaEvent<Box<RawValue>>| {
        let (router, tasks, ending) = (router.clone(), tasks.clone(), Ending(ended.clone()));
        async move {
            let json = event.payload.get();
            if serde_json::from_str::<TaskName>(json).is_ok_and(|named| named.task.is_some()) {
                let answer = tasks(json.to_owned()).await.map_err(diagnostic)?;
                let answer = RawValue::from_string(answer).map_err(|error| diagnostic(error.into()))?;
                drop(ending);
                return Ok::<Answered, Diagnostic>(FunctionResponse::BufferedResponse(answer));
            }
            let request: LambdaRequest = serde_json::from_str(json).map_err(|error| diagnostic(error.into()))?;
            let call = LambdaEvent::new(request, event.context);
            let Ok(answer) = StreamAdapter::<_, axum::body::Body>::from(router).oneshot(call).await;
            let stream = until_sent(answer.stream.map_err(Failure::from), ending);
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

/// A stream that holds `ending` until the runtime lets go of it.
fn until_sent(
    stream: impl Stream<Item = Result<Bytes, Failure>> + Send + 'static,
    ending: Ending,
) -> BoxStream<'static, Result<Bytes, Failure>> {
    stream
        .inspect(move |_| {
            let _held = &ending;
        })
        .boxed()
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
