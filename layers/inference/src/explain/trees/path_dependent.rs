//! Leaves without a table, by the shares of the background that go each way.
//!
//! A leaf's worth for a share `t` of known features is a product over its players, `t` if the row passes and
//! `(1 - t) share` added. On the way down each branch changes one factor; on the way up the leaves' products are summed,
//! and the player's factor is taken out of the sum (Linear TreeSHAP, Yu et al., NeurIPS 2022, in the form of
//! Quadrature-TreeSHAP). All terms are positive, and factors are zero only where nothing below counts.

use super::grown::{Kind, Tree};
use super::quadrature::Point;
use crate::explain::Rows;

/// How many points are taken at a time.
pub(super) const LANES: usize = 8;

/// Which share of the rows that come to a node go to each child.
#[derive(Debug)]
pub(super) struct Shares {
    /// By node: of the rows that come to its parent, those that come to it. Where none comes to the parent, half.
    pub(super) shares: Vec<f64>,
    /// How many leaves no row comes to.
    pub(super) uncovered: usize,
}

impl Shares {
    pub(super) fn of(tree: &Tree, rows: Rows<'_>) -> Self {
        let mut counts = vec![0.0; tree.nodes.len()];
        for row in rows.iter() {
            let mut place = 0;
            counts[0] += 1.0;
            while let Kind::Branch(branch) = &tree.nodes[place].kind {
                place = Tree::child(place, branch, !branch.goes_first(row[branch.feature]));
                counts[place] += 1.0;
            }
        }
        let mut found = Self { shares: vec![1.0; counts.len()], uncovered: 0 };
        for (place, node) in tree.nodes.iter().enumerate() {
            match &node.kind {
                Kind::Branch(branch) => {
                    for child in [place + 1, branch.second] {
                        let covered = counts[place] > 0.0;
                        found.shares[child] = if covered { counts[child] / counts[place] } else { 0.5 };
                    }
                }
                Kind::Leaf(_) => found.uncovered += usize::from(counts[place] <= 0.0),
            }
        }
        found
    }
}

/// A player on the path: whether the row passes it, and the share of the background that does.
#[derive(Clone, Copy, Debug)]
struct Player {
    passed: f64,
    share: f64,
}

impl Player {
    fn factors(self, at: &[f64; LANES]) -> [f64; LANES] {
        at.map(|t| self.passed * t + (1.0 - t) * self.share)
    }
}

/// Some of the points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Points {
    at: [f64; LANES],
    weights: [f64; LANES],
}

impl Points {
    /// Points in groups; the last one is filled up with such that count nothing.
    pub(super) fn groups(points: &[Point]) -> Vec<Self> {
        let group = |points: &[Point]| Self {
            at: std::array::from_fn(|lane| points.get(lane).map_or(0.5, |point| point.at)),
            weights: std::array::from_fn(|lane| points.get(lane).map_or(0.0, |point| point.weight)),
        };
        points.chunks(LANES).map(group).collect()
    }
}

/// A tree with the background's shares.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) tree: &'a Tree,
    pub(super) shares: &'a [f64],
    /// By node: 0 where nothing below is to be walked to.
    pub(super) walked: &'a [usize],
}

/// What is used again for each row and tree.
#[derive(Debug)]
pub(super) struct Walker {
    features: usize,
    players: Vec<Player>,
    /// Level by level, target by target of the tree: the sums of the leaves' products.
    sums: Vec<[f64; LANES]>,
}

impl Walker {
    pub(super) const fn new(features: usize) -> Self {
        Self { features, players: Vec::new(), sums: Vec::new() }
    }

    /// Adds a row's contributions, target by target, feature by feature.
    pub(super) fn add(&mut self, subject: Subject<'_>, points: &[Points], row: &[f64], contributions: &mut [f64]) {
        for points in points {
            self.visit(subject, (0, 0), points, [1.0; LANES], row, contributions);
        }
    }

    fn visit(
        &mut self,
        subject: Subject<'_>,
        (place, level): (usize, usize),
        points: &Points,
        product: [f64; LANES],
        row: &[f64],
        contributions: &mut [f64],
    ) {
        let (tree, targets) = (subject.tree, subject.tree.targets.len());
        let own = level * targets;
        if self.sums.len() < own + targets {
            self.sums.resize(own + targets, [0.0; LANES]);
        }
        let branch = match &tree.nodes[place].kind {
            Kind::Leaf(leaf) => {
                for (sum, value) in self.sums[own..].iter_mut().zip(tree.values_of(*leaf)) {
                    *sum = product.map(|product| product * value);
                }
                return;
            }
            Kind::Branch(branch) => branch,
        };
        self.sums[own..own + targets].fill([0.0; LANES]);
        let goes_second = !branch.goes_first(row[branch.feature]);
        let before = self.players.get(branch.slot).copied();
        for second in [false, true] {
            let child = Tree::child(place, branch, second);
            let old = before.unwrap_or(Player { passed: 1.0, share: 1.0 });
            let passed = if goes_second == second { old.passed } else { 0.0 };
            let new = Player { passed, share: old.share * subject.shares[child] };
            if subject.walked[child] == 0 || (new.passed <= 0.0 && new.share <= 0.0) {
                continue;
            }
            let (old_factors, new_factors) = (old.factors(&points.at), new.factors(&points.at));
            let product = std::array::from_fn(|lane| product[lane] * new_factors[lane] / old_factors[lane]);
            match before {
                Some(_) => self.players[branch.slot] = new,
                None => self.players.push(new),
            }
            self.visit(subject, (child, level + 1), points, product, row, contributions);
            match before {
                Some(before) => self.players[branch.slot] = before,
                None => self.players.truncate(branch.slot),
            }
            // What the branch changes for its player; a player that is new has a worth of 0 above.
            let (new_worth, old_worth) = (new.passed - new.share, old.passed - old.share);
            let worth: [f64; LANES] = std::array::from_fn(|lane| {
                points.weights[lane] * (new_worth / new_factors[lane] - old_worth / old_factors[lane])
            });
            for (place, target) in tree.targets.iter().enumerate() {
                let below = self.sums[own + targets + place];
                let found: f64 = below.iter().zip(worth).map(|(sum, worth)| sum * worth).sum();
                contributions[target * self.features + branch.feature] += found;
                self.sums[own + place].iter_mut().zip(below).for_each(|(sum, below)| *sum += below);
            }
        }
    }
}
