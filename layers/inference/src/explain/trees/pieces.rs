//! Leaves that lie together, with one table of the contributions of all of them.

use super::grown::{Branch, Kind, Tree};
use super::leaf::Scratch;
use super::quadrature::Point;

/// Bits of a piece's index at most, when it has more than one leaf: tables stay in the first-level cache.
const MAX_BITS: usize = 8;
/// Players of a leaf at most that has a table of its own.
const MAX_PLAYERS: usize = 9;

/// All leaves below a node. A row's place in the table is made of the players of the path to the node that it fails, and
/// of the ways that the branches below it would send it.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) root: usize,
    /// Branches at or below the node, bit by bit after those of the path's players.
    pub(super) branches: Vec<usize>,
    /// How many players the path to the node has.
    pub(super) above: usize,
    /// The features that the table has contributions of.
    pub(super) features: Vec<usize>,
    /// Place by place, feature by feature, target by target of the tree.
    pub(super) table: Vec<f32>,
}

impl Piece {
    const fn places(&self) -> usize {
        1 << (self.above + self.branches.len())
    }

    /// How many bytes its table takes.
    pub(super) const fn bytes(&self, tree: &Tree) -> usize {
        self.places() * self.features.len() * tree.targets.len() * size_of::<f32>()
    }

    /// The piece of a node whose path asks for some features, if it may be one.
    fn of(tree: &Tree, place: usize, path: &[usize]) -> Option<Self> {
        let node = &tree.nodes[place];
        let leaves = (node.end - place).div_ceil(2);
        let most = if leaves == 1 { MAX_PLAYERS } else { MAX_BITS };
        if node.players + leaves - 1 > most {
            return None;
        }
        let mut piece = Self {
            root: place,
            branches: Vec::with_capacity(leaves - 1),
            above: node.players,
            features: path[..node.players].to_vec(),
            table: Vec::new(),
        };
        for (below, node) in tree.nodes.iter().enumerate().take(node.end).skip(place) {
            if let Kind::Branch(branch) = &node.kind {
                piece.branches.push(below);
                if !piece.features.contains(&branch.feature) {
                    piece.features.push(branch.feature);
                }
            }
        }
        Some(piece)
    }

    /// Fills the table; `shares` are those of the patterns at a leaf, by its place among the nodes.
    pub(super) fn fill<'s>(
        &mut self,
        tree: &Tree,
        path: &[usize],
        points: &[Vec<Point>],
        shares: impl Fn(usize) -> &'s [f64],
        scratch: &mut Scratch,
    ) {
        let width = self.features.len() * tree.targets.len();
        let mut sums = vec![0.0; self.places() * width];
        let mut contributions = Vec::new();
        let mut ways = Ways { players: path[..self.above].to_vec(), edges: Vec::new() };
        let mut open = vec![(self.root, 0, None)];
        while let Some((place, depth, edge)) = open.pop() {
            ways.edges.truncate(depth);
            ways.edges.extend(edge);
            match &tree.nodes[place].kind {
                Kind::Branch(branch) => {
                    let bit = self.above + self.branches.partition_point(|other| *other < place);
                    for second in [false, true] {
                        let edge = Edge { bit, second, slot: branch.slot, feature: branch.feature };
                        open.push((Tree::child(place, branch, second), ways.edges.len(), Some(edge)));
                    }
                }
                Kind::Leaf(leaf) => {
                    let players = tree.nodes[place].players;
                    scratch.contributions(players, shares(place), &points[players], &mut contributions);
                    let slots = ways.slots(players, &self.features);
                    for (index, sums) in sums.chunks_exact_mut(width.max(1)).enumerate() {
                        let pattern = ways.pattern(index, self.above);
                        let own = &contributions[pattern * players..(pattern + 1) * players];
                        for (slot, own) in slots.iter().zip(own) {
                            let sums = &mut sums[slot * tree.targets.len()..];
                            sums.iter_mut().zip(tree.values_of(*leaf)).for_each(|(sum, value)| *sum += own * value);
                        }
                    }
                }
            }
        }
        self.table = sums.into_iter().map(rounded).collect();
    }
}

