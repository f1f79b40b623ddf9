//! Outcomes of a trial's calls: answers wait for them, and are judged by the trial's metric when they come.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use mandi_core::capture::CapturedArm;
use mandi_core::ids::CallId;
use mandi_core::{Problem, Result};
use mandi_inference::signature::{Prediction, Scalar};
use mandi_learning::metric::{Judged, Metric, Predicted, Truth};
use mandi_learning::rollout::Arm;
use mandi_registry::{Answerer, Candidate, MetricSettings, NewOutcomes, Registry, Split, WaitingAnswer, WaitingCall};
use tokio_util::task::TaskTracker;

use crate::retry::{TRIES, pause};
use crate::serving::RowAnswer;
use crate::traffic::Trial;

/// The most outcomes of a call.
const MAX_OUTCOMES: usize = 1_000;
/// The most calls that they may be of: each is a write of one transaction, which has up to 100.
const MAX_CALLS: usize = 90;
/// How many calls are read at the same time.
const READS_AT_ONCE: usize = 16;

/// Keeps answers of trials, and judges them.
#[derive(Clone, Debug)]
pub(crate) struct Outcomes {
    registry: Registry,
    background: TaskTracker,
}

/// An outcome, as it is given.
#[derive(Clone, Debug)]
pub(crate) struct GivenOutcome {
    /// The id of the call.
    pub(crate) call: String,
    /// The row of the call, from 0.
    pub(crate) row: usize,
    /// What came.
    pub(crate) truth: Scalar,
}

/// An outcome that is not counted, by its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) outcome: usize,
    pub(crate) reason: String,
}

/// What became of outcomes.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// How many were counted.
    pub(crate) used: usize,
    /// The others.
    pub(crate) passed: Vec<Passed>,
}

/// An answer that is to wait for its outcomes.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    /// The call.
    pub(crate) call: &'a CallId,
    /// Who answered.
    pub(crate) arm: CapturedArm,
    /// What was answered, row by row.
    pub(crate) rows: &'a [RowAnswer],
}

impl Outcomes {
    pub(crate) const fn new(registry: Registry, background: TaskTracker) -> Self {
        Self { registry, background }
    }

    /// Keeps an answer in the background, where its trial has a metric.
    pub(crate) fn keep(&self, trial: &Trial, candidate: &Candidate, waiting: &Waiting<'_>) {
        let Some(Ok(metric)) = candidate.metric.as_ref().map(MetricSettings::metric) else { return };
        let predicted = |row: &RowAnswer| row.as_ref().ok().map(|row| metric.of_use(looked_at(&row.prediction)));
        let predicted = waiting.rows.iter().map(predicted).collect();
        let (arm, answerer) = match waiting.arm {
            CapturedArm::Control => (Arm::Control, Answerer::Caller),
            CapturedArm::Treatment => (Arm::Treatment, Answerer::Caller),
            CapturedArm::Shadow => (Arm::Treatment, Answerer::Shadow),
        };
        let answer = WaitingAnswer { rollout: trial.rollout.clone(), arm, predicted };
        let (outcomes, trial, call) = (self.clone(), trial.clone(), waiting.call.clone());
        self.background.spawn(async move {
            let of = (&trial.tenant, &trial.model);
            if let Err(problem) = outcomes.registry.keep_answer(of, (&call, answerer), &answer).await {
                let causes = problem.causes();
                tracing::warn!(causes, call = call.as_str(), "an answer was not kept: its outcome cannot be counted");
            }
        });
    }

