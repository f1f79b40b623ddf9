//! The floor of a cold start: a function that does nothing, on the same runtime and with the same way of
//! streaming as ours. The bench of P1 compares the functions with it.

use lambda_http::{Body, Error, Request, Response, run_with_streaming_response, service_fn};

async fn hello(_request: Request) -> Result<Response<Body>, Error> {
    Ok(Response::builder().header("content-type", "application/json").body(Body::from(r#"{"hello":"world"}"#))?)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    run_with_streaming_response(service_fn(hello)).await
}
