//! Vectors of texts.

use axum::extract::State;
use mandi_core::ports::EmbeddingPurpose;
use mandi_core::text::check_characters;
use mandi_core::{Problem, Result};
use mandi_http::auth::EmbeddingsCreate;
use mandi_http::{ApiResult, Caller, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::embedders::Embedders;
use crate::state::EmbeddingState;

/// The most texts of one request.
const MAX_TEXTS: usize = 256;
/// The longest text, in bytes.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// One text, or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
pub(crate) enum Input {
    /// One text.
    One(String),
    /// 1 to 256 texts.
    Many(Vec<String>),
}

/// What to embed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbeddingsRequest {
    /// A text, or 1 to 256 of them, each of at most 64 KiB. What is longer than the model takes is cut, and
    /// `truncated` says so.
    #[schema(example = "basmati rice, 1121, sella")]
    input: Input,
    /// The embedding model, as `provider/model`: `local/all-MiniLM-L6-v2` when it is not given, and those of the
    /// providers that are configured, such as `bedrock/amazon.titan-embed-text-v2:0`,
    /// `bedrock/cohere.embed-multilingual-v3` or `openai/text-embedding-3-small`. A name that is not offered lists
    /// those that are (422).
    #[schema(example = "local/all-MiniLM-L6-v2")]
    model: Option<String>,
    /// What the texts are, for models that treat queries and passages differently (Cohere's).
    #[serde(default)]
    purpose: Purpose,
}

/// What texts are embedded for.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Purpose {
    /// To find passages.
    Query,
    /// To be found.
    #[default]
    Passage,
}

impl From<Purpose> for EmbeddingPurpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Query => Self::Query,
            Purpose::Passage => Self::Passage,
        }
    }
}

/// Vectors.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EmbeddingsResponse {
    /// The model.
    model: String,
    /// The length of each vector.
    dimensions: usize,
    /// The longest text that the model takes, in its tokens.
    max_tokens: usize,
    /// Whether each vector has length 1 (Euclidean norm): always, whatever the model gives by itself.
    normalised: bool,
    /// One vector for each text, in order.
    embeddings: Vec<Vec<f32>>,
    /// The places (from 0) of texts that were longer than the model takes, and were cut.
    truncated: Vec<usize>,
    /// What it took.
    usage: EmbeddingsUsage,
}

/// What it took.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EmbeddingsUsage {
    /// Tokens of all texts, before they were cut.
    input_tokens: u64,
}

/// Compute vectors of texts.
#[utoipa::path(post, path = "/v1/embeddings", tag = "embeddings", security(("bearer" = ["embeddings.create"])),
    request_body = EmbeddingsRequest, responses((status = 200, body = EmbeddingsResponse)))]
pub(crate) async fn create(
    State(state): State<EmbeddingState>,
    caller: Caller<EmbeddingsCreate>,
    Json(request): Json<EmbeddingsRequest>,
) -> ApiResult<Json<EmbeddingsResponse>> {
    let texts = match request.input {
        Input::One(text) => vec![text],
        Input::Many(texts) => texts,
    };
    check(&texts)?;
    let embedder = state.embedders.bound(&caller.tenant, &caller.user, request.model.as_deref(), "/model")?;
    let embedded = embedder.embed(&texts, request.purpose.into()).await?;
    let truncated = embedded.iter().enumerate().filter(|(_, text)| text.truncated).map(|(place, _)| place).collect();
    let input_tokens = embedded.iter().map(|text| text.tokens).sum();
    Ok(Json(EmbeddingsResponse {
        model: Embedders::name(embedder.model()),
        dimensions: embedder.model().dimensions,
        max_tokens: embedder.model().max_tokens,
        normalised: true,
        embeddings: embedded.into_iter().map(|text| text.vector).collect(),
        truncated,
        usage: EmbeddingsUsage { input_tokens },
    }))
}

fn check(texts: &[String]) -> Result<()> {
    if !(1..=MAX_TEXTS).contains(&texts.len()) {
        return Err(Problem::field(
            "/input",
            format!("there are {} texts; one request takes 1 to {MAX_TEXTS}", texts.len()),
        ));
    }
    for (place, text) in texts.iter().enumerate() {
        let pointer = if texts.len() == 1 { "/input".to_owned() } else { format!("/input/{place}") };
        if text.trim().is_empty() {
            return Err(Problem::field(pointer, "it is blank; there is nothing to embed"));
        }
        if text.len() > MAX_TEXT_BYTES {
            return Err(Problem::field(
                pointer,
                format!("it has {} bytes; at most {MAX_TEXT_BYTES} are taken", text.len()),
            ));
        }
        check_characters(text, &pointer)?;
    }
    Ok(())
}
