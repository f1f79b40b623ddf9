//! The journal of an execution in the records, under the lease of who runs it.

use std::sync::Arc;

use async_trait::async_trait;
use mandi_core::lease::Lease;
use mandi_core::ports::{Condition, ExecutionKey, ExecutionStatus, Records, RecordsError, Update, Write};
use mandi_states::engine::{Draft, Entry, Event, Journal, JournalError};
use tokio::sync::Mutex;

use super::store;

/// A journal that only the holder of the lease can write, and only while the execution is running: each entry is one
/// transaction with a check of both. The entry that ends the execution ends its record and its place in the queue too.
#[derive(Debug)]
pub(super) struct RecordsJournal {
    records: Arc<dyn Records>,
    key: ExecutionKey,
    lease: Lease,
    /// The number of the last entry; unknown before the first write, and after one that was cut off.
    last: Mutex<Option<u64>>,
}

impl RecordsJournal {
    pub(super) fn new(records: Arc<dyn Records>, key: ExecutionKey, lease: Lease) -> Self {
        Self { records, key, lease, last: Mutex::new(None) }
    }

    /// The lease is held, and the execution was not ended by somebody else.
    fn mine(&self) -> Condition {
        let running = Condition::equals(store::STATUS, ExecutionStatus::Running.name());
        Condition::All(vec![self.lease.mine(), running])
    }

    /// The write that goes with an entry: a check, or the end of the execution.
    fn companion(&self, entry: &Entry) -> Vec<Write> {
        let execution = store::execution(&self.key);
        let Some((status, error)) = end(entry) else { return vec![Write::Check(execution, self.mine())] };
        let mut update =
            Lease::releasing(Update::new()).set(store::STATUS, status.name()).set(store::ENDED_AT, entry.at);
        if let Some((error, cause)) = error {
            update = update.set(store::ERROR, error).set(store::CAUSE, cause);
        }
        let queued = store::queued(&self.key).key;
        vec![Write::Update(execution, update, self.mine()), Write::Delete(queued, Condition::Always)]
    }
}

/// The status and the error that an entry ends the execution with.
fn end(entry: &Entry) -> Option<(ExecutionStatus, Option<(String, String)>)> {
    if !entry.branch.is_empty() {
        return None;
    }
    // A cause may be as long as a state's output; the record keeps what Step Functions would.
    let shown = |text: &str| text.chars().take(32_768).collect::<String>();
    Some(match &entry.event {
        Event::ExecutionSucceeded { .. } => (ExecutionStatus::Succeeded, None),
        Event::ExecutionFailed { fault } => (ExecutionStatus::Failed, Some((shown(&fault.error), shown(&fault.cause)))),
        Event::ExecutionTimedOut => {
            let cause = "The execution took longer than TimeoutSeconds of its machine".to_owned();
            (ExecutionStatus::TimedOut, Some((mandi_states::fault::names::TIMEOUT.to_owned(), cause)))
        }
        _ => return None,
    })
}

#[async_trait]
impl Journal for RecordsJournal {
    async fn load(&self) -> Result<Vec<Entry>, JournalError> {
        store::entries(self.records.as_ref(), &self.key)
            .await
            .map_err(|error| JournalError::Unavailable(Box::new(error)))
    }

    async fn append(&self, draft: Draft) -> Result<Entry, JournalError> {
        let mut last = self.last.lock().await;
        let number = match last.take() {
            Some(number) => number,
            None => {
                let number = store::last_number(self.records.as_ref(), &self.key).await;
                number.map_err(|error| JournalError::Unavailable(Box::new(error)))?.unwrap_or_default()
            }
        };
        let Draft { previous, at, branch, event } = draft;
        let entry = Entry { id: number + 1, previous, at, branch, event };
        let parts =
            store::entry_records(&self.key, &entry).map_err(|error| JournalError::Unavailable(Box::new(error)))?;
        let mut writes = self.companion(&entry);
        writes.extend(parts.into_iter().map(|record| Write::Put(record, Condition::Absent)));
        match self.records.transact(writes, None).await {
            Ok(()) => {
                *last = Some(entry.id);
                Ok(entry)
            }
            Err(RecordsError::ConditionFailed { .. }) => Err(JournalError::Lost),
            Err(error) => Err(JournalError::Unavailable(Box::new(error))),
        }
    }
}
