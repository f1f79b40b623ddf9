//! Exact explanations of what gives the scores, told of the features of the signature.

use std::collections::HashMap;

use super::{Explanation, Found, ModelExplainer, Subject};
use crate::explain::{Contributions, ExplainFault, Game, LinearExplainer, Rows, TreeExplainer};
use crate::onnx::linear_of::LinearScorer;
use crate::onnx::trees_of::Trees;
use crate::onnx::{ModelRunFault, Scores, Value};
use crate::signature::{Bound, Prediction, Row, Scalar};

/// What the tables of an explainer may take, in bytes.
const TABLE_BYTES: usize = 64 * 1024 * 1024;
/// By how many places rows of the background are exchanged to see which columns a feature makes.
const SHIFTS: [usize; 3] = [1, 7, 31];

/// What an exact explanation needs.
#[derive(Debug)]
pub(super) struct Exact {
    scorer: Scorer,
    explainer: Explainer,
    /// The feature that makes each column; none for one that is the same in all rows of the background.
    owners: Vec<Option<usize>>,
    width: usize,
}

/// What of a file gives the scores.
#[derive(Debug)]
enum Scorer {
    Trees(Box<Trees>),
    Linear(Box<LinearScorer>),
}

/// What explains the scores by columns.
#[derive(Debug)]
enum Explainer {
    Trees(Box<TreeExplainer>),
    Linear(LinearExplainer),
}

impl Scorer {
    /// That of a file; none where nothing in it has exact explanations, or where something follows that changes scores.
    fn of(file: &[u8]) -> Option<Self> {
        match Trees::parse(file) {
            Ok(trees) if trees.after().is_empty() => Some(Self::Trees(Box::new(trees))),
            Ok(_) => None,
            Err(_) => LinearScorer::parse(file).map(|linear| Self::Linear(Box::new(linear))),
        }
    }

    fn columns(&self, inputs: HashMap<String, Value>) -> Result<(Vec<f64>, usize), ModelRunFault> {
        match self {
            Self::Trees(trees) => trees.columns(inputs),
            Self::Linear(linear) => linear.columns(inputs),
        }
    }

    /// An explainer with the columns of a background; none where it cannot be exact.
    fn explainer(&self, game: Game, background: Rows<'_>) -> Result<Option<Explainer>, ExplainFault> {
        let made = match self {
            Self::Trees(trees) => TreeExplainer::new(&trees.model, game, background, TABLE_BYTES)
                .map(|explainer| Explainer::Trees(Box::new(explainer))),
            Self::Linear(linear) => {
                let coefficients = linear.coefficients.clone();
                LinearExplainer::new(coefficients, &linear.intercepts, background).map(Explainer::Linear)
            }
        };
        match made {
            Ok(explainer) => Ok(Some(explainer)),
            Err(
                ExplainFault::Depth(_)
                | ExplainFault::Players(_)
                | ExplainFault::Values(_)
                | ExplainFault::Missing { .. },
            ) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// The score that is explained by its place, and what it is of.
    fn score(&self, answer: &Prediction, target: usize) -> (usize, Subject) {
        let told = answer.probabilities.iter().flatten().map(|(name, _)| name);
        let (scores, classes): (_, Vec<&String>) = match self {
            Self::Trees(trees) => (trees.scores, told.collect()),
            Self::Linear(linear) => (linear.scores, linear.classes.iter().collect()),
        };
        let label = answer.label.as_ref().map(Scalar::to_string);
        match (scores, &classes[..]) {
            (Scores::Values, _) if answer.values.is_some() => (target, Subject::Target(target)),
            (Scores::SecondClass, [_, second]) => (0, Subject::Class((*second).clone())),
            (Scores::Classes, classes) => {
                let place = classes.iter().position(|class| Some(*class) == label.as_ref()).unwrap_or(0);
                (place, classes.get(place).map_or(Subject::Value, |class| Subject::Class((*class).clone())))
            }
            (Scores::Values | Scores::SecondClass, _) => (0, Subject::Value),
        }
    }
}

impl Explainer {
    fn explain(&self, columns: Rows<'_>) -> Result<Contributions, ExplainFault> {
        match self {
            Self::Trees(trees) => trees.explain(columns),
            Self::Linear(linear) => linear.explain(columns),
        }
    }
}

impl Exact {
    /// What an exact explanation needs; none where the file has no such explanation.
    pub(super) fn new(
        file: &[u8],
        bound: &Bound,
        background: &[Row],
        game: Game,
    ) -> Result<Option<Self>, ExplainFault> {
        let Some(scorer) = Scorer::of(file) else { return Ok(None) };
        let (columns, width) = scorer.columns(bound.inputs(background)).map_err(|fault| failed(&fault))?;
        let Some(owners) = owners(&scorer, bound, background, &columns, width)? else { return Ok(None) };
        let explainer = scorer.explainer(game, Rows::new(&columns, width)?)?;
        Ok(explainer.map(|explainer| Self { scorer, explainer, owners, width }))
    }

    /// Explains the answers for some rows.
    pub(super) fn explain(
        &self,
        whole: &ModelExplainer,
        bound: &Bound,
        (rows, answers): (&[Row], &[Prediction]),
        target: usize,
    ) -> Result<Vec<Explanation>, ExplainFault> {
        let (columns, _) = self.scorer.columns(bound.inputs(rows)).map_err(|fault| failed(&fault))?;
        let contributions = self.explainer.explain(Rows::new(&columns, self.width)?)?;
        let explained = |(place, (row, answer)): (usize, (&Row, &Prediction))| {
            let (score, subject) = self.scorer.score(answer, target);
            let (Some(own), Some(base)) = (contributions.of(place, score), contributions.base().get(score)) else {
                return Err(ExplainFault::Target { found: score, count: contributions.targets() });
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
            let (game, space) = (contributions.game(), contributions.space());
            Ok(Explanation { found: Found::Exactly, game, space, subject, base: *base, values, errors: None })
        };
        rows.iter().zip(answers).enumerate().map(explained).collect()
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
        let (columns, width) = self.scorer.columns(bound.inputs(&changed)).map_err(|fault| failed(&fault))?;
        let own = |place: usize| columns[place * width + column];
        Ok((0..row.len()).find(|feature| is_other(own(feature + 1), own(0))))
    }
}

/// The feature that makes each column: the one whose exchange between rows of the background changes it. None when a
/// column is made of several features.
fn owners(
    scorer: &Scorer,
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
            let (changed, _) = scorer.columns(bound.inputs(&exchanged)).map_err(|fault| failed(&fault))?;
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
