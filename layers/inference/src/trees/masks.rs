//! Trees of at most 64 leaves without walking: QuickScorer (Lucchese et al., SIGIR 2015), some rows at a time as in
//! V-QuickScorer (Lucchese et al., SIGIR 2016).
//!
//! A tree's leaves are the bits of a word, from the first to the last. A test that a row fails rules out the leaves below
//! its first child. The tests of all trees are in order of feature and split, so that those that a row fails come first;
//! what is left of a tree's word in the end begins with its leaf.

use super::flat::{Flat, FlatNode};
use super::walk::Value;

/// Leaves of a tree at most, one for each bit.
const MAX_LEAVES: usize = 64;

/// More trees or features than these are walked instead: a word costs memory for each of them.
const MAX_TREES: usize = 1 << 16;
const MAX_FEATURES: usize = 1 << 16;

/// A test of one tree.
#[derive(Debug)]
struct MaskTest<V> {
    split: V,
    tree: u32,
    /// A missing value passes.
    missing_passes: bool,
    /// The leaves that stay when it fails.
    left: u64,
}

/// Trees as words.
#[derive(Debug)]
pub(super) struct Masks<V> {
    /// The tests of each feature, by split.
    tests: Vec<Vec<MaskTest<V>>>,
    /// The leaves of each tree, and nothing up to [`MAX_LEAVES`]: their places among the flat nodes.
    leaves: Vec<[u32; MAX_LEAVES]>,
}

impl<V: Value> Masks<V> {
    /// The same trees; none when one has too many leaves, or there are too many.
    pub(super) fn of(flat: &Flat<V>, features: usize) -> Option<Self> {
        if flat.roots.len() > MAX_TREES || features > MAX_FEATURES {
            return None;
        }
        let mut masks = Self { tests: (0..features).map(|_| Vec::new()).collect(), leaves: Vec::new() };
        for (tree, root) in (0..).zip(&flat.roots) {
            let mut reading = Reading { nodes: &flat.nodes, tree, branches: 0, leaves: Vec::new() };
            reading.read(*root, &mut masks.tests)?;
            let mut leaves = [0; MAX_LEAVES];
            leaves.iter_mut().zip(reading.leaves).for_each(|(to, from)| *to = from);
            masks.leaves.push(leaves);
        }
        for tests in &mut masks.tests {
            tests.sort_by(|one, other| one.split.partial_cmp(&other.split).unwrap_or(std::cmp::Ordering::Equal));
        }
        Some(masks)
    }

    /// How many trees there are.
    pub(super) const fn trees(&self) -> usize {
        self.leaves.len()
    }

    /// For each tree what is left of its word, for each of some rows; `value` is what a row has for a feature.
    #[inline(always)]
    pub(super) fn words<const ROWS: usize>(&self, value: impl Fn(usize, usize) -> V, words: &mut [[u64; ROWS]]) {
        words.fill([u64::MAX; ROWS]);
        for (feature, tests) in self.tests.iter().enumerate() {
            let x: [V; ROWS] = std::array::from_fn(|row| value(row, feature));
            if x.iter().any(|x| x.is_nan()) {
                for test in tests {
                    for (word, x) in words[test.tree as usize].iter_mut().zip(x) {
                        let passes = x <= test.split || (x.is_nan() && test.missing_passes);
                        *word &= if passes { u64::MAX } else { test.left };
                    }
                }
                continue;
            }
            let greatest = x.iter().copied().fold(x[0], |greatest, x| if x > greatest { x } else { greatest });
            for test in tests {
                if greatest <= test.split {
                    break;
                }
                let (left, split) = (test.left, test.split);
                // All ones where it passes.
                let passes: [u64; ROWS] = std::array::from_fn(|row| u64::from(x[row] > split).wrapping_sub(1));
                let word = &mut words[test.tree as usize];
                *word = std::array::from_fn(|row| word[row] & (left | passes[row]));
            }
        }
    }

    /// The place among the flat nodes of the leaf that a word begins with.
    #[inline(always)]
    pub(super) fn leaf(&self, tree: usize, word: u64) -> u32 {
        // A leaf is always left; the remainder says that no place is outside.
        self.leaves[tree][word.trailing_zeros() as usize % MAX_LEAVES]
    }
}

/// A tree that is being read.
struct Reading<'a, V> {
    nodes: &'a [FlatNode<V>],
    tree: u32,
    branches: usize,
    leaves: Vec<u32>,
}

impl<V: Value> Reading<'_, V> {
    /// Reads the nodes from a place on, the first child first; none when there are too many. No deeper than there are
    /// branches.
    fn read(&mut self, place: u32, tests: &mut [Vec<MaskTest<V>>]) -> Option<()> {
        let node = &self.nodes[place as usize];
        let Some(first) = node.first_child() else {
            self.leaves.push(place);
            return (self.leaves.len() <= MAX_LEAVES).then_some(());
        };
        self.branches += 1;
        if self.branches >= MAX_LEAVES {
            return None;
        }
        let from = self.leaves.len();
        self.read(first, tests)?;
        let below = (self.leaves.len() - from, from);
        self.read(first + 1, tests)?;
        // Fewer than all leaves are below the first child: the second one has some.
        let left = !(((1_u64 << below.0) - 1) << below.1);
        let (split, missing_passes) = (node.split(), node.missing_goes_first());
        tests[node.feature()].push(MaskTest { split, tree: self.tree, missing_passes, left });
        Some(())
    }
}
