//! Learning from outcomes.

use serde::{Deserialize, Serialize};

use super::definition::{Learning, Method};
use super::logistic::Row;
use super::opinion::{Opinions, Said, sorted};
use super::{Cause, Fusion, FusionError, Learned};

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// A value, for weighted sums and ridge.
    Value(f64),
    /// A label, for votes.
    Label(String),
    /// The positive class, for logistic fusions.
    Positive,
    /// The other class, for logistic fusions.
    Negative,
}

/// What members said, and what came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What they said.
    pub opinions: Opinions,
    /// What came.
    pub truth: Truth,
}

/// An outcome that nothing was learned from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its place in the list, from 0.
    pub outcome: usize,
    /// Why.
    pub reason: String,
}

/// A fusion that learned.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// It; the same as before when no outcome could be used.
    pub fusion: Fusion,
    /// The outcomes that could not be used.
    pub skipped: Vec<Skipped>,
}

/// How a member did so far; late outcomes count more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The sum of its losses, 0 to 1 each.
    losses: f64,
    /// How many outcomes they are of.
    outcomes: f64,
}

impl Record {
    /// 1 less the mean loss, where one loss of 1/2 stands at the start.
    pub(super) fn confidence(self) -> f64 {
        (1.0 - (self.losses + 0.5) / (self.outcomes + 1.0)).clamp(0.0, 1.0)
    }

    fn after(self, loss: Option<f64>, share: f64) -> Self {
        let Some(loss) = loss else { return self };
        Self { losses: (1.0 - share) * self.losses + loss, outcomes: (1.0 - share) * self.outcomes + 1.0 }
    }
}

impl Fusion {
    /// Learns from outcomes, in their order, and makes one new version of the weights of them all. An outcome that
    /// cannot be used is skipped and named.
    ///
    /// # Errors
    /// The fusion is frozen; its weights are fixed; numbers beyond what can be solved.
    pub fn learn(&self, outcomes: &[Outcome], at_ms: i64) -> Result<Step, FusionError> {
        self.check_learning()?;
        let mut skipped = Vec::new();
        let mut usable = Vec::new();
        for (place, outcome) in outcomes.iter().enumerate() {
            match self.usable(outcome) {
                Ok(one) => usable.push(one),
                Err(reason) => skipped.push(Skipped { outcome: place, reason }),
            }
        }
        if usable.is_empty() {
            return Ok(Step { fusion: self.clone(), skipped });
        }
        let learned = match (self.current().learned.clone(), self.definition().method()) {
            (
                Learned::Weights { weights, records },
                Method::WeightedSum { learning, .. } | Method::Vote { learning },
            ) => self.shared(weights, records, learning, &usable),
            (Learned::Ridge { mut moments, .. }, Method::Ridge { penalty }) => {
                for one in &usable {
                    moments.add(&one.row());
                }
                Learned::of_ridge(moments, &self.definition().prior(), penalty)
            }
            (Learned::Logistic { mut moments, belief }, Method::Logistic { .. }) => {
                for one in &usable {
                    moments.add(&one.row());
                }
                let rows: Vec<_> = usable.iter().map(Usable::logistic).collect();
                let belief = belief.updated(&rows).ok_or(FusionError::Unsolvable)?;
                Learned::Logistic { moments, belief }
            }
            (other, _) => other,
        };
        let cause = Cause::Learned { outcomes: usable.len() };
        Ok(Step { fusion: self.next(cause, learned, at_ms), skipped })
    }

    fn usable<'a>(&self, outcome: &'a Outcome) -> Result<Usable<'a>, String> {
        self.check_names(&outcome.opinions).map_err(|error| error.to_string())?;
        let (said, left_out) = sorted(self.definition(), &outcome.opinions);
        let truth = match (&outcome.truth, self.definition().method()) {
            (Truth::Value(value), Method::WeightedSum { .. } | Method::Ridge { .. }) if value.abs() <= 1e100 => *value,
            (Truth::Value(_), Method::WeightedSum { .. } | Method::Ridge { .. }) => {
                return Err("its value is no number of a size up to 1e100".to_owned());
            }
            (Truth::Label(_), Method::Vote { .. }) | (Truth::Negative, Method::Logistic { .. }) => 0.0,
            (Truth::Positive, Method::Logistic { .. }) => 1.0,
            (_, Method::WeightedSum { .. } | Method::Ridge { .. }) => {
                return Err("its truth has to be a value".to_owned());
            }
            (_, Method::Vote { .. }) => return Err("its truth has to be a label".to_owned()),
            (_, Method::Logistic { .. }) => return Err("its truth has to be positive or negative".to_owned()),
        };
        let stacked = matches!(self.definition().method(), Method::Ridge { .. } | Method::Logistic { .. });
        match left_out.first() {
            Some(one) if stacked => {
                Err(format!("a stacked fusion learns from complete rows: {}: {}", one.member, one.reason))
            }
            Some(_) if said.is_empty() => Err("no member gave an opinion that counts".to_owned()),
            _ => Ok(Usable { said, truth, outcome }),
        }
    }

    fn shared(
        &self,
        mut weights: Vec<f64>,
        mut records: Vec<Record>,
        learning: Learning,
        usable: &[Usable<'_>],
    ) -> Learned {
        let Learning::FixedShare(hedge) = learning else { return Learned::Weights { weights, records } };
        let prior = self.definition().prior();
        for one in usable {
            let losses = one.losses(self.definition().method(), prior.len());
            weights = hedge.updated(&weights, &prior, &losses);
            for (record, loss) in records.iter_mut().zip(&losses) {
                *record = record.after(*loss, hedge.share);
            }
        }
        Learned::Weights { weights, records }
    }
}

/// An outcome that can be learned from.
struct Usable<'a> {
    said: Vec<Said<'a>>,
    truth: f64,
    outcome: &'a Outcome,
}

impl Usable<'_> {
    /// The members' losses, 0 to 1; nothing for those who said nothing.
    fn losses(&self, method: Method, members: usize) -> Vec<Option<f64>> {
        let loss = |said: &Said<'_>| match (method, &self.outcome.truth) {
            (Method::Vote { .. }, Truth::Label(label)) => f64::from(u8::from(said.label() != Some(label))),
            (Method::WeightedSum { loss_range, .. }, _) => ((said.value - self.truth).abs() / loss_range).min(1.0),
            _ => 0.0,
        };
        let of = |place: usize| self.said.iter().find(|said| said.place == place).map(loss);
        (0..members).map(of).collect()
    }

    /// The scores, then the outcome. Complete rows only.
    fn row(&self) -> Vec<f64> {
        self.said.iter().map(|said| said.value).chain(std::iter::once(self.truth)).collect()
    }

    fn logistic(&self) -> Row {
        Row { log_odds: self.said.iter().map(|said| said.value).collect(), outcome: self.truth }
    }
}
