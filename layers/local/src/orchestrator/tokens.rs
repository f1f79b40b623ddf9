//! Ends of tasks that are told from outside, by the task's token.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mandi_core::ports::{Condition, Key, OrchestratorError, Partition, Record, Records, RecordsError, Update};
use mandi_core::{Clock, Problem};
use mandi_states::engine::{Callbacks, Heartbeat};
use mandi_states::fault::StateFault;
use serde_json::Value;
use tokio::sync::Notify;

use super::store::unavailable;

/// How often the records are looked at for what another process told.
const LOOK: Duration = Duration::from_millis(500);
/// How long an end is kept for its task.
const KEPT: Duration = Duration::from_hours(24 * 90);

const OUTPUT: &str = "output";
const ERROR: &str = "error";
const CAUSE: &str = "cause";
const BEATS: &str = "beats";

/// The ends of tasks with tokens, in the records. A token is a random number of 122 bits: who has it may tell its end.
#[derive(Clone)]
pub struct TaskTokens {
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
    told: Arc<Notify>,
}

impl fmt::Debug for TaskTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TaskTokens")
    }
}

impl TaskTokens {
    pub(super) fn new(records: Arc<dyn Records>, clock: Arc<dyn Clock>) -> Self {
        Self { records, clock, told: Arc::new(Notify::new()) }
    }

    /// Tells that a task ended well (`SendTaskSuccess`). What was told first stays.
    ///
    /// # Errors
    /// The records cannot be written.
    pub async fn succeed(&self, token: &str, output: &Value) -> Result<(), OrchestratorError> {
        self.tell(token, Update::new().set(OUTPUT, output.to_string())).await
    }

    /// Tells that a task failed (`SendTaskFailure`). What was told first stays.
    ///
    /// # Errors
    /// The records cannot be written.
    pub async fn fail(&self, token: &str, fault: &StateFault) -> Result<(), OrchestratorError> {
        self.tell(token, Update::new().set(ERROR, fault.error.as_str()).set(CAUSE, fault.cause.as_str())).await
    }

    /// Tells that a task is alive (`SendTaskHeartbeat`).
    ///
    /// # Errors
    /// The records cannot be written.
    pub async fn beat(&self, token: &str) -> Result<(), OrchestratorError> {
        let update = Update::new().add(BEATS, 1).expiring(self.clock.now().plus(KEPT));
        self.records.update(&key(token), update, Condition::Always).await.map_err(unavailable)?;
        self.told.notify_waiters();
        Ok(())
    }

    async fn tell(&self, token: &str, update: Update) -> Result<(), OrchestratorError> {
        let open =
            Condition::All(vec![Condition::FieldAbsent(OUTPUT.to_owned()), Condition::FieldAbsent(ERROR.to_owned())]);
        let update = update.expiring(self.clock.now().plus(KEPT));
        match self.records.update(&key(token), update, open).await {
            Ok(_) | Err(RecordsError::ConditionFailed { .. }) => {
                self.told.notify_waiters();
                Ok(())
            }
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn key(token: &str) -> Key {
    Key::new(Partition::of_platform(&["task-tokens"]), token)
}

/// The end that a record tells.
fn end(record: &Record) -> Option<Result<Value, StateFault>> {
    if let Some(error) = record.text(ERROR) {
        return Some(Err(StateFault::new(error, record.text(CAUSE).unwrap_or_default())));
    }
    record.text(OUTPUT)?;
    let output = record.json(OUTPUT);
    Some(output.map_err(|error: Problem| StateFault::new("States.Runtime", error.causes())))
}

#[async_trait]
impl Callbacks for TaskTokens {
    async fn outcome(&self, token: &str, heartbeat: &Heartbeat) -> Result<Value, StateFault> {
        let mut beats = 0;
        loop {
            let told = self.told.notified();
            match self.records.get(&key(token)).await {
                Ok(Some(record)) => {
                    if let Some(end) = end(&record) {
                        return end;
                    }
                    let now = record.int(BEATS).unwrap_or_default();
                    if now > beats {
                        beats = now;
                        heartbeat.beat();
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a task's token cannot be looked up; it is tried again"),
            }
            let _ = tokio::time::timeout(LOOK, told).await;
        }
    }
}
