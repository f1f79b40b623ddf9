//! Collections as they are stored: one record each.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mandi_core::lease::Lease;
use mandi_core::ports::{
    Condition, Embedder, Key, Order, Partition, Query, Range, Record, Records, RecordsError, Update,
};
use mandi_core::{Clock, Principal, Problem, ProblemKind, Result, TenantId, Timestamp};
use mandi_retrieval::ports::IndexTable;
use mandi_retrieval::{CollectionName, DocumentReference, hybrid};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::documents;
use crate::embedders::Embedders;

/// A collection of documents that share an embedding model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Collection {
    /// Its name.
    pub name: CollectionName,
    /// The embedding model of its vectors, which all have length 1.
    #[schema(example = "local/all-MiniLM-L6-v2")]
    pub embedding_model: String,
    /// The length of its vectors.
    pub dimensions: usize,
    /// What is in it.
    pub description: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl Collection {
    /// The table of its chunks.
    pub(crate) fn table(&self, tenant: &TenantId) -> IndexTable {
        IndexTable { tenant: tenant.clone(), collection: self.name.clone(), made_at: self.created_at }
    }
}

/// What a collection is to be.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CollectionSettings {
    /// The embedding model, as `provider/model`; the local one when it is not given. What is offered depends on
    /// the providers that are configured; a name that is not lists what is (422). A collection keeps its model:
    /// another name later is refused (409).
    #[schema(example = "local/all-MiniLM-L6-v2")]
    pub(crate) embedding_model: Option<String>,
    /// What is in it, at most 1,000 characters.
    #[schema(max_length = 1_000)]
    pub(crate) description: Option<String>,
}

/// The longest description, in characters.
const MAX_DESCRIPTION_CHARACTERS: usize = 1_000;
/// The most collections of a tenant.
const MAX_COLLECTIONS: usize = 100;

/// The collections of a store.
#[derive(Clone, Debug)]
pub struct Collections {
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
    embedders: Embedders,
}

/// The field of a record that says that its collection is being deleted.
const DELETING: &str = "deleting";
/// After how long a deletion that gives no sign may be taken over.
const DELETION_LEASE: Duration = Duration::from_secs(60);

/// A deletion that has begun.
#[derive(Debug)]
pub(crate) struct Deletion {
    /// What is deleted.
    pub(crate) collection: Collection,
    lease: Lease,
}

fn partition(tenant: &TenantId) -> Partition {
    Partition::of(tenant, &["collections"])
}

fn key(tenant: &TenantId, name: &CollectionName) -> Key {
    Key::new(partition(tenant), name.as_str())
}

impl Collections {
    /// Collections in a store.
    #[must_use]
    pub const fn new(records: Arc<dyn Records>, clock: Arc<dyn Clock>, embedders: Embedders) -> Self {
        Self { records, clock, embedders }
    }

    /// Checks a name from a path.
    pub(crate) fn parse(name: &str) -> Result<CollectionName> {
        CollectionName::parse(name).ok_or_else(|| Problem::field("collection", CollectionName::RULE))
    }

    /// A collection that has to be there.
    pub(crate) async fn get(&self, tenant: &TenantId, name: &CollectionName) -> Result<Collection> {
        let record = self.records.get(&key(tenant, name)).await?.filter(|record| !record.flag(DELETING));
        record.ok_or_else(|| missing(name))?.json("collection")
    }

