//! What the batch prediction function needs at start.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use mandi_core::Clock;
use mandi_core::audit::AuditTrail;
use mandi_core::ports::{Objects, Orchestrator, Records};
use mandi_core::uploads::Uploads;
use mandi_http::Gate;
use mandi_registry::{Engines, Registry, Versions};

use crate::jobs::Jobs;
use crate::tasks::Tasks;

/// The parts that a [`BatchState`] is made of; made once for each process.
#[derive(Clone)]
pub struct BatchParts {
    /// Authentication and idempotency.
    pub gate: Gate,
    /// The store of records.
    pub records: Arc<dyn Records>,
    /// The store of files.
    pub objects: Arc<dyn Objects>,
    /// Runs the machine of a job.
    pub orchestrator: Arc<dyn Orchestrator>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How much memory loaded models may take together, in bytes.
    pub model_cache_bytes: u64,
    /// How long the check of a model may take.
    pub inference_timeout: Duration,
    /// How many shards of a job are worked on at the same time.
    pub shards_at_once: NonZeroU32,
}

/// What handlers and tasks see.
#[derive(Clone)]
pub struct BatchState {
    pub(crate) gate: Gate,
    pub(crate) jobs: Jobs,
    pub(crate) registry: Registry,
    pub(crate) versions: Versions,
    pub(crate) tasks: Tasks,
}

impl BatchState {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: BatchParts) -> Self {
        let BatchParts { gate, records, objects, orchestrator, clock, .. } = parts;
        let uploads = Uploads::new(records.clone(), objects.clone(), clock.clone());
        let audit = AuditTrail::new(records.clone(), clock.clone());
        let engines = Engines::new(objects.clone(), parts.model_cache_bytes, parts.inference_timeout);
        let registry = Registry::new(
            records.clone(),
            objects.clone(),
            clock.clone(),
            audit.clone(),
            engines.clone(),
            uploads.clone(),
        );
        let versions = Versions::new(registry.clone(), engines);
        let jobs = Jobs { records, objects, orchestrator, clock, uploads, audit };
        let tasks = Tasks { jobs: jobs.clone(), versions: versions.clone(), shards_at_once: parts.shards_at_once };
        Self { gate, jobs, registry, versions, tasks }
    }

    /// The tasks of the machine.
    #[must_use]
    pub const fn tasks(&self) -> &Tasks {
        &self.tasks
    }
}

impl fmt::Debug for BatchState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BatchState").finish_non_exhaustive()
    }
}

impl FromRef<BatchState> for Gate {
    fn from_ref(state: &BatchState) -> Self {
        state.gate.clone()
    }
}