    /// Judges answers of a trial by what came of them.
    ///
    /// # Errors
    /// The trial has no metric; there is no outcome, or too many; or others keep counting at the same time.
    pub(crate) async fn judge(&self, trial: &Trial, candidate: &Candidate, given: &[GivenOutcome]) -> Result<Taken> {
        check(given)?;
        let metric = candidate.metric.as_ref().ok_or_else(no_metric)?.metric()?;
        let of = (&trial.tenant, &trial.model);
        for attempt in 0..TRIES {
            pause(attempt).await;
            let before = self.registry.judged(of, &trial.rollout).await?;
            let calls = self.calls(trial, given).await?;
            let mut count = Count { metric, kind: candidate.kind, after: before.judged, calls, used: 0 };
            let passed = count.all(given);
            let used = count.used;
            if used == 0 {
                return Ok(Taken { used, passed });
            }
            let known = count.calls.into_iter().filter_map(|(id, call)| Some((id, call?.known))).collect();
            let outcomes = NewOutcomes { before, after: count.after, known };
            if self.registry.judge(of, &trial.rollout, &outcomes).await? {
                return Ok(Taken { used, passed });
            }
        }
        Err(Problem::conflict("outcomes of this trial are being sent by others at the same time; repeat the request")
            .retry_after(1))
    }

    /// What is kept of the calls that outcomes name: nothing of those that are not of this trial.
    async fn calls(&self, trial: &Trial, given: &[GivenOutcome]) -> Result<BTreeMap<CallId, Option<WaitingCall>>> {
        let ids: BTreeSet<CallId> = given.iter().filter_map(|one| CallId::parse(&one.call)).collect();
        let found = futures::stream::iter(ids).map(|id| async move {
            let found = self.registry.waiting((&trial.tenant, &trial.model), &id).await?;
            Ok::<_, Problem>((id, found.filter(|call| call.answer.rollout == trial.rollout)))
        });
        found.buffer_unordered(READS_AT_ONCE).try_collect().await
    }
}

/// Outcomes as they are counted.
struct Count {
    metric: Metric,
    kind: Split,
    after: Judged,
    calls: BTreeMap<CallId, Option<WaitingCall>>,
    used: usize,
}

impl Count {
    /// Counts all that can be; the others, with the reason.
    fn all(&mut self, given: &[GivenOutcome]) -> Vec<Passed> {
        let mut passed = Vec::new();
        for (outcome, one) in given.iter().enumerate() {
            match self.one(one) {
                Ok(()) => self.used += 1,
                Err(reason) => passed.push(Passed { outcome, reason }),
            }
        }
        passed
    }

    fn one(&mut self, given: &GivenOutcome) -> std::result::Result<(), String> {
        let call = CallId::parse(&given.call).and_then(|id| self.calls.get_mut(&id)).and_then(Option::as_mut);
        let call = call.ok_or("there is no such call in this trial, or it is kept no more")?;
        let predicted = row_of(&call.answer, given.row)?;
        if call.known.contains(&given.row) {
            return Err("its outcome is known already".to_owned());
        }
        let truth = truth(&given.truth);
        let judge = |predicted: &Predicted| self.metric.judge(predicted, &truth).map_err(|reason| reason.to_string());
        let scale = self.metric.scale().map_err(|fault| fault.to_string())?;
        let own = judge(predicted)?;
        let counted = match (self.kind, &call.shadow) {
            (Split::Shadow, None) => return Err("the version in the shadow gave no answer to it".to_owned()),
            (Split::Shadow, Some(shadow)) => self.after.add_pair(own, judge(row_of(shadow, given.row)?)?, scale),
            (Split::Canary | Split::Ab, _) => self.after.add(call.answer.arm, own, scale),
        };
        counted.map_err(|fault| fault.to_string())?;
        call.known.insert(given.row);
        Ok(())
    }
}

fn row_of(answer: &WaitingAnswer, row: usize) -> std::result::Result<&Predicted, String> {
    let count = answer.predicted.len();
    let found = answer.predicted.get(row).ok_or_else(|| format!("the call has {count} rows; they count from 0"))?;
    found.as_ref().ok_or_else(|| "this row was not answered".to_owned())
}

fn truth(given: &Scalar) -> Truth {
    match given {
        Scalar::Number(value) => Truth::Value(*value),
        #[expect(clippy::cast_precision_loss, reason = "an outcome, as a number")]
        Scalar::Integer(value) => Truth::Value(*value as f64),
        label => Truth::Label(label.to_string()),
    }
}

/// What metrics may look at.
fn looked_at(found: &Prediction) -> Predicted {
    Predicted {
        label: found.label.as_ref().map(Scalar::to_string),
        probabilities: found.probabilities.clone(),
        value: found.value,
    }
}

