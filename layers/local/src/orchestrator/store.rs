//! How executions lie in the records.
//!
//! - `t/<tenant>/executions/<machine>`, sort key the id: status, times, the input's digest, the error, and the lease of who
//!   runs it.
//! - `t/<tenant>/executions/<machine>/<id>`, sort keys `<number>.<part>`: the journal; entries are JSON, cut in parts where
//!   they are large.
//! - `p/executions`, sort key tenant, machine and id: those that are running, to be found after a restart.
//!
//! Version 1 of the format; a record says it in `version`.

use mandi_core::ids::ExecutionId;
use mandi_core::ports::{
    ExecutionKey, ExecutionStatus, Key, MachineName, OrchestratorError, Order, Partition, Query, Range, Record,
    Records, RecordsError,
};
use mandi_core::{Problem, TenantId};
use mandi_states::engine::Entry;

/// The version of the stored format.
pub(super) const VERSION: i64 = 1;
/// The most bytes of an entry in one record.
const PART_BYTES: usize = 300 * 1024;

pub(super) const STATUS: &str = "status";
pub(super) const STARTED_AT: &str = "started_at";
pub(super) const ENDED_AT: &str = "ended_at";
pub(super) const INPUT_SHA256: &str = "input_sha256";
pub(super) const ERROR: &str = "error";
pub(super) const CAUSE: &str = "cause";
const TENANT: &str = "tenant";
const MACHINE: &str = "machine";
const ID: &str = "id";
const PART: &str = "part";

/// The record of an execution.
pub(super) fn execution(key: &ExecutionKey) -> Key {
    Key::new(Partition::of(&key.tenant, &["executions", key.machine.as_str()]), key.id.as_str())
}

fn journal(key: &ExecutionKey) -> Partition {
    Partition::of(&key.tenant, &["executions", key.machine.as_str(), key.id.as_str()])
}

pub(super) fn queue() -> Partition {
    Partition::of_platform(&["executions"])
}

/// The entry in the queue of running executions.
pub(super) fn queued(key: &ExecutionKey) -> Record {
    let sort = format!("{}/{}/{}", key.tenant.as_str(), key.machine, key.id);
    Record::new(Key::new(queue(), sort))
        .with(TENANT, key.tenant.as_str())
        .with(MACHINE, key.machine.as_str())
        .with(ID, key.id.as_str())
}

/// The execution that an entry of the queue names.
pub(super) fn of_queued(record: &Record) -> Option<ExecutionKey> {
    Some(ExecutionKey {
        tenant: TenantId::from_stored(record.text(TENANT)?)?,
        machine: MachineName::parse(record.text(MACHINE)?)?,
        id: ExecutionId::parse(record.text(ID)?)?,
    })
}

/// The status of an execution's record.
pub(super) fn status(record: &Record) -> Result<ExecutionStatus, OrchestratorError> {
    let status = record.text(STATUS).and_then(ExecutionStatus::named);
    status.ok_or_else(|| damaged(format!("record {:?} has no status", record.key)))
}

pub(super) fn damaged(what: String) -> OrchestratorError {
    OrchestratorError::Unavailable(what.into())
}

pub(super) fn unavailable(error: RecordsError) -> OrchestratorError {
    match error {
        RecordsError::Throttled | RecordsError::Contended => OrchestratorError::Throttled,
        other => OrchestratorError::Unavailable(Box::new(other)),
    }
}

/// The records of a journal's entry.
pub(super) fn entry_records(key: &ExecutionKey, entry: &Entry) -> Result<Vec<Record>, Problem> {
    let text = serde_json::to_string(entry).map_err(Problem::internal)?;
    let mut records = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rest.floor_char_boundary(PART_BYTES));
        let sort = format!("{:012}.{:03}", entry.id, records.len());
        records.push(Record::new(Key::new(journal(key), sort)).with(PART, part));
        rest = after;
    }
    Ok(records)
}

/// The entries of a journal, in order.
pub(super) async fn entries(records: &dyn Records, key: &ExecutionKey) -> Result<Vec<Entry>, OrchestratorError> {
    let mut entries = Vec::new();
    let (mut number, mut text) = (String::new(), String::new());
    let mut after = None;
    loop {
        let query = Query { after, limit: 256, ..Query::all(journal(key)) };
        let page = records.query(query).await.map_err(unavailable)?;
        for record in &page.records {
            let of = record.key.sort.split('.').next().unwrap_or_default();
            if of != number {
                entries.extend(entry(&text)?);
                text.clear();
                of.clone_into(&mut number);
            }
            text.push_str(record.text(PART).unwrap_or_default());
        }
        after = page.next;
        if after.is_none() {
            entries.extend(entry(&text)?);
            return Ok(entries);
        }
    }
}

fn entry(text: &str) -> Result<Option<Entry>, OrchestratorError> {
    if text.is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text)
        .map(Some)
        .map_err(|error| damaged(format!("an entry of a journal cannot be read: {error}")))
}

/// The last entry of a journal.
pub(super) async fn last_entry(records: &dyn Records, key: &ExecutionKey) -> Result<Option<Entry>, OrchestratorError> {
    let Some(number) = last_number(records, key).await? else { return Ok(None) };
    let query = Query { range: Range::Prefix(format!("{number:012}.")), ..Query::all(journal(key)) };
    let page = records.query(query).await.map_err(unavailable)?;
    entry(&page.records.iter().filter_map(|record| record.text(PART)).collect::<String>())
}

/// The number of the last entry of a journal.
pub(super) async fn last_number(records: &dyn Records, key: &ExecutionKey) -> Result<Option<u64>, OrchestratorError> {
    let query = Query { order: Order::Descending, limit: 1, ..Query::all(journal(key)) };
    let page = records.query(query).await.map_err(unavailable)?;
    let number = |record: &Record| record.key.sort.split('.').next().and_then(|number| number.parse().ok());
    Ok(page.records.first().and_then(number))
}
