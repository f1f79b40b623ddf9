//! One layer: attention, then a gated feed-forward network, each after a normalisation and added to its input.

use std::io::{Read, Seek};

use candle_core::quantized::gguf_file::Content;
use candle_core::{DType, Device, Error, Result, Tensor};
use candle_nn::kv_cache::KvCache;
use candle_nn::ops::rms_norm;
use candle_nn::rotary_emb::rope_i;
use rayon::prelude::*;

use super::linear::Linear;

/// Queries that attend in one product: a query's keys are those before its block's end, so that small blocks
/// waste little on keys that the mask takes away again, and large ones keep the products large.
const QUERY_BLOCK: usize = 128;

/// How hidden values are divided into heads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    heads: usize,
    kv_heads: usize,
    head: usize,
}

impl Shape {
    /// `kv_heads` key-value heads, each shared by as many of the `heads` query heads.
    pub(super) fn new(hidden: usize, heads: usize, kv_heads: usize) -> Result<Self> {
        if kv_heads == 0 || !hidden.is_multiple_of(heads) || !heads.is_multiple_of(kv_heads) {
            return Err(Error::Msg(format!("{heads} heads over {kv_heads} do not divide {hidden} values")));
        }
        Ok(Self { heads, kv_heads, head: hidden / heads })
    }
}

/// Rotary position embedding (Su et al., arXiv:2104.09864), pairs side by side as in GGUF's `llama`.
#[derive(Debug)]
pub(super) struct Rotation {
    cos: Tensor,
    sin: Tensor,
}

impl Rotation {
    /// The angles of all positions below `positions`.
    pub(super) fn new(dimensions: usize, base: f32, positions: usize) -> Result<Self> {
        let frequencies: Vec<f32> =
            (0..dimensions).step_by(2).map(|pair| 1.0 / base.powf(pair as f32 / dimensions as f32)).collect();
        let frequencies = Tensor::new(frequencies, &Device::Cpu)?.unsqueeze(0)?;
        let positions = Tensor::arange(0, positions as u32, &Device::Cpu)?.to_dtype(DType::F32)?.unsqueeze(1)?;
        let angles = positions.matmul(&frequencies)?;
        Ok(Self { cos: angles.cos()?, sin: angles.sin()? })
    }

    /// Rotates `[heads, n, head]` whose first row is at `position`.
    fn apply(&self, rows: &Tensor, position: usize) -> Result<Tensor> {
        let length = rows.dim(1)?;
        let (cos, sin) = (self.cos.narrow(0, position, length)?, self.sin.narrow(0, position, length)?);
        rope_i(&rows.unsqueeze(0)?, &cos, &sin)?.squeeze(0)
    }
}

