//! Models, versions and stages as records, and files as objects.
//!
//! `models` has a record for each model, `model-names` one for each name, and `models/<id>` the versions and stages of
//! one model. A file is an object under its model and its checksum.

use std::sync::Arc;

use bytes::Bytes;
use mandi_core::audit::{AuditTrail, Event};
use mandi_core::ids::{LeaseOwner, ModelId, RolloutId};
use mandi_core::ports::{
    Condition, Key, ObjectKey, ObjectPrefix, Objects, Order, Partition, Query, Range, Record, Records, RecordsError,
    Update, Write,
};
use mandi_core::{Principal, Problem, Result, TenantId};

use crate::model::{Model, Version};
use crate::stages::{Stage, StageName};

/// How many records a page of a model's own has when all are read.
const PAGE: usize = 100;
/// The field of a record that says that its model is being deleted.
const DELETING: &str = "deleting";
/// How often a write is tried again that another one came before.
const TRIES: usize = 8;

/// The registry's records and objects.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) records: Arc<dyn Records>,
    pub(crate) objects: Arc<dyn Objects>,
    pub(crate) audit: AuditTrail,
}

/// A stage as it was read, to be replaced if nobody else did.
#[derive(Clone, Debug)]
pub(crate) struct StoredStage {
    pub(crate) stage: Stage,
    revision: Option<i64>,
}

fn models(tenant: &TenantId) -> Partition {
    Partition::of(tenant, &["models"])
}

fn model_key(tenant: &TenantId, id: &ModelId) -> Key {
    Key::new(models(tenant), id.as_str())
}

fn name_key(tenant: &TenantId, name: &str) -> Key {
    Key::new(Partition::of(tenant, &["model-names"]), name)
}

/// The partition of what belongs to one model.
pub(crate) fn own(tenant: &TenantId, id: &ModelId) -> Partition {
    Partition::of(tenant, &["models", id.as_str()])
}

fn version_key(tenant: &TenantId, id: &ModelId, version: u32) -> Key {
    Key::new(own(tenant, id), format!("version/{version:010}"))
}

fn stage_key(tenant: &TenantId, id: &ModelId, stage: StageName) -> Key {
    Key::new(own(tenant, id), format!("stage/{}", stage.name()))
}

/// The key of what belongs to a model's versions: a file, or the rows of a background.
pub fn artifact_key(tenant: &TenantId, id: &ModelId, sha256: &str) -> ObjectKey {
    ObjectKey::of(tenant, &["models", id.as_str(), sha256])
}

impl Store {
    /// Keeps a new model, unless its name is taken.
    pub(crate) async fn create(&self, caller: &Principal, model: &Model) -> Result<()> {
        let tenant = &caller.tenant;
        let record = Record::new(model_key(tenant, &model.id)).with_json("model", model)?.with("versions", 0);
        let name = Record::new(name_key(tenant, &model.name)).with("model", model.id.as_str());
        let event =
            event("model.create", &model.id, None, format!("made as `{}`; {}", model.name, model.capture.in_words()));
        let writes = vec![
            Write::Put(name, Condition::Absent),
            Write::Put(record, Condition::Absent),
            self.audit.entry(caller, event)?,
        ];
        self.records.transact(writes, None).await.map_err(|error| taken(error, &model.name))
    }

    /// Replaces what a model says of itself.
    pub(crate) async fn replace(&self, caller: &Principal, before: &Model, after: &Model) -> Result<()> {
        let tenant = &caller.tenant;
        let text = serde_json::to_string(after).map_err(Problem::internal)?;
        let outcome = format!("described anew as `{}`; {}", after.name, after.capture.in_words());
        let event = event("model.update", &after.id, None, outcome);
        let mut writes = Vec::new();
        if before.name != after.name {
            let name = Record::new(name_key(tenant, &after.name)).with("model", after.id.as_str());
            writes.push(Write::Put(name, Condition::Absent));
            writes.push(Write::Delete(name_key(tenant, &before.name), Condition::Always));
        }
        let update = Update::new().set("model", text);
        writes.push(Write::Update(model_key(tenant, &after.id), update, Condition::Present));
        writes.push(self.audit.entry(caller, event)?);
        let renamed = before.name != after.name;
        self.records.transact(writes, None).await.map_err(|error| match error {
            RecordsError::ConditionFailed { write: 0 } if !renamed => Problem::not_found("model"),
            error => taken(error, &after.name),
        })
    }

