//! Weights in 16 bits.
//!
//! They take half of the memory of f32, which is what a short text waits for. Each output has a scale of its own, so
//! that a weight is rounded by at most 1/65,534 of the largest one of its output; f16 would round three times as much.

use pulp::Simd;

use super::strip::{STRIP, Strip};
use super::tile::vectors_mut;

/// Half of a strip.
const HALF: usize = STRIP / 2;
/// What is added to a weight so that it is not negative.
const OFFSET: f32 = 32_768.0;
/// The bits of 2^23, whose lowest bit counts one: a whole number below 2^16 in its lowest bits is added to it.
const WHOLE: u32 = 0x4B00_0000;
/// 2^23.
const WHOLE_F32: f32 = 8_388_608.0;

/// Some outputs' weights for one input, each in units of its output's scale and [`OFFSET`] more. A word holds the
/// weight of one output in its lower half, and of the output [`HALF`] further in its upper half.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct PackedStrip([u32; HALF]);

impl PackedStrip {
    /// Words of zeros.
    pub(super) const ZERO: Self = Self([0; HALF]);

    /// The weights in units of their scales.
    #[inline(always)]
    pub(super) fn unpack<S: Simd>(&self, simd: S, strip: &mut Strip) {
        let words = S::as_simd_u32s(&self.0).0;
        let (lower, upper) = vectors_mut::<S>(strip).split_at_mut(words.len());
        let number = |bits| {
            let whole = simd.transmute_f32s_u32s(simd.or_u32s(bits, simd.splat_u32s(WHOLE)));
            simd.sub_f32s(whole, simd.splat_f32s(WHOLE_F32 + OFFSET))
        };
        for ((word, lower), upper) in words.iter().zip(lower).zip(upper) {
            *lower = number(simd.and_u32s(*word, simd.splat_u32s(0xFFFF)));
            *upper = number(simd.wrapping_dyn_shr_u32s(*word, simd.splat_u32s(16)));
        }
    }
}

/// Packs a block of outputs, a strip for each input; gives each output's scale.
pub(super) fn pack(packed: &mut [PackedStrip], weights: &[Strip]) -> Strip {
    let mut largest = [f32::MIN_POSITIVE; STRIP];
    for strip in weights {
        for (largest, weight) in largest.iter_mut().zip(&strip.0) {
            *largest = largest.max(weight.abs());
        }
    }
    let scale = largest.map(|largest| largest / f32::from(i16::MAX));
    for (packed, strip) in packed.iter_mut().zip(weights) {
        // The sum is rounded to a whole number, which its lowest bits are.
        let whole: [u32; STRIP] =
            std::array::from_fn(|output| (strip.0[output] / scale[output] + (WHOLE_F32 + OFFSET)).to_bits() & 0xFFFF);
        *packed = PackedStrip(std::array::from_fn(|output| whole[output] | whole[output + HALF] << 16));
    }
    Strip(scale)
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, WithSimd};

    use super::*;

    struct Unpacked<'a>(&'a PackedStrip);

    impl WithSimd for Unpacked<'_> {
        type Output = Strip;

        fn with_simd<S: Simd>(self, simd: S) -> Strip {
            let mut strip = Strip::ZERO;
            self.0.unpack(simd, &mut strip);
            strip
        }
    }

    #[test]
    fn given_weights_of_different_sizes_when_packed_then_each_is_back_within_half_a_step_of_its_output() {
        let weight = |input: usize, output: usize| ((input * 31 + output * 17) % 97) as f32 - 48.0;
        let weight = |input, output| weight(input, output) * 1.5_f32.powi(output as i32);
        let weights: Vec<Strip> =
            (0..64).map(|input| Strip(std::array::from_fn(|output| weight(input, output)))).collect();
        let mut packed = [PackedStrip::ZERO; 64];

        let scale = pack(&mut packed, &weights);

        for (input, packed) in packed.iter().enumerate() {
            let strip = Arch::new().dispatch(Unpacked(packed));
            for (output, (value, scale)) in strip.0.iter().zip(scale.0).enumerate() {
                let difference = (value * scale - weight(input, output)).abs();
                // 16 bits of a weight leave 8 of an f32 for the rounding of the products.
                assert!(difference <= scale * (0.5 + 1.0 / 256.0), "input {input}, output {output}: {difference}");
            }
        }
    }

    #[test]
    fn given_an_output_without_weights_when_packed_then_it_is_zero() {
        let mut packed = [PackedStrip::ZERO; 1];
        let scale = pack(&mut packed, &[Strip::ZERO]);
        let strip = Arch::new().dispatch(Unpacked(&packed[0]));
        assert!(strip.0.iter().zip(scale.0).all(|(value, scale)| value * scale == 0.0));
    }
}
