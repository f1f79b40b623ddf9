//! Lambda as a function's binary and its callers see it, with answers that are streamed.
//!
//! To the binary it is the runtime API, to callers API Gateway (proxy integration, response streaming) and
//! Lambda's `Invoke`. One process serves one request at a time, as in AWS. The runtime interface emulator gives an
//! answer only once it is whole; tests that look at an answer while it is written use this.

use std::collections::HashMap;
use std::fs::File;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{self, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use mandi_core::identity::{Grant, LocalSecret, TokenIssuer};
use mandi_core::settings;
use mandi_core::{Clock, SystemClock};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

/// The secret that signs the tokens of [`token`].
const SECRET: &str = "a secret of the tests, long enough for HS256";
/// What stands between the metadata and the body of a streamed answer.
const METADATA_END: [u8; 8] = [0; 8];
/// The longest request.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// A token of a tenant's administrator that functions started here accept, good for an hour.
///
/// # Panics
/// The tenant's name is not one that a tenant may have.
#[must_use]
pub fn token(tenant: &str) -> String {
    let secret = LocalSecret::new(SECRET.as_bytes().to_vec()).unwrap();
    let default = |setting: settings::Setting| setting.default.unwrap();
    let issuer = TokenIssuer::new(secret, default(settings::JWT_ISSUER), default(settings::JWT_AUDIENCE));
    let grant = Grant {
        tenant,
        user: "tester",
        roles: vec!["admin".to_owned()],
        permissions: Vec::new(),
        not_before: None,
        expires_at: SystemClock.now().plus(Duration::from_secs(3600)),
    };
    issuer.issue(&grant).unwrap()
}

/// A running function: one process. It ends when this is dropped.
#[derive(Debug)]
pub struct Function {
    url: String,
    child: Child,
    task: JoinHandle<()>,
}

impl Function {
    /// Starts a function's binary with these environment variables; what it logs goes to a file. Its name is that of
    /// the binary. Its calls of Lambda come to itself, unless the variables say otherwise.
    ///
    /// # Panics
    /// The binary cannot be started.
    pub async fn start(binary: &Path, environment: &[(String, String)], log: File) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let name = binary.file_name().unwrap().to_string_lossy().into_owned();
        let router = router(name.clone());
        let task = tokio::spawn(async move {
            // It ends when the function is dropped.
            let _ = axum::serve(listener, router).await;
        });
        let child = Command::new(binary)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_ENDPOINT_URL_LAMBDA", format!("http://{address}"))
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "tests")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "tests")
            .env("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true")
            .env(settings::JWT_SECRET.name, SECRET)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { url: format!("http://{address}"), child, task }
    }

    /// The address of its API, which is also that of `Invoke` for this function.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Kills the process as `kill -9` does.
    ///
    /// # Panics
    /// It cannot be killed.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A piece of an answer; or, as the error, what the runtime says of a function that failed.
type Chunk = Result<Bytes, Bytes>;
type Chunks = mpsc::UnboundedReceiver<Chunk>;

/// The requests to one process.
#[derive(Debug)]
struct Requests {
    function: String,
    number: AtomicU64,
    send: mpsc::UnboundedSender<(String, Bytes)>,
    next: tokio::sync::Mutex<mpsc::UnboundedReceiver<(String, Bytes)>>,
    answers: Mutex<HashMap<String, mpsc::UnboundedSender<Chunk>>>,
    extension: Extension,
}

/// The function's extension, where it registered one. The next request waits until it asks for its next event, as in
/// Lambda.
#[derive(Debug)]
struct Extension {
    is_registered: AtomicBool,
    asks: Notify,
    invoked: Notify,
}

impl Requests {
    fn begin(&self, event: Bytes) -> Chunks {
        let id = format!("request-{}", self.number.fetch_add(1, Ordering::Relaxed));
        let (sender, chunks) = mpsc::unbounded_channel();
        self.answers().insert(id.clone(), sender);
        self.send.send((id, event)).unwrap();
        chunks
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<String, mpsc::UnboundedSender<Chunk>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn router(function: String) -> Router {
    let (send, next) = mpsc::unbounded_channel();
    let number = AtomicU64::new(0);
    let extension = Extension { is_registered: AtomicBool::new(false), asks: Notify::new(), invoked: Notify::new() };
    let requests = Requests { function, number, send, next: next.into(), answers: Mutex::default(), extension };
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next_request))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(answered))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(failed))
        .route("/2020-01-01/extension/register", post(register))
        .route("/2020-01-01/extension/event/next", get(next_event))
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .fallback(gateway)
        .with_state(Arc::new(requests))
}

async fn next_request(State(requests): State<Arc<Requests>>) -> Response {
    let Some((id, event)) = requests.next.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    if requests.extension.is_registered.load(Ordering::SeqCst) {
        requests.extension.asks.notified().await;
        requests.extension.invoked.notify_one();
    }
    let deadline_ms = SystemClock.now().plus(Duration::from_secs(120)).unix_ms().to_string();
    let arn = "arn:aws:lambda:ap-south-1:123456789012:function:tested".to_owned();
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline_ms),
        ("lambda-runtime-invoked-function-arn", arn),
    ];
    (headers, event).into_response()
}

