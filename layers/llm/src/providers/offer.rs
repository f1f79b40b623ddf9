//! The embedding models that are offered beside the local one.

use std::fmt;

use mandi_core::settings::{self, Settings};
use mandi_core::{Problem, Result};
use serde::Deserialize;

use crate::openai::OpenAiEmbeddings;

/// What Bedrock has and [`crate::bedrock::BedrockEmbedder`] speaks.
const OF_BEDROCK: [&str; 3] =
    ["amazon.titan-embed-text-v2:0", "cohere.embed-english-v3", "cohere.embed-multilingual-v3"];

/// A model of OpenAI, by its documentation of 2026.
struct OfOpenAi {
    model: &'static str,
    dimensions: usize,
    /// Whether the endpoint shortens the vectors on request.
    shortens: bool,
}

const OF_OPENAI: [OfOpenAi; 2] = [
    OfOpenAi { model: "text-embedding-3-small", dimensions: 1536, shortens: true },
    OfOpenAi { model: "text-embedding-3-large", dimensions: 3072, shortens: true },
];
/// The longest text that OpenAI's models take, in tokens.
const OPENAI_TOKENS: usize = 8191;
/// The longest text that is sent to a model that is not known, in tokens: about two of our chunks.
const OTHER_TOKENS: usize = 512;

/// Whose model it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    Bedrock,
    Openai,
}

/// A model that is offered, as the configuration names it: `provider/model`, or `provider/model=dimensions`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Offer {
    pub(super) provider: Provider,
    pub(super) model: String,
    /// The length of the vectors, where the configuration says.
    pub(super) dimensions: Option<usize>,
}

/// The models of Bedrock.
pub(super) fn of_bedrock() -> Vec<Offer> {
    let offer = |model: &str| Offer { provider: Provider::Bedrock, model: model.to_owned(), dimensions: None };
    OF_BEDROCK.into_iter().map(offer).collect()
}

/// The models of OpenAI; what else an endpoint has is for the configuration to say.
pub(super) fn of_openai() -> Vec<Offer> {
    let offer =
        |known: &OfOpenAi| Offer { provider: Provider::Openai, model: known.model.to_owned(), dimensions: None };
    OF_OPENAI.iter().map(offer).collect()
}

impl Offer {
    /// What `MANDI_EMBEDDING_MODELS` lists; `None` when it is not set.
    pub(super) fn listed(settings: &Settings) -> Result<Option<Vec<Self>>> {
        let Some(list) = settings.optional(settings::EMBEDDING_MODELS) else { return Ok(None) };
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        let offers = names.map(|name| {
            Self::try_from(name.to_owned()).map_err(|why| Problem::field(settings::EMBEDDING_MODELS.name, why))
        });
        offers.collect::<Result<_>>().map(Some)
    }

    /// The model at an OpenAI-compatible endpoint.
    ///
    /// # Errors
    /// The length of its vectors is neither known nor given.
    pub(super) fn at_endpoint(&self) -> Result<OpenAiEmbeddings, String> {
        let known = OF_OPENAI.iter().find(|known| known.model == self.model);
        let Some(dimensions) = self.dimensions.or(known.map(|known| known.dimensions)) else {
            return Err(format!("the length of the vectors of `{self}` is not known; write `{self}=<dimensions>`"));
        };
        Ok(OpenAiEmbeddings {
            model: self.model.clone(),
            dimensions,
            asks_dimensions: known.is_some_and(|known| known.shortens && known.dimensions != dimensions),
            max_tokens: if known.is_some() { OPENAI_TOKENS } else { OTHER_TOKENS },
        })
    }
}

impl TryFrom<String> for Offer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not `bedrock/<model>` or `openai/<model>`, with `=<dimensions>` if need be");
        let (name, dimensions) = match text.rsplit_once('=') {
            Some((name, number)) => {
                let number = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
                (name, Some(number))
            }
            None => (text.as_str(), None),
        };
        let (provider, model) = name.split_once('/').filter(|(_, model)| !model.is_empty()).ok_or_else(wrong)?;
        let provider = match provider {
            "bedrock" => Provider::Bedrock,
            "openai" => Provider::Openai,
            _ => return Err(wrong()),
        };
        Ok(Self { provider, model: model.to_owned(), dimensions })
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let provider = match self.provider {
            Provider::Bedrock => "bedrock",
            Provider::Openai => "openai",
        };
        write!(formatter, "{provider}/{}", self.model)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn offer(text: &str) -> Result<Offer, String> {
        Offer::try_from(text.to_owned())
    }

    #[test]
    fn a_models_name_may_hold_colons_and_slashes() {
        let titan = offer("bedrock/amazon.titan-embed-text-v2:0=512").unwrap();
        assert_eq!((titan.model.as_str(), titan.dimensions), ("amazon.titan-embed-text-v2:0", Some(512)));
        assert_eq!(offer("openai/BAAI/bge-m3=1024").unwrap().model, "BAAI/bge-m3");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["titan", "azure/x", "openai/", "openai/x=", "openai/x=0", "openai/x=many"] {
            assert!(offer(text).unwrap_err().contains("openai/<model>"), "{text}");
        }
    }

    #[test]
    fn known_models_have_their_dimensions_and_others_have_to_be_given_theirs() {
        let small = offer("openai/text-embedding-3-small").unwrap().at_endpoint().unwrap();
        assert_eq!((small.dimensions, small.asks_dimensions, small.max_tokens), (1536, false, 8191));
        let short = offer("openai/text-embedding-3-small=256").unwrap().at_endpoint().unwrap();
        assert_eq!((short.dimensions, short.asks_dimensions), (256, true));
        let other = offer("openai/nomic-embed-text=768").unwrap().at_endpoint().unwrap();
        assert_eq!((other.dimensions, other.asks_dimensions, other.max_tokens), (768, false, 512));
        assert!(offer("openai/nomic-embed-text").unwrap().at_endpoint().unwrap_err().contains("=<dimensions>"));
    }
}
