//! Calls of other functions, against a server that speaks Lambda's API.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod emulator;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use mandi_aws::{InvokeError, LambdaInvoker};
use mandi_core::{Problem, ProblemKind};

/// Answers as Lambda's `Invoke` does; the function's name says how.
async fn answer(Path(function): Path<String>, headers: HeaderMap, payload: Bytes) -> Response {
    assert!(headers["authorization"].to_str().unwrap().contains("/lambda/aws4_request"));
    let error = |status: u16, kind: &'static str| {
        let body = r#"{"Type":"User","Message":"no"}"#;
        (StatusCode::from_u16(status).unwrap(), [("x-amzn-errortype", kind)], body).into_response()
    };
    match (function.as_str(), headers["x-amz-invocation-type"].to_str().unwrap()) {
        ("echo", "RequestResponse") => payload.into_response(),
        ("echo", "Event") => StatusCode::ACCEPTED.into_response(),
        ("failing", _) => {
            let body = r#"{"errorType":"Panic","errorMessage":"it broke"}"#;
            ([("x-amz-function-error", "Unhandled")], body).into_response()
        }
        ("busy", _) => error(429, "TooManyRequestsException"),
        ("large", _) => error(413, "RequestTooLargeException"),
        _ => error(404, "ResourceNotFoundException"),
    }
}

async fn invoker() -> LambdaInvoker {
    let router = Router::new().route("/2015-03-31/functions/{function}/invocations", post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    emulator::clients(&url).await.invoker()
}

const PAYLOAD: Bytes = Bytes::from_static(br#"{"query":"rice"}"#);

#[tokio::test]
async fn a_call_returns_what_the_function_returned() {
    assert_eq!(invoker().await.invoke("echo", PAYLOAD).await.unwrap(), PAYLOAD);
}

#[tokio::test]
async fn an_event_is_handed_over_without_waiting_for_the_function() {
    invoker().await.invoke_event("echo", PAYLOAD).await.unwrap();
}

#[tokio::test]
async fn a_function_that_fails_is_told_from_one_that_answers() {
    let error = invoker().await.invoke("failing", PAYLOAD).await.unwrap_err();
    assert!(matches!(&error, InvokeError::Failed { kind, .. } if kind == "Unhandled"), "{error:?}");
    let problem = Problem::from(error);
    assert_eq!(problem.kind, ProblemKind::UpstreamFailed);
    assert!(!problem.detail.contains("it broke"), "the cause is for the log alone");
    assert!(problem.causes().contains("it broke"));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let invoker = invoker().await;
    assert!(matches!(invoker.invoke("busy", PAYLOAD).await, Err(InvokeError::Throttled)));
    assert!(matches!(invoker.invoke("large", PAYLOAD).await, Err(InvokeError::TooLarge)));
    assert!(matches!(invoker.invoke("absent", PAYLOAD).await, Err(InvokeError::NoSuchFunction(_))));
}
