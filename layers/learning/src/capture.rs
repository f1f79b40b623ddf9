//! Capture: which calls of a model are kept, to be joined with outcomes and compared with training data later.
//!
//! The choice is a pure function of the model and the request, so that a repeated request is chosen again, on each
//! instance, and anybody can compute it:
//!
//! ```text
//! number   = the first 8 bytes, big-endian, of SHA-256("capture" "\0" model "\0" request)
//! captured = floor(number * 10,000 / 2^64) < basis points of the percentage
//! ```
//!
//! As with [`Rollout`](crate::rollout::Rollout), a higher percentage adds requests and leaves out none that was in; the
//! salt makes it independent of the arms of rollouts.

use serde::{Deserialize, Serialize};

use crate::rollout::{Percent, number};

/// The salt, in the place where a rollout has the model; no model has this id.
const SALT: &str = "capture";

/// Which calls of a model are captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum CapturePolicy {
    /// None.
    #[default]
    Off,
    /// A share of them.
    Percentage {
        /// The share.
        percent: Percent,
    },
    /// Each.
    All,
}

impl CapturePolicy {
    /// Whether a request of a model is captured. Neither text holds a zero byte.
    #[must_use]
    pub fn captures(&self, model: &str, request: &str) -> bool {
        match self {
            Self::Off => false,
            Self::Percentage { percent } => percent.holds(number(SALT, model, request)),
            Self::All => true,
        }
    }
}
