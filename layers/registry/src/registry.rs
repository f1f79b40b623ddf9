//! The registry: models, their versions, and which of them serves.

use std::sync::Arc;

use mandi_core::audit::AuditTrail;
use mandi_core::ids::{LeaseOwner, ModelId, RolloutId};
use mandi_core::ports::{Objects, Records};
use mandi_core::uploads::Uploads;
use mandi_core::{Clock, Permission, Principal, Problem, Result, TenantId};

use crate::capture::CaptureSettings;
use crate::differences::refusals;
use crate::engines::Engines;
use crate::model::{Model, Version};
use crate::stages::{RolledBack, Rollout, Share, Stage, StageName};
use crate::store::{Store, event};

/// The most models of a tenant.
const MAX_MODELS: usize = 1_000;
/// The longest name, in characters.
const MAX_NAME_CHARACTERS: usize = 100;
/// The longest description, in characters.
const MAX_DESCRIPTION_CHARACTERS: usize = 1_000;

/// The registry of all tenants.
#[derive(Clone, Debug)]
pub struct Registry {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) engines: Engines,
    pub(crate) uploads: Uploads,
}

/// What a model is to be called.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its name, 1 to 100 characters.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Which of its calls are kept.
    pub capture: CaptureSettings,
}

/// A deployment that was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployed {
    /// The stage with it.
    pub stage: Stage,
    /// Which rows, that were taken by the version that served before, are refused by the new one.
    pub warnings: Vec<String>,
}

impl Described {
    fn check(&self) -> Result<()> {
        let characters = self.name.chars().count();
        if !(1..=MAX_NAME_CHARACTERS).contains(&characters) || self.name.trim() != self.name {
            let detail = format!("it is 1 to {MAX_NAME_CHARACTERS} characters, without spaces at its ends");
            return Err(Problem::field("/name", detail));
        }
        if self.description.as_ref().is_some_and(|text| text.chars().count() > MAX_DESCRIPTION_CHARACTERS) {
            return Err(Problem::field(
                "/description",
                format!("it is at most {MAX_DESCRIPTION_CHARACTERS} characters"),
            ));
        }
        self.capture.policy().map(drop)
    }
}

impl Registry {
    /// The registry in a pair of stores.
    pub fn new(
        records: Arc<dyn Records>,
        objects: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
        audit: AuditTrail,
        engines: Engines,
        uploads: Uploads,
    ) -> Self {
        Self { store: Store { records, objects, audit }, clock, engines, uploads }
    }

    /// Makes a model.
    pub async fn create(&self, caller: &Principal, described: Described) -> Result<Model> {
        described.check()?;
        let (models, _) = self.store.page(&caller.tenant, MAX_MODELS, None).await?;
        if models.len() >= MAX_MODELS {
            return Err(Problem::conflict(format!("a tenant has at most {MAX_MODELS} models; delete one")));
        }
        let model = Model {
            id: ModelId::generate(),
            name: described.name,
            description: described.description,
            capture: described.capture,
            created_by: caller.user.clone(),
            created_at: self.clock.now(),
        };
        self.store.create(caller, &model).await?;
        Ok(model)
    }

    /// Describes a model anew.
    pub async fn describe(&self, caller: &Principal, id: &str, described: Described) -> Result<Model> {
        described.check()?;
        let before = self.model(&caller.tenant, id).await?;
        let Described { name, description, capture } = described;
        let after = Model { name, description, capture, ..before.clone() };
        self.store.replace(caller, &before, &after).await?;
        Ok(after)
    }

    /// Deletes a model with all of its versions. One that serves in production needs the right to promote.
    pub async fn delete(&self, caller: &Principal, id: &str) -> Result<Model> {
        let tenant = &caller.tenant;
        let id = ModelId::parse(id).ok_or_else(|| Problem::not_found("model"))?;
        if self.stage(tenant, &id, StageName::Production).await?.version.is_some() {
            caller.require(Permission::ModelsPromote)?;
        }
        let model = match self.store.find_half_deleted(tenant, &id).await? {
            Some(model) => model,
            None => {
                let model = self.model(tenant, id.as_str()).await?;
                self.store.begin_deletion(caller, &model).await?;
                model
            }
        };
        self.store.empty(tenant, &model).await?;
        Ok(model)
    }

    /// A model that has to be there.
    pub async fn model(&self, tenant: &TenantId, id: &str) -> Result<Model> {
        let id = ModelId::parse(id).ok_or_else(|| Problem::not_found("model"))?;
        let found = self.store.find(tenant, &id).await?;
        found.map(|(model, _)| model).ok_or_else(|| Problem::not_found("model"))
    }

    /// The model of a name, if there is one.
    pub async fn named(&self, tenant: &TenantId, name: &str) -> Result<Option<Model>> {
        match self.store.named(tenant, name).await? {
            Some(id) => Ok(self.store.find(tenant, &id).await?.map(|(model, _)| model)),
            None => Ok(None),
        }
    }

