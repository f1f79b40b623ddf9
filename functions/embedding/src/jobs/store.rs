//! Jobs as they are stored.

use std::time::Duration;

use bytes::Bytes;
use mandi_core::ids::JobId;
use mandi_core::ports::{
    Condition, Key, MAX_TRANSACTION_WRITES, ObjectKey, Order, Partition, Query, Range, Record, Update, Write,
};
use mandi_core::{Problem, Result, TenantId, Timestamp};
use mandi_retrieval::CollectionName;
use mandi_retrieval::ports::IndexTable;

use super::{Job, JobState, Jobs};
use crate::documents::{DocumentInput, DocumentOutcome, DocumentStatus, Target};

/// How long a finished job can be read.
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// The key of a job's entry in the queue.
pub(super) fn queue_key(job: &JobId) -> Key {
    Key::new(queue(), job.as_str())
}

pub(super) fn queue() -> Partition {
    Partition::of_platform(&["index-jobs"])
}

fn job_key(tenant: &TenantId, job: &JobId) -> Key {
    Key::new(Partition::of(tenant, &["jobs"]), job.as_str())
}

fn items(tenant: &TenantId, job: &JobId) -> Partition {
    Partition::of(tenant, &["job", job.as_str()])
}

fn object(tenant: &TenantId, job: &JobId, sort: &str) -> ObjectKey {
    ObjectKey::of(tenant, &["index-jobs", job.as_str(), sort])
}

/// A document of a job that has no outcome yet.
pub(super) struct Waiting {
    pub(super) sort: String,
    pub(super) outcome: DocumentOutcome,
}

impl Jobs {
    /// Takes documents for later. Those that were refused already are in the list with their outcome.
    pub(crate) async fn create(
        &self,
        target: &Target,
        documents: Vec<(DocumentOutcome, Option<DocumentInput>)>,
    ) -> Result<JobId> {
        let job = JobId::generate();
        let tenant = &target.table.tenant;
        let now = self.clock.now();
        let refused = documents.iter().filter(|(_, input)| input.is_none()).count();
        let mut writes = Vec::with_capacity(documents.len() + 1);
        for (number, (outcome, input)) in documents.iter().enumerate() {
            let sort = format!("{number:06}");
            if let Some(input) = input {
                let bytes = serde_json::to_vec(input).map_err(Problem::internal)?;
                self.objects.put(&object(tenant, &job, &sort), Bytes::from(bytes)).await?;
            }
            let record = Record::new(Key::new(items(tenant, &job), sort)).with_json("outcome", outcome)?;
            let record = record.with("waiting", input.is_some()).expiring(now.plus(KEPT_FOR));
            writes.push(Write::Put(record, Condition::Absent));
        }
        let record = Record::new(job_key(tenant, &job))
            .with("collection", target.table.collection.as_str())
            .with("total", whole(documents.len()))
            .with("completed", whole(refused))
            .with("failed", whole(refused))
            .with("created_at", now)
            .expiring(now.plus(KEPT_FOR));
        writes.push(Write::Put(record, Condition::Absent));
        for some in writes.chunks(MAX_TRANSACTION_WRITES) {
            self.records.transact(some.to_vec(), None).await?;
        }
        let entry = Record::new(queue_key(&job))
            .with("tenant", tenant.as_str())
            .with("user", target.user.as_str())
            .with("collection", target.table.collection.as_str())
            .with("embedding_model", target.embedding_model.as_str())
            .with("dimensions", whole(target.dimensions))
            .with("made_at", target.table.made_at)
            .with("accepted_at", target.accepted_at);
        self.records.put(entry, Condition::Absent).await?;
        if let Err(problem) = self.run_job.run_soon(&job).await {
            tracing::warn!(%job, causes = problem.causes(), "a job could not be started and waits to be resumed");
        }
        Ok(job)
    }

