//! Calls of other Lambda functions.

use std::fmt;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::invoke::{InvokeError as SdkInvokeError, InvokeOutput};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use bytes::Bytes;
use mandi_core::{Problem, ProblemKind};

/// Why a call of a function gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// The function ran and failed: it threw, ran out of time or out of memory.
    #[error("the function `{function}` failed ({kind}): {}", String::from_utf8_lossy(payload))]
    Failed {
        /// Its name.
        function: String,
        /// What Lambda calls it: `Unhandled`, or `Handled` for an error that the function returned.
        kind: String,
        /// What Lambda says of it, as JSON: `errorType` and `errorMessage`.
        payload: Bytes,
    },
    /// There is no such function.
    #[error("there is no function `{0}`")]
    NoSuchFunction(String),
    /// The payload is over Lambda's limit: 6 MB for an answer that is waited for, 1 MB otherwise.
    #[error("the payload is larger than Lambda takes")]
    TooLarge,
    /// Lambda asks to slow down.
    #[error("Lambda asks to slow down")]
    Throttled,
    /// Lambda cannot be reached, or refuses the call.
    #[error("the function cannot be called")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<InvokeError> for Problem {
    fn from(error: InvokeError) -> Self {
        let (kind, detail) = match &error {
            InvokeError::Failed { .. } => (ProblemKind::UpstreamFailed, "another part of the platform failed"),
            InvokeError::TooLarge => (ProblemKind::TooLarge, "the request is larger than one call may be"),
            InvokeError::Throttled => (ProblemKind::Throttled, "the platform is busy; try again"),
            InvokeError::NoSuchFunction(_) | InvokeError::Unavailable(_) => {
                (ProblemKind::Unavailable, "another part of the platform cannot be reached; try again")
            }
        };
        let problem = Self::new(kind, detail).caused_by(error);
        if kind == ProblemKind::Throttled { problem.retry_after(1) } else { problem }
    }
}

/// Calls functions by their name. Payloads and answers are JSON.
#[derive(Clone)]
pub struct LambdaInvoker {
    client: Client,
}

impl fmt::Debug for LambdaInvoker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LambdaInvoker")
    }
}

impl LambdaInvoker {
    /// Calls through this client.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    /// Calls a function and waits for what it returns, as JSON.
    ///
    /// # Errors
    /// See [`InvokeError`].
    pub async fn invoke(&self, function: &str, payload: Bytes) -> Result<Bytes, InvokeError> {
        let answer = self.send(function, payload, InvocationType::RequestResponse).await?;
        let returned = Bytes::from(answer.payload.map(Blob::into_inner).unwrap_or_default());
        match answer.function_error {
            Some(kind) => Err(InvokeError::Failed { function: function.to_owned(), kind, payload: returned }),
            None => Ok(returned),
        }
    }

    /// Has a function called later, and returns when Lambda has taken the event. Lambda tries again by itself
    /// when the function fails.
    ///
    /// # Errors
    /// See [`InvokeError`]; never [`InvokeError::Failed`].
    pub async fn invoke_event(&self, function: &str, payload: Bytes) -> Result<(), InvokeError> {
        self.send(function, payload, InvocationType::Event).await.map(drop)
    }

    async fn send(&self, function: &str, payload: Bytes, kind: InvocationType) -> Result<InvokeOutput, InvokeError> {
        let call = self.client.invoke().function_name(function).invocation_type(kind).payload(Blob::new(payload));
        call.send().await.map_err(|error| fault(function, error))
    }
}

fn fault<R>(function: &str, error: SdkError<SdkInvokeError, R>) -> InvokeError
where
    R: fmt::Debug + Send + Sync + 'static,
{
    match error.as_service_error().and_then(ProvideErrorMetadata::code) {
        Some("ResourceNotFoundException") => InvokeError::NoSuchFunction(function.to_owned()),
        Some("RequestTooLargeException") => InvokeError::TooLarge,
        Some("TooManyRequestsException" | "ThrottlingException" | "EC2ThrottledException") => InvokeError::Throttled,
        _ => InvokeError::Unavailable(Box::new(error)),
    }
}
