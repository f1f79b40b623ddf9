//! The linear part of a model, as what it is: for explanations.
//!
//! A file is one `LinearRegressor` or `LinearClassifier`, with what makes its columns before it. A classifier may have
//! `Normalizer` after it, which makes shares of what the post transform gives: margins are explained, and come before both.

use std::collections::HashMap;

use super::around::{Around, Scores, decode, of_ml};
use super::attributes::Attributes;
use super::fault::ModelRunFault;
use super::ml::LinearPart;
use super::value::{Labels, Value};

/// The linear part of a model.
#[derive(Debug)]
pub(crate) struct LinearScorer {
    /// Target by target, column by column.
    pub(crate) coefficients: Vec<f64>,
    /// One for each target.
    pub(crate) intercepts: Vec<f64>,
    /// What the targets are.
    pub(crate) scores: Scores,
    /// The names of the classes, of a classifier.
    pub(crate) classes: Vec<String>,
    around: Around,
}

impl LinearScorer {
    /// The linear part of a file; none where it is not one, or where more follows.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let file = decode(bytes).ok()?;
        let found = of_ml(file.graph.as_ref()?, |operator| matches!(operator, "LinearRegressor" | "LinearClassifier"));
        let [node] = found[..] else { return None };
        let node = node.clone();
        let is_classifier = node.op_type == "LinearClassifier";
        let (part, classes) = match is_classifier {
            true => LinearPart::of_classifier(Attributes(&node)).ok()?,
            false => (LinearPart::of_regressor(Attributes(&node)).ok()?, Labels::Ints(Vec::new())),
        };
        let classes = match classes {
            Labels::Ints(labels) => labels.iter().map(i64::to_string).collect(),
            Labels::Strings(labels) => labels,
        };
        let around = Around::of(file, &node).ok()?;
        if around.after.iter().any(|operator| !(is_classifier && operator == "Normalizer")) {
            return None;
        }
        let scores = match part.intercepts.len() {
            _ if !is_classifier => Scores::Values,
            1 => Scores::SecondClass,
            _ => Scores::Classes,
        };
        let wide = |numbers: Vec<f32>| numbers.into_iter().map(f64::from).collect();
        let (coefficients, intercepts) = (wide(part.coefficients), wide(part.intercepts));
        Some(Self { coefficients, intercepts, scores, classes, around })
    }

    /// The table that the linear part reads, of inputs of the model: row by row, and how many columns it has. Its numbers are
    /// rounded to 32-bit floats, as the operator does.
    ///
    /// # Errors
    /// An input is missing, or is none that the model takes.
    pub(crate) fn columns(&self, inputs: HashMap<String, Value>) -> Result<(Vec<f64>, usize), ModelRunFault> {
        let (mut columns, width) = self.around.columns(inputs)?;
        #[expect(clippy::cast_possible_truncation, reason = "as the operator rounds")]
        columns.iter_mut().for_each(|value| *value = f64::from(*value as f32));
        Ok((columns, width))
    }
}
