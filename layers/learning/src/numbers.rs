//! Small helpers for numbers that several modules need.

/// A count as a float. Exact up to 2^53, which no counter of calls reaches.
#[expect(clippy::cast_precision_loss, reason = "counts of calls and rows are below 2^53")]
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}

/// A length as a float; see [`float`].
#[expect(clippy::cast_precision_loss, reason = "counts of calls and rows are below 2^53")]
pub(crate) const fn float_of(length: usize) -> f64 {
    length as f64
}

/// The share of a whole; nothing when the whole is nothing.
pub(crate) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| float(part) / float(whole))
}
