//! The registry of models, and what makes a version answer: its file in memory, its signature, its explainer.
//!
//! A version is checked when it is registered and never changes; which version serves is said by stages, and every change
//! is in the audit trail. What a function needs of the outside are the ports `Records` and `Objects`.

mod calibration;
mod capture;
mod differences;
mod engines;
mod explainers;
mod intervals;
mod metric;
mod model;
mod outcomes;
mod ready;
mod register;
mod registry;
mod sample;
mod stages;
mod store;

pub use calibration::{Calibration, CalibrationMethod, CalibrationSource, HeldOutPrediction, NewCalibration};
pub use capture::{CaptureChoice, CaptureSettings};
pub use engines::{Engines, Loaded, sha256};
pub use intervals::Intervals;
pub use metric::{MetricKind, MetricSettings};
pub use model::{Artifact, BackgroundInfo, Lineage, Model, SampleCheck, Version};
pub use outcomes::{Answerer, NewOutcomes, StoredJudged, WaitingAnswer, WaitingCall};
pub use ready::{Answer, Explaining, Ready, Versions, Wanted};
pub use register::{ArtifactSource, MAX_ARTIFACT_BYTES, NewVersion};
pub use registry::{Deployed, Described, Registry};
pub use sample::{Background, Expected, Sample, escaped, made_up, read_rows};
pub use stages::{Candidate, GuardSettings, RolledBack, Rollout, Share, Split, Stage, StageName};
