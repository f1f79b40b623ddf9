//! Linear layers.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::function::gelu;
use super::packed::{PackedStrip, pack};
use super::strip::{Blocks, STRIP, Strip};
use super::tile::{multiply_rows, tile_rows, vectors, vectors_mut};

/// How many inputs are summed up for all rows before the next ones: their weights for one block of outputs stay in
/// the first-level cache meanwhile.
const SLICE: usize = 128;

/// What follows a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    /// Nothing.
    None,
    /// GELU with the error function.
    Gelu,
}

/// How the numbers of a weight matrix follow each other in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// All inputs of the first output, then all of the second: `[outputs][inputs]`.
    OutputMajor,
    /// All outputs of the first input, then all of the second: `[inputs][outputs]`.
    InputMajor,
}

/// Weights and bias of some of a layer's outputs.
#[derive(Debug)]
pub(crate) struct Part {
    /// `inputs` x `outputs` numbers.
    pub(crate) weights: Vec<f32>,
    /// Their order.
    pub(crate) order: Order,
    /// `outputs` numbers.
    pub(crate) bias: Vec<f32>,
}

/// A linear layer, `x W + b`, with its weights in the order in which they are used.
#[derive(Debug)]
pub(crate) struct Linear {
    inputs: usize,
    /// For each block of outputs: a strip for each input.
    weights: Vec<PackedStrip>,
    /// A strip for each block of outputs.
    scale: Vec<Strip>,
    /// A strip for each block of outputs.
    bias: Vec<Strip>,
}

impl Linear {
    /// Puts parts side by side. Inputs and the outputs of each part are multiples of [`STRIP`], and a part has as
    /// many numbers as they say: callers check that when they read the file.
    pub(crate) fn new(inputs: usize, parts: &[Part]) -> Self {
        let blocks = parts.iter().map(|part| part.bias.len() / STRIP).sum();
        let mut weights = vec![PackedStrip::ZERO; blocks * inputs];
        let mut scale = vec![Strip::ZERO; blocks];
        let sources: Vec<(&Part, usize)> =
            parts.iter().flat_map(|part| (0..part.bias.len() / STRIP).map(move |block| (part, block))).collect();
        let packed = weights.par_chunks_mut(inputs).zip(&mut scale).zip(sources);
        packed.for_each_init(
            || vec![Strip::ZERO; inputs],
            |block_weights, ((packed, scale), (part, block))| {
                part.block(inputs, block, block_weights);
                *scale = pack(packed, block_weights);
            },
        );
        let bias = parts.iter().flat_map(|part| part.bias.as_chunks::<STRIP>().0).map(|chunk| Strip(*chunk)).collect();
        Self { inputs, weights, scale, bias }
    }

    /// Applies the layer to each row of `x`. With `parallel` the outputs are shared among the threads of the current
    /// pool.
    pub(crate) fn apply(&self, x: &Blocks, activation: Activation, parallel: bool) -> Blocks {
        let mut out = Blocks::zeroed(x.rows(), self.bias.len());
        let share = if parallel { self.bias.len().div_ceil(rayon::current_num_threads()) } else { self.bias.len() };
        let job = |(((out, weights), scale), bias)| {
            let blocks = OutputBlocks { x, inputs: self.inputs, weights, scale, bias, activation, out };
            Arch::new().dispatch(blocks);
        };
        let outs = out.strips_mut();
        if share == self.bias.len() {
            job((((outs, &self.weights), &self.scale), &self.bias));
        } else {
            outs.par_chunks_mut(share * x.rows())
                .zip(self.weights.par_chunks(share * self.inputs))
                .zip(self.scale.par_chunks(share))
                .zip(self.bias.par_chunks(share))
                .for_each(job);
        }
        out
    }
}

impl Part {
    /// Copies the weights of a block of outputs, a strip for each input.
    fn block(&self, inputs: usize, block: usize, to: &mut [Strip]) {
        let (first, outputs) = (block * STRIP, self.bias.len());
        match self.order {
            Order::InputMajor => {
                for (strip, weights) in to.iter_mut().zip(self.weights.chunks_exact(outputs)) {
                    strip.0.copy_from_slice(&weights[first..first + STRIP]);
                }
            }
            Order::OutputMajor => {
                // Few strips at a time, which stay in the first-level cache while each output fills its column.
                for (slice, strips) in to.chunks_mut(SLICE).enumerate() {
                    for output in 0..STRIP {
                        let begin = (first + output) * inputs + slice * SLICE;
                        for (strip, weight) in strips.iter_mut().zip(&self.weights[begin..]) {
                            strip.0[output] = *weight;
                        }
                    }
                }
            }
        }
    }
}

/// Some blocks of outputs of a layer, for all rows.
struct OutputBlocks<'a> {
    x: &'a Blocks,
    inputs: usize,
    weights: &'a [PackedStrip],
    scale: &'a [Strip],
    bias: &'a [Strip],
    activation: Activation,
    out: &'a mut [Strip],
}

impl WithSimd for OutputBlocks<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.x.rows();
        let tiles = rows.div_ceil(tile_rows::<S>());
        let blocks = self.out.chunks_exact_mut(rows).zip(self.weights.chunks_exact(self.inputs));
        let mut unpacked = [Strip::ZERO; SLICE];
        for ((out, weights), (scale, bias)) in blocks.zip(self.scale.iter().zip(self.bias)) {
            out.fill(Strip::ZERO);
            let slices = self.x.strips().chunks(SLICE / STRIP * rows).zip(weights.chunks(SLICE));
            for (x, weights) in slices {
                for (packed, unpacked) in weights.iter().zip(&mut unpacked) {
                    packed.unpack(simd, unpacked);
                }
                for tile in 0..tiles {
                    // Tiles of equal height, give or take a row, instead of full ones and a remainder.
                    let (first, last) = (tile * rows / tiles, (tile + 1) * rows / tiles);
                    multiply_rows(simd, x, rows, first, &unpacked[..weights.len()], &mut out[first..last]);
                }
            }
            scale_and_shift(simd, out, scale, bias);
            if self.activation == Activation::Gelu {
                apply_gelu(simd, out);
            }
        }
    }
}

/// `x scale + bias` for each strip.
#[inline(always)]
fn scale_and_shift<S: Simd>(simd: S, strips: &mut [Strip], scale: &Strip, bias: &Strip) {
    for strip in strips {
        for ((value, scale), bias) in
            vectors_mut::<S>(strip).iter_mut().zip(vectors::<S>(scale)).zip(vectors::<S>(bias))
        {
            *value = simd.mul_add_e_f32s(*value, *scale, *bias);
        }
    }
}

/// Applies GELU to each number.
#[inline(always)]
fn apply_gelu<S: Simd>(simd: S, strips: &mut [Strip]) {
    for value in strips.iter_mut().flat_map(vectors_mut::<S>) {
        *value = gelu(simd, *value);
    }
}
