//! What the calls of a trial give, by arm: counted in memory, kept in the store every few seconds, looked at by the guard.
//!
//! Each process keeps a record of its own, with all that it counted since it began; a report adds them up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mandi_core::ids::{LeaseOwner, ModelId, RolloutId};
use mandi_core::ports::{Bus, BusEvent, EventKind, Severity};
use mandi_core::{Clock, Problem, Result, TenantId, Timestamp};
use mandi_inference::signature::{Prediction, Scalar};
use mandi_learning::agreement::Agreement;
use mandi_learning::arm::{ArmCounters, Report};
use mandi_learning::guard::Decision;
use mandi_learning::rollout::Arm;
use mandi_learning::sequential::Alpha;
use serde::{Deserialize, Serialize};
use tokio_util::task::TaskTracker;

use mandi_registry::{Candidate, Registry, StageName};

/// How long counts may lie in memory alone.
const KEEP_EVERY: Duration = Duration::from_secs(2);
/// The most trials that a process counts at a time.
const MOST_TRIALS: usize = 1_000;
/// What a difference of values may be that both arms call the same, of the control's value or of 1.
const SAME_VALUE: f64 = 1e-3;

/// A trial.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Trial {
    pub(crate) tenant: TenantId,
    pub(crate) model: ModelId,
    pub(crate) stage: StageName,
    pub(crate) rollout: RolloutId,
}

/// What was counted of a trial.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counted {
    control: ArmCounters,
    treatment: ArmCounters,
    agreement: Agreement,
}

impl Counted {
    fn merged(self, other: &Self) -> Self {
        Self {
            control: self.control.merged(&other.control),
            treatment: self.treatment.merged(&other.treatment),
            agreement: self.agreement.merged(other.agreement),
        }
    }
}

/// A call of one arm.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// Which arm.
    pub(crate) arm: Arm,
    /// How long it took.
    pub(crate) latency: Duration,
    /// Its answers to rows.
    pub(crate) answers: Vec<&'a Prediction>,
    /// Whether it gave one for each row: a version whose signature refuses callers' rows fails too.
    pub(crate) outcome: Outcome,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Each row has its answer.
    Answered,
    /// A row has none, or all of them.
    Failed,
}

/// Counts of this process, and when they were kept.
#[derive(Debug)]
struct Own {
    counted: Counted,
    kept_at: Timestamp,
    /// Whether it changed since.
    has_changed: bool,
    /// Whether it will be kept though no other call may come.
    is_awaited: bool,
}

/// Counts calls.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    registry: Registry,
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    background: TaskTracker,
    /// This process among others.
    instance: LeaseOwner,
    own: Arc<Mutex<HashMap<Trial, Own>>>,
}

impl Traffic {
    /// Counts of a process that begins.
    pub(crate) fn new(registry: Registry, bus: Arc<dyn Bus>, clock: Arc<dyn Clock>, background: TaskTracker) -> Self {
        Self { registry, bus, clock, background, instance: LeaseOwner::generate(), own: Arc::default() }
    }

    /// Counts a call. What is due to be kept is kept in the background.
    pub(crate) fn count(&self, trial: &Trial, candidate: &Candidate, call: &Call<'_>) {
        self.change(trial, candidate, |counted| {
            let arm = match call.arm {
                Arm::Control => &mut counted.control,
                Arm::Treatment => &mut counted.treatment,
            };
            arm.latency_ms.add(call.latency.as_secs_f64() * 1000.0);
            match call.outcome {
                Outcome::Answered => arm.errors.miss(),
                Outcome::Failed => arm.errors.hit(),
            }
            for answer in &call.answers {
                match (&answer.label, answer.value) {
                    (Some(label), _) => arm.labels.add(&label.to_string()),
                    (None, Some(value)) => arm.values.add(value),
                    (None, None) => {}
                }
            }
        });
    }

    /// Counts how far the answers of both arms to the same rows agree.
    pub(crate) fn compare(
        &self,
        trial: &Trial,
        candidate: &Candidate,
        control: &[Prediction],
        treatment: &[Prediction],
    ) {
        self.change(trial, candidate, |counted| {
            for (one, other) in control.iter().zip(treatment) {
                let label = |answer: &Prediction| answer.label.as_ref().map(Scalar::to_string);
                match (label(one), label(other), one.value, other.value) {
                    (Some(one), Some(other), ..) => counted.agreement.add_labels(&one, &other),
                    (.., Some(one), Some(other)) => {
                        counted.agreement.add_values(one, other, SAME_VALUE * one.abs().max(1.0));
                    }
                    _ => {}
                }
            }
        });
    }

    fn change(&self, trial: &Trial, candidate: &Candidate, change: impl FnOnce(&mut Counted)) {
        let now = self.clock.now();
        let due = {
            let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
            if own.len() >= MOST_TRIALS && !own.contains_key(trial) {
                // The one that nobody called for longest is kept already.
                let oldest = own.iter().min_by_key(|(_, own)| own.kept_at).map(|(trial, _)| trial.clone());
                oldest.and_then(|oldest| own.remove(&oldest));
            }
            let begun = || Own { counted: Counted::default(), kept_at: now, has_changed: false, is_awaited: false };
            let found = own.entry(trial.clone()).or_insert_with(begun);
            change(&mut found.counted);
            let is_due = now.since(found.kept_at) >= KEEP_EVERY;
            found.has_changed = !is_due;
            if is_due {
                found.kept_at = now;
            } else if !std::mem::replace(&mut found.is_awaited, true) {
                self.keep_later(trial, candidate);
            }
            is_due.then(|| found.counted.clone())
        };
        if let Some(counted) = due {
            let (traffic, trial, candidate) = (self.clone(), trial.clone(), candidate.clone());
            self.background.spawn(async move { traffic.keep_or_warn(&trial, &candidate, &counted).await });
        }
    }

