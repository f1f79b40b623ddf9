//! Captured predictions in a delivery stream of Amazon Data Firehose, which puts them into S3.

use std::fmt;

use async_trait::async_trait;
use aws_sdk_firehose::Client;
use aws_sdk_firehose::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::{PutRecordBatchResponseEntry, Record};
use mandi_core::ports::{CaptureError, CaptureLine, CaptureStore, MAX_CAPTURE_BATCH_BYTES, MAX_CAPTURE_BATCH_LINES};

use crate::batches::{self, Limits, Tried};
use crate::bus::chain;

/// What `PutRecordBatch` takes at a time.
const LIMITS: Limits = Limits { entries: MAX_CAPTURE_BATCH_LINES, bytes: MAX_CAPTURE_BATCH_BYTES };

/// A delivery stream. A line is a record with its end, so that records that follow each other in an object are lines.
#[derive(Clone)]
pub struct FirehoseCaptures {
    client: Client,
    stream: String,
}

impl fmt::Debug for FirehoseCaptures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "FirehoseCaptures({})", self.stream)
    }
}

/// Why a line was not taken; for each of a batch.
#[derive(Clone, Debug)]
enum Fault {
    Throttled,
    Unavailable(String),
}

impl From<Fault> for CaptureError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Throttled => Self::Throttled,
            Fault::Unavailable(reason) => Self::Unavailable(reason.into()),
        }
    }
}

impl FirehoseCaptures {
    /// The stream of this name.
    pub fn new(client: Client, stream: impl Into<String>) -> Self {
        Self { client, stream: stream.into() }
    }

    async fn put(&self, lines: Vec<&CaptureLine>) -> Result<Vec<Tried<Fault>>, Fault> {
        let record = |line: &CaptureLine| Record::builder().data(Blob::new(line.bytes().clone())).build();
        let records: Result<Vec<Record>, _> = lines.into_iter().map(record).collect();
        let records = records.map_err(|error| Fault::Unavailable(error.to_string()))?;
        let put = self.client.put_record_batch().delivery_stream_name(&self.stream).set_records(Some(records));
        let answer = put.send().await.map_err(|error| fault(&error))?;
        Ok(answer.request_responses().iter().map(tried).collect())
    }
}

#[async_trait]
impl CaptureStore for FirehoseCaptures {
    async fn append(&self, lines: &[CaptureLine]) -> Vec<Result<(), CaptureError>> {
        let sizes: Vec<usize> = lines.iter().map(|line| line.bytes().len()).collect();
        let pick =
            |places: Vec<usize>| -> Vec<&CaptureLine> { places.iter().filter_map(|place| lines.get(*place)).collect() };
        let missing = Fault::Unavailable("Data Firehose gave no outcome".to_owned());
        let sent = batches::send(&sizes, LIMITS, missing, |places| self.put(pick(places))).await;
        sent.into_iter().map(|outcome| outcome.map_err(CaptureError::from)).collect()
    }
}

fn tried(entry: &PutRecordBatchResponseEntry) -> Tried<Fault> {
    match entry.error_code() {
        None => Tried::Taken,
        Some("ServiceUnavailableException" | "ThrottlingException") => Tried::Failed(Fault::Throttled),
        Some(code) => {
            Tried::Failed(Fault::Unavailable(format!("{code}: {}", entry.error_message().unwrap_or_default())))
        }
    }
}

fn fault<E, R>(error: &SdkError<E, R>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    match error.as_service_error().and_then(ProvideErrorMetadata::code) {
        Some("ServiceUnavailableException" | "ThrottlingException" | "LimitExceededException") => Fault::Throttled,
        _ => Fault::Unavailable(chain(error)),
    }
}
