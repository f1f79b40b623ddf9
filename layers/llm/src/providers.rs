//! Which language model answers for which tenant, and which embedding models it is offered.

mod choice;
mod offer;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mandi_core::ports::{Embedder, LanguageModel, ModelRef};
use mandi_core::settings::{self, Settings};
use mandi_core::{Problem, Result, TenantId};
use tracing::{info, warn};

use self::choice::Choice;
use self::offer::{Offer, Provider};
#[cfg(feature = "gguf")]
use crate::gguf::LazyGgufModel;
use crate::openai::{Endpoint, OpenAiCompatible, OpenAiEmbedder};
use crate::prices::Prices;
use crate::timeouts::Timeouts;

/// Where the local model lies in the folder of models.
pub const LOCAL_MODEL_FILE: &str = "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
/// What metering calls the local model.
pub const LOCAL_MODEL_NAME: &str = "smollm2-135m-instruct";

/// A model, or none: answers are then made of sentences of the sources.
type Answerer = Option<Arc<dyn LanguageModel>>;

/// What one tenant has, or all that have nothing of their own.
#[derive(Clone, Debug)]
struct Provided {
    answerer: Answerer,
    embedders: Vec<Arc<dyn Embedder>>,
}

/// The remote models of this process: a default, and what differs for single tenants. Made once at start.
#[derive(Clone, Debug)]
pub struct Providers {
    default: Provided,
    tenants: BTreeMap<TenantId, Provided>,
    prices: Prices,
}

impl Providers {
    /// From the settings: `MANDI_PROVIDER` with what it needs, `MANDI_EMBEDDING_MODELS`, and the file of
    /// `MANDI_TENANT_PROVIDERS`:
    ///
    /// ```json
    /// {
    ///   "acme":   {"provider": "openai", "base_url": "https://llm.acme.example/v1", "model": "m",
    ///              "key_env": "ACME_LLM_KEY", "context_tokens": 32768,
    ///              "embedding_models": ["openai/nomic-embed-text=768"]},
    ///   "globex": {"provider": "bedrock", "model": "amazon.nova-lite-v1:0", "region": "ap-south-1"},
    ///   "hooli":  {"provider": "local"},
    ///   "umbra":  {"provider": "none"}
    /// }
    /// ```
    ///
    /// A key stands in an environment variable; the file names the variable. A tenant of its own has the
    /// embedding models of its entry, and none of the default's: nothing of it goes to a provider that its entry
    /// does not name.
    ///
    /// # Errors
    /// A setting is missing or wrong, or the local model's file is missing or damaged; the problem names it and
    /// says what to do.
    pub async fn from_settings(settings: &Settings) -> Result<Self> {
        let prices = Prices::from_settings(settings)?;
        let mut builder = Builder::new(settings)?;
        let choice = Choice::default_of(settings)?;
        let offers = Offer::listed(settings)?.unwrap_or_else(|| choice.offers());
        let default = Provided {
            answerer: builder.build(&choice).await?,
            embedders: builder.embedders(&offers, &builder.default_reach()?, settings::EMBEDDING_MODELS.name).await?,
        };
        let mut tenants = BTreeMap::new();
        if let Some(path) = settings.optional(settings::TENANT_PROVIDERS) {
            for (tenant, choice) in Choice::of_tenants(Path::new(path))? {
                let reach = builder.reach_of(&choice)?;
                let embedders = builder.embedders(&choice.offers(), &reach, settings::TENANT_PROVIDERS.name).await?;
                tenants.insert(tenant, Provided { answerer: builder.build(&choice).await?, embedders });
            }
        }
        let providers = Self { default, tenants, prices };
        providers.tell();
        Ok(providers)
    }

    /// One model for all tenants and no remote embedding models, for tests and embedders of this crate.
    #[must_use]
    pub fn of(default: Option<Arc<dyn LanguageModel>>, prices: Prices) -> Self {
        let default = Provided { answerer: default, embedders: Vec::new() };
        Self { default, tenants: BTreeMap::new(), prices }
    }

    /// The model that answers for a tenant; `None` where none shall, and answers are extractive.
    #[must_use]
    pub fn for_tenant(&self, tenant: &TenantId) -> Option<Arc<dyn LanguageModel>> {
        self.provided(tenant).answerer.clone()
    }

    /// The remote embedding models that a tenant is offered.
    #[must_use]
    pub fn embedders_for(&self, tenant: &TenantId) -> &[Arc<dyn Embedder>] {
        &self.provided(tenant).embedders
    }

    fn provided(&self, tenant: &TenantId) -> &Provided {
        self.tenants.get(tenant).unwrap_or(&self.default)
    }

    /// What models cost.
    #[must_use]
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    fn tell(&self) {
        let all = || self.tenants.values().chain([&self.default]);
        let answering = all().filter_map(|provided| provided.answerer.as_ref()).map(|model| model.model());
        for model in distinct(answering) {
            info!(provider = model.provider, model = model.model, "language model configured");
            self.warn_of_no_price(&model);
        }
        let embedding = all().flat_map(|provided| &provided.embedders).map(|embedder| embedder.model().model.clone());
        for model in distinct(embedding) {
            info!(provider = model.provider, model = model.model, "embedding model configured");
            self.warn_of_no_price(&model);
        }
    }

    fn warn_of_no_price(&self, model: &ModelRef) {
        if self.prices.known(model).is_none() {
            warn!(
                provider = model.provider,
                model = model.model,
                "no price is known for this model, its calls count as free; set one in MANDI_PRICES"
            );
        }
    }
}

