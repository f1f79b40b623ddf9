//! Explanations of a whole model in terms of its signature: of what its caller gave, not of what its trees read.
//!
//! A file that is one ensemble of trees, or one linear model, with what makes its columns before it, is explained exactly;
//! columns that are made of one feature, such as those of a one-hot encoder, are summed back to it. Any other file is
//! explained by permutation of its features, with a standard error.

mod exact;
mod told;

use super::{
    Budget, Contributions, ExplainFault, Game, Grouping, MAX_BACKGROUND, Rows, Space, importance, permutation,
};
use crate::onnx::Model;
use crate::signature::{Bound, Prediction, Row};
use exact::Exact;
use told::Told;

/// Pairs of orders of a permutation estimate, where the budget allows them.
const PAIRS: usize = 100;
/// Rows that are explained exactly between two looks at whether somebody waits for them.
const EXACT_ROWS: usize = 32;
/// Rows that the model is asked for at a time, and between two such looks, for an estimate.
const ESTIMATED_ROWS: usize = 512;
/// Rows that a permutation estimate asks the model for at most, for each row that is explained.
const MAX_EVALUATIONS: usize = 20_000;

/// Explains the predictions of one model with one background.
#[derive(Debug)]
pub struct ModelExplainer {
    background: Vec<Row>,
    features: usize,
    exact: Option<Exact>,
}

/// How contributions were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Exactly, of the trees or the coefficients.
    Exactly,
    /// By permutation, as a mean over samples.
    Estimated,
}

/// The number that is explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The one value of the answer.
    Value,
    /// One of several values, by its place.
    Target(usize),
    /// The score of a class.
    Class(String),
    /// Another output of the model, by its name.
    Output(String),
}

impl Subject {
    /// The class, where it is the score of one.
    #[must_use]
    pub fn class(&self) -> Option<&str> {
        if let Self::Class(class) = self { Some(class) } else { None }
    }
}

/// What each feature contributes to the answer for a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// How it was found.
    pub found: Found,
    /// Which game was played.
    pub game: Game,
    /// The unit.
    pub space: Space,
    /// Of what.
    pub subject: Subject,
    /// The mean output over the background.
    pub base: f64,
    /// The contribution of each feature, in the order of the signature.
    pub values: Vec<f64>,
    /// The standard error of each contribution, where they are estimates.
    pub errors: Option<Vec<f64>>,
}

/// How much each feature matters over rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Overall {
    /// The mean size of the contributions of each feature, in the order of the signature.
    pub importance: Vec<f64>,
    /// How far each may be off because contributions are estimates: the mean of their standard errors. It bounds the
    /// standard error of the mean however the errors of rows hang together.
    pub errors: Option<Vec<f64>>,
}

impl Overall {
    /// Over the explanations of some rows; none when there are none.
    #[must_use]
    pub fn of(explanations: &[Explanation]) -> Option<Self> {
        let first = explanations.first().filter(|first| !first.values.is_empty())?;
        let over = |values: Vec<f64>| {
            let (game, space, base) = (first.game, first.space, vec![first.base]);
            importance(&Contributions { game, space, base, features: first.values.len(), values })
        };
        let values = explanations.iter().flat_map(|one| one.values.iter().copied()).collect();
        let errors: Option<Vec<&Vec<f64>>> = explanations.iter().map(|one| one.errors.as_ref()).collect();
        let errors = errors.map(|errors| over(errors.into_iter().flatten().copied().collect()));
        Some(Self { importance: over(values), errors })
    }
}

impl ModelExplainer {
    /// An explainer of the model in `file`. Rows of the background are typical ones, 1 to [`MAX_BACKGROUND`].
    ///
    /// # Errors
    /// The background has no or too many rows, or the model fails on it.
    pub fn new(file: &[u8], bound: &Bound, background: Vec<Row>, game: Game) -> Result<Self, ExplainFault> {
        if background.is_empty() || background.len() > MAX_BACKGROUND {
            return Err(ExplainFault::Background { found: background.len(), most: MAX_BACKGROUND });
        }
        let features = bound.signature().inputs.len();
        let exact = Exact::new(file, bound, &background, game)?;
        Ok(Self { background, features, exact })
    }

    /// How contributions are found.
    #[must_use]
    pub const fn found(&self) -> Found {
        if self.exact.is_some() { Found::Exactly } else { Found::Estimated }
    }

