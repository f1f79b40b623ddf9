//! Linear layers.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::function::gelu;
use super::strip::{Blocks, STRIP, Strip};
use super::tile::{multiply_rows, tile_rows, vectors_mut};

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
    weights: Vec<Strip>,
    /// A strip for each block of outputs.
    bias: Vec<Strip>,
}

impl Linear {
    /// Puts parts side by side. Inputs and the outputs of each part are multiples of [`STRIP`], and a part has as
    /// many numbers as they say: callers check that when they read the file.
    pub(crate) fn new(inputs: usize, parts: &[Part]) -> Self {
        let mut weights = Vec::new();
        let mut bias = Vec::new();
        for part in parts {
            let outputs = part.bias.len();
            bias.extend(part.bias.as_chunks::<STRIP>().0.iter().map(|chunk| Strip(*chunk)));
            weights.par_extend((0..outputs / STRIP * inputs).into_par_iter().with_min_len(inputs).map(|at| {
                let (block, input) = (at / inputs, at % inputs);
                let first = block * STRIP;
                match part.order {
                    Order::InputMajor => {
                        let mut strip = Strip::ZERO;
                        strip.0.copy_from_slice(&part.weights[input * outputs + first..][..STRIP]);
                        strip
                    }
                    Order::OutputMajor => {
                        Strip(std::array::from_fn(|output| part.weights[(first + output) * inputs + input]))
                    }
                }
            }));
        }
        Self { inputs, weights, bias }
    }

    /// Applies the layer to each row of `x`. With `parallel` the outputs are shared among the threads of the current
    /// pool.
    pub(crate) fn apply(&self, x: &Blocks, activation: Activation, parallel: bool) -> Blocks {
        let mut out = Blocks::zeroed(x.rows(), self.bias.len());
        let share = if parallel { self.bias.len().div_ceil(rayon::current_num_threads()) } else { self.bias.len() };
        let job = |((out, weights), bias)| {
            let blocks = OutputBlocks { x, inputs: self.inputs, weights, bias, activation, out };
            Arch::new().dispatch(blocks);
        };
        let outs = out.strips_mut();
        if share == self.bias.len() {
            job(((outs, &self.weights), &self.bias));
        } else {
            outs.par_chunks_mut(share * x.rows())
                .zip(self.weights.par_chunks(share * self.inputs))
                .zip(self.bias.par_chunks(share))
                .for_each(job);
        }
        out
    }
}

/// Some blocks of outputs of a layer, for all rows.
struct OutputBlocks<'a> {
    x: &'a Blocks,
    inputs: usize,
    weights: &'a [Strip],
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
        let blocks = self.out.chunks_exact_mut(rows).zip(self.weights.chunks_exact(self.inputs)).zip(self.bias);
        for ((out, weights), bias) in blocks {
            out.fill(*bias);
            let slices = self.x.strips().chunks(SLICE / STRIP * rows).zip(weights.chunks(SLICE));
            for (x, weights) in slices {
                for tile in 0..tiles {
                    // Tiles of equal height, give or take a row, instead of full ones and a remainder.
                    let (first, last) = (tile * rows / tiles, (tile + 1) * rows / tiles);
                    multiply_rows(simd, x, rows, first, weights, &mut out[first..last]);
                }
            }
            if self.activation == Activation::Gelu {
                apply_gelu(simd, out);
            }
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