    /// A model with the number of its last version.
    pub(crate) async fn find(&self, tenant: &TenantId, id: &ModelId) -> Result<Option<(Model, u32)>> {
        let record = self.records.get(&model_key(tenant, id)).await?.filter(|record| !record.flag(DELETING));
        let Some(record) = record else { return Ok(None) };
        let versions = record.int("versions").and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
        Ok(Some((record.json("model")?, versions)))
    }

    /// A model whose deletion began and was cut off.
    pub(crate) async fn find_half_deleted(&self, tenant: &TenantId, id: &ModelId) -> Result<Option<Model>> {
        let record = self.records.get(&model_key(tenant, id)).await?.filter(|record| record.flag(DELETING));
        record.map(|record| record.json("model")).transpose()
    }

    pub(crate) async fn named(&self, tenant: &TenantId, name: &str) -> Result<Option<ModelId>> {
        let record = self.records.get(&name_key(tenant, name)).await?;
        Ok(record.as_ref().and_then(|record| record.text("model")).and_then(ModelId::parse))
    }

    /// A page of models, by their time of making.
    pub(crate) async fn page(
        &self,
        tenant: &TenantId,
        limit: usize,
        after: Option<String>,
    ) -> Result<(Vec<Model>, Option<String>)> {
        let query = Query { partition: models(tenant), range: Range::All, order: Order::Ascending, limit, after };
        let page = self.records.query(query).await?;
        let there = page.records.iter().filter(|record| !record.flag(DELETING));
        Ok((there.map(|record| record.json("model")).collect::<Result<_>>()?, page.next))
    }

