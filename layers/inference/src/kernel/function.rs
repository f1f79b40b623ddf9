//! Functions of whole vectors. Their constants were fitted for this project with Chebyshev polynomials; the bounds
//! hold for f32 arithmetic and are tested.

use pulp::Simd;

/// exp for arguments of at most 0, relative error below 2e-7. Below -87 it gives exp(-87), about 1e-38.
///
/// `x = n ln 2 + r` with `|r| <= ln 2 / 2`; a polynomial of degree 6 for exp(r), and n goes into the exponent.
#[inline(always)]
pub(super) fn exp_negative<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// Adding it to a small number rounds that to a whole one, which then stands in the lowest bits.
    const ROUNDER: f32 = 12_582_912.0;
    /// ln 2 in two parts; the first has few enough bits that its products with n are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const TERMS: [f32; 7] = [1.0, 1.0, 0.499_999_9, 0.166_664_21, 0.041_668_36, 0.008_374_772, 0.001_382_942];

    let x = simd.max_f32s(x, simd.splat_f32s(-87.0));
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), simd.splat_f32s(ROUNDER));
    let n = simd.sub_f32s(shifted, simd.splat_f32s(ROUNDER));
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-LN_2[0]), x);
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-LN_2[1]), r);
    let power = polynomial(simd, &TERMS, r);
    let exponent = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(power), exponent))
}

/// GELU with the error function, `x / 2 * (1 + erf(x / sqrt 2))`, absolute error below 2e-6.
///
/// `0.5 + t P(t^2)` with t = x cut to +-5.25 is the normal distribution function.
#[inline(always)]
pub(super) fn gelu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    const CUT: f32 = 5.25;
    const TERMS: [f32; 15] = [
        0.134_659_35,
        -0.067_126_81,
        0.049_645_722,
        -0.039_763_667,
        0.032_032_594,
        -0.025_039_662,
        0.018_530_974,
        -0.012_783_897,
        0.008_441_951,
        -0.005_432_67,
        0.002_853_879,
        -0.001_053_364_6,
        0.000_695_020_5,
        -0.000_651_974_5,
        0.000_230_638_88,
    ];

    let t = simd.min_f32s(simd.max_f32s(x, simd.splat_f32s(-CUT)), simd.splat_f32s(CUT));
    let square = simd.mul_f32s(t, t);
    let s = simd.mul_add_e_f32s(square, simd.splat_f32s(2.0 / (CUT * CUT)), simd.splat_f32s(-1.0));
    let distribution = simd.mul_add_e_f32s(t, polynomial(simd, &TERMS, s), simd.splat_f32s(0.5));
    simd.mul_f32s(x, distribution)
}

/// A polynomial by Horner's rule, lowest term first.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, terms: &[f32; N], x: S::f32s) -> S::f32s {
    let mut sum = simd.splat_f32s(terms[N - 1]);
    for term in terms[..N - 1].iter().rev() {
        sum = simd.mul_add_e_f32s(sum, x, simd.splat_f32s(*term));
    }
    sum
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, WithSimd};

    use super::*;

    /// Applies one of the functions to each number.
    struct Map<'a> {
        values: &'a mut [f32],
        exp: bool,
    }

    impl WithSimd for Map<'_> {
        type Output = ();

        fn with_simd<S: Simd>(self, simd: S) {
            for value in S::as_mut_simd_f32s(self.values).0 {
                *value = if self.exp { exp_negative(simd, *value) } else { gelu(simd, *value) };
            }
        }
    }

    fn map(arguments: &[f32], exp: bool) -> Vec<f32> {
        let mut values = arguments.to_vec();
        Arch::new().dispatch(Map { values: &mut values, exp });
        values
    }

    #[expect(clippy::cast_precision_loss, reason = "small whole numbers")]
    fn arguments(from: f32, to: f32) -> Vec<f32> {
        (0..=65_535).map(|step| from + (to - from) * step as f32 / 65_535.0).collect()
    }

    #[test]
    fn given_arguments_down_to_minus_87_when_exp_is_taken_then_it_is_right_to_2e_7() {
        let arguments = arguments(-87.0, 0.0);

        for (argument, value) in arguments.iter().zip(map(&arguments, true)) {
            let expected = f64::from(*argument).exp();
            let error = (f64::from(value) / expected - 1.0).abs();
            assert!(error < 2e-7, "exp({argument}) = {value} where {expected} is expected");
        }
    }

    #[test]
    fn given_very_negative_arguments_when_exp_is_taken_then_it_is_almost_zero() {
        for value in map(&[-88.0, -1e3, -1e30, f32::NEG_INFINITY].repeat(16), true) {
            assert!((0.0..1e-37).contains(&value), "{value}");
        }
    }

    /// Expected values from Python's `math.erf`: x/2 (1 + erf(x / sqrt 2)).
    #[test]
    fn given_known_arguments_when_gelu_is_taken_then_it_is_right_to_2e_6() {
        let known = [
            (-20.0, 0.0),
            (-5.5, -1.044_364_6e-7),
            (-5.0, -1.433_257_9e-6),
            (-3.0, -0.004_049_694),
            (-1.0, -0.158_655_25),
            (-0.5, -0.154_268_77),
            (0.0, 0.0),
            (0.1, 0.053_982_78),
            (1.0, 0.841_344_7),
            (2.0, 1.954_499_7),
            (4.5, 4.499_984_7),
            (20.0, 20.0),
        ];
        let arguments: Vec<f32> = known.iter().flat_map(|(argument, _)| [*argument; 16]).collect();

        for (at, value) in map(&arguments, false).into_iter().enumerate() {
            let (argument, expected) = known[at / 16];
            assert!((value - expected).abs() < 2e-6, "gelu({argument}) = {value} where {expected} is expected");
        }
    }
}
