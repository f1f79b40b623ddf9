//! One answer of several opinions, and what each member did for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::definition::Method;
use super::logistic::probability;
use super::opinion::{LeftOut, Opinion, Opinions, Said, sorted};
use super::{Fusion, FusionError, Learned};

/// What a fusion says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fused {
    /// A value: the base plus all contributions.
    Value(f64),
    /// The probability of the positive class; its log-odds are the base plus all contributions.
    Probability(f64),
    /// The label with the greatest share; of equal ones the first by name.
    Label {
        /// It.
        label: String,
        /// The share of the weights of each label.
        shares: BTreeMap<String, f64>,
    },
}

/// Where a confidence comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The member stated it with its opinion.
    Stated,
    /// The member earned it. In a sum or a vote: 1 less its mean loss, where late outcomes count more by the guard's share,
    /// and one loss of 1/2 stands at the start. In a stacked fusion: the share of the outcomes' variance that it explains
    /// by itself.
    Earned,
}

/// What a member did for an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// Its name.
    pub member: String,
    /// What it said.
    pub opinion: Opinion,
    /// What it counts in this answer, once the members that are left out are.
    pub weight: f64,
    /// What it adds to the value or the log-odds; in a vote, its weight if it voted for the answer, else 0.
    pub contribution: f64,
    /// How far it can be trusted, 0 to 1.
    pub confidence: f64,
    /// Who says so.
    pub confidence_source: Source,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// What the fusion says.
    pub fused: Fused,
    /// What it would say if all contributions were 0: a value, or log-odds; 0 for sums and votes.
    pub base: f64,
    /// The share of the winning label in a vote; else the mean of the members' confidence by the size of their weights.
    pub confidence: f64,
    /// What each member did.
    pub contributions: Vec<Contribution>,
    /// Who does not count here, and why.
    pub left_out: Vec<LeftOut>,
    /// The version of the weights.
    pub version: u64,
}

impl Fusion {
    /// Makes one answer. A member that failed, said nothing or said what cannot be used is left out and named, and the
    /// others' weights are made anew for those that are left: in proportion for sums and votes, by regression of
    /// the outcome (ridge) or of the missing score (logistic) on the others' scores for stacked fusions.
    ///
    /// # Errors
    /// An opinion of nobody; no opinion that counts.
    pub fn answer(&self, opinions: &Opinions) -> Result<Answer, FusionError> {
        self.check_names(opinions)?;
        let (said, left_out) = sorted(self.definition(), opinions);
        if said.is_empty() {
            return Err(FusionError::NobodyLeft(left_out));
        }
        let counting = self.counting(&said);
        let contributions = self.contributions(&said, &counting);
        let sum = counting.base + contributions.iter().map(|one| one.contribution).sum::<f64>();
        let fused = match self.definition().method() {
            Method::WeightedSum { .. } | Method::Ridge { .. } => Fused::Value(sum),
            Method::Logistic { .. } => Fused::Probability(probability(sum)),
            Method::Vote { .. } => winner(&said, &counting.weights),
        };
        let (contributions, confidence) = match &fused {
            Fused::Label { label, shares } => {
                (votes(contributions, label), shares.get(label).copied().unwrap_or_default())
            }
            Fused::Value(_) | Fused::Probability(_) => {
                let confidence = mean_confidence(&contributions);
                (contributions, confidence)
            }
        };
        let version = self.current().version;
        Ok(Answer { fused, base: counting.base, confidence, contributions, left_out, version })
    }

    /// The weights among those who said something.
    fn counting(&self, said: &[Said<'_>]) -> Counting {
        let places: Vec<usize> = said.iter().map(|one| one.place).collect();
        let members = self.definition().members().len();
        let prior = self.definition().prior();
        match (&self.current().learned, self.definition().method()) {
            (Learned::Ridge { moments, .. }, Method::Ridge { penalty }) => {
                let line = moments.ridge(members, &places, &prior, penalty);
                Counting { base: line.intercept, weights: line.weights }
            }
            (Learned::Logistic { moments, belief }, Method::Logistic { penalty }) => {
                let weight = |place: usize| belief.weights().get(place).copied().unwrap_or_default();
                let mut weights: Vec<f64> = places.iter().map(|place| weight(*place)).collect();
                let mut base = belief.intercept();
                for missing in (0..members).filter(|place| !places.contains(place)) {
                    let line = moments.ridge(missing, &places, &prior, penalty);
                    base += weight(missing) * line.intercept;
                    for (sum, share) in weights.iter_mut().zip(line.weights) {
                        *sum += weight(missing) * share;
                    }
                }
                Counting { base, weights }
            }
            (learned, _) => {
                let all = learned.weights();
                let weights: Vec<f64> =
                    places.iter().map(|place| all.get(*place).copied().unwrap_or_default()).collect();
                let total: f64 = weights.iter().sum();
                Counting { base: 0.0, weights: weights.into_iter().map(|weight| weight / total).collect() }
            }
        }
    }

    fn contributions(&self, said: &[Said<'_>], counting: &Counting) -> Vec<Contribution> {
        let of = |(said, weight): (&Said<'_>, &f64)| {
            let (confidence, confidence_source) = match said.confidence {
                Some(stated) => (stated, Source::Stated),
                None => (self.current().learned.earned(said.place), Source::Earned),
            };
            let member =
                self.definition().members().get(said.place).map(|member| member.name.clone()).unwrap_or_default();
            let opinion = said.opinion.clone();
            let contribution = weight * said.value;
            Contribution { member, opinion, weight: *weight, contribution, confidence, confidence_source }
        };
        said.iter().zip(&counting.weights).map(of).collect()
    }
}

/// What members count in one answer.
struct Counting {
    base: f64,
    weights: Vec<f64>,
}

/// The label with the greatest share. Shares that differ by rounding alone are equal.
fn winner(said: &[Said<'_>], weights: &[f64]) -> Fused {
    let mut shares = BTreeMap::<String, f64>::new();
    for (said, weight) in said.iter().zip(weights) {
        *shares.entry(said.label().unwrap_or_default().to_owned()).or_default() += weight;
    }
    let greatest = shares.values().copied().fold(0.0, f64::max);
    let first = shares.iter().find(|(_, share)| **share >= greatest - 1e-12).map(|(label, _)| label.clone());
    Fused::Label { label: first.unwrap_or_default(), shares }
}

fn votes(contributions: Vec<Contribution>, winner: &str) -> Vec<Contribution> {
    let voted_for = |one: &Contribution| matches!(&one.opinion, Opinion::Label { label, .. } if label == winner);
    let counted = |one: Contribution| {
        let contribution = if voted_for(&one) { one.weight } else { 0.0 };
        Contribution { contribution, ..one }
    };
    contributions.into_iter().map(counted).collect()
}

fn mean_confidence(contributions: &[Contribution]) -> f64 {
    let total: f64 = contributions.iter().map(|one| one.weight.abs()).sum();
    let sum: f64 = contributions.iter().map(|one| one.weight.abs() * one.confidence).sum();
    if total > 0.0 { (sum / total).clamp(0.0, 1.0) } else { 0.0 }
}
