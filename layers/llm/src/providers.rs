//! Which language model answers for which tenant.

mod choice;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mandi_core::ports::LanguageModel;
use mandi_core::settings::{self, Settings};
use mandi_core::{Problem, ProblemKind, Result, TenantId};
use tracing::{info, warn};

use self::choice::Choice;
#[cfg(feature = "gguf")]
use crate::gguf::LazyGgufModel;
use crate::openai::{Endpoint, OpenAiCompatible};
use crate::prices::Prices;
use crate::timeouts::Timeouts;

/// Where the local model lies in the folder of models.
pub const LOCAL_MODEL_FILE: &str = "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
/// What metering calls the local model.
pub const LOCAL_MODEL_NAME: &str = "smollm2-135m-instruct";

/// A model, or none: answers are then made of sentences of the sources.
type Answerer = Option<Arc<dyn LanguageModel>>;

/// The language models of this process: a default, and what differs for single tenants. Made once at start.
#[derive(Clone, Debug)]
pub struct Providers {
    default: Answerer,
    tenants: BTreeMap<TenantId, Answerer>,
    prices: Prices,
}

impl Providers {
    /// From the settings: `MANDI_PROVIDER` with what it needs, and the file of `MANDI_TENANT_PROVIDERS`:
    ///
    /// ```json
    /// {
    ///   "acme":   {"provider": "openai", "base_url": "https://llm.acme.example/v1", "model": "m",
    ///              "key_env": "ACME_LLM_KEY", "context_tokens": 32768},
    ///   "globex": {"provider": "bedrock", "model": "amazon.nova-lite-v1:0", "region": "ap-south-1"},
    ///   "hooli":  {"provider": "local"},
    ///   "umbra":  {"provider": "none"}
    /// }
    /// ```
    ///
    /// A key stands in an environment variable; the file names the variable.
    ///
    /// # Errors
    /// A setting is missing or wrong, or the local model's file is missing or damaged; the problem names it and
    /// says what to do.
    pub async fn from_settings(settings: &Settings) -> Result<Self> {
        let prices = Prices::from_settings(settings)?;
        let mut builder = Builder::new(settings)?;
        let default = builder.build(&Choice::default_of(settings)?).await?;
        let mut tenants = BTreeMap::new();
        if let Some(path) = settings.optional(settings::TENANT_PROVIDERS) {
            for (tenant, choice) in Choice::of_tenants(Path::new(path))? {
                let answerer = builder.build(&choice).await?;
                tenants.insert(tenant, answerer);
            }
        }
        let providers = Self { default, tenants, prices };
        providers.tell();
        Ok(providers)
    }

    /// One model for all tenants, for tests and embedders of this crate.
    #[must_use]
    pub fn of(default: Option<Arc<dyn LanguageModel>>, prices: Prices) -> Self {
        Self { default, tenants: BTreeMap::new(), prices }
    }

    /// The model that answers for a tenant; `None` where none shall, and answers are extractive.
    #[must_use]
    pub fn for_tenant(&self, tenant: &TenantId) -> Option<Arc<dyn LanguageModel>> {
        self.tenants.get(tenant).unwrap_or(&self.default).clone()
    }

    /// What models cost.
    #[must_use]
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    fn tell(&self) {
        let mut models: Vec<_> =
            self.tenants.values().chain([&self.default]).flatten().map(|model| model.model()).collect();
        models.sort_by(|left, right| (&left.provider, &left.model).cmp(&(&right.provider, &right.model)));
        models.dedup();
        for model in models {
            info!(provider = model.provider, model = model.model, "language model configured");
            if self.prices.known(&model).is_none() {
                warn!(
                    provider = model.provider,
                    model = model.model,
                    "no price is known for this model, its calls count as free; set one in MANDI_PRICES"
                );
            }
        }
    }
}

