//! An ensemble that is run: the votes that rows get, summed by target.

use std::ops::Range;

use super::ensemble::{Ensemble, Node, Vote};
use super::flat::{Flat, FlatNode};
use super::masks::Masks;
use super::walk::{Value, walk};

/// How many trees, or rows, are walked at a time.
const LANES: usize = 8;
/// How many rows pass all trees before the next ones do: their values, and the trees in turn, stay in the cache.
const BLOCK: usize = 128;

/// How votes become scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// The sum of the votes.
    Sum,
    /// The sum over the number of trees.
    Average,
    /// The least vote.
    Min,
    /// The greatest vote.
    Max,
}

/// Scores of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Row by row, target by target.
    pub scores: Vec<f64>,
    /// In the same order: whether any leaf voted.
    pub voted: Vec<bool>,
}

/// What the leaves of a tree say, by the place of the flat node.
#[derive(Debug)]
enum Leaves {
    /// Each leaf of a tree has one vote, and all of a tree are for one target.
    Single { weights: Vec<f64>, targets: Vec<usize> },
    /// Any leaf may have any votes.
    Many { ranges: Vec<Range<usize>>, votes: Vec<Vote> },
}

/// Trees ready to be run on rows of `V`.
#[derive(Debug)]
pub struct Forest<V> {
    nodes: Vec<FlatNode<V>>,
    roots: Vec<u32>,
    leaves: Leaves,
    targets: usize,
    features: usize,
    aggregate: Aggregate,
    /// The same trees as words, when they are small enough: some times quicker.
    masks: Option<Masks<V>>,
}

/// [`Forest::by_masks`], compiled for what the processor can do.
struct ByMasks<'a, V> {
    forest: &'a Forest<V>,
    masks: &'a Masks<V>,
    rows: &'a [V],
    width: usize,
    found: &'a mut Scores,
}

impl<V: Value> pulp::WithSimd for ByMasks<'_, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.forest.by_masks(self.masks, self.rows, self.width, self.found);
    }
}

impl<V: Value> Forest<V> {
    /// Makes an ensemble ready.
    #[must_use]
    pub fn new(ensemble: &Ensemble, aggregate: Aggregate) -> Self {
        let flat = Flat::of(ensemble);
        let masks = Masks::of(&flat, ensemble.features());
        let Flat { nodes, leaves, roots } = flat;
        let single =
            (aggregate == Aggregate::Sum || aggregate == Aggregate::Average).then(|| single(ensemble)).flatten();
        let votes_of = |leaf: &usize| match &ensemble.nodes()[*leaf] {
            Node::Leaf(range) => range.clone(),
            Node::Branch(_) => 0..0,
        };
        let ranges = leaves.iter().map(votes_of);
        let leaves = match single {
            Some(targets) => {
                let weight = |range: Range<usize>| ensemble.votes()[range].first().map_or(0.0, |vote| vote.weight);
                Leaves::Single { weights: ranges.map(weight).collect(), targets }
            }
            None => Leaves::Many { ranges: ranges.collect(), votes: ensemble.votes().to_vec() },
        };
        let (targets, features) = (ensemble.targets(), ensemble.features());
        Self { nodes, roots, leaves, targets, features, aggregate, masks }
    }

    /// How many values a row must have at least.
    #[must_use]
    pub const fn features(&self) -> usize {
        self.features
    }

    /// How many scores a row gets.
    #[must_use]
    pub const fn targets(&self) -> usize {
        self.targets
    }

    /// The scores of rows that lie one after the other, each of `width` values; what is left of a last row counts
    /// nothing. Sums are of 64-bit floats, in the order of the trees.
    ///
    /// # Panics
    /// `width` is less than [`features`](Self::features), or 0.
    #[must_use]
    pub fn scores(&self, rows: &[V], width: usize) -> Scores {
        assert!(width >= self.features.max(1), "rows of {width} values for {} features", self.features);
        let count = rows.len() / width;
        let start = match self.aggregate {
            Aggregate::Sum | Aggregate::Average => 0.0,
            Aggregate::Min => f64::INFINITY,
            Aggregate::Max => f64::NEG_INFINITY,
        };
        let mut found = Scores { scores: vec![start; count * self.targets], voted: vec![false; count * self.targets] };
        if let Some(masks) = &self.masks {
            pulp::Arch::new().dispatch(ByMasks { forest: self, masks, rows, width, found: &mut found });
        } else if count < LANES {
            for (row, values) in rows.chunks_exact(width).enumerate() {
                self.row(values, row, &mut found);
            }
        } else {
            for first in (0..count).step_by(BLOCK) {
                self.block(&rows[first * width..], width, first..count.min(first + BLOCK), &mut found);
            }
        }
        self.finish(&mut found);
        found
    }