#[expect(clippy::cast_possible_truncation, reason = "to the nearest is what is wanted")]
const fn rounded(value: f64) -> f32 {
    value as f32
}

/// A way from a branch of a piece to a child.
#[derive(Clone, Copy)]
struct Edge {
    bit: usize,
    second: bool,
    slot: usize,
    feature: usize,
}

/// The ways from a piece's root to a leaf.
struct Ways {
    players: Vec<usize>,
    edges: Vec<Edge>,
}

impl Ways {
    /// The leaf's pattern for a place in the piece's table.
    fn pattern(&self, index: usize, above: usize) -> usize {
        let failed = |edge: &Edge| usize::from((index >> edge.bit & 1 == 1) != edge.second) << edge.slot;
        self.edges.iter().fold(index & ((1 << above) - 1), |pattern, edge| pattern | failed(edge))
    }

    /// For each player of the leaf its place among the piece's features.
    fn slots(&self, players: usize, features: &[usize]) -> Vec<usize> {
        let mut own = self.players.clone();
        for edge in &self.edges {
            if edge.slot == own.len() {
                own.push(edge.feature);
            }
        }
        let place = |feature: &usize| features.iter().position(|other| other == feature).unwrap_or(0);
        own.iter().take(players).map(place).collect()
    }
}

/// What of a tree is looked up, and what is walked to.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) pieces: Vec<Piece>,
    /// For each piece the features of the path to its root.
    pub(super) paths: Vec<Vec<usize>>,
    /// By node: the players of the leaf below it that has most, of those that no piece has; 0 when there is none.
    pub(super) walked: Vec<usize>,
    /// Branches whose ways the pieces need, each after those above it.
    pub(super) branches: Vec<usize>,
    /// How many leaves no row of the background comes to, where that matters.
    pub(super) uncovered: usize,
}

impl Plan {
    /// The greatest pieces that may be, of `budget` bytes in all; what they take is taken off it.
    pub(super) fn new(tree: &Tree, budget: &mut usize) -> Self {
        let mut plan = Self { walked: vec![0; tree.nodes.len()], ..Self::default() };
        plan.choose(tree, 0, &mut Vec::new(), budget);
        let mut needed = vec![false; tree.nodes.len()];
        for piece in &plan.pieces {
            needed[piece.root..tree.nodes[piece.root].end].fill(true);
        }
        for place in (0..tree.nodes.len()).rev() {
            if let Kind::Branch(branch) = &tree.nodes[place].kind {
                needed[place] |= needed[place + 1] || needed[branch.second];
                plan.walked[place] = plan.walked[place + 1].max(plan.walked[branch.second]);
            }
        }
        let needed = |place: &usize| needed[*place] && matches!(tree.nodes[*place].kind, Kind::Branch(_));
        plan.branches = (0..tree.nodes.len()).filter(needed).collect();
        plan
    }

    fn choose(&mut self, tree: &Tree, place: usize, path: &mut Vec<usize>, budget: &mut usize) {
        if let Some(piece) = Piece::of(tree, place, path) {
            let bytes = piece.bytes(tree);
            if bytes <= *budget {
                *budget -= bytes;
                if !piece.features.is_empty() && !tree.targets.is_empty() {
                    self.pieces.push(piece);
                    self.paths.push(path.clone());
                }
                return;
            }
        }
        let node = &tree.nodes[place];
        match &node.kind {
            Kind::Branch(Branch { feature, slot, second, .. }) => {
                if *slot == path.len() {
                    path.push(*feature);
                }
                self.choose(tree, place + 1, path, budget);
                self.choose(tree, *second, path, budget);
                path.truncate(node.players);
            }
            Kind::Leaf(_) => self.walked[place] = node.players,
        }
    }
}
