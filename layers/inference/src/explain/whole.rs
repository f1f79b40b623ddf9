//! Explanations of a whole model in terms of its signature: of what its caller gave, not of what its trees read.
//!
//! A file that is one ensemble of trees, with what makes its columns before it, is explained exactly; columns that are
//! made of one feature, such as those of a one-hot encoder, are summed back to it. Any other file is explained by
//! permutation of its features, with a standard error.

use super::{
    Budget, Contributions, ExplainFault, Game, Grouping, MAX_BACKGROUND, Rows, Space, TreeExplainer, importance,
    permutation,
};
use crate::onnx::trees_of::{TreeScores, Trees};
use crate::onnx::{Model, ModelRunFault};
use crate::signature::{Bound, Prediction, Row, Scalar};

/// What the tables of an explainer may take, in bytes.
const TABLE_BYTES: usize = 64 * 1024 * 1024;
/// Pairs of orders of a permutation estimate, where the budget allows them.
const PAIRS: usize = 100;
/// Rows that a permutation estimate asks the model for at most, for each row that is explained.
const MAX_EVALUATIONS: usize = 20_000;
/// By how many places rows of the background are exchanged to see which columns a feature makes.
const SHIFTS: [usize; 3] = [1, 7, 31];

/// Explains the predictions of one model with one background.
#[derive(Debug)]
pub struct ModelExplainer {
    game: Game,
    background: Vec<Row>,
    features: usize,
    exact: Option<Exact>,
}

/// What an exact explanation needs.
#[derive(Debug)]
struct Exact {
    trees: Trees,
    explainer: TreeExplainer,
    /// The feature that makes each column; none for one that is the same in all rows of the background.
    owners: Vec<Option<usize>>,
    width: usize,
}

/// How contributions were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Exactly, of the trees.
    Exactly,
    /// By permutation, as a mean over samples.
    Estimated,
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
    /// The class whose score is explained, where the answer is one.
    pub class: Option<String>,
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
        Ok(Self { game, background, features, exact })
    }

    /// How contributions are found.
    #[must_use]
    pub const fn found(&self) -> Found {
        if self.exact.is_some() { Found::Exactly } else { Found::Estimated }
    }

    /// Explains the answers for some rows, which the model gave before.
    ///
    /// # Errors
    /// The model fails, or answers with nothing that can be explained.
    pub fn explain(
        &self,
        (model, bound): (&Model, &Bound),
        rows: &[Row],
        answers: &[Prediction],
    ) -> Result<Vec<Explanation>, ExplainFault> {
        match &self.exact {
            Some(exact) => exact.explain(self, bound, rows, answers),
            None => {
                let pairs = rows.iter().zip(answers);
                pairs.map(|(row, answer)| self.estimate((model, bound), row, answer)).collect()
            }
        }
    }

    fn estimate(
        &self,
        (model, bound): (&Model, &Bound),
        row: &Row,
        answer: &Prediction,
    ) -> Result<Explanation, ExplainFault> {
        let told = Told::of(answer)?;
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
            let outputs = model.run(bound.inputs(&rows)).map_err(|fault| fault.to_string())?;
            let answers = bound.predictions(rows.len(), &outputs).map_err(|fault| fault.to_string())?;
            answers.iter().map(|answer| told.in_answer(answer)).collect::<Result<Vec<f64>, String>>()
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
            space: if told.class().is_some() { Space::Probability } else { Space::Raw },
            class: told.class().map(str::to_owned),
            base: contributions.base()[0],
            values: contributions.values().to_vec(),
            errors: Some(estimate.errors),
        })
    }
}