fn distinct(models: impl Iterator<Item = ModelRef>) -> Vec<ModelRef> {
    let mut models: Vec<ModelRef> = models.collect();
    models.sort_by(|left, right| (&left.provider, &left.model).cmp(&(&right.provider, &right.model)));
    models.dedup();
    models
}

/// Where embedding models may be called.
#[derive(Default)]
struct Reach {
    /// Bedrock in this region, or in this process's own.
    bedrock: Option<Option<String>>,
    /// An OpenAI-compatible endpoint.
    openai: Option<Endpoint>,
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
            context_tokens: usize::try_from(settings.positive(settings::CONTEXT_TOKENS)?.get())
                .map_err(Problem::internal)?,
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
            Choice::Bedrock { model, region, context_tokens, .. } => {
                let context_tokens = context_tokens.unwrap_or(self.context_tokens);
                self.bedrock(model, region.as_deref(), context_tokens).await.map(Some)
            }
            Choice::Openai { base_url, model, key_env, context_tokens, .. } => {
                let endpoint = self.endpoint(base_url, key_env.as_deref())?;
                let context_tokens = context_tokens.unwrap_or(self.context_tokens);
                Ok(Some(Arc::new(OpenAiCompatible::new(endpoint, model, context_tokens))))
            }
        }
    }

    fn endpoint(&self, base_url: &str, key_env: Option<&str>) -> Result<Endpoint> {
        let key = key_env.map(|name| self.key(name)).transpose()?;
        Endpoint::new(base_url, key, self.timeouts)
    }

    /// What this process reaches by its own settings.
    fn default_reach(&self) -> Result<Reach> {
        let openai = match self.settings.optional(settings::OPENAI_BASE_URL) {
            Some(base_url) => {
                let key = self.settings.optional(settings::OPENAI_KEY);
                Some(Endpoint::new(base_url, key, self.timeouts)?)
            }
            None => None,
        };
        Ok(Reach { bedrock: Some(None), openai })
    }

    /// What a tenant's entry reaches.
    fn reach_of(&self, choice: &Choice) -> Result<Reach> {
        Ok(match choice {
            Choice::None | Choice::Local => Reach::default(),
            Choice::Bedrock { region, .. } => Reach { bedrock: Some(region.clone()), openai: None },
            Choice::Openai { base_url, key_env, .. } => {
                Reach { bedrock: None, openai: Some(self.endpoint(base_url, key_env.as_deref())?) }
            }
        })
    }

    /// The embedding models of a list; `setting` is where the list stands.
    async fn embedders(&mut self, offers: &[Offer], reach: &Reach, setting: &str) -> Result<Vec<Arc<dyn Embedder>>> {
        let mut embedders: Vec<Arc<dyn Embedder>> = Vec::with_capacity(offers.len());
        for offer in offers {
            let wrong = |why: String| Problem::field(setting, why);
            embedders.push(match (offer.provider, &reach.bedrock, &reach.openai) {
                (Provider::Bedrock, Some(region), _) => {
                    self.bedrock_embedder(offer, region.as_deref(), setting).await?
                }
                (Provider::Openai, _, Some(endpoint)) => {
                    let embeddings = offer.at_endpoint().map_err(wrong)?;
                    Arc::new(OpenAiEmbedder::new(endpoint.clone(), embeddings))
                }
                // By its own settings the process reaches Bedrock always.
                _ if setting == settings::EMBEDDING_MODELS.name => {
                    return Err(wrong(format!("`{offer}` needs `{}`", settings::OPENAI_BASE_URL.name)));
                }
                _ => return Err(wrong(format!("`{offer}` is not of the provider of this tenant's entry"))),
            });
        }
        Ok(embedders)
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
            .map_err(|error| Problem::new(mandi_core::ProblemKind::Unavailable, error.to_string()).caused_by(error))?;
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
        let client = self.client(region).await;
        Ok(Arc::new(crate::bedrock::BedrockModel::new(client, model, context_tokens, self.timeouts)))
    }

    #[cfg(feature = "bedrock")]
    async fn bedrock_embedder(
        &mut self,
        offer: &Offer,
        region: Option<&str>,
        setting: &str,
    ) -> Result<Arc<dyn Embedder>> {
        use crate::bedrock::{BedrockEmbedder, EmbeddingFamily};
        let natural = EmbeddingFamily::of(&offer.model).map_or(0, EmbeddingFamily::default_dimensions);
        let (client, dimensions) = (self.client(region).await, offer.dimensions.unwrap_or(natural));
        match BedrockEmbedder::new(client, &offer.model, dimensions, self.timeouts) {
            Ok(embedder) => Ok(Arc::new(embedder)),
            Err(error) => Err(Problem::field(setting, error.to_string())),
        }
    }

    /// A region's client, made once.
    #[cfg(feature = "bedrock")]
    async fn client(&mut self, region: Option<&str>) -> aws_sdk_bedrockruntime::Client {
        let region = region.map(str::to_owned);
        let client = match self.clients.get(&region) {
            Some(client) => client.clone(),
            None => crate::bedrock::standard_client(region.as_deref(), self.timeouts).await,
        };
        self.clients.insert(region, client.clone());
        client
    }

    #[cfg(not(feature = "bedrock"))]
    async fn bedrock_embedder(&mut self, _: &Offer, _: Option<&str>, _: &str) -> Result<Arc<dyn Embedder>> {
        Err(not_built("bedrock"))
    }

    #[cfg(not(feature = "bedrock"))]
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
