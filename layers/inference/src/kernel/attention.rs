//! Scaled dot-product attention over texts of different lengths, without padding.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::function::exp_negative;
use super::strip::{Blocks, STRIP, Strip};
use super::tile::{TILE_COLUMNS, multiply_columns, multiply_rows, tile_rows, vectors, vectors_mut};

/// Softmax(Q K^T / sqrt(head size)) V, for each head and each text by itself.
///
/// `projections` has the blocks of all heads' queries, then keys, then values. `texts` says which rows belong to a
/// text. With `parallel` the heads are shared among the threads of the current pool.
pub(crate) fn attend(projections: &Blocks, texts: &[Range<usize>], parallel: bool) -> Blocks {
    let heads = projections.blocks() / 3;
    let rows = projections.rows();
    let mut out = Blocks::zeroed(rows, heads);
    let job = |(head, out): (usize, &mut [Strip])| {
        let [queries, keys, values] = [0, 1, 2].map(|kind| projections.block(kind * heads + head));
        Arch::new().dispatch(Head { queries, keys, values, texts, out });
    };
    if parallel {
        let share = heads.div_ceil(rayon::current_num_threads());
        out.strips_mut().par_chunks_mut(rows).enumerate().with_min_len(share).for_each(job);
    } else {
        out.strips_mut().chunks_mut(rows).enumerate().for_each(job);
    }
    out
}

/// One head, for all texts.
struct Head<'a> {
    queries: &'a [Strip],
    keys: &'a [Strip],
    values: &'a [Strip],
    texts: &'a [Range<usize>],
    out: &'a mut [Strip],
}

impl WithSimd for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let longest = self.texts.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        let mut weights = vec![Strip::ZERO; longest];
        for text in self.texts {
            let weights = &mut weights[..text.len()];
            let (keys, values) = (&self.keys[text.clone()], &self.values[text.clone()]);
            let queries = self.queries[text.clone()].chunks(STRIP);
            for (queries, out) in queries.zip(self.out[text.clone()].chunks_mut(STRIP)) {
                multiply_by_queries(simd, keys, &by_dimension(queries), weights);
                let factors = softmax_of_columns(simd, weights);
                weighted_sums(simd, weights, &factors, values, out);
            }
        }
    }
}

/// Turns up to [`STRIP`] queries into a strip for each dimension, divided by the root of the head size.
#[inline(always)]
fn by_dimension(queries: &[Strip]) -> [Strip; STRIP] {
    #[expect(clippy::cast_precision_loss, reason = "32 is exact")]
    let factor = 1.0 / (STRIP as f32).sqrt();
    let mut turned = [Strip::ZERO; STRIP];
    for (at, query) in queries.iter().enumerate().take(STRIP) {
        for (strip, value) in turned.iter_mut().zip(query.0) {
            strip.0[at] = value * factor;
        }
    }
    turned
}

/// `out[k]` has the products of key k with each query.
#[inline(always)]
fn multiply_by_queries<S: Simd>(simd: S, keys: &[Strip], queries: &[Strip; STRIP], out: &mut [Strip]) {
    let rows = keys.len();
    let tiles = rows.div_ceil(tile_rows::<S>());
    out.fill(Strip::ZERO);
    for tile in 0..tiles {
        let (first, last) = (tile * rows / tiles, (tile + 1) * rows / tiles);
        multiply_rows(simd, keys, rows, first, queries, &mut out[first..last]);
    }
}

/// Makes `exp(x - max)` of each column, and returns one over the sum of each.
#[inline(always)]
fn softmax_of_columns<S: Simd>(simd: S, scores: &mut [Strip]) -> Strip {
    let mut factors = Strip::ZERO;
    for (at, factor) in vectors_mut::<S>(&mut factors).iter_mut().enumerate() {
        let mut highest = simd.splat_f32s(f32::NEG_INFINITY);
        for strip in scores.iter() {
            highest = simd.max_f32s(highest, vectors::<S>(strip)[at]);
        }
        let mut sum = simd.splat_f32s(0.0);
        for strip in scores.iter_mut() {
            let score = &mut vectors_mut::<S>(strip)[at];
            *score = exp_negative(simd, simd.sub_f32s(*score, highest));
            sum = simd.add_f32s(sum, *score);
        }
        *factor = simd.div_f32s(simd.splat_f32s(1.0), sum);
    }
    factors
}

/// For each query of `out`: the sum of the values by its column of weights, times its factor.
#[inline(always)]
fn weighted_sums<S: Simd>(simd: S, weights: &[Strip], factors: &Strip, values: &[Strip], out: &mut [Strip]) {
    let mut sums = [Strip::ZERO; STRIP];
    let needed = out.len().div_ceil(TILE_COLUMNS);
    macro_rules! columns {
        ($($tile:literal)*) => {
            $(if $tile < needed && let Some(sums) = sums[$tile * TILE_COLUMNS..].first_chunk_mut() {
                multiply_columns::<S, $tile>(simd, weights, values, sums);
            })*
        };
    }
    columns!(0 1 2 3 4 5 6 7);
    for ((out, sum), factor) in out.iter_mut().zip(&sums).zip(factors.0) {
        let factor = simd.splat_f32s(factor);
        for (out, sum) in vectors_mut::<S>(out).iter_mut().zip(vectors::<S>(sum)) {
            *out = simd.mul_f32s(*sum, factor);
        }
    }
}
