//! Joint moments of the members' scores and the outcome, and ridge regression from them.

use nalgebra::{Cholesky, DMatrix, DVector};
use serde::{Deserialize, Serialize};

use crate::numbers::float;

/// Means and centred products of several numbers that come together. They are updated by Welford's rule
/// (*Note on a method for calculating corrected sums of squares and products*, Technometrics 4(3), 1962).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JointMoments {
    count: u64,
    means: Vec<f64>,
    /// The lower triangle, row by row.
    products: Vec<f64>,
}

/// A linear function.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Linear {
    pub(super) intercept: f64,
    pub(super) weights: Vec<f64>,
}

const fn triangle(size: usize) -> usize {
    size * (size + 1) / 2
}

/// The lower triangle of a symmetric matrix, row by row.
pub(super) fn packed(matrix: &DMatrix<f64>) -> Vec<f64> {
    (0..matrix.nrows()).flat_map(|row| (0..=row).map(move |column| matrix[(row, column)])).collect()
}

/// The symmetric matrix of a lower triangle; nothing when the length is not that of `size` rows.
pub(super) fn unpacked(size: usize, lower: &[f64]) -> Option<DMatrix<f64>> {
    let at = |row: usize, column: usize| lower[triangle(row.max(column)) + row.min(column)];
    (lower.len() == triangle(size)).then(|| DMatrix::from_fn(size, size, at))
}

impl JointMoments {
    /// Of nothing yet, for so many numbers.
    pub(super) fn new(size: usize) -> Self {
        Self { count: 0, means: vec![0.0; size], products: vec![0.0; triangle(size)] }
    }

    /// How many times numbers came.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// How many numbers come together.
    pub(super) const fn size(&self) -> usize {
        self.means.len()
    }

    /// Whether it is of so many numbers.
    pub(super) fn is_of(&self, size: usize) -> bool {
        self.means.len() == size && self.products.len() == triangle(size)
    }

    /// One more time; `values` are as many as it is of.
    pub(super) fn add(&mut self, values: &[f64]) {
        self.count = self.count.saturating_add(1);
        let share = 1.0 / float(self.count);
        let before: Vec<f64> = values.iter().zip(&self.means).map(|(value, mean)| value - mean).collect();
        for (mean, distance) in self.means.iter_mut().zip(&before) {
            *mean += share * distance;
        }
        let pairs =
            before.iter().enumerate().flat_map(|(row, one)| before.iter().take(row + 1).map(move |two| one * two));
        for (sum, product) in self.products.iter_mut().zip(pairs) {
            *sum += (1.0 - share) * product;
        }
    }

    fn product(&self, one: usize, other: usize) -> f64 {
        self.products.get(triangle(one.max(other)) + one.min(other)).copied().unwrap_or_default()
    }

    fn mean(&self, place: usize) -> f64 {
        self.means.get(place).copied().unwrap_or_default()
    }

    /// The ridge regression of one number on others: it minimises `sum of (y - a - w x)^2 + penalty |w - u|^2`, where
    /// `u` are the `prior` weights of those others made to sum to 1, so that without data it is their mean. Its
    /// equations are solved exactly.
    pub(super) fn ridge(&self, of: usize, on: &[usize], prior: &[f64], penalty: f64) -> Linear {
        let of_prior = |place: &usize| prior.get(*place).copied().unwrap_or_default();
        let total: f64 = on.iter().map(of_prior).sum();
        let towards: Vec<f64> = on.iter().map(|place| of_prior(place) / total).collect();
        // With d = w - u: (C + penalty) d = c - C u.
        let matrix = DMatrix::from_fn(on.len(), on.len(), |row, column| {
            self.product(on[row], on[column]) + if row == column { penalty } else { 0.0 }
        });
        let rest = |one: &usize| {
            let of_prior: f64 =
                on.iter().zip(&towards).map(|(other, weight)| self.product(*one, *other) * weight).sum();
            self.product(*one, of) - of_prior
        };
        let right = DVector::from_iterator(on.len(), on.iter().map(rest));
        // Only numbers beyond all scale make the matrix indefinite; then the prior's weights stay.
        let moved =
            Cholesky::new(matrix).map(|factor| factor.solve(&right)).filter(|d| d.iter().all(|d| d.is_finite()));
        let weights: Vec<f64> = match moved {
            Some(moved) => moved.iter().zip(&towards).map(|(d, weight)| d + weight).collect(),
            None => towards,
        };
        let explained: f64 = weights.iter().zip(on).map(|(weight, place)| weight * self.mean(*place)).sum();
        Linear { intercept: self.mean(of) - explained, weights }
    }

    /// The share of the variance of one number that another one explains by itself (squared correlation), 0 to 1.
    pub(super) fn explained(&self, of: usize, by: usize) -> f64 {
        let share = self.product(of, by).powi(2) / (self.product(of, of) * self.product(by, by));
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    }
}