async fn register(State(requests): State<Arc<Requests>>) -> Response {
    requests.extension.is_registered.store(true, Ordering::SeqCst);
    let registered = json!({"functionName": requests.function, "functionVersion": "1", "handler": "bootstrap"});
    ([("lambda-extension-identifier", "extension-1")], axum::Json(registered)).into_response()
}

async fn next_event(State(requests): State<Arc<Requests>>) -> Response {
    requests.extension.asks.notify_one();
    requests.extension.invoked.notified().await;
    let arn = "arn:aws:lambda:ap-south-1:123456789012:function:tested";
    let event = json!({
        "eventType": "INVOKE",
        "deadlineMs": SystemClock.now().plus(Duration::from_secs(120)).unix_ms(),
        "requestId": "request",
        "invokedFunctionArn": arn,
        "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1"},
    });
    axum::Json(event).into_response()
}

/// Passes an answer on as it comes. It is read to its end even when nobody wants it any more, as Lambda does.
async fn answered(
    State(requests): State<Arc<Requests>>,
    extract::Path(id): extract::Path<String>,
    body: Body,
) -> StatusCode {
    let waiting = requests.answers().remove(&id);
    let mut chunks = body.into_data_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        if let Some(waiting) = &waiting {
            let _ = waiting.send(Ok(chunk));
        }
    }
    StatusCode::ACCEPTED
}

async fn failed(
    State(requests): State<Arc<Requests>>,
    extract::Path(id): extract::Path<String>,
    said: Bytes,
) -> StatusCode {
    if let Some(waiting) = requests.answers().remove(&id) {
        let _ = waiting.send(Err(said));
    }
    StatusCode::ACCEPTED
}

/// Lambda's `Invoke`: the payload is the event. A function that fails is a status 200 with a header that says so.
async fn invoke(
    State(requests): State<Arc<Requests>>,
    extract::Path(name): extract::Path<String>,
    headers: HeaderMap,
    payload: Bytes,
) -> Response {
    if name != requests.function {
        let told = json!({"Type": "User", "Message": format!("Function not found: {name}")}).to_string();
        return (StatusCode::NOT_FOUND, [("x-amzn-errortype", "ResourceNotFoundException")], told).into_response();
    }
    let mut chunks = requests.begin(payload);
    if headers.get("x-amz-invocation-type").is_some_and(|kind| kind == "Event") {
        return StatusCode::ACCEPTED.into_response();
    }
    let mut answer = BytesMut::new();
    while let Some(chunk) = chunks.recv().await {
        match chunk {
            Ok(bytes) => answer.extend_from_slice(&bytes),
            Err(said) => return ([("x-amz-function-error", "Unhandled")], said).into_response(),
        }
    }
    answer.freeze().into_response()
}

/// API Gateway: the request as an event, the answer as it is streamed.
async fn gateway(State(requests): State<Arc<Requests>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, MAX_BYTES).await.unwrap();
    let event = event(head.method.as_str(), &head.uri, &head.headers, &body);
    let mut chunks = requests.begin(Bytes::from(event.to_string()));
    let mut begun = BytesMut::new();
    loop {
        let end = begun.windows(METADATA_END.len()).position(|window| window == METADATA_END);
        if let Some(end) = end {
            let metadata: Value = serde_json::from_slice(&begun[..end]).unwrap();
            let first = begun.split_off(end + METADATA_END.len()).freeze();
            let rest =
                futures::stream::unfold(chunks, |mut chunks| async { Some((chunks.recv().await?.ok()?, chunks)) });
            let body = futures::stream::iter([first]).chain(rest).map(Ok::<_, std::convert::Infallible>);
            return streamed(&metadata, Body::from_stream(body));
        }
        match chunks.recv().await {
            Some(Ok(chunk)) => begun.extend_from_slice(&chunk),
            Some(Err(_)) | None => return StatusCode::BAD_GATEWAY.into_response(),
        }
    }
}

fn streamed(metadata: &Value, body: Body) -> Response {
    let mut response = Response::new(body);
    let status = metadata["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap();
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    let empty = Map::new();
    for (name, value) in metadata["headers"].as_object().unwrap_or(&empty) {
        let value = HeaderValue::from_str(value.as_str().unwrap()).unwrap();
        response.headers_mut().insert(HeaderName::try_from(name.as_str()).unwrap(), value);
    }
    response
}

/// The event of a request, as far as functions read it.
fn event(method: &str, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Value {
    let text = |value: &HeaderValue| Value::from(value.to_str().unwrap());
    let single: Map<String, Value> =
        headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let multiple: Map<String, Value> =
        headers.iter().map(|(name, value)| (name.as_str().to_owned(), json!([text(value)]))).collect();
    let query = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let query: Map<String, Value> = query.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let path = uri.path();
    json!({
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": single,
        "multiValueHeaders": multiple,
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {},
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "tests",
            "httpMethod": method,
            "identity": {"sourceIp": "127.0.0.1"},
            "path": path,
            "protocol": "HTTP/1.1",
            "requestId": "tests",
            "resourceId": "tests",
            "resourcePath": path,
            "stage": "dev"
        },
        "body": if body.is_empty() { Value::Null } else { Value::from(std::str::from_utf8(body).unwrap()) },
        "isBase64Encoded": false
    })
}