impl Exact {
    /// What an exact explanation needs; none where the file has no such explanation.
    fn new(file: &[u8], bound: &Bound, background: &[Row], game: Game) -> Result<Option<Self>, ExplainFault> {
        let Ok(trees) = Trees::parse(file) else { return Ok(None) };
        if !trees.after.is_empty() {
            return Ok(None);
        }
        let (columns, width) = trees.columns(bound.inputs(background)).map_err(|fault| failed(&fault))?;
        let Some(owners) = owners(&trees, bound, background, &columns, width)? else { return Ok(None) };
        match TreeExplainer::new(&trees.model, game, Rows::new(&columns, width)?, TABLE_BYTES) {
            Ok(explainer) => Ok(Some(Self { trees, explainer, owners, width })),
            Err(ExplainFault::Depth(_) | ExplainFault::Players(_) | ExplainFault::Values(_)) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    fn explain(
        &self,
        whole: &ModelExplainer,
        bound: &Bound,
        rows: &[Row],
        answers: &[Prediction],
    ) -> Result<Vec<Explanation>, ExplainFault> {
        let (columns, _) = self.trees.columns(bound.inputs(rows)).map_err(|fault| failed(&fault))?;
        let contributions = self.explainer.explain(Rows::new(&columns, self.width)?)?;
        let explained = |(place, (row, answer)): (usize, (&Row, &Prediction))| {
            let (target, class) = self.target(answer);
            let none =
                ExplainFault::Number { what: "the target", found: target, expected: "one that the trees vote for" };
            let (Some(own), Some(base)) = (contributions.of(place, target), contributions.base().get(target)) else {
                return Err(none);
            };
            let mut values = vec![0.0; whole.features];
            for (column, (value, owner)) in
                own.iter().zip(&self.owners).enumerate().filter(|(_, (value, _))| **value != 0.0)
            {
                // A column that was the same in all of the background, and is another one in this row.
                let owner = match owner {
                    Some(owner) => Some(*owner),
                    None => self.owner_in(bound, &whole.background[0], row, column)?,
                };
                if let Some(owner) = owner {
                    values[owner] += value;
                }
            }
            let (game, space) = (whole.game, contributions.space());
            Ok(Explanation { found: Found::Exactly, game, space, class, base: *base, values, errors: None })
        };
        rows.iter().zip(answers).enumerate().map(explained).collect()
    }

    /// The score that is explained, and the class that it is of.
    fn target(&self, answer: &Prediction) -> (usize, Option<String>) {
        let classes = answer.probabilities.as_deref().unwrap_or_default();
        match self.trees.scores {
            TreeScores::Values => (0, None),
            TreeScores::SecondClass => (0, classes.get(1).map(|(name, _)| name.clone())),
            TreeScores::Classes => {
                let label = answer.label.as_ref().map(Scalar::to_string);
                let place = classes.iter().position(|(name, _)| Some(name) == label.as_ref());
                (place.unwrap_or(0), label)
            }
        }
    }

    /// The feature whose value in `row` changes a column of a row of the background.
    fn owner_in(
        &self,
        bound: &Bound,
        reference: &Row,
        row: &Row,
        column: usize,
    ) -> Result<Option<usize>, ExplainFault> {
        let mut changed: Vec<Row> = vec![reference.clone(); row.len() + 1];
        for (feature, cell) in row.iter().enumerate() {
            changed[feature + 1][feature] = cell.clone();
        }
        let (columns, width) = self.trees.columns(bound.inputs(&changed)).map_err(|fault| failed(&fault))?;
        let own = |place: usize| columns[place * width + column];
        Ok((0..row.len()).find(|feature| is_other(own(feature + 1), own(0))))
    }
}

/// The feature that makes each column: the one whose exchange between rows of the background changes it. None when a
/// column is made of several features.
fn owners(
    trees: &Trees,
    bound: &Bound,
    background: &[Row],
    columns: &[f64],
    width: usize,
) -> Result<Option<Vec<Option<usize>>>, ExplainFault> {
    let mut owners = vec![None; width];
    for feature in 0..bound.signature().inputs.len() {
        for shift in SHIFTS {
            let mut exchanged = background.to_vec();
            for (place, row) in exchanged.iter_mut().enumerate() {
                row[feature] = background[(place + shift) % background.len()][feature].clone();
            }
            let (changed, _) = trees.columns(bound.inputs(&exchanged)).map_err(|fault| failed(&fault))?;
            for (place, (one, other)) in changed.iter().zip(columns).enumerate() {
                let owner = &mut owners[place % width];
                if is_other(*one, *other) && *owner.get_or_insert(feature) != feature {
                    return Ok(None);
                }
            }
        }
    }
    Ok(Some(owners))
}

/// Whether two numbers differ; two that are none do not.
fn is_other(one: f64, other: f64) -> bool {
    one != other && !(one.is_nan() && other.is_nan())
}

fn failed(fault: &ModelRunFault) -> ExplainFault {
    ExplainFault::Predictor(fault.to_string())
}

/// What of an answer an estimate explains.
enum Told {
    Value,
    Probability(String),
    Other,
}

impl Told {
    fn of(answer: &Prediction) -> Result<Self, ExplainFault> {
        match (&answer.value, &answer.label, &answer.probabilities) {
            (Some(_), ..) => Ok(Self::Value),
            (None, Some(label), Some(_)) => Ok(Self::Probability(label.to_string())),
            _ if Self::Other.in_answer(answer).is_ok() => Ok(Self::Other),
            _ => Err(ExplainFault::Predictor("it gives no number that could be explained".to_owned())),
        }
    }

    fn class(&self) -> Option<&str> {
        match self {
            Self::Probability(class) => Some(class),
            Self::Value | Self::Other => None,
        }
    }

    fn in_answer(&self, answer: &Prediction) -> Result<f64, String> {
        let found = match self {
            Self::Value => answer.value,
            Self::Probability(class) => {
                let mut classes = answer.probabilities.iter().flatten();
                classes.find(|(name, _)| name == class).map(|(_, share)| *share)
            }
            Self::Other => match answer.others.first().map(|(_, values)| &values[..]) {
                Some([Scalar::Number(number)]) => Some(*number),
                _ => None,
            },
        };
        found.ok_or_else(|| "it does not give what is explained for each row".to_owned())
    }
}

#[cfg(test)]
mod tests;
