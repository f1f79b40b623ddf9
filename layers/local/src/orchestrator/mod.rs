//! The orchestrator of one machine: an interpreter of the same definitions that Step Functions runs.
//!
//! An execution lives in the records. Who runs it holds its lease; each event of its journal is written under the lease.
//! When the process dies, the lease runs out and whoever looks next takes the execution up where its journal ends.

mod folder;
mod items;
mod journal;
mod run;
mod store;
mod tokens;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::AbortHandle;
use mandi_core::Clock;
use mandi_core::lease::Lease;
use mandi_core::ports::{
    Condition, ExecutionDescription, ExecutionError, ExecutionKey, ExecutionStatus, MachineName, Objects, Orchestrator,
    OrchestratorError, Query, Record, Records, RecordsError, StartOutcome, Update, Write, check_input,
};
use mandi_core::time::Timestamp;
use mandi_states::definition::Machine;
use mandi_states::engine::{Draft, Entry, Event, TaskRunner};
use mandi_states::fault::StateFault;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use folder::FolderItems;
pub use run::ClockTimer;
pub use tokens::TaskTokens;

/// The machines by name.
pub type Machines = BTreeMap<MachineName, Arc<Machine>>;

/// What an orchestrator works with.
#[derive(Clone, Debug)]
pub struct OrchestratorParts {
    /// Where executions lie.
    pub records: Arc<dyn Records>,
    /// Where items of distributed maps lie.
    pub objects: Arc<dyn Objects>,
    /// Does the work of tasks.
    pub tasks: Arc<dyn TaskRunner>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The machines.
    pub machines: Machines,
    /// How long an execution stays with a process that does not renew its lease.
    pub lease: Duration,
}

/// The orchestrator. A clone is the same one.
#[derive(Clone)]
pub struct LocalOrchestrator {
    shared: Arc<Shared>,
}

struct Shared {
    parts: OrchestratorParts,
    tokens: TaskTokens,
    running: Mutex<HashMap<ExecutionKey, AbortHandle>>,
}

impl fmt::Debug for LocalOrchestrator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalOrchestrator").field("parts", &self.shared.parts).finish_non_exhaustive()
    }
}

impl LocalOrchestrator {
    /// Over these parts. Executions that were running when the last process ended go on after [`Self::resume`].
    #[must_use]
    pub fn new(parts: OrchestratorParts) -> Self {
        let tokens = TaskTokens::new(Arc::clone(&parts.records), Arc::clone(&parts.clock));
        Self { shared: Arc::new(Shared { parts, tokens, running: Mutex::default() }) }
    }

    /// The ends of tasks with tokens.
    #[must_use]
    pub fn tokens(&self) -> &TaskTokens {
        &self.shared.tokens
    }

    /// Takes up executions that nobody runs: call it now and then. Returns how many.
    ///
    /// # Errors
    /// The records cannot be read or written.
    pub async fn resume(&self) -> Result<usize, OrchestratorError> {
        self.take(Lease::run_out).await
    }

    /// Takes up all executions: at the start of a process that holds the data folder alone, so that whoever ran them is
    /// dead. Returns how many.
    ///
    /// # Errors
    /// The records cannot be read or written.
    pub async fn resume_all(&self) -> Result<usize, OrchestratorError> {
        self.take(|_| Condition::Always).await
    }

