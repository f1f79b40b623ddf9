//! Fusions: several members' opinions become one answer, and weights learn from outcomes.
//!
//! The mathematics is `mandi_learning::fusion`; here are its members, its records and its trail. A change reads the
//! fusion, makes the next one, and writes it if nobody else did meanwhile; else it begins anew.

mod asking;
mod outcomes;
mod store;
mod stored;

use std::collections::BTreeMap;
use std::sync::Arc;

use mandi_core::audit::{AuditTrail, Event};
use mandi_core::ids::{FusedAnswerId, ModelId};
use mandi_core::ports::Records;
use mandi_core::{Clock, Principal, Problem, ProblemKind, Result, TenantId, Timestamp};
use mandi_learning::fusion::{Answer, Cause, Definition, Fusion, FusionError, Mode};
use mandi_registry::Registry;

use crate::retry::{TRIES, pause};
use crate::serving::Serving;

pub(crate) use asking::Question;
pub(crate) use outcomes::{GivenOutcome, Of, Passed};
use store::{Change, Found, Store};
pub(crate) use stored::{Kept, Said, ServingOf, Source, Stored};

/// The longest name, in characters.
const MAX_NAME_CHARACTERS: usize = 100;
/// The most fusions of a tenant.
const MAX_FUSIONS: usize = 1_000;

/// The fusions of all tenants.
#[derive(Clone, Debug)]
pub(crate) struct Fusions {
    store: Store,
    clock: Arc<dyn Clock>,
    registry: Registry,
    serving: Serving,
}

/// A fusion as it is to be.
#[derive(Clone, Debug)]
pub(crate) struct Defined {
    /// Members and method.
    pub(crate) definition: Definition,
    /// Where each member's opinion comes from, in their order.
    pub(crate) sources: Vec<Source>,
    /// How long a member may take, in milliseconds.
    pub(crate) timeout_ms: u64,
    /// For how many days an answer is kept.
    pub(crate) keep_days: u32,
}

/// An answer, and what it is kept as.
#[derive(Debug)]
pub(crate) struct FusedAnswer {
    /// Its id.
    pub(crate) id: FusedAnswerId,
    /// It.
    pub(crate) answer: Answer,
    /// What each member said, and which version it was.
    pub(crate) said: BTreeMap<String, Said>,
    /// Until when an outcome may name it.
    pub(crate) kept_until: Option<Timestamp>,
}

/// What came of outcomes.
#[derive(Debug)]
pub(crate) struct Learned {
    /// The fusion after them.
    pub(crate) stored: Stored,
    /// How many were learned from.
    pub(crate) used: usize,
    /// The others.
    pub(crate) passed: Vec<Passed>,
}

impl Fusions {
    /// Fusions in a store of records, whose models are asked by `serving`.
    pub(crate) fn new(
        records: Arc<dyn Records>,
        clock: Arc<dyn Clock>,
        audit: AuditTrail,
        registry: Registry,
        serving: Serving,
    ) -> Self {
        Self { store: Store { records, audit }, clock, registry, serving }
    }

    /// A fusion that has to be there.
    pub(crate) async fn get(&self, tenant: &TenantId, name: &str) -> Result<Stored> {
        Ok(self.found(tenant, name).await?.stored)
    }

    /// A page of names.
    pub(crate) async fn names(
        &self,
        tenant: &TenantId,
        limit: usize,
        after: Option<String>,
    ) -> Result<(Vec<String>, Option<String>)> {
        self.store.names(tenant, limit, after).await
    }

    /// A page of the weights of a fusion, the latest first.
    pub(crate) async fn history(
        &self,
        tenant: &TenantId,
        name: &str,
        limit: usize,
        after: Option<String>,
    ) -> Result<(Vec<Kept>, Option<String>)> {
        self.store.history(tenant, name, limit, after).await
    }

    /// Defines a fusion. With other members or another method, what was learned is given up; the history keeps it.
    pub(crate) async fn define(&self, caller: &Principal, name: &str, defined: Defined) -> Result<Stored> {
        check_name(name)?;
        self.check_sources(&caller.tenant, &defined.sources).await?;
        let limits = (defined.timeout_ms, defined.keep_days);
        for attempt in 0..TRIES {
            pause(attempt).await;
            let now_ms = self.clock.now().unix_ms();
            let before = self.store.find(&caller.tenant, name).await?;
            let sources = defined.sources.clone();
            let (after, outcome) = match &before {
                None => {
                    self.check_room(&caller.tenant).await?;
                    let fusion = Fusion::define(defined.definition.clone(), now_ms);
                    (Stored::new(sources, limits, 1, fusion), "defined".to_owned())
                }
                Some(Found { stored, .. }) if *stored.fusion.definition() == defined.definition => {
                    let keeps = stored.sources == sources;
                    let outcome = if keeps { "limits set" } else { "members come from other places" };
                    (Stored::new(sources, limits, stored.first_version, stored.fusion.clone()), outcome.to_owned())
                }
                Some(Found { stored, .. }) => {
                    let fusion = stored.fusion.redefined(defined.definition.clone(), now_ms);
                    let version = fusion.current().version;
                    (Stored::new(sources, limits, version, fusion), "defined anew".to_owned())
                }
            };
            if before.as_ref().is_some_and(|before| before.stored == after) {
                return Ok(after);
            }
            let event = event("fusion.define", name, &after, &outcome);
            let change = Change { after, event, learned_from: Vec::new() };
            if self.store.replace(caller, name, before.as_ref(), &change).await? {
                return Ok(change.after);
            }
        }
        Err(contended())
    }

