//! A matrix of weights in 8 bits that multiplies vectors of f32 quickly, one of them or many.
//!
//! The time of a product with one vector goes into reading the weights, so they are kept small; a block of 32 weights of an output
//! shares a scale, as in GGML's Q8_0. Sixteen outputs lie side by side, so that a sum for each needs no adding up of
//! lanes. The vectors are `pulp`'s: AVX-512, AVX2 or NEON, chosen when it runs.

mod many;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// How many inputs share a scale.
pub(super) const BLOCK: usize = 32;
/// How many outputs lie side by side.
const LANES: usize = 16;
/// Weights of an output that lie in one word.
const IN_WORD: usize = 4;
/// What is added to a weight so that it is not negative.
const OFFSET: f32 = 128.0;
/// The bits of 2^23, whose lowest bit counts one: a whole number in its lowest bits is added to it.
const WHOLE: u32 = 0x4B00_0000;
/// 2^23.
const WHOLE_F32: f32 = 8_388_608.0;
/// From so many blocks on the outputs are shared among threads.
const MANY_BLOCKS: usize = 256;

/// The weights of [`LANES`] outputs for [`BLOCK`] inputs, in units of the scales and [`OFFSET`] more. Each word holds
/// [`IN_WORD`] inputs' weights of one output, the first in its lowest byte.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Block {
    words: [[u32; LANES]; BLOCK / IN_WORD],
    scales: [f32; LANES],
}

/// A matrix `[outputs, inputs]`.
#[derive(Debug)]
pub(super) struct PackedMatrix {
    outputs: usize,
    inputs: usize,
    /// For each [`LANES`] outputs: a block for each [`BLOCK`] inputs.
    blocks: Vec<Block>,
}

impl PackedMatrix {
    /// Packs numbers in the order `[outputs][inputs]`; the inputs are a multiple of [`BLOCK`].
    pub(super) fn new(inputs: usize, numbers: &[f32]) -> Self {
        let outputs = numbers.len() / inputs;
        let blocks = (0..outputs.div_ceil(LANES)).into_par_iter().flat_map_iter(|group| {
            let rows = &numbers[group * LANES * inputs..numbers.len().min((group + 1) * LANES * inputs)];
            (0..inputs).step_by(BLOCK).map(move |first| Block::pack(rows, inputs, first))
        });
        Self { outputs, inputs, blocks: blocks.collect() }
    }

    /// How many inputs there are.
    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    /// How many outputs there are.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// The product with a vector of the inputs.
    pub(super) fn apply(&self, x: &[f32]) -> Vec<f32> {
        let of_group = self.inputs / BLOCK;
        let mut out = vec![0.0; self.outputs.next_multiple_of(LANES)];
        let share = if self.blocks.len() < MANY_BLOCKS { self.blocks.len() } else { 16 * of_group };
        let arch = Arch::new();
        self.blocks.par_chunks(share).zip(out.par_chunks_mut(share / of_group * LANES)).for_each(|(blocks, out)| {
            arch.dispatch(Product { blocks, x, out });
        });
        out.truncate(self.outputs);
        out
    }

    /// The numbers of one output.
    pub(super) fn row(&self, output: usize) -> Vec<f32> {
        let (of_group, lane) = (self.inputs / BLOCK, output % LANES);
        let blocks = &self.blocks[output / LANES * of_group..][..of_group];
        blocks.iter().flat_map(|block| block.numbers(lane)).collect()
    }
}

impl Block {
    /// The numbers of an output.
    fn numbers(&self, lane: usize) -> impl Iterator<Item = f32> {
        let bytes = self.words.iter().flat_map(move |words| words[lane].to_le_bytes());
        bytes.map(move |byte| (f32::from(byte) - OFFSET) * self.scales[lane])
    }

    /// Packs `BLOCK` inputs, from `first` on, of at most [`LANES`] rows.
    fn pack(rows: &[f32], inputs: usize, first: usize) -> Self {
        let mut block = Self { words: [[u32::from_le_bytes([OFFSET as u8; 4]); LANES]; _], scales: [0.0; LANES] };
        for (lane, row) in rows.chunks_exact(inputs).enumerate() {
            let numbers = &row[first..first + BLOCK];
            let largest = numbers.iter().fold(f32::MIN_POSITIVE, |largest, number| largest.max(number.abs()));
            let scale = largest / f32::from(i8::MAX);
            block.scales[lane] = scale;
            for (words, numbers) in block.words.iter_mut().zip(numbers.as_chunks::<IN_WORD>().0) {
                words[lane] = u32::from_le_bytes(numbers.map(|number| ((number / scale).round() + OFFSET) as u8));
            }
        }
        block
    }
}

