//! Rows through the tables of pieces, many at a time.

use super::grown::{Branch, Kind, Tree};
use super::pieces::Plan;

/// Some rows at a time, value by value: columns, and what has been found for them so far.
pub(super) struct Block<const ROWS: usize> {
    columns: Vec<[f64; ROWS]>,
    /// By node: a bit for each player of the path that the row fails.
    pub(super) failed: Vec<[u16; ROWS]>,
    /// By branch's place: 1 where the row goes to the second child.
    ways: Vec<[u16; ROWS]>,
    /// Target by target, feature by feature.
    sums: Vec<[f64; ROWS]>,
}

impl<const ROWS: usize> Block<ROWS> {
    /// A block for trees of at most so many nodes.
    pub(super) fn new(features: usize, targets: usize, nodes: usize) -> Self {
        Self {
            columns: vec![[0.0; ROWS]; features],
            failed: vec![[0; ROWS]; nodes],
            ways: vec![[0; ROWS]; nodes],
            sums: vec![[0.0; ROWS]; features * targets],
        }
    }

    /// Takes rows of a width; those that are missing up to `ROWS` are like the last.
    pub(super) fn load(&mut self, rows: &[f64], width: usize) {
        let last = (rows.len() / width).saturating_sub(1);
        for (feature, column) in self.columns.iter_mut().enumerate() {
            for (row, value) in column.iter_mut().enumerate() {
                *value = rows[row.min(last) * width + feature];
            }
        }
        self.sums.fill([0.0; ROWS]);
    }

    /// Adds a row's contributions to what is there, target by target, feature by feature.
    pub(super) fn add_to(&self, row: usize, contributions: &mut [f64]) {
        contributions.iter_mut().zip(&self.sums).for_each(|(to, sums)| *to += sums[row]);
    }

    /// Which ways the rows go at some branches, each after those above it, and what they fail below.
    #[inline(always)]
    pub(super) fn follow(&mut self, tree: &Tree, branches: &[usize]) {
        self.failed[0] = [0; ROWS];
        for place in branches {
            let Kind::Branch(Branch { feature, slot, second, .. }) = &tree.nodes[*place].kind else { continue };
            if let Kind::Branch(branch) = &tree.nodes[*place].kind {
                branch.second_ways(&self.columns[*feature], &mut self.ways[*place]);
            }
            let (failed, ways) = (self.failed[*place], &self.ways[*place]);
            // A path to a table has fewer players than a word has bits.
            let bit = 1_u16 << (slot % 16);
            self.failed[*place + 1] = std::array::from_fn(|row| failed[row] | (ways[row] * bit));
            self.failed[*second] = std::array::from_fn(|row| failed[row] | ((1 - ways[row]) * bit));
        }
    }

    /// Adds what the pieces of a tree say.
    #[inline(always)]
    pub(super) fn look_up(&mut self, tree: &Tree, plan: &Plan) {
        self.follow(tree, &plan.branches);
        let features = self.columns.len();
        for piece in &plan.pieces {
            let mut places = self.failed[piece.root].map(usize::from);
            for (bit, branch) in piece.branches.iter().enumerate() {
                let ways = &self.ways[*branch];
                places.iter_mut().zip(ways).for_each(|(place, way)| *place |= usize::from(*way) << (piece.above + bit));
            }
            let width = piece.features.len() * tree.targets.len();
            places.iter_mut().for_each(|place| *place *= width);
            let mut column = &piece.table[..];
            for feature in &piece.features {
                for target in &tree.targets {
                    let sums = &mut self.sums[target * features + feature];
                    for (sum, place) in sums.iter_mut().zip(&places) {
                        *sum += f64::from(column[*place]);
                    }
                    column = column.get(1..).unwrap_or(&[]);
                }
            }
        }
    }
}
