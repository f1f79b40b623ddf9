//! The configuration of a provider.

use std::collections::BTreeMap;
use std::path::Path;

use mandi_core::settings::{self, Settings};
use mandi_core::{Problem, Result, TenantId};
use serde::Deserialize;

use super::offer::{self, Offer};

/// A provider and what it needs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "provider", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Choice {
    /// No language model.
    None,
    /// The model that runs in this process.
    Local,
    /// A model of Amazon Bedrock.
    Bedrock {
        model: String,
        /// The region, where it is not this process's own.
        region: Option<String>,
        context_tokens: Option<usize>,
        embedding_models: Option<Vec<Offer>>,
    },
    /// A model behind an OpenAI-compatible endpoint.
    Openai {
        base_url: String,
        model: String,
        /// The environment variable that holds the key.
        key_env: Option<String>,
        context_tokens: Option<usize>,
        embedding_models: Option<Vec<Offer>>,
    },
}

impl Choice {
    /// What `MANDI_PROVIDER` says.
    pub(super) fn default_of(settings: &Settings) -> Result<Self> {
        match settings.required(settings::PROVIDER)? {
            "none" => Ok(Self::None),
            "local" => Ok(Self::Local),
            "bedrock" => Ok(Self::Bedrock {
                model: settings.required(settings::BEDROCK_MODEL)?.to_owned(),
                region: None,
                context_tokens: None,
                embedding_models: None,
            }),
            "openai" => Ok(Self::Openai {
                base_url: settings.required(settings::OPENAI_BASE_URL)?.to_owned(),
                model: settings.required(settings::OPENAI_MODEL)?.to_owned(),
                key_env: settings.optional(settings::OPENAI_KEY).map(|_| settings::OPENAI_KEY.name.to_owned()),
                context_tokens: None,
                embedding_models: None,
            }),
            other => {
                let detail = format!("`{other}` is none of `local`, `bedrock`, `openai`, `none`");
                Err(Problem::field(settings::PROVIDER.name, detail))
            }
        }
    }

    /// The embedding models that are offered with it, beside the local one.
    pub(super) fn offers(&self) -> Vec<Offer> {
        match self {
            Self::None | Self::Local => Vec::new(),
            Self::Bedrock { embedding_models, .. } => embedding_models.clone().unwrap_or_else(offer::of_bedrock),
            Self::Openai { embedding_models, .. } => embedding_models.clone().unwrap_or_else(offer::of_openai),
        }
    }

    /// What the file of `MANDI_TENANT_PROVIDERS` says.
    pub(super) fn of_tenants(path: &Path) -> Result<BTreeMap<TenantId, Self>> {
        let wrong =
            |why: String| Problem::field(settings::TENANT_PROVIDERS.name, format!("`{}`: {why}", path.display()));
        let json = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let choices: BTreeMap<String, Self> =
            serde_json::from_slice(&json).map_err(|error| wrong(error.to_string()))?;
        let tenant = |(name, choice): (String, Self)| {
            let tenant = TenantId::from_stored(&name)
                .ok_or_else(|| wrong(format!("`{name}` is not a tenant: 1 to 64 of `a-z`, `0-9`, `-`, `_`")))?;
            Ok((tenant, choice))
        };
        choices.into_iter().map(tenant).collect()
    }
}
