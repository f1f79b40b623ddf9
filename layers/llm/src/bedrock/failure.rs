//! What a failure of the SDK means to the caller.

use std::error::Error;
use std::time::Duration;

use aws_sdk_bedrockruntime::config::http::HttpResponse;
use aws_sdk_bedrockruntime::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_bedrockruntime::types::error::ConverseStreamOutputError;
use mandi_core::ports::{ModelError, TimeoutPhase};

/// How much of a provider's message is kept, in characters: it goes to the log, where prompts must not.
const MAX_MESSAGE_CHARACTERS: usize = 200;

/// A call that was not answered, or with an error.
pub(super) fn of_call<E>(error: &SdkError<E, HttpResponse>) -> ModelError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let retry_after = context.raw().headers().get("retry-after").and_then(|value| value.parse().ok());
            let meta = context.err().meta();
            of_service(meta.code(), meta.message(), status, retry_after.map(Duration::from_secs))
        }
        SdkError::DispatchFailure(failure) => {
            if failure.is_timeout() {
                ModelError::TimedOut(TimeoutPhase::Connect)
            } else {
                before_send(&causes(error))
            }
        }
        SdkError::TimeoutError(_) => ModelError::TimedOut(TimeoutPhase::Connect),
        SdkError::ResponseError(_) => ModelError::Truncated(causes(error)),
        _ => before_send(&causes(error)),
    }
}

/// A stream that broke, or that carries an exception.
pub(super) fn of_stream<R>(error: &SdkError<ConverseStreamOutputError, R>) -> ModelError
where
    R: std::fmt::Debug + 'static,
{
    let SdkError::ServiceError(context) = error else {
        return ModelError::Truncated(causes(error));
    };
    let message = |message: Option<&str>| shortened("in the stream", message);
    match context.err() {
        ConverseStreamOutputError::ThrottlingException(_) => ModelError::Throttled { retry_after: None },
        ConverseStreamOutputError::ValidationException(error) => ModelError::BadRequest(message(error.message())),
        ConverseStreamOutputError::ModelStreamErrorException(error) => ModelError::Truncated(message(error.message())),
        other => ModelError::Overloaded(message(other.meta().message())),
    }
}

fn of_service(code: Option<&str>, message: Option<&str>, status: u16, retry_after: Option<Duration>) -> ModelError {
    let what = shortened(code.unwrap_or("no code"), message);
    match code {
        Some("ThrottlingException" | "ServiceQuotaExceededException" | "TooManyRequestsException") => {
            ModelError::Throttled { retry_after }
        }
        Some("AccessDeniedException" | "UnrecognizedClientException" | "ExpiredTokenException") => {
            ModelError::Unauthorised
        }
        Some("ValidationException" | "ResourceNotFoundException") => ModelError::BadRequest(what),
        Some("ModelTimeoutException") => ModelError::TimedOut(TimeoutPhase::FirstToken),
        _ => match status {
            401 | 403 => ModelError::Unauthorised,
            429 => ModelError::Throttled { retry_after },
            400..=499 if code != Some("ModelErrorException") => ModelError::BadRequest(what),
            _ => ModelError::Overloaded(what),
        },
    }
}

/// A request that was never sent: without credentials it cannot be signed.
fn before_send(causes: &str) -> ModelError {
    if causes.contains("credentials") { ModelError::Unauthorised } else { ModelError::Unreachable(causes.to_owned()) }
}

fn shortened(what: &str, message: Option<&str>) -> String {
    let message: String = message.unwrap_or_default().chars().take(MAX_MESSAGE_CHARACTERS).collect();
    format!("{what}: {message}")
}

fn causes(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        next = cause.source();
    }
    line
}
