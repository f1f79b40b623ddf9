//! The inner loops of the matrix products: a tile of the result stays in registers for the whole sum.

use pulp::Simd;

use super::strip::{STRIP, Strip};

/// How many rows a tile has at most: with two vectors for each row that fills the registers and leaves some for the
/// operands (32 registers with AVX-512 and NEON, 16 with AVX2).
#[inline(always)]
pub(super) const fn tile_rows<S: Simd>() -> usize {
    if S::F32_LANES == 8 { 6 } else { 12 }
}

/// The vectors of a strip.
#[inline(always)]
pub(super) fn vectors<S: Simd>(strip: &Strip) -> &[S::f32s] {
    S::as_simd_f32s(&strip.0).0
}

/// The vectors of a strip.
#[inline(always)]
pub(super) fn vectors_mut<S: Simd>(strip: &mut Strip) -> &mut [S::f32s] {
    S::as_mut_simd_f32s(&mut strip.0).0
}

/// How many pairs of vectors a strip has.
#[inline(always)]
const fn pairs<S: Simd>() -> usize {
    STRIP / (2 * S::F32_LANES)
}

/// `out[r] += sum over k of left[row + r][k] * right[k]` for each of `MR` rows.
///
/// `left` is a matrix of `rows` rows in blocks, `right` has a strip for each of its columns.
#[inline(always)]
fn tile<S: Simd, const MR: usize>(
    simd: S,
    left: &[Strip],
    rows: usize,
    row: usize,
    right: &[Strip],
    out: &mut [Strip; MR],
) {
    for pair in 0..pairs::<S>() {
        let mut sums = [[simd.splat_f32s(0.0); 2]; MR];
        for (sums, out) in sums.iter_mut().zip(out.iter()) {
            let out = vectors::<S>(out);
            *sums = [out[2 * pair], out[2 * pair + 1]];
        }
        for (left, right) in left.chunks_exact(rows).zip(right.as_chunks::<STRIP>().0) {
            let Some(left) = left[row..].first_chunk::<MR>() else { continue };
            for k in 0..STRIP {
                let right = vectors::<S>(&right[k]);
                let (right_0, right_1) = (right[2 * pair], right[2 * pair + 1]);
                for r in 0..MR {
                    let left = simd.splat_f32s(left[r].0[k]);
                    sums[r][0] = simd.mul_add_e_f32s(left, right_0, sums[r][0]);
                    sums[r][1] = simd.mul_add_e_f32s(left, right_1, sums[r][1]);
                }
            }
        }
        for (out, sums) in out.iter_mut().zip(sums) {
            let out = vectors_mut::<S>(out);
            out[2 * pair] = sums[0];
            out[2 * pair + 1] = sums[1];
        }
    }
}

/// `out[r] += sum over k of left[row + r][k] * right[k]` for all rows of `out`, at most [`tile_rows`].
///
/// `left` is a matrix of `rows` rows in blocks, `right` has a strip for each of its columns.
#[inline(always)]
pub(super) fn multiply_rows<S: Simd>(
    simd: S,
    left: &[Strip],
    rows: usize,
    row: usize,
    right: &[Strip],
    out: &mut [Strip],
) {
    macro_rules! by_rows {
        ($($count:literal)*) => {
            match out.len() {
                $($count => {
                    if let Some(out) = out.first_chunk_mut::<$count>() {
                        tile::<S, $count>(simd, left, rows, row, right, out);
                    }
                })*
                _ => {}
            }
        };
    }
    if tile_rows::<S>() == 6 {
        by_rows!(1 2 3 4 5 6);
    } else {
        by_rows!(1 2 3 4 5 6 7 8 9 10 11 12);
    }
}

/// How many columns of the left operand [`multiply_columns`] takes.
pub(super) const TILE_COLUMNS: usize = 4;

/// `out[c] = sum over k of left[k][C * TILE_COLUMNS + c] * right[k]`: the left operand is read by columns.
#[inline(always)]
pub(super) fn multiply_columns<S: Simd, const C: usize>(
    simd: S,
    left: &[Strip],
    right: &[Strip],
    out: &mut [Strip; TILE_COLUMNS],
) {
    for pair in 0..pairs::<S>() {
        let mut sums = [[simd.splat_f32s(0.0); 2]; TILE_COLUMNS];
        for (left, right) in left.iter().zip(right) {
            let right = vectors::<S>(right);
            let (right_0, right_1) = (right[2 * pair], right[2 * pair + 1]);
            for (sums, left) in sums.iter_mut().zip(&left.0[C * TILE_COLUMNS..]) {
                let left = simd.splat_f32s(*left);
                sums[0] = simd.mul_add_e_f32s(left, right_0, sums[0]);
                sums[1] = simd.mul_add_e_f32s(left, right_1, sums[1]);
            }
        }
        for (out, sums) in out.iter_mut().zip(sums) {
            let out = vectors_mut::<S>(out);
            out[2 * pair] = sums[0];
            out[2 * pair + 1] = sums[1];
        }
    }
}
