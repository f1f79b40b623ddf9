//! The Llama architecture (Touvron et al., arXiv:2302.13971) with grouped-query attention, from a GGUF file.

use std::io::{Read, Seek};

use candle_core::quantized::gguf_file::Content;
use candle_core::{Device, Error, Result, Tensor};
use candle_nn::kv_cache::KvCache;
use candle_nn::ops::rms_norm;

use super::file::{count, metadata};
use super::layer::{Layer, Rotation, Shape};
use super::linear::Linear;

/// Why a pass did not end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Interrupted {
    /// Nobody waits for it.
    #[error("cancelled")]
    Cancelled,
    /// The arithmetic failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// A model's weights. They are read only: each generation has its own [`Session`].
#[derive(Debug)]
pub(super) struct Llama {
    embedding: Linear,
    layers: Vec<Layer>,
    norm: Tensor,
    /// `None` where the embedding's weights serve for the output too.
    output: Option<Linear>,
    rotation: Rotation,
    epsilon: f32,
    context_tokens: usize,
}

/// The keys and values of one generation so far.
#[derive(Debug)]
pub(super) struct Session {
    caches: Vec<KvCache>,
    position: usize,
}

impl Llama {
    /// Reads the weights.
    pub(super) fn load(content: &Content, reader: &mut (impl Read + Seek)) -> Result<Self> {
        let architecture = metadata(content, "general.architecture")?.to_string()?;
        if architecture != "llama" {
            return Err(Error::Msg(format!("its architecture is `{architecture}`, and only `llama` is known")));
        }
        let hidden = count(content, "llama.embedding_length")?;
        let heads = count(content, "llama.attention.head_count")?;
        let shape = Shape::new(hidden, heads, count(content, "llama.attention.head_count_kv")?)?;
        let context_tokens = count(content, "llama.context_length")?;
        let base = metadata(content, "llama.rope.freq_base")?.to_f32()?;
        let epsilon = metadata(content, "llama.attention.layer_norm_rms_epsilon")?.to_f32()?;
        let rotation = Rotation::new(count(content, "llama.rope.dimension_count")?, base, context_tokens)?;
        let layers = (0..count(content, "llama.block_count")?)
            .map(|number| Layer::load(content, reader, number, shape, epsilon))
            .collect::<Result<_>>()?;
        let output = match content.tensor_infos.contains_key("output.weight") {
            true => Some(Linear::load(content, reader, "output.weight")?),
            false => None,
        };
        Ok(Self {
            embedding: Linear::load(content, reader, "token_embd.weight")?,
            layers,
            norm: content.tensor(reader, "output_norm.weight", &Device::Cpu)?.dequantize(&Device::Cpu)?,
            output,
            rotation,
            epsilon,
            context_tokens,
        })
    }

    /// How many tokens it was trained to read.
    pub(super) fn context_tokens(&self) -> usize {
        self.context_tokens
    }

    /// An empty session with room for `tokens`.
    pub(super) fn session(&self, tokens: usize) -> Session {
        Session { caches: self.layers.iter().map(|_| KvCache::new(1, tokens)).collect(), position: 0 }
    }

    /// Reads more tokens; gives the logits `[vocabulary]` of the one that follows them.
    pub(super) fn forward(
        &self,
        tokens: &[u32],
        session: &mut Session,
        cancelled: &dyn Fn() -> bool,
    ) -> std::result::Result<Tensor, Interrupted> {
        let mut rows = self.embedding.rows(tokens)?;
        for (layer, cache) in self.layers.iter().zip(&mut session.caches) {
            if cancelled() {
                return Err(Interrupted::Cancelled);
            }
            rows = layer.forward(&rows, &self.rotation, session.position, cache)?;
        }
        session.position += tokens.len();
        let last = rows.narrow(0, tokens.len() - 1, 1)?.contiguous()?;
        let last = rms_norm(&last, &self.norm, self.epsilon)?;
        let logits = self.output.as_ref().unwrap_or(&self.embedding).forward(&last)?;
        Ok(logits.squeeze(0)?)
    }
}