    /// Marks a collection as being deleted: nobody sees it any more. A deletion that was begun before and did not come
    /// to its end is taken over.
    ///
    /// # Errors
    /// `not-found` when there is none, `conflict` when another call deletes it at this moment.
    pub(crate) async fn begin_deletion(&self, tenant: &TenantId, name: &CollectionName) -> Result<Deletion> {
        let (lease, now) = (Lease::new(DELETION_LEASE), self.clock.now());
        let marked = lease.renewing(Update::new().set(DELETING, true), now);
        let free = Condition::All(vec![Condition::Present, Lease::run_out(now)]);
        match self.records.update(&key(tenant, name), marked, free).await {
            Ok(record) => Ok(Deletion { collection: record.json("collection")?, lease }),
            Err(RecordsError::ConditionFailed { .. }) => match self.records.get(&key(tenant, name)).await? {
                None => Err(missing(name)),
                Some(_) => Err(being_deleted()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the collection whose table this is has not been deleted since.
    pub(crate) async fn is_there(&self, table: &IndexTable) -> Result<bool> {
        match self.get(&table.tenant, &table.collection).await {
            Ok(collection) => Ok(collection.created_at == table.made_at),
            Err(problem) if problem.kind == ProblemKind::NotFound => Ok(false),
            Err(problem) => Err(problem),
        }
    }

    /// Whether a deletion of the collection began and did not come to its end.
    pub(crate) async fn is_half_deleted(&self, tenant: &TenantId, name: &CollectionName) -> Result<bool> {
        Ok(self.records.get(&key(tenant, name)).await?.is_some_and(|record| record.flag(DELETING)))
    }

    /// Forgets a collection when all that was in it is gone; or lets the next call take the deletion over, when this
    /// one failed.
    pub(crate) async fn end_deletion<T>(&self, tenant: &TenantId, deletion: Deletion, done: Result<T>) -> Result<T> {
        let (key, mine) = (key(tenant, &deletion.collection.name), deletion.lease.mine());
        let ended = match &done {
            Ok(_) => self.records.delete(&key, mine).await,
            Err(_) => self.records.update(&key, Lease::releasing(Update::new()), mine).await.map(drop),
        };
        match ended {
            // Another call took it over, and brings it to its end.
            Ok(()) | Err(RecordsError::ConditionFailed { .. }) => done,
            Err(error) => done.and(Err(error.into())),
        }
    }

    /// Makes a collection, or describes it anew. Returns it, and whether it is new.
    pub(crate) async fn put(
        &self,
        tenant: &TenantId,
        name: CollectionName,
        settings: CollectionSettings,
    ) -> Result<(Collection, bool)> {
        if settings.description.as_ref().is_some_and(|text| text.chars().count() > MAX_DESCRIPTION_CHARACTERS) {
            return Err(Problem::field(
                "/description",
                format!("it is at most {MAX_DESCRIPTION_CHARACTERS} characters"),
            ));
        }
        let found = match self.records.get(&key(tenant, &name)).await? {
            Some(record) => Some(record.json::<Collection>("collection")?),
            None => None,
        };
        if let Some(found) = &found
            && let Some(asked) = &settings.embedding_model
            && *asked != found.embedding_model
        {
            let detail = format!(
                "the collection's vectors are of `{}`, and a collection keeps its model (migration comes in a later \
                 version); make another collection for `{asked}`, or delete this one if nothing is in it yet",
                found.embedding_model
            );
            return Err(Problem::conflict(detail));
        }
        let is_new = found.is_none();
        let collection = match found {
            Some(found) => {
                Collection { description: settings.description.or_else(|| found.description.clone()), ..found }
            }
            None => self.new_collection(tenant, name, settings).await?,
        };
        let record = Record::new(key(tenant, &collection.name)).with_json("collection", &collection)?;
        let same = Condition::All(vec![Condition::Present, Condition::FieldAbsent(DELETING.to_owned())]);
        let condition = if is_new { Condition::Absent } else { same };
        match self.records.put(record, condition).await {
            Ok(()) => Ok((collection, is_new)),
            Err(RecordsError::ConditionFailed { .. }) => Err(changed_meanwhile()),
            Err(error) => Err(error.into()),
        }
    }

    async fn new_collection(
        &self,
        tenant: &TenantId,
        name: CollectionName,
        settings: CollectionSettings,
    ) -> Result<Collection> {
        if self.names(tenant).await?.len() >= MAX_COLLECTIONS {
            let detail = format!(
                "a tenant has at most {MAX_COLLECTIONS} collections; delete one, or use metadata to part documents"
            );
            return Err(Problem::conflict(detail));
        }
        let model = self.embedders.model(tenant, settings.embedding_model.as_deref(), "/embedding_model")?;
        Ok(Collection {
            name,
            embedding_model: Embedders::name(model),
            dimensions: model.dimensions,
            description: settings.description,
            created_at: self.clock.now(),
        })
    }

    /// A page of collections, by name.
    pub(crate) async fn list(
        &self,
        tenant: &TenantId,
        limit: usize,
        after: Option<String>,
    ) -> Result<(Vec<Collection>, Option<String>)> {
        let query = Query { partition: partition(tenant), range: Range::All, order: Order::Ascending, limit, after };
        let page = self.records.query(query).await?;
        let there = page.records.iter().filter(|record| !record.flag(DELETING));
        Ok((there.map(|record| record.json("collection")).collect::<Result<_>>()?, page.next))
    }

    async fn names(&self, tenant: &TenantId) -> Result<Vec<CollectionName>> {
        let (collections, _) = self.list(tenant, MAX_COLLECTIONS, None).await?;
        Ok(collections.into_iter().map(|collection| collection.name).collect())
    }
}

#[async_trait]
impl hybrid::Collections for Collections {
    async fn open(&self, caller: &Principal, name: &CollectionName) -> Result<(IndexTable, Arc<dyn Embedder>)> {
        let collection = self.get(&caller.tenant, name).await?;
        let model = (collection.embedding_model.as_str(), collection.dimensions);
        let embedder = self.embedders.of_collection(&caller.tenant, &caller.user, model)?;
        Ok((collection.table(&caller.tenant), embedder))
    }

    async fn has(&self, caller: &Principal, document: &DocumentReference) -> Result<bool> {
        let table = match self.get(&caller.tenant, &document.collection).await {
            Ok(collection) => collection.table(&caller.tenant),
            Err(problem) if problem.kind == ProblemKind::NotFound => return Ok(false),
            Err(problem) => return Err(problem),
        };
        Ok(self.records.get(&documents::record_key(&table, &document.key())).await?.is_some())
    }

    async fn all(&self, caller: &Principal) -> Result<Vec<CollectionName>> {
        self.names(&caller.tenant).await
    }
}

/// What a caller is told whose collection another call made or deleted at the same time.
pub(crate) fn changed_meanwhile() -> Problem {
    Problem::conflict("the collection was made or deleted at the same time; repeat the request").retry_after(1)
}

fn being_deleted() -> Problem {
    Problem::conflict("the collection is being deleted at this moment; repeat the request when that is done")
        .retry_after(1)
}

/// What a caller is told of a collection that is not there.
fn missing(name: &CollectionName) -> Problem {
    let mut problem = Problem::not_found("collection");
    problem.detail = format!("there is no collection `{name}`; `PUT /v1/collections/{name}` makes it");
    problem
}
