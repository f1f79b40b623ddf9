//! What DynamoDB says, in the terms of the port.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use mandi_core::ports::RecordsError;

/// The error of a call that did not fail for its condition.
pub fn fault<E, R>(error: SdkError<E, R>) -> RecordsError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let (code, message) = error.as_service_error().map_or((None, None), |error| (error.code(), error.message()));
    known(code.unwrap_or_default(), message.unwrap_or_default())
        .unwrap_or_else(|| RecordsError::Unavailable(Box::new(error)))
}

/// The error of a transaction that was cancelled, by the reason of one of its writes.
pub fn cancelled(code: &str, message: &str) -> RecordsError {
    known(code, message).unwrap_or_else(|| {
        RecordsError::Unavailable(format!("the transaction was cancelled: {code}: {message}").into())
    })
}

fn known(code: &str, message: &str) -> Option<RecordsError> {
    // The codes of exceptions and those of reasons in a cancelled transaction.
    match code {
        "ProvisionedThroughputExceededException"
        | "ProvisionedThroughputExceeded"
        | "RequestLimitExceeded"
        | "ThrottlingException"
        | "ThrottlingError" => Some(RecordsError::Throttled),
        "TransactionConflictException"
        | "TransactionConflict"
        | "TransactionInProgressException"
        | "ReplicatedWriteConflictException" => Some(RecordsError::Contended),
        "ItemCollectionSizeLimitExceededException" | "ItemCollectionSizeLimitExceeded" => {
            Some(RecordsError::TooLarge(message.to_owned()))
        }
        // DynamoDB has no code of its own for an item that an update makes too large.
        "ValidationException" | "ValidationError" if message.to_lowercase().contains("size") => {
            Some(RecordsError::TooLarge(message.to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_contention_and_size_are_told_apart() {
        assert!(matches!(cancelled("ThrottlingError", ""), RecordsError::Throttled));
        assert!(matches!(cancelled("TransactionConflict", ""), RecordsError::Contended));
        let message = "Item size to update has exceeded the maximum allowed size";
        assert!(matches!(cancelled("ValidationError", message), RecordsError::TooLarge(_)));
        assert!(matches!(cancelled("ValidationError", "no such attribute"), RecordsError::Unavailable(_)));
    }
}
