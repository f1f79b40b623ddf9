//! Weights that follow the best member, wherever it is: fixed share.

use serde::{Deserialize, Serialize};

use super::definition::DefinitionError;
use crate::numbers::{float, float_of};

/// Fixed share (Herbster and Warmuth, *Tracking the best expert*, Machine Learning 32, 1998) over exponential weights
/// (Hedge; Freund and Schapire, *A decision-theoretic generalization of on-line learning*, JCSS 55(1), 1997). After an
/// outcome with losses `l_i` in 0..1:
///
/// ```text
/// v_i = w_i exp(-step l_i) / sum of w_j exp(-step l_j)      what the outcome says
/// w_i = (1 - share) v_i + share prior_i                     the guard
/// ```
///
/// No weight is ever below `share * prior_i` or above `1 - share (1 - prior_i)`: no drift to one member, and one
/// that was bad and is good again comes back within about `ln(1 / (share prior_i)) / step` losses. For losses that are
/// convex in the fused score (the absolute error is) and any sequence of `T` outcomes, the fusion's loss is at most
/// that of the best sequence of members with `k` changes plus
/// `(ln(1/prior) + k ln(1 / (share prior)) + (T - 1 - k) ln(1 / (1 - share))) / step + step T / 8`.
///
/// Members that gave no opinion sleep: those that did share out among themselves what they had together (Freund, Schapire,
/// Singer, Warmuth, *Using and combining predictors that specialize*, STOC 1997).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hedge {
    /// The learning rate: by how much a loss of 1 lowers the logarithm of a weight. Above 0, 10 at most.
    pub step: f64,
    /// What goes back to the prior with each outcome. Above 0, 0.5 at most.
    pub share: f64,
}

impl Hedge {
    /// For about so many outcomes that should count: `share = 1 / outcomes`, `step = sqrt(8 ln(members) / outcomes)`,
    /// which makes the bound least where nothing changes over that many; both within what is allowed.
    #[must_use]
    pub fn for_memory(outcomes: u32, members: usize) -> Self {
        let outcomes = float(u64::from(outcomes.max(2)));
        let step = (8.0 * float_of(members.max(2)).ln() / outcomes).sqrt();
        Self { step: step.min(MAX_STEP), share: (1.0 / outcomes).clamp(MIN_SHARE, MAX_SHARE) }
    }

    pub(super) fn check(self) -> Result<(), DefinitionError> {
        let number = |field, value, rule| Err(DefinitionError::Number { field, value, rule });
        match self {
            Self { step, .. } if !(step > 0.0 && step <= MAX_STEP) => number("step", step, "above 0, 10 at most"),
            Self { share, .. } if !(MIN_SHARE..=MAX_SHARE).contains(&share) => {
                number("share", share, "between 1e-6 and 0.5")
            }
            _ => Ok(()),
        }
    }

    /// The weights after an outcome. `losses` are 0 to 1, nothing for a member that sleeps; all lists have the order
    /// of the members; weights and prior sum to 1.
    pub(super) fn updated(self, weights: &[f64], prior: &[f64], losses: &[Option<f64>]) -> Vec<f64> {
        let factor = |loss: &Option<f64>| loss.map(|loss| (-self.step * loss).exp());
        let sums = weights.iter().zip(losses).fold((0.0, 0.0), |(before, after), (weight, loss)| match factor(loss) {
            Some(factor) => (before + weight, after + weight * factor),
            None => (before, after),
        });
        let (before, after): (f64, f64) = sums;
        let said =
            |weight: f64, loss: &Option<f64>| factor(loss).map_or(weight, |factor| weight * factor * before / after);
        let guarded = |said: f64, prior: f64| (1.0 - self.share) * said + self.share * prior;
        let every = weights.iter().zip(losses).zip(prior);
        every.map(|((weight, loss), prior)| guarded(said(*weight, loss), *prior)).collect()
    }
}

const MAX_STEP: f64 = 10.0;
const MIN_SHARE: f64 = 1e-6;
const MAX_SHARE: f64 = 0.5;
