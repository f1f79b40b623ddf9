//! What members say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::definition::{Definition, Method};

/// What one member says to one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opinion {
    /// A value; for a logistic fusion the probability of the positive class.
    Score {
        /// It.
        value: f64,
        /// How sure the member says it is, 0 to 1.
        #[serde(default)]
        confidence: Option<f64>,
    },
    /// A label.
    Label {
        /// It.
        label: String,
        /// How sure the member says it is, 0 to 1.
        #[serde(default)]
        confidence: Option<f64>,
    },
    /// Nothing.
    Failed {
        /// Why.
        reason: String,
    },
}

/// What all members say to one request, by their names.
pub type Opinions = BTreeMap<String, Opinion>;

/// A member that does not count in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name.
    pub member: String,
    /// Why.
    pub reason: String,
}

/// What a member said that counts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said<'a> {
    /// The member's place in the definition.
    pub(super) place: usize,
    /// As the caller gave it.
    pub(super) opinion: &'a Opinion,
    /// As the method takes it: the score, the log-odds, or 0 for a label.
    pub(super) value: f64,
    /// As the member stated it.
    pub(super) confidence: Option<f64>,
}

impl Said<'_> {
    pub(super) fn label(&self) -> Option<&str> {
        match self.opinion {
            Opinion::Label { label, .. } => Some(label),
            Opinion::Score { .. } | Opinion::Failed { .. } => None,
        }
    }
}

/// Probabilities are kept this far from 0 and 1, so that their log-odds are 13.8 at most.
const LEAST_PROBABILITY: f64 = 1e-6;

/// The opinions that count, in the order of the members, and the members left out.
pub(super) fn sorted<'a>(definition: &Definition, opinions: &'a Opinions) -> (Vec<Said<'a>>, Vec<LeftOut>) {
    let mut said = Vec::new();
    let mut left_out = Vec::new();
    for (place, member) in definition.members().iter().enumerate() {
        match taken(definition.method(), place, opinions.get(&member.name)) {
            Ok(one) => said.push(one),
            Err(reason) => left_out.push(LeftOut { member: member.name.clone(), reason }),
        }
    }
    (said, left_out)
}

fn taken(method: Method, place: usize, opinion: Option<&Opinion>) -> Result<Said<'_>, String> {
    let opinion = opinion.ok_or("it gave no opinion")?;
    let (value, confidence) = match (opinion, method) {
        (Opinion::Failed { reason }, _) => return Err(reason.clone()),
        (Opinion::Label { confidence, .. }, Method::Vote { .. }) => (0.0, confidence),
        (Opinion::Label { .. }, _) => return Err("it gave a label where a score is needed".to_owned()),
        (Opinion::Score { .. }, Method::Vote { .. }) => {
            return Err("it gave a score where a label is needed".to_owned());
        }
        (Opinion::Score { value, confidence }, Method::Logistic { .. }) => (log_odds(*value)?, confidence),
        (Opinion::Score { value, .. }, _) if value.is_nan() || value.abs() > LARGEST_SCORE => {
            return Err(format!("its score {value} is no number of a size up to 1e100"));
        }
        (Opinion::Score { value, confidence }, _) => (*value, confidence),
    };
    if let Some(confidence) = confidence.filter(|confidence| !(0.0..=1.0).contains(confidence)) {
        return Err(format!("its confidence {confidence} is not between 0 and 1"));
    }
    Ok(Said { place, opinion, value, confidence: *confidence })
}

/// Squares and their sums stay finite.
const LARGEST_SCORE: f64 = 1e100;

/// The natural logarithm of the odds of a probability.
fn log_odds(probability: f64) -> Result<f64, String> {
    if !(0.0..=1.0).contains(&probability) {
        return Err(format!("its score {probability} is no probability"));
    }
    let kept = probability.clamp(LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY);
    Ok((kept / (1.0 - kept)).ln())
}
