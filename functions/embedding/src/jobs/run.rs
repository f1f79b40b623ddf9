//! Running jobs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mandi_core::ids::JobId;
use mandi_core::lease::Lease;
use mandi_core::ports::{Condition, Query, RecordsError, Update};
use mandi_core::{Problem, Result};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::store::{Waiting, queue, queue_key};
use super::{Jobs, RunJob};
use crate::documents::{DocumentInput, DocumentOutcome, DocumentStatus, Target};

/// How long a runner that gives no sign keeps its job.
const LEASE: Duration = Duration::from_secs(60);
/// How many documents are indexed in one step.
const STEP_DOCUMENTS: usize = 16;

impl Jobs {
    /// Works on a job until every document has an outcome. Returns at once when another runner has it, or it
    /// is done.
    ///
    /// # Errors
    /// A store or a model fails: the job keeps what it has and is resumed later.
    pub async fn run(&self, job: &JobId) -> Result<()> {
        let lease = Lease::new(LEASE);
        let now = self.clock.now();
        let free = Condition::All(vec![Condition::Present, lease.free_or_mine(now)]);
        let entry = match self.records.update(&queue_key(job), lease.renewing(Update::new(), now), free).await {
            Ok(entry) => entry,
            Err(RecordsError::ConditionFailed { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let target = Self::target(&entry)?;
        let outcome = self.renewing(job, &lease, self.work(job, &lease, &target)).await;
        match outcome {
            Ok(()) => {
                // The job is done all the same: an index that was not looked after is slower, and not wrong.
                if let Err(problem) = self.documents.index.upkeep(&target.table).await {
                    tracing::warn!(%job, causes = problem.causes(), "the index was not looked after");
                }
                Ok(self.records.delete(&queue_key(job), lease.mine()).await?)
            }
            Err(problem) => {
                let release = Lease::releasing(Update::new());
                if let Err(error) = self.records.update(&queue_key(job), release, lease.mine()).await {
                    tracing::warn!(%job, %error, "a job's lease was not given back and has to run out");
                }
                Err(problem)
            }
        }
    }

    async fn work(&self, job: &JobId, lease: &Lease, target: &Target) -> Result<()> {
        let mut after = None;
        loop {
            let (waiting, next) = self.waiting(&target.table.tenant, job, after, STEP_DOCUMENTS).await?;
            if !waiting.is_empty() {
                self.step(job, lease, target, waiting).await?;
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn step(&self, job: &JobId, lease: &Lease, target: &Target, waiting: Vec<Waiting>) -> Result<()> {
        let tenant = &target.table.tenant;
        let (mut documents, mut inputs) = (Vec::new(), Vec::new());
        for document in waiting {
            let input = self.content(tenant, job, &document.sort).await?;
            // A file may be as long as all documents of a request: it makes a step of its own.
            let ends_step = input.object.is_some();
            documents.push(document);
            inputs.push(input);
            if ends_step {
                self.index(job, lease, target, std::mem::take(&mut documents), std::mem::take(&mut inputs)).await?;
            }
        }
        if documents.is_empty() {
            return Ok(());
        }
        self.index(job, lease, target, documents, inputs).await
    }

    async fn index(
        &self,
        job: &JobId,
        lease: &Lease,
        target: &Target,
        waiting: Vec<Waiting>,
        inputs: Vec<DocumentInput>,
    ) -> Result<()> {
        let outcomes = match self.gone(target).await? {
            Some(problem) => inputs.iter().map(|_| Err(Problem::new(problem.kind, problem.detail.clone()))).collect(),
            None => self.documents.index(target, inputs).await?,
        };
        let settled = waiting.into_iter().zip(outcomes).map(|(document, outcome)| {
            let outcome = outcome.unwrap_or_else(|problem| DocumentOutcome {
                status: DocumentStatus::Failed,
                error: Some(problem.detail),
                ..document.outcome
            });
            (document.sort, outcome)
        });
        self.settle(&target.table.tenant, job, settled.collect(), lease.mine()).await
    }

    /// Why a job's documents have no place any more: their collection was deleted since they were sent.
    async fn gone(&self, target: &Target) -> Result<Option<Problem>> {
        let deleted = || Problem::conflict("the collection was deleted after this was sent; send it again");
        Ok((!self.collections.is_there(&target.table).await?).then(deleted))
    }

    async fn renewing(&self, job: &JobId, lease: &Lease, work: impl Future<Output = Result<()>>) -> Result<()> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                outcome = &mut work => return outcome,
                () = tokio::time::sleep(LEASE / 4) => {
                    let renewal = lease.renewing(Update::new(), self.clock.now());
                    match self.records.update(&queue_key(job), renewal, lease.mine()).await {
                        Err(RecordsError::ConditionFailed { .. }) => {
                            return Err(Problem::conflict("another runner took the job over"));
                        }
                        Err(error) => tracing::warn!(%job, %error, "a job's lease was not renewed"),
                        Ok(_) => {}
                    }
                }
            }
        }
    }

    /// Starts every queued job that nobody works on. For a schedule.
    ///
    /// # Errors
    /// The store fails.
    pub async fn resume_abandoned(&self) -> Result<usize> {
        let now = self.clock.now();
        self.start_queued(|entry| Lease::run_out(now).holds(Some(entry))).await
    }

    /// Starts every queued job, whoever held it. For the start of a process that owns the store alone.
    ///
    /// # Errors
    /// The store fails.
    pub async fn resume_all(&self) -> Result<usize> {
        let mut query = Query::all(queue());
        loop {
            let page = self.records.query(query.clone()).await?;
            for entry in &page.records {
                self.records.update(&entry.key, Lease::releasing(Update::new()), Condition::Present).await?;
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        self.start_queued(|_| true).await
    }

    async fn start_queued(&self, wanted: impl Fn(&mandi_core::ports::Record) -> bool) -> Result<usize> {
        let mut query = Query::all(queue());
        let mut started = 0;
        loop {
            let page = self.records.query(query.clone()).await?;
            for entry in page.records.iter().filter(|entry| wanted(entry)) {
                if let Some(job) = JobId::parse(&entry.key.sort) {
                    self.run_job.run_soon(&job).await?;
                    started += 1;
                }
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(started),
            }
        }
    }
}

/// Runs jobs one after the other in this process.
#[derive(Debug)]
pub struct JobRunner {
    queue: mpsc::UnboundedReceiver<JobId>,
}

/// Hands jobs to the [`JobRunner`] of this process.
#[derive(Clone, Debug)]
struct HandOver(mpsc::UnboundedSender<JobId>);

#[async_trait]
impl RunJob for HandOver {
    async fn run_soon(&self, job: &JobId) -> Result<()> {
        self.0.send(job.clone()).map_err(|_| Problem::internal("the job runner has stopped"))
    }
}

/// How long a job whose step failed waits before it is tried again: twice as long each time, at least as long as
/// the failure asks for, and at most the last of these.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// A job whose step failed.
struct Postponed {
    job: JobId,
    failures: u32,
    due: Instant,
}

impl JobRunner {
    /// A runner, and what hands jobs to it.
    #[must_use]
    pub fn new() -> (Arc<dyn RunJob>, Self) {
        let (sender, queue) = mpsc::unbounded_channel();
        (Arc::new(HandOver(sender)), Self { queue })
    }

    /// Runs what is handed over, until nobody can hand over any more. A job that fails is tried again later, and
    /// the others go on meanwhile.
    pub async fn run(mut self, jobs: Jobs) {
        let mut postponed: Vec<Postponed> = Vec::new();
        loop {
            let due = postponed.iter().map(|later| later.due).min();
            let wait = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let (job, failures) = tokio::select! {
                job = self.queue.recv() => match job {
                    Some(job) => (job, 0),
                    None => return,
                },
                () = wait => match postponed.iter().position(|later| Some(later.due) == due) {
                    Some(place) => {
                        let later = postponed.swap_remove(place);
                        (later.job, later.failures)
                    }
                    None => continue,
                },
            };
            if let Err(problem) = jobs.run(&job).await {
                let failures = failures + 1;
                let wait = wait_after(failures, &problem);
                let (kind, causes, wait_ms) = (problem.kind.name(), problem.causes(), wait.as_millis());
                tracing::error!(%job, failures, kind, causes, wait_ms, "a job's step failed and is tried again");
                postponed.retain(|later| later.job != job);
                postponed.push(Postponed { job, failures, due: Instant::now() + wait });
            }
        }
    }
}

fn wait_after(failures: u32, problem: &Problem) -> Duration {
    let asked = Duration::from_secs(problem.retry_after_s.unwrap_or(0).into());
    let doubled = FIRST_WAIT.saturating_mul(1_u32 << (failures - 1).min(16));
    doubled.max(asked).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use mandi_core::ProblemKind;

    use super::*;

    #[test]
    fn a_job_waits_longer_each_time_and_as_long_as_it_is_asked_to() {
        let busy = || Problem::new(ProblemKind::Throttled, "busy");
        let seconds = |failures, problem: &Problem| wait_after(failures, problem).as_secs();
        assert_eq!([1, 2, 3, 9].map(|failures| seconds(failures, &busy())), [2, 4, 8, 300]);
        assert_eq!([7, 900].map(|asked| seconds(1, &busy().retry_after(asked))), [7, 300]);
    }
}
