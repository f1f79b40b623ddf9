//! Tables of vectors that are looked up by row.

use crate::kernel::{STRIP, Strip};

/// A table of vectors as it lies in the file: of the 30,522 words of a vocabulary a text needs a few, so that it pays
/// to convert only those.
#[derive(Debug)]
pub(crate) struct Table {
    columns: usize,
    values: Values,
}

#[derive(Debug)]
enum Values {
    /// Four bytes for each number, little-endian.
    F32(Vec<u8>),
    /// A byte for each number, which means `(byte - zero_point) * scale`.
    U8 { bytes: Vec<u8>, scale: f32, zero_point: u8 },
}

impl Table {
    /// A table of little-endian f32. `columns` is a multiple of [`STRIP`].
    pub(crate) fn of_f32(columns: usize, bytes: Vec<u8>) -> Self {
        Self { columns, values: Values::F32(bytes) }
    }

    /// A table of bytes, each of which means `(byte - zero_point) * scale`.
    pub(crate) fn of_u8(columns: usize, bytes: Vec<u8>, scale: f32, zero_point: u8) -> Self {
        Self { columns, values: Values::U8 { bytes, scale, zero_point } }
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> usize {
        match &self.values {
            Values::F32(bytes) => bytes.len() / (4 * self.columns),
            Values::U8 { bytes, .. } => bytes.len() / self.columns,
        }
    }

    /// Adds a row of the table, cut into strips, to `strips`. A row that it does not have is all zeros.
    pub(crate) fn add_to<'a>(&self, row: usize, strips: impl Iterator<Item = &'a mut Strip>) {
        match &self.values {
            Values::F32(bytes) => {
                let size = 4 * self.columns;
                let row = bytes.get(row * size..(row + 1) * size).unwrap_or_default();
                for (strip, bytes) in strips.zip(row.as_chunks::<{ 4 * STRIP }>().0) {
                    for (value, bytes) in strip.0.iter_mut().zip(bytes.as_chunks::<4>().0) {
                        *value += f32::from_le_bytes(*bytes);
                    }
                }
            }
            Values::U8 { bytes, scale, zero_point } => {
                let row = bytes.get(row * self.columns..(row + 1) * self.columns).unwrap_or_default();
                for (strip, bytes) in strips.zip(row.as_chunks::<STRIP>().0) {
                    for (value, byte) in strip.0.iter_mut().zip(bytes) {
                        *value += f32::from(i16::from(*byte) - i16::from(*zero_point)) * scale;
                    }
                }
            }
        }
    }
}
