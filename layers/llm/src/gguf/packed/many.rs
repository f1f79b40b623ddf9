//! The product with many vectors: the weights of some outputs are unpacked once and serve all of them.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{BLOCK, Block, IN_WORD, LANES, PackedMatrix, number};

/// How many vectors a tile takes: with two vectors of outputs each that fills the registers of AVX-512 and NEON.
const TILE: usize = 12;
/// How many groups of outputs a tile takes.
const GROUPS: usize = 2;
/// How many blocks of inputs are summed up for all vectors before the next ones: their weights stay in the first-level
/// cache meanwhile.
const SLICE: usize = 4;

/// The weights of some outputs for one input.
type Column = [[f32; LANES]; GROUPS];

/// The numbers of [`TILE`] vectors for one input.
type Row = [f32; TILE];

impl PackedMatrix {
    /// The products with many vectors, `x` and result one vector after the other.
    pub(in crate::gguf) fn apply_to_many(&self, x: &[f32]) -> Vec<f32> {
        let of_group = self.inputs / BLOCK;
        let tiles = by_input(x, self.inputs);
        let arch = Arch::new();
        let products: Vec<Vec<[Column; TILE]>> = self
            .blocks
            .par_chunks(GROUPS * of_group)
            .map(|blocks| arch.dispatch(Products { blocks, of_group, tiles: &tiles }))
            .collect();
        let mut out = vec![0.0; x.len() / self.inputs * self.outputs];
        out.par_chunks_mut(self.outputs).enumerate().for_each(|(row, out)| {
            for (out, products) in out.chunks_mut(GROUPS * LANES).zip(&products) {
                out.copy_from_slice(&products.as_flattened()[row].as_flattened()[..out.len()]);
            }
        });
        out
    }
}

/// Vectors in tiles: input by input the numbers of all vectors of a tile, zeros where there is none.
fn by_input(x: &[f32], inputs: usize) -> Vec<Row> {
    let count = (x.len() / inputs).div_ceil(TILE);
    let mut tiles = vec![[0.0; TILE]; count * inputs];
    tiles.par_chunks_mut(inputs).zip(x.par_chunks(TILE * inputs)).for_each(|(tile, x)| {
        for (place, x) in x.chunks_exact(inputs).enumerate() {
            for (row, x) in tile.iter_mut().zip(x) {
                row[place] = *x;
            }
        }
    });
    tiles
}

/// The products of at most [`GROUPS`] groups of outputs with many vectors.
struct Products<'a> {
    blocks: &'a [Block],
    of_group: usize,
    tiles: &'a [Row],
}

impl WithSimd for Products<'_> {
    /// For each tile and each vector of it the products of all outputs.
    type Output = Vec<[Column; TILE]>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let inputs = self.of_group * BLOCK;
        let mut out = vec![[[[0.0; LANES]; GROUPS]; TILE]; self.tiles.len() / inputs];
        let mut weights = [[[0.0; LANES]; GROUPS]; SLICE * BLOCK];
        for first in (0..self.of_group).step_by(SLICE) {
            let slice = first..self.of_group.min(first + SLICE);
            for (group, blocks) in self.blocks.chunks_exact(self.of_group).enumerate() {
                unpack(simd, &blocks[slice.clone()], group, &mut weights);
            }
            let slice = slice.start * BLOCK..slice.end * BLOCK;
            for (out, tile) in out.iter_mut().zip(self.tiles.chunks_exact(inputs)) {
                multiply(simd, &weights[..slice.len()], &tile[slice.clone()], out);
            }
        }
        out
    }
}

/// Unpacks the weights of a group of outputs, input by input.
#[inline(always)]
fn unpack<S: Simd>(simd: S, blocks: &[Block], group: usize, weights: &mut [Column]) {
    let byte = simd.splat_u32s(0xFF);
    for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<BLOCK>().0) {
        let scales = S::as_simd_f32s(&block.scales).0;
        for (words, weights) in block.words.iter().zip(weights.as_chunks_mut::<IN_WORD>().0) {
            for (bits, weights) in (0..).step_by(8).zip(weights) {
                let words = S::as_simd_u32s(words).0.iter().zip(scales);
                for ((word, scale), weight) in words.zip(S::as_mut_simd_f32s(&mut weights[group]).0) {
                    let shifted = simd.wrapping_dyn_shr_u32s(*word, simd.splat_u32s(bits));
                    *weight = simd.mul_f32s(number(simd, simd.and_u32s(shifted, byte)), *scale);
                }
            }
        }
    }
}

/// Adds the products of a slice of inputs with the vectors of a tile.
#[inline(always)]
fn multiply<S: Simd>(simd: S, weights: &[Column], tile: &[Row], out: &mut [Column; TILE]) {
    for place in 0..LANES / S::F32_LANES {
        let mut sums = [[simd.splat_f32s(0.0); GROUPS]; TILE];
        for (weights, row) in weights.iter().zip(tile) {
            let weights = [S::as_simd_f32s(&weights[0]).0[place], S::as_simd_f32s(&weights[1]).0[place]];
            for (sums, x) in sums.iter_mut().zip(row) {
                let x = simd.splat_f32s(*x);
                sums[0] = simd.mul_add_e_f32s(x, weights[0], sums[0]);
                sums[1] = simd.mul_add_e_f32s(x, weights[1], sums[1]);
            }
        }
        for (out, sums) in out.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
            let out = &mut S::as_mut_simd_f32s(out).0[place];
            *out = simd.add_f32s(*out, *sums);
        }
    }
}