    /// Asks the members, makes one answer of what they say, and keeps what an outcome needs.
    pub(crate) async fn fuse(&self, caller: &Principal, name: &str, question: &Question) -> Result<FusedAnswer> {
        let stored = self.get(&caller.tenant, name).await?;
        let said = asking::ask(&self.serving, caller, &stored, question).await?;
        let opinions = said.iter().map(|(name, said)| (name.clone(), said.opinion.clone())).collect();
        let answer = stored.fusion.answer(&opinions).map_err(|error| refused(&error))?;
        let id = FusedAnswerId::generate();
        let kept_until = stored.kept_until(self.clock.now());
        if let Some(until) = kept_until {
            self.store.keep_answer(&caller.tenant, name, (&id, until), &opinions).await?;
        }
        Ok(FusedAnswer { id, answer, said, kept_until })
    }

    /// Learns from outcomes, all in one version of the weights. An answer is learned from once.
    pub(crate) async fn learn(&self, caller: &Principal, name: &str, given: &[GivenOutcome]) -> Result<Learned> {
        outcomes::check(given)?;
        for attempt in 0..TRIES {
            pause(attempt).await;
            let before = self.found(&caller.tenant, name).await?;
            let fusion = &before.stored.fusion;
            let method = fusion.definition().method();
            let resolved = outcomes::resolve(&self.store, (&caller.tenant, name), method, given).await?;
            let step = fusion.learn(&resolved.outcomes, self.clock.now().unix_ms()).map_err(|error| refused(&error))?;
            let mut passed = resolved.passed;
            let skipped: BTreeMap<usize, String> =
                step.skipped.into_iter().map(|skipped| (skipped.outcome, skipped.reason)).collect();
            let mut learned_from = Vec::new();
            let mut used = 0;
            for (place, (outcome, id)) in resolved.places.into_iter().enumerate() {
                match skipped.get(&place) {
                    Some(reason) => passed.push(Passed { outcome, reason: reason.clone() }),
                    None => {
                        used += 1;
                        learned_from.extend(id);
                    }
                }
            }
            passed.sort_by_key(|passed| passed.outcome);
            if used == 0 {
                return Ok(Learned { stored: before.stored, used, passed });
            }
            let after = before.stored.with(step.fusion);
            let fingerprint = serde_json::to_vec(&resolved.outcomes).map_err(Problem::internal)?;
            let mut event = event("fusion.learn", name, &after, &format!("learned from {used} outcomes"));
            event.input_sha256 = Some(mandi_registry::sha256(&fingerprint.into()));
            let change = Change { after, event, learned_from };
            if self.store.replace(caller, name, Some(&before), &change).await? {
                return Ok(Learned { stored: change.after, used, passed });
            }
        }
        Err(contended())
    }

    /// Takes older weights up again, as a new version: those named, or those before the last change.
    pub(crate) async fn roll_back(&self, caller: &Principal, name: &str, to: Option<u64>) -> Result<Stored> {
        for attempt in 0..TRIES {
            pause(attempt).await;
            let before = self.found(&caller.tenant, name).await?;
            let (current, first) = (before.stored.fusion.current(), before.stored.first_version);
            let earlier = match current.cause {
                Cause::RolledBack { to } => to.saturating_sub(1),
                Cause::Defined | Cause::Learned { .. } => current.version.saturating_sub(1),
            };
            let version = to.unwrap_or(earlier);
            if version < first {
                let detail = format!(
                    "there are no weights to go back to: {first} is the first version under the present definition"
                );
                return Err(Problem::conflict(detail));
            }
            let missing = || {
                let detail = format!("the history has no version {version} before the present {}", current.version);
                Problem::field("/to", detail).of_kind(ProblemKind::Unprocessable)
            };
            let kept = self.store.kept(&caller.tenant, name, version).await?.ok_or_else(missing)?;
            let rolled = before.stored.fusion.roll_back(&kept.snapshot, self.clock.now().unix_ms());
            let after = before.stored.with(rolled.map_err(|_| missing())?);
            let event = event("fusion.rollback", name, &after, &format!("went back to those of version {version}"));
            let change = Change { after, event, learned_from: Vec::new() };
            if self.store.replace(caller, name, Some(&before), &change).await? {
                return Ok(change.after);
            }
        }
        Err(contended())
    }

