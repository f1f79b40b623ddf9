//! Rows of numbers.

use super::ExplainFault;

/// Rows that lie one after the other, all of one width. A missing value is NaN. What a model reads as 32-bit floats must
/// be rounded to them before it is widened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rows<'a> {
    values: &'a [f64],
    width: usize,
}

impl<'a> Rows<'a> {
    /// Rows of `width` values each.
    ///
    /// # Errors
    /// The width is 0, or the last row is not whole.
    pub const fn new(values: &'a [f64], width: usize) -> Result<Self, ExplainFault> {
        if width == 0 || !values.len().is_multiple_of(width) {
            return Err(ExplainFault::Rows { values: values.len(), width });
        }
        Ok(Self { values, width })
    }

    /// How many values a row has.
    #[must_use]
    pub const fn width(self) -> usize {
        self.width
    }

    /// How many rows there are.
    #[must_use]
    pub const fn len(self) -> usize {
        self.values.len() / self.width
    }

    /// Whether there is no row.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.values.is_empty()
    }

    /// The rows, one by one.
    pub fn iter(self) -> impl Iterator<Item = &'a [f64]> {
        self.values.chunks_exact(self.width)
    }

    /// Values of up to `rows` rows at a time.
    pub(super) fn chunks(self, rows: usize) -> impl Iterator<Item = &'a [f64]> {
        self.values.chunks(rows.saturating_mul(self.width).max(1))
    }

    /// Some of the rows, as far as there are such.
    pub(super) fn part(self, from: usize, to: usize) -> Self {
        let part = self.values.get(from * self.width..to * self.width).unwrap_or(&[]);
        Self { values: part, width: self.width }
    }

    /// Rows as they are, when they have at least as many columns as are needed.
    pub(super) const fn at_least(self, what: &'static str, expected: usize) -> Result<Self, ExplainFault> {
        if self.width < expected {
            return Err(ExplainFault::Width { what, found: self.width, expected });
        }
        Ok(self)
    }

    /// Rows that are a background: some, but not too many.
    pub(super) const fn background(self, expected: usize, most: usize) -> Result<Self, ExplainFault> {
        if self.is_empty() || self.len() > most {
            return Err(ExplainFault::Background { found: self.len(), most });
        }
        self.at_least("background", expected)
    }
}