fn check(given: &[GivenOutcome]) -> Result<()> {
    if !(1..=MAX_OUTCOMES).contains(&given.len()) {
        let detail = format!("there are {}; 1 to {MAX_OUTCOMES} are taken", given.len());
        return Err(Problem::field("/outcomes", detail));
    }
    let calls = given.iter().map(|one| one.call.as_str()).collect::<BTreeSet<_>>().len();
    if calls > MAX_CALLS {
        let detail = format!("they are of {calls} calls; up to {MAX_CALLS} are taken, send the others in another call");
        return Err(Problem::field("/outcomes", detail));
    }
    Ok(())
}

fn no_metric() -> Problem {
    Problem::conflict(
        "the trial is judged by no metric; deploy it again with `rollout.metric`, and calls after that wait for outcomes",
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use mandi_core::ids::RolloutId;

    use super::*;

    fn answer(arm: Arm, labels: &[&str]) -> WaitingAnswer {
        let predicted = |label: &&str| Predicted { label: Some((*label).to_owned()), ..Predicted::default() };
        let mut predicted: Vec<_> = labels.iter().map(predicted).map(Some).collect();
        predicted.push(None);
        WaitingAnswer { rollout: RolloutId::generate(), arm, predicted }
    }

    fn count(kind: Split, call: WaitingCall) -> (CallId, Count) {
        let id = CallId::generate();
        let calls = [(id.clone(), Some(call))].into();
        (id, Count { metric: Metric::Accuracy, kind, after: Judged::default(), calls, used: 0 })
    }

    fn given(call: &CallId, row: usize, truth: &str) -> GivenOutcome {
        GivenOutcome { call: call.to_string(), row, truth: Scalar::Text(truth.to_owned()) }
    }

    #[test]
    fn given_outcomes_of_a_call_then_each_row_counts_once_for_its_arm_and_others_are_named() {
        let call = WaitingCall { answer: answer(Arm::Treatment, &["A", "B"]), shadow: None, known: BTreeSet::new() };
        let (id, mut count) = count(Split::Canary, call);
        let strange = given(&CallId::generate(), 0, "A");
        let sent = [
            given(&id, 0, "A"),
            given(&id, 0, "A"),
            given(&id, 1, "A"),
            given(&id, 2, "A"),
            given(&id, 9, "A"),
            strange,
        ];
        let passed: Vec<_> = count.all(&sent).into_iter().map(|one| (one.outcome, one.reason)).collect();
        let expected = [
            (1, "its outcome is known already"),
            (3, "this row was not answered"),
            (4, "the call has 3 rows; they count from 0"),
            (5, "there is no such call in this trial, or it is kept no more"),
        ];
        assert_eq!(passed, expected.map(|(place, reason)| (place, reason.to_owned())));
        assert_eq!((count.used, count.after.control.count, count.after.treatment.count), (2, 0, 2));
        assert_eq!(count.after.treatment.sum, 1.0, "one right, one wrong");
    }

    #[test]
    fn given_a_shadow_then_a_row_counts_for_both_arms_and_not_without_the_shadow() {
        let shadow = Some(answer(Arm::Treatment, &["B"]));
        let call = WaitingCall { answer: answer(Arm::Control, &["A"]), shadow, known: BTreeSet::new() };
        let (id, mut both) = count(Split::Shadow, call.clone());
        assert_eq!(both.all(&[given(&id, 0, "A")]), []);
        let after = both.after;
        assert_eq!((after.control.sum, after.treatment.sum, after.differences.count), (1.0, 0.0, 1));
        let (id, mut alone) = count(Split::Shadow, WaitingCall { shadow: None, ..call });
        let passed = alone.all(&[given(&id, 0, "A")]);
        assert_eq!(passed[0].reason, "the version in the shadow gave no answer to it");
    }

    #[test]
    fn given_outcomes_of_too_many_calls_then_the_refusal_says_how_many_are_taken() {
        let many: Vec<_> = (0..=MAX_CALLS).map(|_| given(&CallId::generate(), 0, "A")).collect();
        assert!(check(&many).unwrap_err().detail.contains("up to 90"));
        assert!(check(&[]).is_err());
    }
}
