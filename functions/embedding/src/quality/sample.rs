//! A bounded sample of keys, chosen by their hash (Gibbons, "Distinct sampling", VLDB 2001): every occurrence of
//! a sampled key is counted, and the sample halves when it is full.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

/// The most keys that are remembered.
pub(super) const CAPACITY: usize = 1 << 20;

/// Counts of sampled keys.
#[derive(Debug, Default)]
pub(super) struct Sample {
    counts: HashMap<u64, u32>,
    /// A key is sampled if so many low bits of its hash are zero.
    level: u32,
    hasher: std::hash::RandomState,
}

impl Sample {
    /// The hash of a key, by which it is sampled.
    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// Counts an occurrence. Returns how often the key had occurred before, if it is sampled.
    pub(super) fn count(&mut self, hash: u64) -> Option<u32> {
        if !self.holds(hash) {
            return None;
        }
        let count = self.counts.entry(hash).or_insert(0);
        let before = *count;
        *count += 1;
        if self.counts.len() > CAPACITY {
            self.level += 1;
            let level = self.level;
            self.counts.retain(|hash, _| hash.trailing_zeros() >= level);
        }
        Some(before)
    }

    /// How often a key occurred, if it is sampled.
    pub(super) fn get(&self, hash: u64) -> Option<u32> {
        self.holds(hash).then(|| self.counts.get(&hash).copied().unwrap_or(0))
    }

    /// Whether keys were left out.
    pub(super) const fn is_partial(&self) -> bool {
        self.level > 0
    }

    /// Occurrences of the keys in the sample, and how many of them were not the first.
    pub(super) fn repeats(&self) -> (u64, u64) {
        let all: u64 = self.counts.values().map(|count| u64::from(*count)).sum();
        (all, all - self.counts.len() as u64)
    }

    fn holds(&self, hash: u64) -> bool {
        hash.trailing_zeros() >= self.level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_that_overflows_halves_and_still_tells_the_rate_of_repeats() {
        let mut sample = Sample::default();
        // Every fourth of three million keys occurs twice: of 3,750,000 occurrences 750,000 are repeats (0.2).
        for key in 0..3_000_000_u64 {
            let hash = sample.hash(&key.to_le_bytes());
            sample.count(hash);
            if key % 4 == 0 {
                sample.count(hash);
            }
        }
        let (all, repeats) = sample.repeats();
        assert!(sample.is_partial() && sample.counts.len() <= CAPACITY);
        let rate = repeats as f64 / all as f64;
        // 3 standard deviations of a share of 0.2 in half a million are 0.0017.
        assert!((rate - 0.2).abs() < 0.005, "{rate}");
    }
}
