//! The audit trail of a tenant: who did what, when, to which model and version, with what outcome. It is only added to.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::identity::{Principal, TenantId};
use crate::ids::{AuditId, ModelId};
use crate::ports::{Condition, Key, Order, Partition, Query, Range, Record, Records, Write};
use crate::time::{Clock, Timestamp};

/// What is done in the platform's own name, not a user's.
pub const PLATFORM: &str = "platform";

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What was done, such as `model.deploy`.
    pub action: String,
    /// The model that it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<ModelId>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// SHA-256 of what was given, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_sha256: Option<String>,
    /// What came of it, in a few words.
    pub outcome: String,
}

/// An entry of the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id.
    pub id: AuditId,
    /// When it happened.
    pub at: Timestamp,
    /// The user who did it; [`PLATFORM`] where nobody asked.
    pub user: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// The trails of all tenants.
#[derive(Clone, Debug)]
pub struct AuditTrail {
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
}

fn partition(tenant: &TenantId) -> Partition {
    Partition::of(tenant, &["audit"])
}

impl AuditTrail {
    /// The trails in a store.
    #[must_use]
    pub const fn new(records: Arc<dyn Records>, clock: Arc<dyn Clock>) -> Self {
        Self { records, clock }
    }

    /// The write that adds an entry, to be done in one transaction with what it tells of.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn entry(&self, caller: &Principal, event: Event) -> Result<Write> {
        self.entry_of(&caller.tenant, &caller.user, event)
    }

    /// The same, of what the platform does by itself.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn entry_of_platform(&self, tenant: &TenantId, event: Event) -> Result<Write> {
        self.entry_of(tenant, PLATFORM, event)
    }

    fn entry_of(&self, tenant: &TenantId, user: &str, event: Event) -> Result<Write> {
        let entry = Entry { id: AuditId::generate(), at: self.clock.now(), user: user.to_owned(), event };
        // Twenty digits keep the order of numbers.
        let key = Key::new(partition(tenant), format!("{:020}/{}", entry.at.unix_ms(), entry.id));
        Ok(Write::Put(Record::new(key).with_json("entry", &entry)?, Condition::Absent))
    }

    /// A page of a tenant's trail, latest first, and what to go on after.
    ///
    /// # Errors
    /// The store's.
    pub async fn page(
        &self,
        tenant: &TenantId,
        limit: usize,
        after: Option<String>,
    ) -> Result<(Vec<Entry>, Option<String>)> {
        let query = Query { partition: partition(tenant), range: Range::All, order: Order::Descending, limit, after };
        let page = self.records.query(query).await?;
        let entries = page.records.iter().map(|record| record.json("entry")).collect::<Result<_>>()?;
        Ok((entries, page.next))
    }
}