    async fn take(&self, is_free: impl Fn(Timestamp) -> Condition + Send) -> Result<usize, OrchestratorError> {
        let parts = &self.shared.parts;
        let (mut taken, mut after) = (0, None);
        loop {
            let page = parts.records.query(Query { after, ..Query::all(store::queue()) }).await;
            let page = page.map_err(store::unavailable)?;
            for key in page.records.iter().filter_map(store::of_queued) {
                let Some(machine) = parts.machines.get(&key.machine).cloned() else {
                    tracing::warn!(machine = %key.machine, execution = %key.id, "an execution waits for a machine that is not there");
                    continue;
                };
                let (lease, now) = (Lease::new(parts.lease), parts.clock.now());
                let free = Condition::All(vec![
                    Condition::equals(store::STATUS, ExecutionStatus::Running.name()),
                    is_free(now),
                ]);
                let update = lease.renewing(Update::new(), now);
                match parts.records.update(&store::execution(&key), update, free).await {
                    Ok(_) => {
                        taken += 1;
                        self.spawn(key, machine, lease);
                    }
                    Err(RecordsError::ConditionFailed { .. }) => {}
                    Err(error) => return Err(store::unavailable(error)),
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(taken);
            }
        }
    }

    /// The journal of an execution, for its history.
    ///
    /// # Errors
    /// There is no such execution, or the records cannot be read.
    pub async fn journal(&self, key: &ExecutionKey) -> Result<Vec<Entry>, OrchestratorError> {
        self.record(key).await?;
        store::entries(self.shared.parts.records.as_ref(), key).await
    }

    async fn record(&self, key: &ExecutionKey) -> Result<Record, OrchestratorError> {
        let found = self.shared.parts.records.get(&store::execution(key)).await.map_err(store::unavailable)?;
        found.ok_or(OrchestratorError::NoSuchExecution)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<ExecutionKey, AbortHandle>> {
        self.shared.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, key: ExecutionKey, machine: Arc<Machine>, lease: Lease) {
        let (work, handle) = futures::future::abortable(run::execution(self.clone(), key.clone(), machine, lease));
        self.running().insert(key.clone(), handle);
        let orchestrator = self.clone();
        tokio::spawn(async move {
            let _ = work.await;
            orchestrator.running().remove(&key);
        });
    }

    /// What a repeated start finds.
    async fn existing(&self, key: &ExecutionKey, digest: &str) -> Result<StartOutcome, OrchestratorError> {
        let record = self.record(key).await?;
        if record.text(store::INPUT_SHA256) == Some(digest) {
            Ok(StartOutcome::Existed)
        } else {
            Err(OrchestratorError::OtherInput)
        }
    }
}

#[async_trait]
impl Orchestrator for LocalOrchestrator {
    async fn start(&self, key: &ExecutionKey, input: &Value) -> Result<StartOutcome, OrchestratorError> {
        let parts = &self.shared.parts;
        let machine = parts.machines.get(&key.machine).cloned();
        let machine = machine.ok_or_else(|| OrchestratorError::NoSuchMachine(key.machine.clone()))?;
        let text = check_input(input)?;
        let digest = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let (lease, now) = (Lease::new(parts.lease), parts.clock.now());
        let record = Record::new(store::execution(key))
            .with("version", store::VERSION)
            .with(store::STATUS, ExecutionStatus::Running.name())
            .with(store::STARTED_AT, now)
            .with(store::INPUT_SHA256, digest.as_str());
        // The first entry of the journal holds the input, so that whoever takes the execution up has it.
        let event = Event::ExecutionStarted { input: input.clone() };
        let first = Entry { id: 1, previous: 0, at: now, branch: String::new(), event };
        let first = store::entry_records(key, &first).map_err(|problem| store::damaged(problem.causes()))?;
        let mut writes = vec![
            Write::Put(lease.on(record, now), Condition::Absent),
            Write::Put(store::queued(key), Condition::Always),
        ];
        writes.extend(first.into_iter().map(|record| Write::Put(record, Condition::Absent)));
        match parts.records.transact(writes, None).await {
            Ok(()) => {
                self.spawn(key.clone(), machine, lease);
                Ok(StartOutcome::Started)
            }
            Err(RecordsError::ConditionFailed { .. }) => self.existing(key, &digest).await,
            Err(error) => Err(store::unavailable(error)),
        }
    }

    async fn describe(&self, key: &ExecutionKey) -> Result<ExecutionDescription, OrchestratorError> {
        let record = self.record(key).await?;
        let status = store::status(&record)?;
        let moment = |name| record.int(name).map(Timestamp::from_unix_ms);
        let started_at =
            moment(store::STARTED_AT).ok_or_else(|| store::damaged("an execution has no start".to_owned()))?;
        let error = record.text(store::ERROR).map(|error| ExecutionError {
            error: error.to_owned(),
            cause: record.text(store::CAUSE).unwrap_or_default().to_owned(),
        });
        let mut output = None;
        if status == ExecutionStatus::Succeeded
            && let Some(Entry { event: Event::ExecutionSucceeded { output: found }, .. }) =
                store::last_entry(self.shared.parts.records.as_ref(), key).await?
        {
            output = Some(found);
        }
        Ok(ExecutionDescription { status, started_at, ended_at: moment(store::ENDED_AT), output, error })
    }

    async fn stop(&self, key: &ExecutionKey, reason: &ExecutionError) -> Result<(), OrchestratorError> {
        let parts = &self.shared.parts;
        self.record(key).await?;
        // From this write on nobody can write the journal: a run elsewhere ends at its next event or renewal.
        let update = Lease::releasing(Update::new())
            .set(store::STATUS, ExecutionStatus::Aborted.name())
            .set(store::ENDED_AT, parts.clock.now())
            .set(store::ERROR, reason.error.as_str())
            .set(store::CAUSE, reason.cause.as_str());
        let running = Condition::equals(store::STATUS, ExecutionStatus::Running.name());
        let writes = vec![
            Write::Update(store::execution(key), update, running),
            Write::Delete(store::queued(key).key, Condition::Always),
        ];
        match parts.records.transact(writes, None).await {
            Ok(()) => {}
            Err(RecordsError::ConditionFailed { .. }) => return Ok(()),
            Err(error) => return Err(store::unavailable(error)),
        }
        if let Some(handle) = self.running().remove(key) {
            handle.abort();
        }
        self.write_aborted(key, reason).await
    }
}

impl LocalOrchestrator {
    /// The last entry of a journal that was stopped. The status counts; this is for its history.
    async fn write_aborted(&self, key: &ExecutionKey, reason: &ExecutionError) -> Result<(), OrchestratorError> {
        let parts = &self.shared.parts;
        let last = store::last_number(parts.records.as_ref(), key).await?.unwrap_or_default();
        let fault = StateFault::new(&reason.error, &reason.cause);
        let draft = Draft {
            previous: last,
            at: parts.clock.now(),
            branch: String::new(),
            event: Event::ExecutionAborted { fault },
        };
        let entry = Entry { id: last + 1, previous: last, at: draft.at, branch: draft.branch, event: draft.event };
        let records = store::entry_records(key, &entry).map_err(|problem| store::damaged(problem.causes()))?;
        for record in records {
            parts.records.put(record, Condition::Always).await.map_err(store::unavailable)?;
        }
        Ok(())
    }
}
