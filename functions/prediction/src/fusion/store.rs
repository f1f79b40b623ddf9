//! Fusions as records: `fusion` has one for each, `fusion/<name>` its history and the answers that wait for outcomes.

use std::sync::Arc;

use mandi_core::audit::{AuditTrail, Event};
use mandi_core::ids::FusedAnswerId;
use mandi_core::ports::{Condition, Key, Order, Partition, Query, Range, Record, Records, RecordsError, Update, Write};
use mandi_core::{Principal, Problem, Result, TenantId, Timestamp};
use mandi_learning::fusion::Opinions;

use super::stored::{Kept, Stored};

/// How many records are read or removed at a time.
const PAGE: usize = 100;
/// The field of an answer that was learned from.
const LEARNED: &str = "learned";
/// The most answers that one change may be learned from: a transaction has 100 writes, and three are its own.
pub(crate) const MAX_MARKS: usize = 90;

/// The records of fusions.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) records: Arc<dyn Records>,
    pub(super) audit: AuditTrail,
}

/// A fusion as it was read, to be replaced if nobody else did.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) stored: Stored,
    revision: i64,
}

/// A change of a fusion.
#[derive(Debug)]
pub(super) struct Change {
    /// As it is to be.
    pub(super) after: Stored,
    /// What the trail says of it.
    pub(super) event: Event,
    /// The answers that it was learned from.
    pub(super) learned_from: Vec<FusedAnswerId>,
}

/// What members said for an answer.
#[derive(Clone, Debug)]
pub(super) enum KeptAnswer {
    /// It waits for its outcome.
    Waiting(Opinions),
    /// It was learned from.
    Learned,
    /// It is not there, or no more.
    Gone,
}

fn all(tenant: &TenantId) -> Partition {
    Partition::of(tenant, &["fusion"])
}

fn key(tenant: &TenantId, name: &str) -> Key {
    Key::new(all(tenant), name)
}

fn own(tenant: &TenantId, name: &str) -> Partition {
    Partition::of(tenant, &["fusion", name])
}

fn kept_key(tenant: &TenantId, name: &str, version: u64) -> Key {
    // Twenty digits keep the order of numbers.
    Key::new(own(tenant, name), format!("weights/{version:020}"))
}

fn answer_key(tenant: &TenantId, name: &str, id: &FusedAnswerId) -> Key {
    Key::new(own(tenant, name), format!("answer/{id}"))
}

impl Store {
    pub(super) async fn find(&self, tenant: &TenantId, name: &str) -> Result<Option<Found>> {
        let record = self.records.get(&key(tenant, name)).await?;
        let read = |record: Record| {
            Ok(Found { stored: record.json("fusion")?, revision: record.int("revision").unwrap_or_default() })
        };
        record.map(read).transpose()
    }

    /// A page of names.
    pub(super) async fn names(
        &self,
        tenant: &TenantId,
        limit: usize,
        after: Option<String>,
    ) -> Result<(Vec<String>, Option<String>)> {
        let query = Query { partition: all(tenant), range: Range::All, order: Order::Ascending, limit, after };
        let page = self.records.query(query).await?;
        Ok((page.records.into_iter().map(|record| record.key.sort).collect(), page.next))
    }

    /// Replaces a fusion that is still as it was read, with its weights in the history where they are new, and the entry
    /// of the trail. Returns whether it was.
    pub(super) async fn replace(
        &self,
        caller: &Principal,
        name: &str,
        before: Option<&Found>,
        change: &Change,
    ) -> Result<bool> {
        let tenant = &caller.tenant;
        let (condition, revision) = match before {
            None => (Condition::Absent, 1),
            Some(before) => (Condition::equals("revision", before.revision), before.revision + 1),
        };
        let record = Record::new(key(tenant, name)).with_json("fusion", &change.after)?.with("revision", revision);
        let mut writes = vec![Write::Put(record, condition), self.audit.entry(caller, change.event.clone())?];
        let version = change.after.fusion.current().version;
        if before.is_none_or(|before| before.stored.fusion.current().version != version) {
            let kept = change.after.kept(&caller.user);
            let record = Record::new(kept_key(tenant, name, version)).with_json("weights", &kept)?;
            writes.push(Write::Put(record, Condition::Always));
        }
        for id in &change.learned_from {
            let waits = Condition::All(vec![Condition::Present, Condition::FieldAbsent(LEARNED.to_owned())]);
            writes.push(Write::Update(answer_key(tenant, name, id), Update::new().set(LEARNED, true), waits));
        }
        match self.records.transact(writes, None).await {
            Ok(()) => Ok(true),
            Err(RecordsError::ConditionFailed { .. } | RecordsError::Contended) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The weights of a version, if it is in the history.
    pub(super) async fn kept(&self, tenant: &TenantId, name: &str, version: u64) -> Result<Option<Kept>> {
        let record = self.records.get(&kept_key(tenant, name, version)).await?;
        record.map(|record| record.json("weights")).transpose()
    }

    /// A page of the history, the latest first.
    pub(super) async fn history(
        &self,
        tenant: &TenantId,
        name: &str,
        limit: usize,
        after: Option<String>,
    ) -> Result<(Vec<Kept>, Option<String>)> {
        let range = Range::Prefix("weights/".to_owned());
        let query = Query { partition: own(tenant, name), range, order: Order::Descending, limit, after };
        let page = self.records.query(query).await?;
        Ok((page.records.iter().map(|record| record.json("weights")).collect::<Result<_>>()?, page.next))
    }

    /// Keeps what members said until an outcome comes.
    pub(super) async fn keep_answer(
        &self,
        tenant: &TenantId,
        name: &str,
        (id, until): (&FusedAnswerId, Timestamp),
        opinions: &Opinions,
    ) -> Result<()> {
        let record = Record::new(answer_key(tenant, name, id)).with_json("opinions", opinions)?.expiring(until);
        Ok(self.records.put(record, Condition::Absent).await?)
    }

    pub(super) async fn answer(&self, tenant: &TenantId, name: &str, id: &FusedAnswerId) -> Result<KeptAnswer> {
        match self.records.get(&answer_key(tenant, name, id)).await? {
            None => Ok(KeptAnswer::Gone),
            Some(record) if record.flag(LEARNED) => Ok(KeptAnswer::Learned),
            Some(record) => Ok(KeptAnswer::Waiting(record.json("opinions")?)),
        }
    }

    /// Removes all that a fusion has, and at last the fusion, with the entry of the trail.
    pub(super) async fn delete(&self, caller: &Principal, name: &str, event: Event) -> Result<()> {
        let tenant = &caller.tenant;
        loop {
            let page = self.records.query(Query { limit: PAGE, ..Query::all(own(tenant, name)) }).await?;
            for record in page.records {
                self.records.delete(&record.key, Condition::Always).await?;
            }
            if page.next.is_none() {
                break;
            }
        }
        let writes = vec![Write::Delete(key(tenant, name), Condition::Present), self.audit.entry(caller, event)?];
        match self.records.transact(writes, None).await {
            Err(RecordsError::ConditionFailed { .. }) => Err(Problem::not_found("fusion")),
            other => Ok(other?),
        }
    }
}