/// One layer's weights.
#[derive(Debug)]
pub(super) struct Layer {
    shape: Shape,
    epsilon: f32,
    attention_norm: Tensor,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    feed_norm: Tensor,
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl Layer {
    /// Reads layer `number`.
    pub(super) fn load(
        content: &Content,
        reader: &mut (impl Read + Seek),
        number: usize,
        shape: Shape,
        epsilon: f32,
    ) -> Result<Self> {
        let name = |part: &str| format!("blk.{number}.{part}.weight");
        let attention_norm = content.tensor(reader, &name("attn_norm"), &Device::Cpu)?.dequantize(&Device::Cpu)?;
        let feed_norm = content.tensor(reader, &name("ffn_norm"), &Device::Cpu)?.dequantize(&Device::Cpu)?;
        let mut linear = |part: &str| Linear::load(content, reader, &name(part));
        Ok(Self {
            shape,
            epsilon,
            attention_norm,
            query: linear("attn_q")?,
            key: linear("attn_k")?,
            value: linear("attn_v")?,
            output: linear("attn_output")?,
            feed_norm,
            gate: linear("ffn_gate")?,
            up: linear("ffn_up")?,
            down: linear("ffn_down")?,
        })
    }

    /// Maps rows `[n, hidden]`, the first of them at `position`, and adds their keys and values to the cache.
    pub(super) fn forward(
        &self,
        rows: &Tensor,
        rotation: &Rotation,
        position: usize,
        cache: &mut KvCache,
    ) -> Result<Tensor> {
        let normed = rms_norm(rows, &self.attention_norm, self.epsilon)?;
        let rows = (rows + self.attend(&normed, rotation, position, cache)?)?;
        let normed = rms_norm(&rows, &self.feed_norm, self.epsilon)?;
        let gated = gate(&self.gate.forward(&normed)?, &self.up.forward(&normed)?)?;
        &rows + self.down.forward(&gated)?
    }

    fn attend(&self, rows: &Tensor, rotation: &Rotation, position: usize, cache: &mut KvCache) -> Result<Tensor> {
        let Shape { heads, kv_heads, head } = self.shape;
        let length = rows.dim(0)?;
        let split = |rows: &Tensor, heads: usize| rows.reshape((length, heads, head))?.transpose(0, 1)?.contiguous();
        let queries = rotation.apply(&split(&self.query.forward(rows)?, heads)?, position)?;
        let queries = (queries * (1.0 / (head as f64).sqrt()))?;
        let new_keys = rotation.apply(&split(&self.key.forward(rows)?, kv_heads)?, position)?;
        let new_values = split(&self.value.forward(rows)?, kv_heads)?;
        let (keys, values) = cache.append(&new_keys, &new_values)?;
        let mut blocks = Vec::with_capacity(length.div_ceil(QUERY_BLOCK));
        for start in (0..length).step_by(QUERY_BLOCK) {
            let block = QUERY_BLOCK.min(length - start);
            let seen = position + start + block;
            let keys = keys.narrow(1, 0, seen)?;
            let values = values.narrow(1, 0, seen)?;
            blocks.push(self.attend_block(&queries.narrow(1, start, block)?, &keys, &values)?);
        }
        self.output.forward(&Tensor::cat(&blocks, 0)?)
    }

    /// Queries `[heads, block, head]` over keys and values `[kv_heads, seen, head]`, of which the last `block`
    /// are the queries' own: `[block, hidden]`.
    fn attend_block(&self, queries: &Tensor, keys: &Tensor, values: &Tensor) -> Result<Tensor> {
        let Shape { heads, kv_heads, head } = self.shape;
        let block = queries.dim(1)?;
        // The heads of a group lie next to each other: as more rows they share their keys without a copy.
        let grouped = queries.contiguous()?.reshape((kv_heads, heads / kv_heads * block, head))?;
        let weights = causal_softmax(&grouped.matmul(&keys.t()?)?, block)?;
        let mixed = weights.matmul(values)?.reshape((heads, block, head))?;
        mixed.transpose(0, 1)?.reshape((block, heads * head))
    }
}

/// Softmax of each row of scores `[kv_heads, rows, seen]` over the keys that its query may see. The rows are those of
/// `block` queries again and again; the last of these sees all keys, each one before it one less.
fn causal_softmax(scores: &Tensor, block: usize) -> Result<Tensor> {
    let seen = scores.dim(2)?;
    let mut numbers = scores.flatten_all()?.to_vec1::<f32>()?;
    numbers.par_chunks_mut(seen).enumerate().for_each(|(row, scores)| {
        let (scores, later) = scores.split_at_mut(seen - (block - 1 - row % block));
        let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for score in &mut *scores {
            *score = (*score - highest).exp();
            sum += *score;
        }
        scores.iter_mut().for_each(|score| *score /= sum);
        later.fill(0.0);
    });
    Tensor::from_vec(numbers, scores.shape(), &Device::Cpu)
}

/// SwiGLU (Shazeer, arXiv:2002.05202): `silu(gate) up`, number by number.
fn gate(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    let mut numbers = gate.flatten_all()?.to_vec1::<f32>()?;
    let up_numbers = up.flatten_all()?.to_vec1::<f32>()?;
    let width = up.dim(1)?;
    numbers.par_chunks_mut(width).zip(up_numbers.par_chunks(width)).for_each(|(gates, ups)| {
        for (gate, up) in gates.iter_mut().zip(ups) {
            *gate *= up / (1.0 + (-*gate).exp());
        }
    });
    Tensor::from_vec(numbers, up.shape(), &Device::Cpu)
}
