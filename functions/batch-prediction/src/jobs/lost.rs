//! Jobs whose machine ended without telling: it took longer than it may, somebody stopped it in the console, or it was
//! never started because the process died between its record and its start.

use std::time::Duration;

use mandi_core::ports::{ExecutionDescription, ExecutionStatus, OrchestratorError};
use mandi_core::{Result, TenantId};

use super::{Failure, Found, Jobs, State, execution};

/// How long a job may show no progress before its machine is asked for.
const QUIET: Duration = Duration::from_secs(60);

impl Jobs {
    /// A job that has to be there, as failed if its machine has ended without telling.
    pub(crate) async fn look(&self, tenant: &TenantId, id: &str) -> Result<Found> {
        let found = self.find(tenant, id).await?;
        let Found { job, progress } = &found;
        let last = progress.progressed_at.or(progress.running_since).unwrap_or(job.created_at);
        if progress.state.is_over() || self.clock.now().since(last) < QUIET {
            return Ok(found);
        }
        let Some(failure) = lost(self.orchestrator.describe(&execution(tenant, &job.id)?).await) else {
            return Ok(found);
        };
        tracing::warn!(job = job.id.as_str(), error = failure.error, "the machine of a job ended without telling");
        // A machine that ended by its own steps has told before it ended: then this changes nothing.
        self.end(tenant, &job.id, State::Failed, Some(&failure)).await?;
        self.find(tenant, id).await
    }
}

/// Why a job will not go on, if it will not.
fn lost(described: std::result::Result<ExecutionDescription, OrchestratorError>) -> Option<Failure> {
    let failure = |error: &str, detail: String| Some(Failure { error: error.to_owned(), detail });
    match described {
        Ok(found) if found.status == ExecutionStatus::Running => None,
        Ok(found) => {
            let cause = found.error.map(|error| format!(" ({}: {})", error.error, error.cause)).unwrap_or_default();
            let detail = format!("its machine ended as {}{cause}; start the job again", found.status.name());
            failure("machine-ended", detail)
        }
        Err(OrchestratorError::NoSuchExecution) => {
            failure("machine-ended", "its machine was never started; start the job again".to_owned())
        }
        Err(error) => {
            tracing::warn!(error = ?error, "the machine of a job was not described");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::sync::Arc;

    use async_trait::async_trait;
    use mandi_core::audit::AuditTrail;
    use mandi_core::ids::{JobId, ModelId};
    use mandi_core::ports::{Condition, Key, MachineName, Partition, Record};
    use mandi_core::time::FixedClock;
    use mandi_core::uploads::Uploads;
    use mandi_core::{Clock as _, Timestamp};
    use mandi_local::{DataDir, Doorway, FileObjects, LocalOrchestrator, OrchestratorParts, RedbRecords};
    use mandi_states::definition::parse;
    use mandi_states::engine::{TaskCall, TaskRunner};
    use mandi_states::fault::StateFault;
    use serde_json::{Value, json};

    use super::*;
    use crate::jobs::{Input, Job, Output, StatedForm};

    /// A machine that ends as one does that takes too long: nothing is told to the job.
    const TOO_SLOW: &str =
        r#"{"StartAt": "End", "States": {"End": {"Type": "Fail", "Error": "States.Timeout", "Cause": "24 hours"}}}"#;

    #[derive(Debug)]
    struct NoTasks;

    #[async_trait]
    impl TaskRunner for NoTasks {
        async fn run(&self, call: TaskCall) -> Result<Value, StateFault> {
            Err(StateFault::new("NoSuchTask", call.resource.as_str()))
        }
    }

    struct Rig {
        _folder: tempfile::TempDir,
        jobs: Jobs,
        clock: Arc<FixedClock>,
        tenant: TenantId,
    }

    fn rig() -> Rig {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let clock = Arc::new(FixedClock::at(Timestamp::from_unix_ms(1_795_254_600_000)));
        let doorway = Doorway::new("http://127.0.0.1/local-objects", data.secret().clone(), clock.clone());
        let records = Arc::new(RedbRecords::open(&data, clock.clone()).unwrap());
        let objects = Arc::new(FileObjects::open(&data, doorway).unwrap());
        let machine = (MachineName::parse(crate::MACHINE).unwrap(), Arc::new(parse(TOO_SLOW).unwrap()));
        let orchestrator = Arc::new(LocalOrchestrator::new(OrchestratorParts {
            records: records.clone(),
            objects: objects.clone(),
            tasks: Arc::new(NoTasks),
            clock: clock.clone(),
            machines: [machine].into(),
            lease: Duration::from_secs(5),
        }));
        let uploads = Uploads::new(records.clone(), objects.clone(), clock.clone());
        let audit = AuditTrail::new(records.clone(), clock.clone());
        let jobs = Jobs { records, objects, orchestrator, clock: clock.clone(), uploads, audit };
        Rig { _folder: folder, jobs, clock, tenant: TenantId::from_stored("acme").unwrap() }
    }

    impl Rig {
        /// A job that was asked for just now.
        async fn job(&self) -> JobId {
            let stated = StatedForm::default();
            let (object, filename) = ("t/acme/files/lots.csv".to_owned(), "lots.csv".to_owned());
            let job = Job {
                id: JobId::generate(),
                model: ModelId::generate(),
                version: 1,
                input: Input { object, upload: None, filename, size_bytes: 1, stated },
                output: Output { format: mandi_tables::Format::Csv, copied: Vec::new(), explained: None, target: 0 },
                shard_rows: 1,
                max_failed_share: 1.0,
                created_by: "asha".to_owned(),
                created_at: self.clock.now(),
            };
            let note = Record::new(Key::new(Partition::of(&self.tenant, &["test"]), job.id.as_str()));
            let entry = mandi_core::ports::Write::Put(note, Condition::Always);
            self.jobs.create(&self.tenant, &job, entry).await.unwrap();
            job.id
        }

        async fn state(&self, job: &JobId) -> (State, Option<String>) {
            let progress = self.jobs.look(&self.tenant, job.as_str()).await.unwrap().progress;
            (progress.state, progress.failure.map(|failure| failure.detail))
        }
    }

    #[tokio::test]
    async fn given_a_machine_that_ended_without_telling_when_the_job_is_looked_at_then_it_has_failed_and_says_why() {
        let rig = rig();
        let job = rig.job().await;
        let key = execution(&rig.tenant, &job).unwrap();
        rig.jobs.orchestrator.start(&key, &json!({})).await.unwrap();
        while rig.jobs.orchestrator.describe(&key).await.unwrap().status == ExecutionStatus::Running {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(rig.state(&job).await, (State::Queued, None), "it is not asked for at once");
        rig.clock.advance(QUIET);
        let (state, detail) = rig.state(&job).await;
        let told = "its machine ended as FAILED (States.Timeout: 24 hours); start the job again";
        assert_eq!((state, detail.as_deref()), (State::Failed, Some(told)));
    }

    #[tokio::test]
    async fn given_a_job_whose_machine_was_never_started_when_it_is_looked_at_then_it_has_failed() {
        let rig = rig();
        let job = rig.job().await;
        rig.clock.advance(QUIET);
        assert_eq!(rig.state(&job).await.0, State::Failed);
    }

    #[tokio::test]
    async fn given_a_job_that_told_how_it_ended_when_it_is_looked_at_then_it_stays_as_it_is() {
        let rig = rig();
        let job = rig.job().await;
        rig.jobs.end(&rig.tenant, &job, State::Cancelled, None).await.unwrap();
        rig.clock.advance(QUIET);
        assert_eq!(rig.state(&job).await, (State::Cancelled, None));
    }
}
