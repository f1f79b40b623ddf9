//! The logistic function, and how steep it is.

/// Margins that are nearer than this are taken for one.
const NEAR: f64 = 1e-4;

/// `1 / (1 + exp(-x))`.
pub(super) fn logistic(x: f64) -> f64 {
    let positive = 1.0 / (1.0 + (-x.abs()).exp());
    if x < 0.0 { 1.0 - positive } else { positive }
}

/// The slope of the line through two points of the logistic function; of the function itself where they meet.
pub(super) fn slope(one: f64, other: f64) -> f64 {
    if (one - other).abs() > NEAR {
        return (logistic(one) - logistic(other)) / (one - other);
    }
    let middle = logistic(f64::midpoint(one, other));
    middle * (1.0 - middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_margins_that_come_nearer_then_the_slope_has_no_step() {
        for middle in [-30.0, -2.0, 0.0, 1.5, 30.0] {
            let [apart, near] = [1.01 * NEAR, 0.99 * NEAR].map(|width| slope(middle, middle + width));
            assert!((apart - near).abs() < 1e-5 * near.abs() + 1e-12, "{middle}: {apart} and {near}");
        }
    }
}
