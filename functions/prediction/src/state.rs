//! What the prediction function needs at start.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use mandi_core::Clock;
use mandi_core::audit::AuditTrail;
use mandi_core::ports::{Objects, Records};
use mandi_core::uploads::Uploads;
use mandi_http::Gate;
use mandi_registry::{Engines, Registry, Versions};

use crate::fusion::Fusions;
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
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How much memory loaded models may take together, in bytes.
    pub model_cache_bytes: u64,
    /// How long one inference may take.
    pub inference_timeout: Duration,
}

/// What handlers see.
#[derive(Clone)]
pub struct PredictionState {
    pub(crate) gate: Gate,
    pub(crate) registry: Registry,
    pub(crate) serving: Serving,
    pub(crate) traffic: Traffic,
    pub(crate) audit: AuditTrail,
    pub(crate) versions: Versions,
    pub(crate) fusions: Fusions,
    uploads: Uploads,
}

impl PredictionState {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: PredictionParts) -> Self {
        let PredictionParts { gate, records, objects, clock, model_cache_bytes, inference_timeout } = parts;
        let uploads = Uploads::new(records.clone(), objects.clone(), clock.clone());
        let audit = AuditTrail::new(records.clone(), clock.clone());
        let engines = Engines::new(objects.clone(), model_cache_bytes, inference_timeout);
        let registry =
            Registry::new(records.clone(), objects, clock.clone(), audit.clone(), engines.clone(), uploads.clone());
        let traffic = Traffic::new(registry.clone(), clock.clone());
        let versions = Versions::new(registry.clone(), engines);
        let serving = Serving::new(registry.clone(), versions.clone(), traffic.clone());
        let fusions = Fusions::new(records, clock, audit.clone(), registry.clone(), serving.clone());
        Self { gate, serving, traffic, registry, audit, versions, fusions, uploads }
    }

    /// Files that are sent for later use, to be removed when nobody uses them.
    #[must_use]
    pub const fn uploads(&self) -> &Uploads {
        &self.uploads
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