    /// A page of models.
    pub async fn page(
        &self,
        tenant: &TenantId,
        limit: usize,
        after: Option<String>,
    ) -> Result<(Vec<Model>, Option<String>)> {
        self.store.page(tenant, limit, after).await
    }

    /// A version that has to be there.
    pub async fn version(&self, tenant: &TenantId, id: &ModelId, version: u32) -> Result<Version> {
        let found = self.store.version(tenant, id, version).await?;
        found.ok_or_else(|| Problem::not_found("version"))
    }

    /// A page of versions, latest first.
    pub async fn versions(
        &self,
        tenant: &TenantId,
        id: &ModelId,
        limit: usize,
        after: Option<String>,
    ) -> Result<(Vec<Version>, Option<String>)> {
        self.store.versions(tenant, id, limit, after).await
    }

    /// What serves at a stage.
    pub async fn stage(&self, tenant: &TenantId, id: &ModelId, name: StageName) -> Result<Stage> {
        Ok(self.store.stage(tenant, id, name).await?.stage)
    }

    /// Lets a version serve at a stage.
    pub async fn deploy(
        &self,
        caller: &Principal,
        id: &ModelId,
        name: StageName,
        version: u32,
        rollout: Rollout,
    ) -> Result<Deployed> {
        let tenant = &caller.tenant;
        let tried = self.store.version(tenant, id, version).await?.ok_or_else(|| {
            let detail = format!("the model has no version {version}");
            Problem::field("/version", detail).of_kind(mandi_core::ProblemKind::Unprocessable)
        })?;
        let before = self.store.stage(tenant, id, name).await?;
        let after = before.stage.deploy(version, rollout, self.clock.now())?;
        let share = match rollout {
            Rollout::All => "all calls".to_owned(),
            Rollout::Share(Share { kind, percent, .. }) => {
                format!("{percent} % of the calls, as {kind:?}").to_lowercase()
            }
        };
        let serving = match before.stage.version {
            Some(serving) if serving != version => Some(self.version(tenant, id, serving).await?),
            _ => None,
        };
        let metric = after.candidate.as_ref().and_then(|candidate| candidate.metric);
        for version in serving.iter().chain([&tried]) {
            metric.as_ref().map_or(Ok(()), |metric| metric.check(version))?;
        }
        let warnings = serving.map_or_else(Vec::new, |serving| refusals(&serving, &tried));
        let event = event("model.deploy", id, Some(version), format!("{} in {}", share, name.name()));
        let entry = self.store.audit.entry(caller, event)?;
        self.store.replace_stage(tenant, id, name, (&before, &after), entry).await?;
        Ok(Deployed { stage: after, warnings })
    }

    /// Ends a trial that broke a bound, in the platform's own name. Returns whether it was still on.
    pub async fn send_back(
        &self,
        tenant: &TenantId,
        id: &ModelId,
        name: StageName,
        rollout: &RolloutId,
        reason: &str,
    ) -> Result<bool> {
        let before = self.store.stage(tenant, id, name).await?;
        let Some(after) = before.stage.without(rollout) else { return Ok(false) };
        let version = before.stage.candidate.as_ref().map(|candidate| candidate.version);
        let event = event("model.rollback", id, version, format!("sent back from {}: {reason}", name.name()));
        let entry = self.store.audit.entry_of_platform(tenant, event)?;
        self.store.replace_stage(tenant, id, name, (&before, &after), entry).await?;
        Ok(true)
    }

    /// Keeps what a process counted of a trial.
    pub async fn keep_counts(
        &self,
        tenant: &TenantId,
        id: &ModelId,
        rollout: &RolloutId,
        instance: &LeaseOwner,
        counts: String,
    ) -> Result<()> {
        self.store.keep_counts(tenant, id, (rollout, instance), counts).await
    }

    /// What every process counted of a trial, with its name.
    pub async fn counts(&self, tenant: &TenantId, id: &ModelId, rollout: &RolloutId) -> Result<Vec<(String, String)>> {
        self.store.counts(tenant, id, rollout).await
    }

    /// Takes back the last deployment at a stage.
    pub async fn roll_back(&self, caller: &Principal, id: &ModelId, name: StageName) -> Result<(Stage, RolledBack)> {
        let before = self.store.stage(&caller.tenant, id, name).await?;
        let (after, done) = before.stage.roll_back()?;
        let outcome = format!("version {} serves in {} in place of {}", done.to, name.name(), done.from);
        let entry = self.store.audit.entry(caller, event("model.rollback", id, Some(done.to), outcome))?;
        self.store.replace_stage(&caller.tenant, id, name, (&before, &after), entry).await?;
        Ok((after, done))
    }
}
