//! Logistic regression that goes on from what it learned.

use nalgebra::{Cholesky, DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::joint::{packed, unpacked};

/// The precision of the intercept at the start: a standard deviation of 10 in log-odds.
pub const INTERCEPT_PRECISION: f64 = 0.01;

/// A Gaussian belief about intercept and weights. Outcomes move it to the greatest posterior, found by iteratively
/// reweighted least squares with halved steps, and its precision grows by their Fisher information (Laplace's
/// approximation; Spiegelhalter and Lauritzen, *Sequential updating of conditional probabilities*, Networks 20, 1990).
/// The first outcomes, given at once, are fitted exactly; later ones in batches nearly as well as all at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Belief {
    /// Intercept, then weights.
    mean: Vec<f64>,
    /// The lower triangle of the precision, row by row.
    precision: Vec<f64>,
}

/// One outcome: the members' log-odds, and whether the positive class came (1) or not (0).
pub(super) struct Row {
    pub(super) log_odds: Vec<f64>,
    pub(super) outcome: f64,
}

/// The most steps; a few are usual.
const MAX_STEPS: usize = 100;

impl Belief {
    /// The weights of a prior, and no intercept.
    pub(super) fn new(prior: &[f64], penalty: f64) -> Self {
        let members = prior.len();
        let mean = std::iter::once(0.0).chain(prior.iter().copied()).collect();
        let diagonal = |place: usize| if place == 0 { INTERCEPT_PRECISION } else { penalty };
        let at = |row, column| if row == column { diagonal(row) } else { 0.0 };
        Self { mean, precision: packed(&DMatrix::from_fn(members + 1, members + 1, at)) }
    }

    pub(super) fn is_of(&self, members: usize) -> bool {
        self.mean.len() == members + 1 && self.precision.len() == (members + 1) * (members + 2) / 2
    }

    pub(super) fn intercept(&self) -> f64 {
        self.mean.first().copied().unwrap_or_default()
    }

    pub(super) fn weights(&self) -> &[f64] {
        self.mean.get(1..).unwrap_or_default()
    }

    /// After some outcomes. Nothing when their numbers are beyond what can be solved.
    pub(super) fn updated(&self, rows: &[Row]) -> Option<Self> {
        let size = self.mean.len();
        let fit = Fit {
            start: DVector::from_column_slice(&self.mean),
            precision: unpacked(size, &self.precision)?,
            inputs: DMatrix::from_fn(rows.len(), size, |row, column| {
                if column == 0 { 1.0 } else { rows[row].log_odds.get(column - 1).copied().unwrap_or_default() }
            }),
            outcomes: DVector::from_iterator(rows.len(), rows.iter().map(|row| row.outcome)),
        };
        let mean = fit.greatest()?;
        let precision = fit.curvature(&mean);
        Some(Self { mean: mean.iter().copied().collect(), precision: packed(&precision) })
    }
}

/// A posterior whose greatest point is looked for.
struct Fit {
    start: DVector<f64>,
    precision: DMatrix<f64>,
    inputs: DMatrix<f64>,
    outcomes: DVector<f64>,
}

impl Fit {
    /// The negative logarithm of the posterior, up to a constant.
    fn cost(&self, at: &DVector<f64>) -> f64 {
        let distance = at - &self.start;
        let prior = 0.5 * distance.dot(&(&self.precision * &distance));
        let sums = &self.inputs * at;
        let loss = |(sum, outcome): (&f64, &f64)| sum.max(0.0) + (-sum.abs()).exp().ln_1p() - outcome * sum;
        prior + sums.iter().zip(self.outcomes.iter()).map(loss).sum::<f64>()
    }

    fn gradient(&self, at: &DVector<f64>) -> DVector<f64> {
        let errors = (&self.inputs * at).map(probability) - &self.outcomes;
        &self.precision * (at - &self.start) + self.inputs.transpose() * errors
    }

    /// The second derivatives of the cost: positive definite, as the precision is.
    fn curvature(&self, at: &DVector<f64>) -> DMatrix<f64> {
        let spread = (&self.inputs * at).map(|sum| probability(sum) * probability(-sum));
        let mut weighted = self.inputs.clone();
        for (mut row, spread) in weighted.row_iter_mut().zip(spread.iter()) {
            row *= *spread;
        }
        &self.precision + self.inputs.transpose() * weighted
    }

    /// Newton's method. The cost is convex, so that halving a step that goes too far always leads down.
    fn greatest(&self) -> Option<DVector<f64>> {
        let mut at = self.start.clone();
        let mut cost = self.cost(&at);
        for _ in 0..MAX_STEPS {
            let step = Cholesky::new(self.curvature(&at))?.solve(&self.gradient(&at));
            let tried = (0..40).map(|halvings| &at - &step * 0.5_f64.powi(halvings));
            let better = tried.map(|next| (self.cost(&next), next)).find(|(next_cost, _)| *next_cost < cost);
            // No step lowers the cost any more: this is the least, to the precision of the numbers.
            let Some((next_cost, next)) = better else { break };
            (at, cost) = (next, next_cost);
            if step.amax() < 1e-12 {
                break;
            }
        }
        at.iter().all(|value| value.is_finite()).then_some(at)
    }
}

/// `1 / (1 + exp(-log_odds))`.
pub(super) fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}
