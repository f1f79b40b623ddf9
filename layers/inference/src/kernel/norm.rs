//! Layer normalisation.

use pulp::{Arch, Simd, WithSimd};

use super::strip::{Blocks, STRIP, Strip};
use super::tile::{vectors, vectors_mut};

/// What is added to the variance (`layer_norm_eps` of BERT).
const EPSILON: f32 = 1e-12;

/// Layer normalisation over the columns of a row, with scale and shift.
#[derive(Debug)]
pub(crate) struct Norm {
    scale: Vec<Strip>,
    shift: Vec<Strip>,
}

impl Norm {
    /// Scale and shift have a number for each column, a multiple of [`STRIP`].
    pub(crate) fn new(scale: &[f32], shift: &[f32]) -> Self {
        let strips = |values: &[f32]| values.as_chunks::<STRIP>().0.iter().map(|chunk| Strip(*chunk)).collect();
        Self { scale: strips(scale), shift: strips(shift) }
    }

    /// `x = normalised(x + y)` for each row.
    pub(crate) fn add_and_normalise(&self, x: &mut Blocks, y: &Blocks) {
        Arch::new().dispatch(AddAndNormalise { norm: self, x, y });
    }
}

struct AddAndNormalise<'a> {
    norm: &'a Norm,
    x: &'a mut Blocks,
    y: &'a Blocks,
}

impl WithSimd for AddAndNormalise<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        #[expect(clippy::cast_precision_loss, reason = "a row has some hundred columns")]
        let share = 1.0 / (self.norm.scale.len() * STRIP) as f32;
        for row in 0..self.x.rows() {
            let mut sum = simd.splat_f32s(0.0);
            for (x, y) in self.x.row_mut(row).zip(self.y.row(row)) {
                for (x, y) in vectors_mut::<S>(x).iter_mut().zip(vectors::<S>(y)) {
                    *x = simd.add_f32s(*x, *y);
                    sum = simd.add_f32s(sum, *x);
                }
            }
            let mean = simd.splat_f32s(simd.reduce_sum_f32s(sum) * share);

            let mut squares = simd.splat_f32s(0.0);
            for x in self.x.row_mut(row) {
                for x in vectors_mut::<S>(x) {
                    *x = simd.sub_f32s(*x, mean);
                    squares = simd.mul_add_e_f32s(*x, *x, squares);
                }
            }
            let deviation = (simd.reduce_sum_f32s(squares) * share + EPSILON).sqrt();
            let factor = simd.splat_f32s(1.0 / deviation);

            for ((x, scale), shift) in self.x.row_mut(row).zip(&self.norm.scale).zip(&self.norm.shift) {
                let parameters = vectors::<S>(scale).iter().zip(vectors::<S>(shift));
                for (x, (scale, shift)) in vectors_mut::<S>(x).iter_mut().zip(parameters) {
                    *x = simd.mul_add_e_f32s(simd.mul_f32s(*x, factor), *scale, *shift);
                }
            }
        }
    }
}