    /// Explains the answers for some rows, which the model gave before. Of several values `target` is explained, from 0.
    /// `is_over` is asked now and then, whether nobody waits for it any more.
    ///
    /// # Errors
    /// The model fails, or answers with nothing that can be explained, or has no such target; or it was stopped.
    pub fn explain(
        &self,
        of: (&Model, &Bound),
        (rows, answers): (&[Row], &[Prediction]),
        target: usize,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Vec<Explanation>, ExplainFault> {
        let wrong = answers.iter().find_map(|answer| check_target(answer, target).err());
        match (&self.exact, wrong) {
            (_, Some(fault)) => Err(fault),
            (Some(exact), None) => {
                let mut explained = Vec::with_capacity(rows.len());
                for (rows, answers) in rows.chunks(EXACT_ROWS).zip(answers.chunks(EXACT_ROWS)) {
                    if is_over() {
                        return Err(ExplainFault::Stopped);
                    }
                    explained.extend(exact.explain(self, of.1, (rows, answers), target)?);
                }
                Ok(explained)
            }
            (None, None) => {
                let pairs = rows.iter().zip(answers);
                pairs.map(|(row, answer)| self.estimate(of, (row, answer), target, is_over)).collect()
            }
        }
    }

    fn estimate(
        &self,
        (model, bound): (&Model, &Bound),
        (row, answer): (&Row, &Prediction),
        target: usize,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Explanation, ExplainFault> {
        let told = Told::of(answer, target)?;
        // A player's value is the row that it is taken from: 0 the one to explain, then those of the background.
        #[expect(clippy::cast_precision_loss, reason = "a background has at most 1,000 rows")]
        let references: Vec<f64> =
            (1..=self.background.len()).flat_map(|place| std::iter::repeat_n(place as f64, self.features)).collect();
        let source = |place: f64| match place {
            0.0 => row,
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as it was made above")]
            place => &self.background[place as usize - 1],
        };
        let predict = |asked: Rows<'_>| {
            let mixed = |asked: &[f64]| -> Row {
                asked.iter().enumerate().map(|(feature, place)| source(*place)[feature].clone()).collect()
            };
            let rows: Vec<Row> = asked.iter().map(mixed).collect();
            let mut found = Vec::with_capacity(rows.len());
            for rows in rows.chunks(ESTIMATED_ROWS) {
                if is_over() {
                    return Err(ExplainFault::Stopped);
                }
                found.extend(told_of(&told, (model, bound), rows)?);
            }
            Ok(found)
        };
        let budget =
            Budget { evaluations: (2 * self.features * PAIRS).min(MAX_EVALUATIONS).max(4 * self.features), seed: 0 };
        let grouping = Grouping::single(self.features)?;
        let background = Rows::new(&references, self.features)?;
        let own = vec![0.0; self.features];
        let estimate = permutation(predict, &own, background, (&grouping, 1), budget)?;
        let contributions = estimate.contributions;
        Ok(Explanation {
            found: Found::Estimated,
            game: contributions.game(),
            space: told.space(),
            subject: told.subject(),
            base: contributions.base()[0],
            values: contributions.values().to_vec(),
            errors: Some(estimate.errors),
        })
    }
}

/// What the model tells of some rows: by halves where it does not take them at once.
fn told_of(told: &Told, (model, bound): (&Model, &Bound), rows: &[Row]) -> Result<Vec<f64>, ExplainFault> {
    let failed = ExplainFault::Predictor;
    match model.run(bound.inputs(rows)) {
        Ok(outputs) => {
            let answers = bound.predictions(rows.len(), &outputs).map_err(|fault| failed(fault.to_string()))?;
            answers.iter().map(|answer| told.in_answer(answer).map_err(failed)).collect()
        }
        Err(fault) if rows.len() == 1 => Err(failed(fault.to_string())),
        Err(_) => {
            let (front, back) = rows.split_at(rows.len() / 2);
            Ok([told_of(told, (model, bound), front)?, told_of(told, (model, bound), back)?].concat())
        }
    }
}

/// Whether an answer has a target.
fn check_target(answer: &Prediction, target: usize) -> Result<(), ExplainFault> {
    let count = answer.values.as_ref().map_or(1, Vec::len);
    if target < count {
        return Ok(());
    }
    Err(ExplainFault::Target { found: target, count })
}

#[cfg(test)]
mod tests;
