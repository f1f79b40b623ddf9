//! Answers of a model as columns of results.

use mandi_inference::explain::Explanation;
use mandi_inference::signature::{Interval, Prediction, Scalar, Signature};
use mandi_tables::{Cells, Column, Kind, ResultColumn, ResultLayout, Strings, TableError};
use serde::{Deserialize, Serialize};

use crate::jobs::CopiedColumn;

/// The number of the row in the table.
const ROW: &str = "row";

/// Which columns the answers of a version have. It is found by one answer, and holds for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AnswerLayout {
    /// What labels are, where the answer has one.
    label: Option<Kind>,
    /// Whether it has a number.
    value: bool,
    /// How many numbers it has, of several targets.
    values: usize,
    /// Whether it may have an interval.
    pub(super) interval: bool,
    /// Whether it has a set of classes.
    #[serde(default)]
    set: bool,
    /// The classes that have probabilities.
    classes: Vec<String>,
    /// Other outputs by name.
    others: Vec<String>,
    /// The features whose contributions are told.
    contributions: Vec<String>,
}

impl AnswerLayout {
    /// The layout of an answer, with contributions of the signature's features where answers are explained.
    pub(crate) fn of(prediction: &Prediction, explained: Option<&Signature>) -> Self {
        let kind = |label: &Scalar| match label {
            Scalar::Boolean(_) => Kind::Boolean,
            Scalar::Integer(_) => Kind::Integer,
            Scalar::Number(_) => Kind::Number,
            Scalar::Text(_) => Kind::String,
        };
        let names = |signature: &Signature| signature.inputs.iter().map(|feature| feature.name.clone()).collect();
        Self {
            label: prediction.label.as_ref().map(kind),
            value: prediction.value.is_some(),
            values: prediction.values.as_ref().map_or(0, Vec::len),
            interval: prediction.interval.is_some(),
            set: prediction.set.is_some(),
            classes: prediction.probabilities.iter().flatten().map(|(class, _)| class.clone()).collect(),
            others: prediction.others.iter().map(|(name, _)| name.clone()).collect(),
            contributions: explained.map_or_else(Vec::new, names),
        }
    }

    /// The columns of the results: the row's number, what is copied, and the answers.
    ///
    /// # Errors
    /// A copied column has a name of ours.
    pub(crate) fn results(&self, copied: &[CopiedColumn]) -> Result<ResultLayout, TableError> {
        let column = |name: &str, kind| ResultColumn { name: name.to_owned(), kind };
        let number = |name: String| ResultColumn { name, kind: Kind::Number };
        let mut columns = vec![column(ROW, Kind::Integer)];
        columns.extend(copied.iter().map(|copied| column(&copied.name, copied.kind)));
        if let Some(kind) = self.label {
            columns.push(column("prediction", kind));
        }
        if self.value {
            columns.push(column(if self.label.is_some() { "value" } else { "prediction" }, Kind::Number));
        }
        columns.extend((0..self.values).map(|target| number(format!("prediction_{target}"))));
        if self.interval {
            columns.extend(["lower", "upper"].map(|name| column(name, Kind::Number)));
        }
        if self.set {
            columns.push(column("set", Kind::String));
        }
        columns.extend(self.classes.iter().map(|class| number(format!("probability_{class}"))));
        columns.extend(self.others.iter().map(|name| column(name, Kind::String)));
        if !self.contributions.is_empty() {
            columns.push(column("contribution_base", Kind::Number));
            columns.extend(self.contributions.iter().map(|feature| number(format!("contribution_of_{feature}"))));
        }
        ResultLayout::new(columns)
    }

