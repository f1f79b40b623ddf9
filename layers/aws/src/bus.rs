//! Events on an EventBridge bus.

use std::fmt;

use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use mandi_core::ports::{Bus, BusError, BusEvent};

use crate::batches::{self, Limits, Tried};

/// The `source` of every event, which rules match.
pub const SOURCE: &str = "mandi";

/// What `PutEvents` takes at a time.
const LIMITS: Limits = Limits { entries: 10, bytes: 256 * 1024 };
/// The time of an entry, as EventBridge counts it, in bytes.
const TIME_BYTES: usize = 14;

/// A bus. Of an event, `source` is [`SOURCE`], `detail-type` its kind, `detail` its JSON.
#[derive(Clone)]
pub struct EventBridge {
    client: Client,
    bus: String,
}

impl fmt::Debug for EventBridge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EventBridge({})", self.bus)
    }
}

/// Why an event was not taken; for each of a batch.
#[derive(Clone, Debug)]
enum Fault {
    Throttled,
    Rejected(String),
    Unavailable(String),
}

impl From<Fault> for BusError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Throttled => Self::Throttled,
            Fault::Rejected(reason) => Self::Rejected(reason),
            Fault::Unavailable(reason) => Self::Unavailable(reason.into()),
        }
    }
}

impl EventBridge {
    /// The bus of this name.
    pub fn new(client: Client, bus: impl Into<String>) -> Self {
        Self { client, bus: bus.into() }
    }

    fn entry(&self, event: &BusEvent, json: String) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(SOURCE)
            .detail_type(event.kind.as_str())
            .time(DateTime::from_millis(event.at.unix_ms()))
            .detail(json)
            .build()
    }

    async fn put(&self, entries: Vec<PutEventsRequestEntry>) -> Result<Vec<Tried<Fault>>, Fault> {
        let answer = self.client.put_events().set_entries(Some(entries)).send().await.map_err(|error| fault(&error))?;
        Ok(answer.entries().iter().map(tried).collect())
    }
}

#[async_trait]
impl Bus for EventBridge {
    async fn publish_all(&self, events: &[BusEvent]) -> Vec<Result<(), BusError>> {
        let entries: Vec<Result<PutEventsRequestEntry, BusError>> =
            events.iter().map(|event| Ok(self.entry(event, event.to_json()?))).collect();
        let good: Vec<&PutEventsRequestEntry> = entries.iter().flatten().collect();
        let sizes: Vec<usize> = good.iter().map(|entry| size_bytes(entry)).collect();
        let pick = |places: Vec<usize>| -> Vec<PutEventsRequestEntry> {
            places.iter().filter_map(|place| good.get(*place)).map(|entry| (*entry).clone()).collect()
        };
        let missing = Fault::Unavailable("EventBridge gave no outcome".to_owned());
        let mut sent =
            batches::send(&sizes, LIMITS, missing.clone(), |places| self.put(pick(places))).await.into_iter();
        let outcome = |entry: Result<PutEventsRequestEntry, BusError>| {
            entry.and_then(|_| sent.next().unwrap_or_else(|| Err(missing.clone())).map_err(BusError::from))
        };
        entries.into_iter().map(outcome).collect()
    }
}

/// The size of an entry as EventBridge counts it: time, source, type and detail.
fn size_bytes(entry: &PutEventsRequestEntry) -> usize {
    let texts = [entry.source(), entry.detail_type(), entry.detail()];
    TIME_BYTES + texts.iter().flatten().map(|text| text.len()).sum::<usize>()
}

fn tried(entry: &PutEventsResultEntry) -> Tried<Fault> {
    let reason = || {
        let parts = [entry.error_code(), entry.error_message()];
        parts.iter().flatten().copied().collect::<Vec<_>>().join(": ")
    };
    match entry.error_code() {
        None => Tried::Taken,
        Some("ThrottlingException") => Tried::Failed(Fault::Throttled),
        Some("InternalFailure" | "InternalException") => Tried::Failed(Fault::Unavailable(reason())),
        Some("InvalidArgument" | "MalformedDetail" | "RedactionFailure") => Tried::Refused(Fault::Rejected(reason())),
        // The right, the account or the key is missing: nothing is wrong with the event.
        Some(_) => Tried::Refused(Fault::Unavailable(reason())),
    }
}

fn fault<E, R>(error: &SdkError<E, R>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    match error.as_service_error().and_then(ProvideErrorMetadata::code) {
        Some("ThrottlingException" | "TooManyRequestsException") => Fault::Throttled,
        _ => Fault::Unavailable(chain(error)),
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
