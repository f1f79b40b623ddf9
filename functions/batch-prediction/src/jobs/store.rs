//! Jobs as records: `batch` has a record for each, `batch/<job>` one for each shard that is done.

use bytes::Bytes;
use mandi_core::ids::{ExecutionId, JobId};
use mandi_core::ports::{
    Condition, ExecutionKey, Key, MachineName, ObjectKey, Order, Partition, Query, Range, Record, RecordsError, Update,
    Write,
};
use mandi_core::{Problem, Result, TenantId};
use serde::{Deserialize, Serialize};

use super::progress::field;
use super::{Failure, File, Found, Job, Jobs, Progress, State};

/// How many shards' records are read at a time.
const PAGE: usize = 100;

/// A file that a shard wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// How many rows it has.
    pub(crate) rows: u64,
    /// How long it is, in bytes.
    pub(crate) size_bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub(crate) sha256: String,
}

/// A shard that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShardDone {
    /// Its place among the shards.
    pub(crate) index: usize,
    /// Its good rows.
    pub(crate) results: Part,
    /// Its bad rows.
    pub(crate) failures: Part,
}

fn key(tenant: &TenantId, job: &JobId) -> Key {
    Key::new(Partition::of(tenant, &["batch"]), job.as_str())
}

fn shards(tenant: &TenantId, job: &JobId) -> Partition {
    Partition::of(tenant, &["batch", job.as_str()])
}

fn shard_key(tenant: &TenantId, job: &JobId, index: usize) -> Key {
    Key::new(shards(tenant, job), format!("{index:08}"))
}

fn count(count: u64) -> Result<i64> {
    i64::try_from(count).map_err(Problem::internal)
}

/// The execution that runs a job.
pub(crate) fn execution(tenant: &TenantId, job: &JobId) -> Result<ExecutionKey> {
    let digits = job.as_str().rsplit('_').next().unwrap_or_default();
    let id = ExecutionId::parse(&format!("exec_{digits}")).ok_or_else(|| Problem::internal("a job's id is none"))?;
    let machine = MachineName::parse(crate::MACHINE).ok_or_else(|| Problem::internal("a machine's name is none"))?;
    Ok(ExecutionKey { tenant: tenant.clone(), machine, id })
}