    /// Says whether outcomes change the weights.
    pub(crate) async fn set_mode(&self, caller: &Principal, name: &str, mode: Learns) -> Result<Stored> {
        for attempt in 0..TRIES {
            pause(attempt).await;
            let before = self.found(&caller.tenant, name).await?;
            let is_frozen = matches!(before.stored.fusion.mode(), Mode::Frozen { .. });
            let (fusion, action, outcome) = match mode {
                Learns::No if !is_frozen => {
                    (before.stored.fusion.frozen(self.clock.now().unix_ms()), "fusion.freeze", "learns no more")
                }
                Learns::Yes if is_frozen => (before.stored.fusion.thawed(), "fusion.thaw", "learns again"),
                Learns::No | Learns::Yes => return Ok(before.stored),
            };
            let after = before.stored.with(fusion);
            let event = event(action, name, &after, outcome);
            let change = Change { after, event, learned_from: Vec::new() };
            if self.store.replace(caller, name, Some(&before), &change).await? {
                return Ok(change.after);
            }
        }
        Err(contended())
    }

    /// Deletes a fusion with its history and its answers.
    pub(crate) async fn delete(&self, caller: &Principal, name: &str) -> Result<()> {
        let stored = self.get(&caller.tenant, name).await?;
        let event = event("fusion.delete", name, &stored, "deleted, with its history");
        self.store.delete(caller, name, event).await
    }

    async fn found(&self, tenant: &TenantId, name: &str) -> Result<Found> {
        self.store.find(tenant, name).await?.ok_or_else(|| Problem::not_found("fusion"))
    }

    async fn check_room(&self, tenant: &TenantId) -> Result<()> {
        let (names, _) = self.store.names(tenant, MAX_FUSIONS, None).await?;
        if names.len() >= MAX_FUSIONS {
            return Err(Problem::conflict(format!("a tenant has at most {MAX_FUSIONS} fusions; delete one")));
        }
        Ok(())
    }

    /// Whether the models are there, and the versions that are named.
    async fn check_sources(&self, tenant: &TenantId, sources: &[Source]) -> Result<()> {
        for (place, source) in sources.iter().enumerate() {
            let Source::Model { model, serving, .. } = source else { continue };
            let unknown = |what: &str, name: String| {
                let pointer = format!("/members/{place}/{what}");
                Problem::field(pointer, format!("there is no such {what} `{name}`")).of_kind(ProblemKind::Unprocessable)
            };
            self.registry.model(tenant, model.as_str()).await.map_err(|problem| match problem.kind {
                ProblemKind::NotFound => unknown("model", model.to_string()),
                _ => problem,
            })?;
            if let ServingOf::Version(version) = serving {
                self.registry.version(tenant, model, *version).await.map_err(|problem| match problem.kind {
                    ProblemKind::NotFound => unknown("version", version.to_string()),
                    _ => problem,
                })?;
            }
        }
        Ok(())
    }
}

/// Whether outcomes change weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learns {
    /// They do.
    Yes,
    /// They do not.
    No,
}

/// A model's id in a definition; what is none of ours is no model of the tenant.
pub(crate) fn model_id(text: &str, pointer: &str) -> Result<ModelId> {
    let missing =
        || Problem::field(pointer, format!("there is no such model `{text}`")).of_kind(ProblemKind::Unprocessable);
    ModelId::parse(text).ok_or_else(missing)
}

fn check_name(name: &str) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=MAX_NAME_CHARACTERS).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    let detail = format!("it is 1 to {MAX_NAME_CHARACTERS} letters, digits, `-`, `_` and `.`");
    Err(Problem::field("name", detail))
}

/// An entry of the trail about a fusion.
fn event(action: &str, name: &str, after: &Stored, what: &str) -> Event {
    let outcome = format!("`{name}`, weights of version {}: {what}", after.fusion.current().version);
    Event { action: action.to_owned(), model_id: None, version: None, input_sha256: None, outcome }
}

fn refused(error: &FusionError) -> Problem {
    let kind = match error {
        FusionError::Frozen | FusionError::Fixed => ProblemKind::Conflict,
        _ => ProblemKind::Unprocessable,
    };
    Problem::new(kind, error.to_string())
}

fn contended() -> Problem {
    Problem::conflict("the fusion is being changed by others at the same time; repeat the request").retry_after(1)
}