/// Makes models; clients and the local model are made once and shared.
struct Builder<'a> {
    settings: &'a Settings,
    timeouts: Timeouts,
    context_tokens: usize,
    #[cfg(feature = "gguf")]
    local: Option<Arc<LazyGgufModel>>,
    #[cfg(feature = "bedrock")]
    clients: BTreeMap<Option<String>, aws_sdk_bedrockruntime::Client>,
}

impl<'a> Builder<'a> {
    fn new(settings: &'a Settings) -> Result<Self> {
        Ok(Self {
            settings,
            timeouts: Timeouts::from_settings(settings)?,
            context_tokens: settings.parsed(settings::CONTEXT_TOKENS)?,
            #[cfg(feature = "gguf")]
            local: None,
            #[cfg(feature = "bedrock")]
            clients: BTreeMap::new(),
        })
    }

    async fn build(&mut self, choice: &Choice) -> Result<Answerer> {
        match choice {
            Choice::None => Ok(None),
            Choice::Local => self.local().map(Some),
            Choice::Bedrock { model, region, context_tokens } => {
                let context_tokens = context_tokens.unwrap_or(self.context_tokens);
                self.bedrock(model, region.as_deref(), context_tokens).await.map(Some)
            }
            Choice::Openai { base_url, model, key_env, context_tokens } => {
                let key = key_env.as_deref().map(|name| self.key(name)).transpose()?;
                let endpoint = Endpoint::new(base_url, key, self.timeouts)?;
                let context_tokens = context_tokens.unwrap_or(self.context_tokens);
                Ok(Some(Arc::new(OpenAiCompatible::new(endpoint, model, context_tokens))))
            }
        }
    }

    fn key(&self, name: &str) -> Result<&'a str> {
        self.settings
            .referred(name)
            .ok_or_else(|| Problem::field(name, "a provider's key is said to be in this environment variable, set it"))
    }

    #[cfg(feature = "gguf")]
    fn local(&mut self) -> Result<Arc<dyn LanguageModel>> {
        if let Some(model) = &self.local {
            return Ok(model.clone());
        }
        let path = Path::new(self.settings.required(settings::MODELS_DIR)?).join(LOCAL_MODEL_FILE);
        let model = LazyGgufModel::open(path, LOCAL_MODEL_NAME, self.timeouts)
            .map_err(|error| Problem::new(ProblemKind::Unavailable, error.to_string()).caused_by(error))?;
        Ok(self.local.insert(Arc::new(model)).clone())
    }

    #[cfg(not(feature = "gguf"))]
    #[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "the same call as with the feature")]
    fn local(&mut self) -> Result<Arc<dyn LanguageModel>> {
        Err(not_built("local"))
    }

    #[cfg(feature = "bedrock")]
    async fn bedrock(
        &mut self,
        model: &str,
        region: Option<&str>,
        context_tokens: usize,
    ) -> Result<Arc<dyn LanguageModel>> {
        let region = region.map(str::to_owned);
        let client = match self.clients.get(&region) {
            Some(client) => client.clone(),
            None => crate::bedrock::standard_client(region.as_deref(), self.timeouts).await,
        };
        self.clients.insert(region, client.clone());
        Ok(Arc::new(crate::bedrock::BedrockModel::new(client, model, context_tokens, self.timeouts)))
    }

    #[cfg(not(feature = "bedrock"))]
    #[expect(clippy::unused_self, clippy::unused_async, reason = "the same call as with the feature")]
    async fn bedrock(&mut self, _: &str, _: Option<&str>, _: usize) -> Result<Arc<dyn LanguageModel>> {
        Err(not_built("bedrock"))
    }
}

#[cfg(not(all(feature = "gguf", feature = "bedrock")))]
fn not_built(provider: &str) -> Problem {
    let detail = format!("this build has no `{provider}` provider; choose another one");
    Problem::field(settings::PROVIDER.name, detail)
}

#[cfg(test)]
mod tests;