impl Jobs {
    /// Where a file of a job lies.
    pub(crate) fn object(tenant: &TenantId, job: &JobId, file: File) -> ObjectKey {
        let parts = file.parts(job);
        ObjectKey::of(tenant, &parts.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// A file of a job that has to be there.
    pub(crate) async fn file(&self, tenant: &TenantId, job: &JobId, file: File) -> Result<Bytes> {
        let found = self.objects.get(&Self::object(tenant, job, file)).await?;
        found.ok_or_else(|| Problem::internal(format!("{file:?} of {job} is gone")))
    }

    /// Keeps a new job.
    pub(crate) async fn create(&self, tenant: &TenantId, job: &Job, entry: Write) -> Result<()> {
        let record =
            Record::new(key(tenant, &job.id)).with_json(field::JOB, job)?.with(field::STATE, State::Queued.name());
        Ok(self.records.transact(vec![Write::Put(record, Condition::Absent), entry], None).await?)
    }

    /// A job that has to be there.
    pub(crate) async fn find(&self, tenant: &TenantId, id: &str) -> Result<Found> {
        let missing = || Problem::not_found("batch prediction");
        let id = JobId::parse(id).ok_or_else(missing)?;
        let record = self.records.get(&key(tenant, &id)).await?.ok_or_else(missing)?;
        Ok(Found { job: record.json(field::JOB)?, progress: Progress::read(&record)? })
    }

    /// A page of jobs, the latest first.
    pub(crate) async fn page(
        &self,
        tenant: &TenantId,
        limit: usize,
        after: Option<String>,
    ) -> Result<(Vec<Found>, Option<String>)> {
        let partition = Partition::of(tenant, &["batch"]);
        let query = Query { partition, range: Range::All, order: Order::Descending, limit, after };
        let page = self.records.query(query).await?;
        let found = |record: &Record| Ok(Found { job: record.json(field::JOB)?, progress: Progress::read(record)? });
        Ok((page.records.iter().map(found).collect::<Result<_>>()?, page.next))
    }

    /// Goes on to the next state, unless the job is over. Returns whether it did.
    async fn advance(&self, tenant: &TenantId, job: &JobId, update: Update, from: &[State]) -> Result<bool> {
        let is_there = from.iter().map(|state| Condition::equals(field::STATE, state.name())).collect();
        match self.records.update(&key(tenant, job), update, Condition::Any(is_there)).await {
            Ok(_) => Ok(true),
            Err(RecordsError::ConditionFailed { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The table is being planned.
    pub(crate) async fn begin_planning(&self, tenant: &TenantId, job: &JobId) -> Result<bool> {
        let update = Update::new().set(field::STATE, State::Planning.name());
        self.advance(tenant, job, update, &[State::Queued, State::Planning]).await
    }

    /// Shards are worked on.
    pub(crate) async fn begin_shards(&self, tenant: &TenantId, job: &JobId, rows: u64, shards: usize) -> Result<bool> {
        let update = Update::new()
            .set(field::STATE, State::Running.name())
            .set(field::TOTAL, count(rows)?)
            .set(field::SHARDS, count(shards as u64)?)
            .set(field::RUNNING_SINCE, self.clock.now());
        self.advance(tenant, job, update, &[State::Planning]).await
    }

    /// A shard is done: its counts are added, once.
    pub(crate) async fn shard_done(&self, tenant: &TenantId, job: &JobId, done: &ShardDone) -> Result<Found> {
        let record = Record::new(shard_key(tenant, job, done.index)).with_json("shard", done)?;
        let update = Update::new()
            .add(field::COMPLETED, count(done.results.rows)?)
            .add(field::FAILED, count(done.failures.rows)?)
            .add(field::SHARDS_DONE, 1)
            .set(field::PROGRESSED_AT, self.clock.now());
        let running = Condition::equals(field::STATE, State::Running.name());
        let writes = vec![Write::Put(record, Condition::Absent), Write::Update(key(tenant, job), update, running)];
        loop {
            match self.records.transact(writes.clone(), None).await {
                // The first: it was done before. The second: the job is over; what was written stays.
                Ok(()) | Err(RecordsError::ConditionFailed { .. }) => {
                    return self.find(tenant, job.as_str()).await;
                }
                Err(RecordsError::Contended) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether a shard is done already.
    pub(crate) async fn done(&self, tenant: &TenantId, job: &JobId, index: usize) -> Result<Option<ShardDone>> {
        let record = self.records.get(&shard_key(tenant, job, index)).await?;
        record.map(|record| record.json("shard")).transpose()
    }

    /// The shards that are done, in the order of the table, from a place on.
    pub(crate) async fn done_from(&self, tenant: &TenantId, job: &JobId, first: usize) -> Result<Vec<ShardDone>> {
        let range = Range::Between(format!("{first:08}"), "99999999".to_owned());
        let partition = shards(tenant, job);
        let mut query = Query { partition, range, order: Order::Ascending, limit: PAGE, after: None };
        let mut done = Vec::new();
        loop {
            let page = self.records.query(query.clone()).await?;
            for record in page.records {
                done.push(record.json("shard")?);
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(done),
            }
        }
    }

    /// The parts are put together.
    pub(crate) async fn begin_collecting(&self, tenant: &TenantId, job: &JobId) -> Result<bool> {
        let update = Update::new().set(field::STATE, State::Collecting.name());
        self.advance(tenant, job, update, &[State::Running, State::Collecting]).await
    }

    /// It ended well.
    pub(crate) async fn succeed(&self, tenant: &TenantId, job: &JobId) -> Result<bool> {
        let update = Update::new().set(field::STATE, State::Succeeded.name()).set(field::ENDED_AT, self.clock.now());
        self.advance(tenant, job, update, &[State::Collecting]).await
    }

    /// It ended with an error, or was cancelled. What is over stays as it is.
    pub(crate) async fn end(
        &self,
        tenant: &TenantId,
        job: &JobId,
        state: State,
        failure: Option<&Failure>,
    ) -> Result<bool> {
        let mut update = Update::new().set(field::STATE, state.name()).set(field::ENDED_AT, self.clock.now());
        if let Some(failure) = failure {
            update = update.set(field::FAILURE, serde_json::to_string(failure).map_err(Problem::internal)?);
        }
        let open = [State::Queued, State::Planning, State::Running, State::Collecting];
        self.advance(tenant, job, update, &open).await
    }
}