    /// A job of a tenant, with its documents.
    pub(crate) async fn get(&self, tenant: &TenantId, id: &str) -> Result<Job> {
        let missing = || Problem::not_found("job");
        let job_id = JobId::parse(id).ok_or_else(missing)?;
        let record = self.records.get(&job_key(tenant, &job_id)).await?.ok_or_else(missing)?;
        let count = |name: &str| record.int(name).unwrap_or(0);
        let (total, completed) = (count("total"), count("completed"));
        let mut documents = Vec::new();
        let mut query = Query { limit: 1_000, ..Query::all(items(tenant, &job_id)) };
        loop {
            let page = self.records.query(query.clone()).await?;
            for item in &page.records {
                documents.push(item.json("outcome")?);
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        Ok(Job {
            collection: record.text("collection").unwrap_or_default().to_owned(),
            state: if completed >= total { JobState::Done } else { JobState::Running },
            total,
            completed,
            failed: count("failed"),
            created_at: Timestamp::from_unix_ms(count("created_at")),
            documents,
            job_id,
        })
    }

    /// Where a queued job's documents go.
    pub(super) fn target(entry: &Record) -> Result<Target> {
        let field =
            |name: &str| entry.text(name).ok_or_else(|| Problem::internal(format!("a queued job has no `{name}`")));
        let time = |name: &str| Timestamp::from_unix_ms(entry.int(name).unwrap_or(0));
        let tenant = TenantId::from_stored(field("tenant")?);
        let collection = CollectionName::parse(field("collection")?);
        let (Some(tenant), Some(collection)) = (tenant, collection) else {
            return Err(Problem::internal("a queued job's tenant or collection is not one"));
        };
        Ok(Target {
            table: IndexTable { tenant, collection, made_at: time("made_at") },
            user: field("user")?.to_owned(),
            embedding_model: field("embedding_model")?.to_owned(),
            dimensions: usize::try_from(entry.int("dimensions").unwrap_or(0)).map_err(Problem::internal)?,
            accepted_at: time("accepted_at"),
        })
    }

    /// The next documents of a job that wait, after a sort key, and where to go on.
    pub(super) async fn waiting(
        &self,
        tenant: &TenantId,
        job: &JobId,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Waiting>, Option<String>)> {
        let query = Query { partition: items(tenant, job), range: Range::All, order: Order::Ascending, limit, after };
        let page = self.records.query(query).await?;
        let waiting = page.records.iter().filter(|record| record.flag("waiting"));
        let waiting =
            waiting.map(|record| Ok(Waiting { sort: record.key.sort.clone(), outcome: record.json("outcome")? }));
        Ok((waiting.collect::<Result<_>>()?, page.next))
    }

    /// A waiting document's content.
    pub(super) async fn content(&self, tenant: &TenantId, job: &JobId, sort: &str) -> Result<DocumentInput> {
        let bytes = self.objects.get(&object(tenant, job, sort)).await?;
        let bytes = bytes.ok_or_else(|| Problem::internal("the content of a queued document is gone"))?;
        serde_json::from_slice(&bytes).map_err(Problem::internal)
    }

    /// Stores outcomes, under the runner's lease.
    pub(super) async fn settle(
        &self,
        tenant: &TenantId,
        job: &JobId,
        outcomes: Vec<(String, DocumentOutcome)>,
        mine: Condition,
    ) -> Result<()> {
        let failed = outcomes.iter().filter(|(_, outcome)| outcome.status == DocumentStatus::Failed).count();
        let counts = Update::new().add("completed", whole(outcomes.len())).add("failed", whole(failed));
        let mut writes =
            vec![Write::Check(queue_key(job), mine), Write::Update(job_key(tenant, job), counts, Condition::Always)];
        for (sort, outcome) in &outcomes {
            let text = serde_json::to_string(outcome).map_err(Problem::internal)?;
            let update = Update::new().set("outcome", text).set("waiting", false);
            let waiting = Condition::equals("waiting", true);
            writes.push(Write::Update(Key::new(items(tenant, job), sort.as_str()), update, waiting));
        }
        self.records.transact(writes, None).await?;
        for (sort, _) in &outcomes {
            self.objects.delete(&object(tenant, job, sort)).await?;
        }
        Ok(())
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