    /// Keeps a version under the next number. `version` makes it of its number.
    pub(crate) async fn add_version(
        &self,
        caller: &Principal,
        id: &ModelId,
        version: impl Fn(u32) -> Version,
    ) -> Result<Version> {
        let tenant = &caller.tenant;
        for _ in 0..TRIES {
            let (_, versions) = self.find(tenant, id).await?.ok_or_else(|| Problem::not_found("model"))?;
            let version = version(versions + 1);
            let number = i64::from(version.version);
            let record = Record::new(version_key(tenant, id, version.version)).with_json("version", &version)?;
            let mut event = event("model.register", id, Some(version.version), "registered".to_owned());
            event.input_sha256 = Some(version.artifact.sha256.clone());
            let count = Update::new().set("versions", number);
            let writes = vec![
                Write::Update(model_key(tenant, id), count, Condition::equals("versions", number - 1)),
                Write::Put(record, Condition::Absent),
                self.audit.entry(caller, event)?,
            ];
            match self.records.transact(writes, None).await {
                Ok(()) => return Ok(version),
                Err(RecordsError::ConditionFailed { .. } | RecordsError::Contended) => {}
                Err(RecordsError::TooLarge(_)) => {
                    let detail = "signature, metrics and lineage are over 400 KB together; give fewer categories";
                    return Err(Problem::field("/signature", detail).of_kind(mandi_core::ProblemKind::TooLarge));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Problem::conflict("other versions are being registered at the same time; repeat the request")
            .retry_after(1))
    }

    pub(crate) async fn version(&self, tenant: &TenantId, id: &ModelId, version: u32) -> Result<Option<Version>> {
        let record = self.records.get(&version_key(tenant, id, version)).await?;
        record.map(|record| record.json("version")).transpose()
    }

    /// A page of versions, latest first.
    pub(crate) async fn versions(
        &self,
        tenant: &TenantId,
        id: &ModelId,
        limit: usize,
        after: Option<String>,
    ) -> Result<(Vec<Version>, Option<String>)> {
        let range = Range::Prefix("version/".to_owned());
        let query = Query { partition: own(tenant, id), range, order: Order::Descending, limit, after };
        let page = self.records.query(query).await?;
        Ok((page.records.iter().map(|record| record.json("version")).collect::<Result<_>>()?, page.next))
    }

    pub(crate) async fn stage(&self, tenant: &TenantId, id: &ModelId, name: StageName) -> Result<StoredStage> {
        match self.records.get(&stage_key(tenant, id, name)).await? {
            None => Ok(StoredStage { stage: Stage::default(), revision: None }),
            Some(record) => Ok(StoredStage { stage: record.json("stage")?, revision: record.int("revision") }),
        }
    }

    /// Replaces a stage that is still as it was read, with the entry of the trail.
    pub(crate) async fn replace_stage(
        &self,
        tenant: &TenantId,
        id: &ModelId,
        name: StageName,
        (before, after): (&StoredStage, &Stage),
        entry: Write,
    ) -> Result<()> {
        let key = stage_key(tenant, id, name);
        let condition = match before.revision {
            None => Condition::Absent,
            Some(revision) => Condition::equals("revision", revision),
        };
        let revision = before.revision.unwrap_or(0) + 1;
        let record = Record::new(key).with_json("stage", after)?.with("revision", revision);
        let there = Write::Check(model_key(tenant, id), Condition::Present);
        Ok(self.records.transact(vec![Write::Put(record, condition), there, entry], None).await?)
    }

    /// Keeps what a process counted of a trial, in place of what it kept before.
    pub(crate) async fn keep_counts(
        &self,
        tenant: &TenantId,
        id: &ModelId,
        (rollout, instance): (&RolloutId, &LeaseOwner),
        counts: String,
    ) -> Result<()> {
        let key = Key::new(own(tenant, id), format!("counts/{rollout}/{instance}"));
        Ok(self.records.put(Record::new(key).with("counts", counts), Condition::Always).await?)
    }

    /// What every process counted of a trial, with its name.
    pub(crate) async fn counts(
        &self,
        tenant: &TenantId,
        id: &ModelId,
        rollout: &RolloutId,
    ) -> Result<Vec<(String, String)>> {
        let prefix = format!("counts/{rollout}/");
        let mut query = Query { range: Range::Prefix(prefix.clone()), ..Query::all(own(tenant, id)) };
        let mut found = Vec::new();
        loop {
            let page = self.records.query(query.clone()).await?;
            for record in page.records {
                let instance = record.key.sort.strip_prefix(&prefix).unwrap_or_default().to_owned();
                found.push((instance, record.text("counts").unwrap_or_default().to_owned()));
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(found),
            }
        }
    }

    pub(crate) async fn keep_artifact(&self, key: &ObjectKey, content: Bytes) -> Result<()> {
        self.objects.put_if_absent(key, content).await?;
        Ok(())
    }

    /// Begins to delete a model: nobody finds it any more, and its name is free.
    pub(crate) async fn begin_deletion(&self, caller: &Principal, model: &Model) -> Result<()> {
        let tenant = &caller.tenant;
        let event = event("model.delete", &model.id, None, format!("deleted, with its versions, as `{}`", model.name));
        let writes = vec![
            Write::Delete(name_key(tenant, &model.name), Condition::equals("model", model.id.as_str())),
            Write::Update(model_key(tenant, &model.id), Update::new().set(DELETING, true), Condition::Present),
            self.audit.entry(caller, event)?,
        ];
        Ok(self.records.transact(writes, None).await?)
    }

    /// Removes all that a model has, and at last the model.
    pub(crate) async fn empty(&self, tenant: &TenantId, model: &Model) -> Result<()> {
        let prefix = ObjectPrefix::of(tenant, &["models", model.id.as_str()]);
        loop {
            let page = self.objects.list(&prefix, None, PAGE).await?;
            for key in &page.keys {
                self.objects.delete(key).await?;
            }
            if page.next.is_none() {
                break;
            }
        }
        loop {
            let page = self.records.query(Query { limit: PAGE, ..Query::all(own(tenant, &model.id)) }).await?;
            for record in page.records {
                self.records.delete(&record.key, Condition::Always).await?;
            }
            if page.next.is_none() {
                break;
            }
        }
        Ok(self.records.delete(&model_key(tenant, &model.id), Condition::Always).await?)
    }
}

/// An entry of the trail about a model.
pub(crate) fn event(action: &str, id: &ModelId, version: Option<u32>, outcome: String) -> Event {
    Event { action: action.to_owned(), model_id: Some(id.clone()), version, input_sha256: None, outcome }
}

/// What a caller is told who wants a name that another model has.
fn taken(error: RecordsError, name: &str) -> Problem {
    match error {
        RecordsError::ConditionFailed { write: 0 } => Problem::conflict(format!(
            "there is a model `{name}` already; choose another name, or register versions of it"
        )),
        error => error.into(),
    }
}