    /// Keeps what was counted last, though no call may come after it. Nobody waits for that: a function that sleeps does it
    /// when it wakes up.
    fn keep_later(&self, trial: &Trial, candidate: &Candidate) {
        let (traffic, trial, candidate) = (self.clone(), trial.clone(), candidate.clone());
        tokio::spawn(async move {
            tokio::time::sleep(KEEP_EVERY).await;
            let counted = {
                let mut own = traffic.own.lock().unwrap_or_else(PoisonError::into_inner);
                own.get_mut(&trial).and_then(|own| {
                    own.is_awaited = false;
                    std::mem::take(&mut own.has_changed).then(|| {
                        own.kept_at = traffic.clock.now();
                        own.counted.clone()
                    })
                })
            };
            if let Some(counted) = counted {
                traffic.keep_or_warn(&trial, &candidate, &counted).await;
            }
        });
    }

    async fn keep_or_warn(&self, trial: &Trial, candidate: &Candidate, counted: &Counted) {
        if let Err(problem) = self.keep(trial, candidate, counted).await {
            tracing::warn!(causes = problem.causes(), "the counts of a trial were not kept");
        }
    }

    /// Keeps what this process counted, and sends the trial back if it breaks a bound.
    async fn keep(&self, trial: &Trial, candidate: &Candidate, counted: &Counted) -> Result<()> {
        self.keep_own(trial, counted).await?;
        let Some(guard) = candidate.guard.as_ref().map(mandi_registry::GuardSettings::guard).transpose()? else {
            return Ok(());
        };
        let all = self.all(trial).await?;
        if let Decision::RollBack { reason, .. } = guard.look(&all.control, &all.treatment, &all.agreement) {
            let done =
                self.registry.send_back(&trial.tenant, &trial.model, trial.stage, &trial.rollout, &reason).await?;
            if done {
                tracing::warn!(model = trial.model.as_str(), reason, "a trial broke a bound and was sent back");
                self.raise(trial, candidate, &reason).await;
            }
        }
        Ok(())
    }

    async fn keep_own(&self, trial: &Trial, counted: &Counted) -> Result<()> {
        let text = serde_json::to_string(counted).map_err(Problem::internal)?;
        self.registry.keep_counts(&trial.tenant, &trial.model, &trial.rollout, &self.instance, text).await
    }

    /// Tells people that a trial was sent back. The stage and the audit trail say so whether that succeeds or not.
    async fn raise(&self, trial: &Trial, candidate: &Candidate, reason: &str) {
        let (model, stage, version) = (trial.model.as_str(), trial.stage.name(), candidate.version);
        let text = format!(
            "Version {version} went back by itself: {reason}. The version before it answers all calls; look at \
             `GET /v1/audit?model_id={model}`, and deploy the version again when its cause is gone."
        );
        let event = BusEvent::new(&trial.tenant, EventKind::MODEL_ROLLED_BACK, Severity::Critical, self.clock.now())
            .about(format!("model {model} {stage}"), text)
            .with("model_id", model)
            .with("stage", stage)
            .with("version", version)
            .with("rollout_id", trial.rollout.as_str())
            .with("reason", reason);
        if let Err(error) = self.bus.publish(&event).await {
            tracing::error!(error = ?error, model, "the alert that a trial was sent back was not published");
        }
    }

    /// Keeps all that lies in memory alone: before the process ends.
    pub(crate) async fn keep_all(&self) {
        let left: Vec<(Trial, Counted)> = {
            let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
            let changed = own.iter_mut().filter_map(|(trial, own)| {
                std::mem::take(&mut own.has_changed).then(|| (trial.clone(), own.counted.clone()))
            });
            changed.collect()
        };
        for (trial, counted) in left {
            if let Err(problem) = self.keep_own(&trial, &counted).await {
                tracing::warn!(causes = problem.causes(), "the counts of a trial were not kept");
            }
        }
    }

    /// What all processes counted.
    async fn all(&self, trial: &Trial) -> Result<Counted> {
        let mut all = {
            let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
            own.get(trial).map(|own| own.counted.clone()).unwrap_or_default()
        };
        let kept = self.registry.counts(&trial.tenant, &trial.model, &trial.rollout).await?;
        for (instance, text) in kept.into_iter().filter(|(instance, _)| instance != self.instance.as_str()) {
            let counted: Counted = serde_json::from_str(&text)
                .map_err(|error| Problem::internal(error).of_what(&format!("the counts of {instance}")))?;
            all = all.merged(&counted);
        }
        Ok(all)
    }

    /// The comparison of both arms.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn report(&self, trial: &Trial, candidate: &Candidate) -> Result<Report> {
        let Counted { control, treatment, agreement } = self.all(trial).await?;
        let outcomes = match &candidate.metric {
            None => None,
            Some(metric) => {
                let known = self.registry.judged((&trial.tenant, &trial.model), &trial.rollout).await?;
                Some((metric.metric()?, known.judged))
            }
        };
        let outcomes = outcomes.as_ref().map(|(metric, judged)| (*metric, judged));
        Ok(Report::of(&control, &treatment, &agreement, outcomes, Alpha::FIVE_PERCENT))
    }
}