/// The product of some groups of outputs with a vector.
struct Product<'a> {
    blocks: &'a [Block],
    x: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let groups = self.blocks.chunks_exact(self.x.len() / BLOCK);
        for (out, blocks) in self.out.as_chunks_mut::<LANES>().0.iter_mut().zip(groups) {
            for (place, out) in S::as_mut_simd_f32s(out).0.iter_mut().enumerate() {
                *out = sums(simd, blocks, self.x, place);
            }
        }
    }
}

/// The weights, in units of their scales, that stand in the lowest bytes of words of zeros otherwise.
#[inline(always)]
fn number<S: Simd>(simd: S, words: S::u32s) -> S::f32s {
    let whole = simd.transmute_f32s_u32s(simd.or_u32s(words, simd.splat_u32s(WHOLE)));
    simd.sub_f32s(whole, simd.splat_f32s(WHOLE_F32 + OFFSET))
}

/// The sums of a vector of outputs, the one at `place` among those of a group.
#[inline(always)]
fn sums<S: Simd>(simd: S, blocks: &[Block], x: &[f32], place: usize) -> S::f32s {
    let byte = simd.splat_u32s(0xFF);
    let shifted = |word, bits| simd.wrapping_dyn_shr_u32s(word, simd.splat_u32s(bits));
    let mut total = simd.splat_f32s(0.0);
    for (block, x) in blocks.iter().zip(x.as_chunks::<BLOCK>().0) {
        let mut sums = [simd.splat_f32s(0.0); IN_WORD];
        for (words, x) in block.words.iter().zip(x.as_chunks::<IN_WORD>().0) {
            let word = S::as_simd_u32s(words).0[place];
            let weights = [
                number(simd, simd.and_u32s(word, byte)),
                number(simd, simd.and_u32s(shifted(word, 8), byte)),
                number(simd, simd.and_u32s(shifted(word, 16), byte)),
                number(simd, shifted(word, 24)),
            ];
            for ((sum, weight), x) in sums.iter_mut().zip(weights).zip(x) {
                *sum = simd.mul_add_e_f32s(weight, simd.splat_f32s(*x), *sum);
            }
        }
        let sum = simd.add_f32s(simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3]));
        total = simd.mul_add_e_f32s(sum, S::as_simd_f32s(&block.scales).0[place], total);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of many sizes.
    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|place| ((place * 7919 % 1000) as f32 - 500.0) / (1 + place % 37) as f32).collect()
    }

    #[test]
    fn given_outputs_that_fill_no_group_when_multiplied_then_it_is_the_product_with_the_unpacked_numbers() {
        for (outputs, inputs) in [(1, 32), (16, 64), (40, 576), (1000, 192)] {
            let matrix = PackedMatrix::new(inputs, &numbers(outputs * inputs));
            let x: Vec<f32> = numbers(inputs).into_iter().map(|number| number / 500.0).collect();

            let product = matrix.apply(&x);

            assert_eq!(product.len(), outputs);
            for (output, value) in product.iter().enumerate() {
                let row = matrix.row(output);
                let expected: f64 = row.iter().zip(&x).map(|(weight, x)| f64::from(*weight) * f64::from(*x)).sum();
                assert!((f64::from(*value) - expected).abs() < 0.02, "{output}: {value} where {expected} is expected");
            }
        }
    }

    #[test]
    fn given_many_vectors_when_multiplied_then_each_product_is_the_one_that_the_vector_has_alone() {
        for (outputs, inputs, count) in [(1, 32, 1), (16, 64, 12), (40, 576, 13), (1000, 192, 30)] {
            let matrix = PackedMatrix::new(inputs, &numbers(outputs * inputs));
            let x: Vec<f32> = numbers(count * inputs).into_iter().map(|number| number / 500.0).collect();

            let products = matrix.apply_to_many(&x);

            for (x, products) in x.chunks_exact(inputs).zip(products.chunks_exact(outputs)) {
                for (value, alone) in products.iter().zip(matrix.apply(x)) {
                    assert!((value - alone).abs() < 0.02, "{value} where {alone} is expected");
                }
            }
        }
    }

    #[test]
    fn given_numbers_when_packed_then_each_is_within_half_a_step_of_its_block() {
        let given = numbers(48 * 64);
        let matrix = PackedMatrix::new(64, &given);
        let unpacked: Vec<f32> = (0..48).flat_map(|output| matrix.row(output)).collect();
        for (given, unpacked) in given.as_chunks::<BLOCK>().0.iter().zip(unpacked.as_chunks::<BLOCK>().0) {
            let step = given.iter().fold(0.0_f32, |largest, number| largest.max(number.abs())) / 127.0;
            for (given, unpacked) in given.iter().zip(unpacked) {
                assert!((given - unpacked).abs() <= step * 0.501, "{unpacked} where {given} is expected");
            }
        }
    }
}
