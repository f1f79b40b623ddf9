//! What the prediction function needs at start.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use mandi_core::Clock;
use mandi_core::audit::AuditTrail;
use mandi_core::capture::Captures;
use mandi_core::event_log::EventLog;
use mandi_core::ports::{Bus, Objects, Records};
use mandi_core::uploads::Uploads;
use mandi_http::Gate;
use mandi_registry::{Engines, Registry, Versions};
use tokio_util::task::TaskTracker;

use crate::capture::Capturing;
use crate::fusion::Fusions;
use crate::outcomes::Outcomes;
use crate::serving::Serving;
use crate::traffic::Traffic;

/// The parts that a [`PredictionState`] is made of; made once for each process.
#[derive(Clone)]
pub struct PredictionParts {
    /// Authentication and idempotency.
    pub gate: Gate,
    /// The store of records.
    pub records: Arc<dyn Records>,
    /// The store of model files.
    pub objects: Arc<dyn Objects>,
    /// Where events and alerts go.
    pub bus: Arc<dyn Bus>,
    /// What takes captured calls.
    pub captures: Captures,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How much memory loaded models may take together, in bytes.
    pub model_cache_bytes: u64,
    /// How long one inference may take.
    pub inference_timeout: Duration,
}

/// What handlers see. A clone is the same one: a request makes several.
#[derive(Clone)]
pub struct PredictionState(Arc<Shared>);

/// What clones share.
pub struct Shared {
    pub(crate) gate: Gate,
    pub(crate) registry: Registry,
    pub(crate) serving: Serving,
    pub(crate) traffic: Traffic,
    pub(crate) outcomes: Outcomes,
    pub(crate) audit: AuditTrail,
    pub(crate) versions: Versions,
    pub(crate) fusions: Fusions,
    pub(crate) events: EventLog,
    pub(crate) capturing: Capturing,
    uploads: Uploads,
    background: TaskTracker,
    /// How long work after an answer may take, before captures are waited for.
    longest_work: Duration,
}

/// How much longer than an inference the rest of the work after an answer may take.
const AFTER_INFERENCE: Duration = Duration::from_secs(2);

impl PredictionState {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: PredictionParts) -> Self {
        let PredictionParts { gate, records, objects, bus, captures, clock, model_cache_bytes, inference_timeout } =
            parts;
        let background = TaskTracker::new();
        // A closed tracker takes tasks as before; it can be waited for.
        background.close();
        let events = EventLog::new(records.clone());
        let uploads = Uploads::new(records.clone(), objects.clone(), clock.clone());
        let audit = AuditTrail::new(records.clone(), clock.clone());
        let engines = Engines::new(objects.clone(), model_cache_bytes, inference_timeout);
        let registry =
            Registry::new(records.clone(), objects, clock.clone(), audit.clone(), engines.clone(), uploads.clone());
        let traffic = Traffic::new(registry.clone(), bus, clock.clone(), background.clone());
        let capturing = Capturing::new(captures, clock.clone(), background.clone());
        let versions = Versions::new(registry.clone(), engines);
        let outcomes = Outcomes::new(registry.clone(), background.clone());
        let serving = Serving::new(
            registry.clone(),
            versions.clone(),
            traffic.clone(),
            capturing.clone(),
            outcomes.clone(),
            background.clone(),
        );
        let fusions = Fusions::new(records, clock, audit.clone(), registry.clone(), serving.clone());
        let longest_work = inference_timeout + AFTER_INFERENCE;
        Self(Arc::new(Shared {
            gate,
            serving,
            traffic,
            outcomes,
            registry,
            audit,
            versions,
            fusions,
            events,
            capturing,
            uploads,
            background,
            longest_work,
        }))
    }

    /// Files that are sent for later use, to be removed when nobody uses them.
    #[must_use]
    pub fn uploads(&self) -> &Uploads {
        &self.uploads
    }

    /// Waits for what answers left to be done after them: shadows, counts, captured calls. It ends by itself: after the
    /// time of one inference and 7 s at most.
    pub async fn settle(&self) {
        if tokio::time::timeout(self.longest_work, self.background.wait()).await.is_err() {
            tracing::warn!("work after an answer did not end in time; it goes on with the next call");
        }
        self.capturing.flush().await;
    }

    /// The same, and keeps what else lies in memory alone: before the process ends.
    pub async fn finish(&self) {
        self.settle().await;
        self.traffic.keep_all().await;
    }
}

impl Deref for PredictionState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl fmt::Debug for PredictionState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PredictionState").finish_non_exhaustive()
    }
}

impl FromRef<PredictionState> for Gate {
    fn from_ref(state: &PredictionState) -> Self {
        state.gate.clone()
    }
}
