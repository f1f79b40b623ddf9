//! What of an answer an estimate explains.

use crate::explain::{ExplainFault, Space, Subject};
use crate::signature::{Prediction, Scalar};

/// A number of an answer.
pub(super) struct Told(Subject);

impl Told {
    /// The number of an answer that is explained; `target` is its place where there are several.
    pub(super) fn of(answer: &Prediction, target: usize) -> Result<Self, ExplainFault> {
        let other = |(name, found): &(String, Vec<Scalar>)| match &found[..] {
            [Scalar::Number(_)] => Some(Subject::Output(name.clone())),
            _ => None,
        };
        let subject = match answer {
            Prediction { value: Some(_), .. } => Some(Subject::Value),
            Prediction { values: Some(_), .. } => Some(Subject::Target(target)),
            Prediction { label: Some(label), probabilities: Some(_), .. } => Some(Subject::Class(label.to_string())),
            _ => answer.others.first().and_then(other),
        };
        let nothing = || ExplainFault::Predictor("it gives no number that could be explained".to_owned());
        subject.map(Self).ok_or_else(nothing)
    }

    pub(super) fn subject(&self) -> Subject {
        self.0.clone()
    }

    pub(super) const fn space(&self) -> Space {
        if matches!(self.0, Subject::Class(_)) { Space::Probability } else { Space::Raw }
    }

    /// The same number of another answer.
    pub(super) fn in_answer(&self, answer: &Prediction) -> Result<f64, String> {
        let found = match &self.0 {
            Subject::Value => answer.value,
            Subject::Target(target) => answer.values.as_ref().and_then(|values| values.get(*target).copied()),
            Subject::Class(class) => {
                let mut classes = answer.probabilities.iter().flatten();
                classes.find(|(name, _)| name == class).map(|(_, share)| *share)
            }
            Subject::Output(name) => {
                let mut others = answer.others.iter();
                match others.find(|(own, _)| own == name).map(|(_, found)| &found[..]) {
                    Some([Scalar::Number(number)]) => Some(*number),
                    _ => None,
                }
            }
        };
        found.ok_or_else(|| "it does not give what is explained for each row".to_owned())
    }
}
