//! What cosine similarities mean. They lie elsewhere for every embedding model, so a limit holds for the model that
//! it was measured for, and for no other.

use mandi_core::ports::ModelRef;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where the cosines of one embedding model lie, each from -1 to 1, in rising order. docs/retrieval.md has the
/// measurement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CosineScale {
    /// Where unrelated texts lie: it counts as nothing in the confidence.
    #[schema(example = 0.2)]
    pub unrelated: f32,
    /// Below it words must cover nearly all of the question.
    #[schema(example = 0.25)]
    pub doubtful: f32,
    /// From here on a passage is relevant whatever its words.
    #[schema(example = 0.45)]
    pub related: f32,
    /// From here on it counts as all in the confidence.
    #[schema(example = 0.7)]
    pub certain: f32,
}

impl CosineScale {
    /// That of all-MiniLM-L6-v2.
    pub const MINILM: Self = Self { unrelated: 0.2, doubtful: 0.25, related: 0.45, certain: 0.7 };

    /// The scale of a model, if it was measured. Whoever serves the model, its vectors are the same.
    #[must_use]
    pub fn of(model: &ModelRef) -> Option<Self> {
        let name = model.model.rsplit('/').next().unwrap_or_default();
        name.eq_ignore_ascii_case("all-MiniLM-L6-v2").then_some(Self::MINILM)
    }

    /// How far a cosine lies from unrelated (0) to certain (1).
    #[must_use]
    pub fn share(&self, cosine: f32) -> f32 {
        ((cosine - self.unrelated) / (self.certain - self.unrelated)).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_a_model_whose_cosines_were_not_measured_then_it_has_no_scale() {
        let scale = |provider: &str, model: &str| {
            CosineScale::of(&ModelRef { provider: provider.to_owned(), model: model.to_owned() })
        };
        assert_eq!(scale("local", "all-MiniLM-L6-v2"), Some(CosineScale::MINILM));
        assert_eq!(scale("openai", "sentence-transformers/all-MiniLM-L6-v2"), Some(CosineScale::MINILM));
        for (provider, model) in [
            ("bedrock", "amazon.titan-embed-text-v2:0"),
            ("bedrock", "cohere.embed-multilingual-v3"),
            ("openai", "text-embedding-3-small"),
            ("openai", "paraphrase-multilingual-MiniLM-L12-v2"),
        ] {
            assert_eq!(scale(provider, model), None, "{model}");
        }
    }

    #[test]
    fn a_share_goes_from_unrelated_to_certain() {
        let scale = CosineScale::MINILM;
        for (cosine, share) in [(-0.1, 0.0), (0.2, 0.0), (0.45, 0.5), (0.7, 1.0), (0.9, 1.0)] {
            assert!((scale.share(cosine) - share).abs() < 1e-6, "{cosine}");
        }
    }
}
