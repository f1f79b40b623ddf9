//! How likely each pattern of a background is at the leaves that have tables.

use super::grown::{Kind, Tree};
use super::lookup::Block;
use super::pieces::Plan;
use crate::explain::Rows;
use crate::explain::contributions::count;

/// How many rows are followed at a time.
const ROWS: usize = 32;

/// For each leaf of the pieces the shares of the patterns.
#[derive(Debug)]
pub(super) struct Patterns {
    /// By node: where those of a leaf begin.
    starts: Vec<usize>,
    shares: Vec<f64>,
}

impl Patterns {
    fn none(tree: &Tree, plan: &Plan) -> Self {
        let mut found = Self { starts: vec![0; tree.nodes.len()], shares: Vec::new() };
        let mut size = 0;
        for leaf in leaves(tree, plan) {
            found.starts[leaf] = size;
            size += 1 << tree.nodes[leaf].players;
        }
        found.shares.resize(size, 0.0);
        found
    }

    /// As the rows of a background have them, all features at once.
    pub(super) fn of_rows(tree: &Tree, plan: &Plan, features: usize, rows: Rows<'_>) -> Self {
        let mut found = Self::none(tree, plan);
        let leaves: Vec<usize> = leaves(tree, plan).collect();
        let share = 1.0 / count(rows.len());
        let mut block = Block::<ROWS>::new(features, 0, tree.nodes.len());
        for values in rows.chunks(ROWS) {
            block.load(values, rows.width());
            block.follow(tree, &plan.branches);
            for leaf in &leaves {
                for pattern in block.failed[*leaf].iter().take(values.len() / rows.width()) {
                    found.shares[found.starts[*leaf] + usize::from(*pattern)] += share;
                }
            }
        }
        found
    }

    /// As if features were independent, by the shares that go to each node from its parent.
    pub(super) fn of_shares(tree: &Tree, plan: &Plan, shares: &[f64]) -> Self {
        let mut found = Self::none(tree, plan);
        let mut is_leaf = vec![false; tree.nodes.len()];
        leaves(tree, plan).for_each(|leaf| is_leaf[leaf] = true);
        let mut open = vec![(0, Vec::new())];
        while let Some((place, players)) = open.pop() {
            match &tree.nodes[place].kind {
                Kind::Branch(branch) => {
                    for child in [place + 1, branch.second] {
                        let mut players: Vec<f64> = players.clone();
                        match players.get_mut(branch.slot) {
                            Some(share) => *share *= shares[child],
                            None => players.push(shares[child]),
                        }
                        open.push((child, players));
                    }
                }
                Kind::Leaf(_) if is_leaf[place] => {
                    let start = found.starts[place];
                    found.shares[start] = 1.0;
                    for (player, share) in players.iter().enumerate() {
                        let (passed, failed) = found.shares[start..start + (2 << player)].split_at_mut(1 << player);
                        for (passed, failed) in passed.iter_mut().zip(failed) {
                            (*passed, *failed) = (*passed * share, *passed * (1.0 - share));
                        }
                    }
                }
                Kind::Leaf(_) => {}
            }
        }
        found
    }

    /// Those of a leaf, pattern by pattern.
    pub(super) fn of_leaf(&self, tree: &Tree, place: usize) -> &[f64] {
        let start = self.starts[place];
        &self.shares[start..start + (1 << tree.nodes[place].players)]
    }
}

/// The places of the leaves of all pieces.
fn leaves<'a>(tree: &'a Tree, plan: &'a Plan) -> impl Iterator<Item = usize> + 'a {
    let nodes = plan.pieces.iter().flat_map(|piece| piece.root..tree.nodes[piece.root].end);
    nodes.filter(|place| matches!(tree.nodes[*place].kind, Kind::Leaf(_)))
}
