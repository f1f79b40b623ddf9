//! Integrals from 0 to 1 by Gauss and Legendre: exact for polynomials of a degree below twice the number of points.

/// A point and its weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) at: f64,
    pub(super) weight: f64,
}

/// Some points. Newton's method on Legendre polynomials (Press et al., Numerical Recipes, 4.6).
pub(super) fn points(count: u32) -> Vec<Point> {
    let n = f64::from(count);
    let point = |place: u32| {
        let mut x = (std::f64::consts::PI * (f64::from(place) + 0.75) / (n + 0.5)).cos();
        let mut slope = 1.0;
        // It converges quadratically from here: 10 steps are more than enough.
        for _ in 0..10 {
            let (mut one, mut before) = (1.0, 0.0);
            for degree in 0..count {
                let degree = f64::from(degree);
                (one, before) = (((2.0 * degree + 1.0) * x * one - degree * before) / (degree + 1.0), one);
            }
            slope = n * (x * one - before) / (x * x - 1.0);
            x -= one / slope;
        }
        Point { at: f64::midpoint(1.0, x), weight: 1.0 / ((1.0 - x * x) * slope * slope) }
    };
    (0..count).map(point).collect()
}

/// How many points are exact for the Shapley values of some players: the integrand's degree is one less than they.
pub(super) fn enough(players: usize) -> u32 {
    u32::try_from(players.div_ceil(2)).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_some_points_then_polynomials_of_a_degree_below_twice_their_number_are_integrated_exactly() {
        for count in [1, 2, 3, 8, 32] {
            let points = points(count);
            for degree in 0..2 * count {
                let found: f64 =
                    points.iter().map(|point| point.weight * point.at.powi(i32::try_from(degree).unwrap_or(0))).sum();
                assert!(
                    (found - 1.0 / f64::from(degree + 1)).abs() < 1e-14,
                    "{count} points, degree {degree}: {found}"
                );
            }
        }
    }
}
