//! Distributions of latencies and predictions, in buckets that are the same everywhere and can be added up.

mod stability;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use stability::{Stability, label_stability, stability};

use crate::numbers::float;
use crate::sequential::Rate;

/// The error of a quantile, relative to the value: half of a bucket.
pub const RELATIVE_ERROR: f64 = 1.0 / 64.0;

/// Values nearer to 0 than this (2^-40) count as 0.
pub const SMALLEST: f64 = 1.0 / 1_099_511_627_776.0;

/// Values from this (2^60) on share one bucket.
pub const LARGEST: f64 = 1_152_921_504_606_846_976.0;

/// Each octave has 2^5 buckets.
const SUB_BITS: u32 = 5;
const MANTISSA_BITS: u32 = 52;
/// `SMALLEST` shifted as [`key`] shifts values.
const FIRST: u64 = SMALLEST.to_bits() >> (MANTISSA_BITS - SUB_BITS);
/// The key of the bucket that begins at `LARGEST`.
const LAST_KEY: i16 = 3201;

/// A histogram whose buckets are fixed: 32 equal ones to an octave, positive and negative, and one around 0 (the
/// log-linear layout of `HdrHistogram`). At most 6,403 buckets, of which only those that hold something are kept. Counts
/// only grow, so that the histograms of several instances add up to that of all of them, exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// How many values each bucket holds.
    buckets: BTreeMap<i16, u64>,
    /// How often something came that is no number.
    #[serde(default)]
    not_numbers: u64,
}

/// The bucket of a number; buckets are ordered as their values are.
fn key(value: f64) -> i16 {
    let size = value.abs();
    if size < SMALLEST {
        return 0;
    }
    // The bits of positive floats are ordered as the floats; the highest ones are exponent and leading mantissa.
    let place = (size.min(LARGEST).to_bits() >> (MANTISSA_BITS - SUB_BITS)) - FIRST + 1;
    let key = i16::try_from(place).unwrap_or(LAST_KEY).min(LAST_KEY);
    if value < 0.0 { -key } else { key }
}

/// The end of a bucket that is nearer to 0, without its sign; a key beyond the last counts as the last.
fn inner_edge(key: i16) -> f64 {
    match u64::from(key.unsigned_abs().min(LAST_KEY.unsigned_abs())) {
        0 => 0.0,
        place => f64::from_bits((FIRST + place - 1) << (MANTISSA_BITS - SUB_BITS)),
    }
}

/// The end of a bucket that is farther from 0, without its sign.
fn outer_edge(key: i16) -> f64 {
    if key.unsigned_abs() >= LAST_KEY.unsigned_abs() { LARGEST } else { inner_edge(key.saturating_abs() + 1) }
}

/// The least value of a bucket.
fn lower_edge(key: i16) -> f64 {
    match key {
        0 => -SMALLEST,
        1.. => inner_edge(key),
        _ => -outer_edge(key),
    }
}

/// The middle of a bucket.
fn middle(key: i16) -> f64 {
    match key {
        0 => 0.0,
        1.. => f64::midpoint(inner_edge(key), outer_edge(key)),
        _ => -f64::midpoint(inner_edge(key), outer_edge(key)),
    }
}

impl Histogram {
    /// One more value. What is no number is counted apart.
    pub fn add(&mut self, value: f64) {
        if value.is_nan() {
            self.not_numbers = self.not_numbers.saturating_add(1);
        } else {
            let count = self.buckets.entry(key(value)).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// What both saw.
    #[must_use]
    pub fn merged(mut self, other: &Self) -> Self {
        for (key, count) in &other.buckets {
            let sum = self.buckets.entry(*key).or_default();
            *sum = sum.saturating_add(*count);
        }
        self.not_numbers = self.not_numbers.saturating_add(other.not_numbers);
        self
    }

    /// How many numbers it holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// How often something came that is no number.
    #[must_use]
    pub const fn not_numbers(&self) -> u64 {
        self.not_numbers
    }

    /// The value below or at which a share of the values lies (the nearest rank), right to [`RELATIVE_ERROR`] of
    /// itself for sizes between [`SMALLEST`] and [`LARGEST`]. Nothing without values. A share outside 0..1 is taken
    /// as the nearest end.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = (share.clamp(0.0, 1.0) * float(self.count())).ceil().max(1.0);
        let mut below = 0_u64;
        self.buckets.iter().find_map(|(key, count)| {
            below = below.saturating_add(*count);
            (float(below) >= rank).then(|| middle(*key))
        })
    }

    /// How often a value was at or above a limit for certain: values in the bucket that the limit cuts count as
    /// misses, so that hits are never too many.
    #[must_use]
    pub fn at_least(&self, limit: f64) -> Rate {
        let hits = |(key, count): (&i16, &u64)| if lower_edge(*key) >= limit { *count } else { 0 };
        Rate::of(self.buckets.iter().map(hits).fold(0, u64::saturating_add), self.count())
    }

    /// The lower ends of the buckets that hold something, in order, and of the next one after the last.
    pub(crate) fn edges(&self) -> impl Iterator<Item = f64> {
        let after = self.buckets.last_key_value().map(|(key, _)| lower_edge(key.saturating_add(1)));
        self.buckets.keys().map(|key| lower_edge(*key)).chain(after)
    }

    /// The buckets that hold something, in order.
    fn buckets(&self) -> &BTreeMap<i16, u64> {
        &self.buckets
    }
}

/// The most labels that are counted each for itself.
pub const MAX_LABELS: usize = 1_000;

/// How often each label was predicted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    counts: BTreeMap<String, u64>,
    /// Predictions of labels that came when [`MAX_LABELS`] were counted already.
    #[serde(default)]
    others: u64,
}

impl Labels {
    /// One more prediction.
    pub fn add(&mut self, label: &str) {
        self.add_many(label, 1);
    }

    /// What both saw.
    #[must_use]
    pub fn merged(mut self, other: &Self) -> Self {
        for (label, count) in &other.counts {
            self.add_many(label, *count);
        }
        self.others = self.others.saturating_add(other.others);
        self
    }

    /// How often a label was predicted.
    #[must_use]
    pub fn count_of(&self, label: &str) -> u64 {
        self.counts.get(label).copied().unwrap_or_default()
    }

    /// Predictions of labels that are not counted each for itself.
    #[must_use]
    pub const fn others(&self) -> u64 {
        self.others
    }

    fn add_many(&mut self, label: &str, more: u64) {
        if let Some(count) = self.counts.get_mut(label) {
            *count = count.saturating_add(more);
        } else if self.counts.len() < MAX_LABELS {
            self.counts.insert(label.to_owned(), more);
        } else {
            self.others = self.others.saturating_add(more);
        }
    }

    fn labels(&self) -> impl Iterator<Item = &String> {
        self.counts.keys()
    }
}
