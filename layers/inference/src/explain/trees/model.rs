//! What is explained.

use super::super::ExplainFault;
use crate::trees::{Aggregate, Ensemble};

/// An ensemble whose outputs are sums over trees: what is explained exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeModel {
    ensemble: Ensemble,
    scale: f64,
    base_values: Vec<f64>,
}

impl TreeModel {
    /// An ensemble, how its votes are joined, and what is added to each target; no base values are zeros.
    ///
    /// # Errors
    /// The votes are not summed, or there is another number of base values than of targets.
    #[expect(clippy::cast_precision_loss, reason = "trees are fewer than 2^52")]
    pub fn new(ensemble: Ensemble, aggregate: Aggregate, base_values: Vec<f64>) -> Result<Self, ExplainFault> {
        let scale = match aggregate {
            Aggregate::Sum => 1.0,
            Aggregate::Average => 1.0 / ensemble.roots().len() as f64,
            Aggregate::Min | Aggregate::Max => return Err(ExplainFault::Aggregate),
        };
        let expected = ensemble.targets();
        let base_values = match base_values.len() {
            0 => vec![0.0; expected],
            found if found == expected => base_values,
            found => return Err(ExplainFault::Count { what: "base values", found, expected }),
        };
        Ok(Self { ensemble, scale, base_values })
    }

    /// The trees.
    #[must_use]
    pub const fn ensemble(&self) -> &Ensemble {
        &self.ensemble
    }

    /// What each vote is multiplied by.
    #[must_use]
    pub const fn scale(&self) -> f64 {
        self.scale
    }

    /// What is added to each target.
    #[must_use]
    pub fn base_values(&self) -> &[f64] {
        &self.base_values
    }
}
