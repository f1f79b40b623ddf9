//! Linear models, exactly.

use super::contributions::count;
use super::{Contributions, ExplainFault, Game, Rows, Space};

/// A linear model with the means of a background: a feature contributes its coefficient times how far its value is from
/// the mean. In a linear model both games are the same when features are independent; this is the interventional one.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearExplainer {
    /// Target by target, feature by feature.
    coefficients: Vec<f64>,
    means: Vec<f64>,
    base: Vec<f64>,
}

impl LinearExplainer {
    /// A model with coefficients target by target, feature by feature, and an intercept for each target. Its margins are
    /// explained.
    ///
    /// # Errors
    /// The coefficients are not as many as intercepts times the background's columns, the background is empty, or has
    /// missing values.
    pub fn new(coefficients: Vec<f64>, intercepts: &[f64], background: Rows<'_>) -> Result<Self, ExplainFault> {
        let features = background.width();
        background.background(features, usize::MAX)?;
        let expected = intercepts.len().saturating_mul(features);
        if coefficients.len() != expected || expected == 0 {
            return Err(ExplainFault::Count { what: "coefficients", found: coefficients.len(), expected });
        }
        check("background", background)?;
        let mut means = vec![0.0; features];
        for row in background.iter() {
            means.iter_mut().zip(row).for_each(|(mean, value)| *mean += value);
        }
        means.iter_mut().for_each(|mean| *mean /= count(background.len()));
        let base = |(own, intercept): (&[f64], &f64)| {
            intercept + own.iter().zip(&means).map(|(coefficient, mean)| coefficient * mean).sum::<f64>()
        };
        let base = coefficients.chunks_exact(features).zip(intercepts).map(base).collect();
        Ok(Self { coefficients, means, base })
    }

    /// The contributions of rows as wide as the background.
    ///
    /// # Errors
    /// The rows have another width, or a missing value.
    pub fn explain(&self, rows: Rows<'_>) -> Result<Contributions, ExplainFault> {
        let features = self.means.len();
        if rows.width() != features {
            return Err(ExplainFault::Width { what: "rows to explain", found: rows.width(), expected: features });
        }
        check("rows to explain", rows)?;
        let mut values = Vec::with_capacity(rows.len() * self.coefficients.len());
        for row in rows.iter() {
            for own in self.coefficients.chunks_exact(features) {
                let terms = own.iter().zip(row.iter().zip(&self.means));
                values.extend(terms.map(|(coefficient, (value, mean))| coefficient * (value - mean)));
            }
        }
        Ok(Contributions { game: Game::Interventional, space: Space::Raw, base: self.base.clone(), features, values })
    }
}

/// Linear models have no meaning for missing values.
fn check(what: &'static str, rows: Rows<'_>) -> Result<(), ExplainFault> {
    for (place, row) in rows.iter().enumerate() {
        if let Some(column) = row.iter().position(|value| value.is_nan()) {
            return Err(ExplainFault::Missing { what, row: place, column });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests state what must hold")]
    use super::*;

    #[test]
    fn given_two_margins_then_base_and_contributions_make_each() {
        let background = [1.0, 2.0, 3.0, 6.0];
        let rows = [5.0, -1.0];
        let explainer =
            LinearExplainer::new(vec![2.0, 1.0, -1.0, 0.5], &[10.0, 0.0], Rows::new(&background, 2).unwrap()).unwrap();
        let found = explainer.explain(Rows::new(&rows, 2).unwrap()).unwrap();
        // The means are 2 and 4.
        assert_eq!(found.base(), [18.0, 0.0]);
        assert_eq!(found.values(), [6.0, -5.0, -3.0, -2.5]);
        assert_eq!([found.output(0, 0), found.output(0, 1)], [Some(19.0), Some(-5.5)]);
    }

    #[test]
    fn given_a_missing_value_then_the_fault_names_its_row_and_column() {
        let rows = [1.0, 2.0, 3.0, f64::NAN];
        let found = LinearExplainer::new(vec![2.0, 1.0], &[0.0], Rows::new(&rows, 2).unwrap());
        assert_eq!(found, Err(ExplainFault::Missing { what: "background", row: 1, column: 1 }));
    }
}