    /// The columns of answers, in the order of [`Self::results`].
    pub(super) fn columns(&self, predictions: &[Prediction], explanations: Option<&[Explanation]>) -> Vec<Column> {
        let numbers =
            |number: &dyn Fn(&Prediction) -> Option<f64>| Column::Number(predictions.iter().map(number).collect());
        let mut columns = Vec::new();
        if let Some(kind) = self.label {
            columns.push(labels(kind, predictions));
        }
        if self.value {
            columns.push(numbers(&|answer| answer.value));
        }
        for target in 0..self.values {
            columns.push(numbers(&|answer| answer.values.as_ref()?.get(target).copied()));
        }
        if self.interval {
            let end = |end: fn(&Interval) -> f64| move |answer: &Prediction| answer.interval.as_ref().map(end);
            columns.push(numbers(&end(|interval| interval.lower)));
            columns.push(numbers(&end(|interval| interval.upper)));
        }
        if self.set {
            let set = |answer: &Prediction| {
                answer.set.as_ref().map(|set| serde_json::to_string(&set.classes).unwrap_or_default())
            };
            let texts: Vec<Option<String>> = predictions.iter().map(set).collect();
            columns.push(Column::String(texts.iter().map(Option::as_deref).collect::<Strings>()));
        }
        for (place, class) in self.classes.iter().enumerate() {
            columns.push(numbers(&|answer| probability(answer, place, class)));
        }
        for (place, _) in self.others.iter().enumerate() {
            let texts: Vec<Option<String>> =
                predictions.iter().map(|answer| answer.others.get(place).map(|(_, found)| listed(found))).collect();
            columns.push(Column::String(texts.iter().map(Option::as_deref).collect::<Strings>()));
        }
        if let Some(explanations) = explanations {
            let numbers = |number: &dyn Fn(&Explanation) -> Option<f64>| {
                Column::Number(explanations.iter().map(number).collect())
            };
            columns.push(numbers(&|explanation| Some(explanation.base)));
            for place in 0..self.contributions.len() {
                columns.push(numbers(&|explanation| explanation.values.get(place).copied()));
            }
        }
        columns
    }
}

/// The probability of a class: at its place, as a rule, since all answers of a version have the same classes.
fn probability(answer: &Prediction, place: usize, class: &str) -> Option<f64> {
    let classes = answer.probabilities.as_ref()?;
    let usual = classes.get(place).filter(|(name, _)| name == class);
    usual.or_else(|| classes.iter().find(|(name, _)| name == class)).map(|(_, probability)| *probability)
}

#[expect(clippy::cast_precision_loss, reason = "a label of another kind than the first answer's, as a number")]
fn labels(kind: Kind, predictions: &[Prediction]) -> Column {
    let labels = predictions.iter().map(|answer| answer.label.as_ref());
    match kind {
        Kind::Boolean => Column::Boolean(
            labels
                .map(|label| label.and_then(|label| if let Scalar::Boolean(flag) = label { Some(*flag) } else { None }))
                .collect(),
        ),
        Kind::Integer => Column::Integer(
            labels
                .map(|label| {
                    label.and_then(|label| if let Scalar::Integer(whole) = label { Some(*whole) } else { None })
                })
                .collect(),
        ),
        Kind::Number => {
            let number = |label: &Scalar| match label {
                Scalar::Number(number) => Some(*number),
                Scalar::Integer(number) => Some(*number as f64),
                _ => None,
            };
            Column::Number(labels.map(|label| label.and_then(number)).collect::<Cells<f64>>())
        }
        _ => {
            let texts: Vec<Option<String>> = labels.map(|label| label.map(Scalar::to_string)).collect();
            Column::String(texts.iter().map(Option::as_deref).collect::<Strings>())
        }
    }
}

/// A single value as it is, several as a list in JSON.
fn listed(found: &[Scalar]) -> String {
    match found {
        [one] => one.to_string(),
        several => serde_json::to_string(several).unwrap_or_default(),
    }
}

/// Whether a column of the results that we make may have this name.
pub(crate) fn is_ours(name: &str) -> bool {
    const NAMES: [&str; 7] = [ROW, "prediction", "value", "lower", "upper", "set", "contribution_base"];
    const STARTS: [&str; 3] = ["prediction_", "probability_", "contribution_of_"];
    NAMES.contains(&name) || STARTS.iter().any(|start| name.starts_with(start))
}
