//! What a token costs.

use std::collections::BTreeMap;
use std::path::Path;

use mandi_core::metering::PriceList;
use mandi_core::money::TokenPrice;
use mandi_core::ports::ModelRef;
use mandi_core::settings::{self, Settings};
use mandi_core::{Problem, Result};

/// List prices in micro-dollars for a million tokens, input and output, by `provider/model`; where and when each was
/// read is in `docs/prices.md`. They change, and differ by region: `MANDI_PRICES` holds yours.
const BUILT_IN: &[(&str, i64, i64)] = &[
    ("bedrock/amazon.nova-lite-v1:0", 60_000, 240_000),
    ("bedrock/amazon.nova-micro-v1:0", 35_000, 140_000),
    ("bedrock/amazon.nova-pro-v1:0", 800_000, 3_200_000),
    ("bedrock/amazon.titan-embed-text-v2:0", 20_000, 0),
    ("bedrock/anthropic.claude-haiku-4-5-20251001-v1:0", 1_000_000, 5_000_000),
    ("bedrock/cohere.embed-english-v3", 100_000, 0),
    ("bedrock/cohere.embed-multilingual-v3", 100_000, 0),
    ("bedrock/eu.anthropic.claude-haiku-4-5-20251001-v1:0", 1_100_000, 5_500_000),
    ("bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0", 1_100_000, 5_500_000),
    ("openai/gpt-4.1", 2_000_000, 8_000_000),
    ("openai/gpt-4.1-mini", 400_000, 1_600_000),
    ("openai/gpt-4.1-nano", 100_000, 400_000),
    ("openai/gpt-4o", 2_500_000, 10_000_000),
    ("openai/gpt-4o-mini", 150_000, 600_000),
    ("openai/text-embedding-3-large", 130_000, 0),
    ("openai/text-embedding-3-small", 20_000, 0),
];

/// The provider whose models cost nothing: they run in this process.
const FREE_PROVIDER: &str = "local";
/// What Bedrock puts before a model's id when several regions serve it.
const PROFILE_PREFIXES: &[&str] = &["us.", "eu.", "apac.", "global."];

/// The prices of models.
#[derive(Clone, Debug)]
pub struct Prices(BTreeMap<String, TokenPrice>);

impl Default for Prices {
    fn default() -> Self {
        let price = |&(name, input, output): &(&str, i64, i64)| {
            (name.to_owned(), TokenPrice { input_micro_usd_per_million: input, output_micro_usd_per_million: output })
        };
        Self(BUILT_IN.iter().map(price).collect())
    }
}

impl Prices {
    /// The built-in table, with the file of `MANDI_PRICES` over it:
    /// `{"provider/model": {"input_micro_usd_per_million": 1, "output_micro_usd_per_million": 2}}`.
    ///
    /// # Errors
    /// The file cannot be read, or is not of that form.
    pub fn from_settings(settings: &Settings) -> Result<Self> {
        match settings.optional(settings::PRICES) {
            Some(path) => Self::default().with_file(Path::new(path)),
            None => Ok(Self::default()),
        }
    }

    fn with_file(mut self, path: &Path) -> Result<Self> {
        let wrong = |why: String| Problem::field(settings::PRICES.name, format!("`{}`: {why}", path.display()));
        let json = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let given: BTreeMap<String, TokenPrice> =
            serde_json::from_slice(&json).map_err(|error| wrong(error.to_string()))?;
        if let Some((name, _)) = given.iter().find(|(name, price)| {
            !name.contains('/') || price.input_micro_usd_per_million < 0 || price.output_micro_usd_per_million < 0
        }) {
            return Err(wrong(format!("`{name}` must be `provider/model`, and its prices 0 or more")));
        }
        self.0.extend(given);
        Ok(self)
    }

    /// The price of a model, if it is known. Local models cost nothing.
    #[must_use]
    pub fn known(&self, model: &ModelRef) -> Option<TokenPrice> {
        let named = |id: &str| self.0.get(&format!("{}/{id}", model.provider)).copied();
        let without_region = || {
            let id = PROFILE_PREFIXES.iter().find_map(|prefix| model.model.strip_prefix(prefix))?;
            named(id)
        };
        let free = || (model.provider == FREE_PROVIDER).then(TokenPrice::default);
        named(&model.model).or_else(without_region).or_else(free)
    }
}

/// A model whose price is not known costs nothing, which [`crate::providers::Providers`] warns of at start.
impl PriceList for Prices {
    fn price(&self, model: &ModelRef) -> TokenPrice {
        self.known(model).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn model(provider: &str, model: &str) -> ModelRef {
        ModelRef { provider: provider.to_owned(), model: model.to_owned() }
    }

    #[test]
    fn a_profile_has_a_price_of_its_own_or_the_models() {
        let prices = Prices::default();
        let of = |id: &str| prices.known(&model("bedrock", id)).unwrap().output_micro_usd_per_million;
        assert_eq!(of("global.anthropic.claude-haiku-4-5-20251001-v1:0"), 5_000_000);
        assert_eq!(of("eu.anthropic.claude-haiku-4-5-20251001-v1:0"), 5_500_000);
        assert_eq!(of("apac.amazon.nova-lite-v1:0"), of("amazon.nova-lite-v1:0"));
    }

    #[test]
    fn the_default_model_of_bedrock_has_a_price() {
        let id = settings::BEDROCK_MODEL.default.unwrap();
        assert!(Prices::default().known(&model("bedrock", id)).is_some());
    }

    #[test]
    fn the_table_is_the_one_that_is_documented() {
        let documented = include_str!("../../../docs/prices.md");
        let rows: Vec<(String, i64, i64)> = documented
            .lines()
            .filter_map(|line| {
                let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
                let name = cells.first()?.strip_prefix('`')?.strip_suffix('`')?;
                Some((name.to_owned(), cells.get(1)?.parse().ok()?, cells.get(2)?.parse().ok()?))
            })
            .collect();
        let built_in: Vec<(String, i64, i64)> =
            BUILT_IN.iter().map(|&(name, input, output)| (name.to_owned(), input, output)).collect();
        assert_eq!(rows, built_in);
    }

    #[test]
    fn a_local_model_is_free_and_an_unknown_one_is_unknown() {
        let prices = Prices::default();
        assert_eq!(prices.known(&model("local", "any")), Some(TokenPrice::default()));
        assert_eq!(prices.known(&model("openai", "any")), None);
    }

    #[test]
    fn the_file_wins_over_the_table_and_its_faults_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.json");
        let with = |json: &str| {
            std::fs::write(&path, json).unwrap();
            let settings = Settings::default().with(settings::PRICES, path.to_str().unwrap());
            Prices::from_settings(&settings)
        };
        let prices =
            with(r#"{"openai/gpt-4o": {"input_micro_usd_per_million": 1, "output_micro_usd_per_million": 2}}"#);
        assert_eq!(prices.unwrap().price(&model("openai", "gpt-4o")).output_micro_usd_per_million, 2);
        let negative = r#"{"openai/x": {"input_micro_usd_per_million": -1, "output_micro_usd_per_million": 2}}"#;
        assert!(with(negative).unwrap_err().detail.contains("openai/x"));
        assert!(with(r#"{"openai/x": {"cost": 1}}"#).unwrap_err().detail.contains("cost"));
    }
}
