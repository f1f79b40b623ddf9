//! The Lambda runtime: a router for API Gateway's events, and tasks for events of our own.

use std::future::Future;

use axum::Router;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use lambda_http::request::LambdaRequest;
use lambda_http::{LambdaEvent, StreamAdapter, service_fn, tower::ServiceExt};
use lambda_runtime::{MetadataPrelude, StreamResponse};
use serde::Deserialize;
use serde_json::value::RawValue;

type Failure = lambda_runtime::Error;
type Streamed = StreamResponse<BoxStream<'static, Result<Bytes, Failure>>>;

/// Whether an event is one of ours: `{"task": "...", ...}`.
#[derive(Deserialize)]
struct TaskName {
    task: Option<String>,
}

/// Serves until the runtime ends. API Gateway's events go to `router`, whose answers are streamed; an event with
/// a `task` goes, whole, to `tasks`, whose answer is JSON.
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
                return Ok::<Streamed, Failure>(whole(tasks(json.to_owned()).await?));
            }
            let request: LambdaRequest = serde_json::from_str(json)?;
            let call = LambdaEvent::new(request, event.context);
            let Ok(answer) = StreamAdapter::<_, axum::body::Body>::from(router).oneshot(call).await;
            let stream = answer.stream.map_err(Failure::from).boxed();
            Ok(StreamResponse { metadata_prelude: answer.metadata_prelude, stream })
        }
    };
    lambda_runtime::run(service_fn(handler)).await
}

fn whole(json: String) -> Streamed {
    let stream = stream::once(async move { Ok(Bytes::from(json)) }).boxed();
    StreamResponse { metadata_prelude: MetadataPrelude::default(), stream }
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