    /// Some rows at a time by their words, the last ones one by one.
    #[inline(always)]
    fn by_masks(&self, masks: &Masks<V>, rows: &[V], width: usize, found: &mut Scores) {
        let count = rows.len() / width;
        let mut words = vec![[0; LANES]; masks.trees()];
        let together = count / LANES * LANES;
        for first in (0..together).step_by(LANES) {
            let values = &rows[first * width..];
            masks.words(|row, feature| values[row * width + feature], &mut words);
            self.votes_of_words(masks, &words, first, found);
        }
        let mut words = vec![[0; 1]; if together < count { masks.trees() } else { 0 }];
        for row in together..count {
            let values = &rows[row * width..];
            masks.words(|_, feature| values[feature], &mut words);
            self.votes_of_words(masks, &words, row, found);
        }
    }

    /// The votes of all trees for rows from the first on.
    #[inline(always)]
    fn votes_of_words<const ROWS: usize>(
        &self,
        masks: &Masks<V>,
        words: &[[u64; ROWS]],
        first: usize,
        found: &mut Scores,
    ) {
        if let (Leaves::Single { weights, .. }, 1) = (&self.leaves, self.targets) {
            let mut sums = [0.0; ROWS];
            for (tree, words) in words.iter().enumerate() {
                for (sum, word) in sums.iter_mut().zip(words) {
                    *sum += weights[masks.leaf(tree, *word) as usize];
                }
            }
            found.scores[first..first + ROWS].copy_from_slice(&sums);
            return;
        }
        for (tree, words) in words.iter().enumerate() {
            for (row, word) in words.iter().enumerate() {
                self.vote(tree, masks.leaf(tree, *word), first + row, found);
            }
        }
    }

    /// One row, through some trees at a time.
    fn row(&self, values: &[V], row: usize, found: &mut Scores) {
        let value = |_: usize, feature: usize| values[feature];
        let (groups, rest) = self.roots.as_chunks::<LANES>();
        let mut tree = 0;
        for group in groups {
            for leaf in walk(&self.nodes, *group, value) {
                self.vote(tree, leaf, row, found);
                tree += 1;
            }
        }
        for root in rest {
            let [leaf] = walk(&self.nodes, [*root], value);
            self.vote(tree, leaf, row, found);
            tree += 1;
        }
    }

    /// A block of rows, tree after tree, some rows at a time; the last ones overlap those before them.
    fn block(&self, rows: &[V], width: usize, block: Range<usize>, found: &mut Scores) {
        for (tree, root) in self.roots.iter().enumerate() {
            let mut row = 0;
            while row + LANES <= block.len() {
                let values = &rows[row * width..(row + LANES) * width];
                let leaves = walk(&self.nodes, [*root; LANES], |lane, feature| values[lane * width + feature]);
                for (lane, leaf) in leaves.into_iter().enumerate() {
                    self.vote(tree, leaf, block.start + row + lane, found);
                }
                row += LANES;
            }
            for row in row..block.len() {
                let values = &rows[row * width..(row + 1) * width];
                let [leaf] = walk(&self.nodes, [*root], |_, feature| values[feature]);
                self.vote(tree, leaf, block.start + row, found);
            }
        }
    }

    #[inline]
    fn vote(&self, tree: usize, leaf: u32, row: usize, found: &mut Scores) {
        match &self.leaves {
            Leaves::Single { weights, targets } => {
                found.scores[row * self.targets + targets[tree]] += weights[leaf as usize];
            }
            Leaves::Many { ranges, votes } => {
                for vote in &votes[ranges[leaf as usize].clone()] {
                    let place = row * self.targets + vote.target;
                    found.voted[place] = true;
                    let score = &mut found.scores[place];
                    *score = match self.aggregate {
                        Aggregate::Sum | Aggregate::Average => *score + vote.weight,
                        Aggregate::Min => score.min(vote.weight),
                        Aggregate::Max => score.max(vote.weight),
                    };
                }
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "trees are far fewer than 2^52")]
    fn finish(&self, found: &mut Scores) {
        if let Leaves::Single { targets, .. } = &self.leaves {
            for row in found.voted.chunks_exact_mut(self.targets) {
                targets.iter().for_each(|target| row[*target] = true);
            }
        }
        for (score, voted) in found.scores.iter_mut().zip(&found.voted) {
            match self.aggregate {
                _ if !voted => *score = 0.0,
                Aggregate::Average => *score /= self.roots.len() as f64,
                Aggregate::Sum | Aggregate::Min | Aggregate::Max => {}
            }
        }
    }
}

/// For each tree the one target that each of its leaves gives one vote to, if all trees are such.
fn single(ensemble: &Ensemble) -> Option<Vec<usize>> {
    let of_tree = |root: &usize| {
        let mut target = None;
        let mut open = vec![*root];
        while let Some(place) = open.pop() {
            match &ensemble.nodes()[place] {
                Node::Branch(branch) => open.extend([branch.when_true, branch.when_false]),
                Node::Leaf(range) => match &ensemble.votes()[range.clone()] {
                    [vote] if *target.get_or_insert(vote.target) == vote.target => {}
                    _ => return None,
                },
            }
        }
        target
    };
    ensemble.roots().iter().map(of_tree).collect()
}

#[cfg(test)]
pub(crate) mod tests;
