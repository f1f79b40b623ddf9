//! Running an execution under its lease.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{Either, select};
use mandi_core::lease::Lease;
use mandi_core::ports::{Condition, ExecutionKey, ExecutionStatus, RecordsError, Update};
use mandi_core::{Clock, Timestamp};
use mandi_states::definition::Machine;
use mandi_states::engine::{self, Event, Execution, Journal as _, JournalError, Ports, Timer};
use mandi_states::query::SystemRandom;

use super::items::TenantItems;
use super::journal::RecordsJournal;
use super::{LocalOrchestrator, store};

/// Waits by the runtime's timer, and looks at the clock again at least every minute: a machine may have slept meanwhile.
#[derive(Clone, Debug)]
pub struct ClockTimer(pub Arc<dyn Clock>);

#[async_trait]
impl Timer for ClockTimer {
    async fn until(&self, moment: Timestamp) {
        loop {
            let left = moment.since(self.0.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(Duration::from_mins(1))).await;
        }
    }
}

/// Runs an execution to its end, while the lease holds.
pub(super) async fn execution(orchestrator: LocalOrchestrator, key: ExecutionKey, machine: Arc<Machine>, lease: Lease) {
    let renewal = Box::pin(renew(&orchestrator, &key, &lease));
    let work = Box::pin(work(&orchestrator, &key, &machine, lease.clone()));
    match select(renewal, work).await {
        Either::Left(((), _)) | Either::Right((Err(JournalError::Lost), _)) => {
            tracing::info!(execution = %key.id, machine = %key.machine, "the execution was stopped or taken over");
        }
        Either::Right((Ok(()), _)) => {}
        Either::Right((Err(error), _)) => {
            tracing::error!(%error, execution = %key.id, machine = %key.machine, "the execution is left until its lease has run out");
        }
    }
}

/// Renews the lease until it is lost.
async fn renew(orchestrator: &LocalOrchestrator, key: &ExecutionKey, lease: &Lease) {
    let parts = &orchestrator.shared.parts;
    loop {
        tokio::time::sleep(lease.duration / 3).await;
        let update = lease.renewing(Update::new(), parts.clock.now());
        let running = Condition::equals(store::STATUS, ExecutionStatus::Running.name());
        let mine = Condition::All(vec![lease.mine(), running]);
        match parts.records.update(&store::execution(key), update, mine).await {
            Ok(_) => {}
            Err(RecordsError::ConditionFailed { .. }) => return,
            Err(error) => {
                tracing::warn!(%error, execution = %key.id, "the lease of an execution cannot be renewed now");
            }
        }
    }
}

async fn work(
    orchestrator: &LocalOrchestrator,
    key: &ExecutionKey,
    machine: &Machine,
    lease: Lease,
) -> Result<(), JournalError> {
    let parts = &orchestrator.shared.parts;
    let journal = RecordsJournal::new(Arc::clone(&parts.records), key.clone(), lease);
    let entries = journal.load().await?;
    let Some(Event::ExecutionStarted { input }) = entries.into_iter().next().map(|entry| entry.event) else {
        return Err(JournalError::Mismatch("the first entry is no start".to_owned()));
    };
    let execution = Execution {
        id: format!("{}:{}", key.machine, key.id),
        name: key.id.to_string(),
        machine_id: key.machine.to_string(),
        machine_name: key.machine.to_string(),
        input,
    };
    let items = TenantItems { objects: Arc::clone(&parts.objects), tenant: key.tenant.clone() };
    let timer = ClockTimer(Arc::clone(&parts.clock));
    let ports = Ports {
        tasks: parts.tasks.as_ref(),
        callbacks: orchestrator.tokens(),
        clock: parts.clock.as_ref(),
        timer: &timer,
        random: &SystemRandom,
        items: &items,
        journal: &journal,
    };
    engine::run(machine, &execution, &ports).await.map(drop)
}
