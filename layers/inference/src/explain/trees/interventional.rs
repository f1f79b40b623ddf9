//! Leaves without a table, against each row of the background at once.
//!
//! The background's rows are bits. On the way to a leaf, a row that is explained fails some players; only those rows of
//! the background still count that pass all of these. When none is left, nothing below counts.

use super::grown::{Kind, MAX_PLAYERS, Tree};
use crate::explain::Rows;
use crate::explain::contributions::count;

/// How many rows a word holds.
const BITS: usize = 64;

/// Shapley values of a conjunction by how many players only the row passes, and how many only the background's does:
/// `own! (other! - 1) / (own + other)!` in the right order.
#[derive(Debug)]
pub(super) struct Pairs(Vec<f64>);

impl Pairs {
    pub(super) fn new() -> Self {
        let side = MAX_PLAYERS + 1;
        let mut values = vec![0.0; side * side];
        for one in 1..side {
            // 1 / (one * binomial(one + other, other))
            let mut value = 1.0 / count(one);
            for other in 0..side {
                if other > 0 {
                    let (top, bottom) = (count(other), count(one + other));
                    value *= top / bottom;
                }
                values[one * side + other] = value;
            }
        }
        Self(values)
    }

    /// `(one - 1)! other! / (one + other)!`
    #[inline]
    fn of(&self, one: usize, other: usize) -> f64 {
        self.0[one * (MAX_PLAYERS + 1) + other]
    }
}

/// Which way each row of a background goes at each branch of a tree.
#[derive(Debug)]
pub(super) struct Ways {
    words: usize,
    /// Branch by branch: bits of the rows that go to the first child.
    first: Vec<u64>,
}

impl Ways {
    pub(super) fn of(tree: &Tree, rows: Rows<'_>) -> Self {
        let words = rows.len().div_ceil(BITS);
        let mut first = vec![0; words * (tree.nodes.len() / 2)];
        for (place, row) in rows.iter().enumerate() {
            for node in &tree.nodes {
                if let Kind::Branch(branch) = &node.kind
                    && branch.goes_first(row[branch.feature])
                {
                    first[branch.ordinal * words + place / BITS] |= 1 << (place % BITS);
                }
            }
        }
        Self { words, first }
    }
}

/// A player on the path, and where the rows that fail it begin.
#[derive(Clone, Copy, Debug)]
struct Player {
    feature: usize,
    passed: bool,
    failing: usize,
}

/// What is used again for each row and tree.
#[derive(Debug)]
pub(super) struct Walker<'a> {
    pairs: &'a Pairs,
    /// Level by level: rows that are left, and rows that fail the player of the last branch.
    left: Vec<u64>,
    failing: Vec<u64>,
    players: Vec<Player>,
    /// For each player what passing it is worth.
    worth: Vec<f64>,
    /// Of a word's rows: players that some of them fail, and which; what each row's fails are worth.
    apart: Vec<(usize, u64)>,
    own_weights: [f64; BITS],
    features: usize,
}

/// A tree with the background's ways.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) tree: &'a Tree,
    pub(super) ways: &'a Ways,
    /// By node: 0 where nothing below is to be walked to.
    pub(super) walked: &'a [usize],
    /// What each row of the background counts.
    pub(super) weights: &'a [f64],
}

impl<'a> Walker<'a> {
    pub(super) const fn new(pairs: &'a Pairs, features: usize) -> Self {
        Self {
            pairs,
            left: Vec::new(),
            failing: Vec::new(),
            players: Vec::new(),
            worth: Vec::new(),
            apart: Vec::new(),
            own_weights: [0.0; BITS],
            features,
        }
    }

    /// Adds a row's contributions, target by target, feature by feature.
    pub(super) fn add(&mut self, subject: Subject<'_>, row: &[f64], contributions: &mut [f64]) {
        let words = subject.ways.words;
        self.level(0, words);
        for (word, left) in self.left[..words].iter_mut().enumerate() {
            let rows = subject.weights.len() - word * BITS;
            *left = if rows >= BITS { u64::MAX } else { (1 << rows) - 1 };
        }
        self.visit(subject, 0, 0, row, contributions);
    }

    /// Makes room for a level.
    fn level(&mut self, level: usize, words: usize) {
        let least = (level + 1) * words;
        if self.left.len() < least {
            self.left.resize(least, 0);
            self.failing.resize(least, 0);
        }
    }

    fn visit(&mut self, subject: Subject<'_>, place: usize, level: usize, row: &[f64], contributions: &mut [f64]) {
        if subject.walked[place] == 0 {
            return;
        }
        let branch = match &subject.tree.nodes[place].kind {
            Kind::Leaf(leaf) => return self.vote(subject, *leaf, level, contributions),
            Kind::Branch(branch) => branch,
        };
        let words = subject.ways.words;
        self.level(level + 1, words);
        let goes_second = !branch.goes_first(row[branch.feature]);
        let before = self.players.get(branch.slot).copied();
        for second in [false, true] {
            let passed = goes_second == second && before.is_none_or(|before| before.passed);
            let flip = if second { 0 } else { u64::MAX };
            let mut any = 0;
            for word in 0..words {
                // Those that go the other way fail, and those that have failed before.
                let other = subject.ways.first[branch.ordinal * words + word] ^ flip;
                let failing = other | before.map_or(0, |before| self.failing[before.failing + word]);
                let left = self.left[level * words + word] & if passed { u64::MAX } else { !failing };
                self.failing[(level + 1) * words + word] = failing;
                self.left[(level + 1) * words + word] = left;
                any |= left;
            }
            if any == 0 {
                continue;
            }
            let player = Player { feature: branch.feature, passed, failing: (level + 1) * words };
            match before {
                Some(_) => self.players[branch.slot] = player,
                None => self.players.push(player),
            }
            self.visit(subject, Tree::child(place, branch, second), level + 1, row, contributions);
            match before {
                Some(before) => self.players[branch.slot] = before,
                None => self.players.truncate(branch.slot),
            }
        }
    }

    fn vote(&mut self, subject: Subject<'_>, leaf: usize, level: usize, contributions: &mut [f64]) {
        let words = subject.ways.words;
        let failed = self.players.iter().filter(|player| !player.passed).count();
        self.worth.clear();
        self.worth.resize(self.players.len(), 0.0);
        let mut lost = 0.0;
        for word in 0..words {
            let left = self.left[level * words + word];
            if left == 0 {
                continue;
            }
            // The players that the row passes and some of these fail; how many of them each fails.
            self.apart.clear();
            let mut own = [0_u8; BITS];
            for (place, player) in self.players.iter().enumerate() {
                if !player.passed {
                    continue;
                }
                let failing = left & self.failing[player.failing + word];
                if failing != 0 {
                    self.apart.push((place, failing));
                    bits(failing).for_each(|bit| own[bit] += 1);
                }
            }
            let weights = &subject.weights[word * BITS..];
            for bit in bits(left) {
                let own = usize::from(own[bit]);
                self.own_weights[bit] = weights[bit] * self.pairs.of(own, failed);
                lost += weights[bit] * self.pairs.of(failed, own);
            }
            for (place, failing) in &self.apart {
                self.worth[*place] += bits(*failing).map(|bit| self.own_weights[bit]).sum::<f64>();
            }
        }
        for (target, value) in subject.tree.targets.iter().zip(subject.tree.values_of(leaf)) {
            let own = &mut contributions[target * self.features..(target + 1) * self.features];
            for (player, worth) in self.players.iter().zip(&self.worth) {
                own[player.feature] += value * if player.passed { *worth } else { -lost };
            }
        }
    }
}

/// The places of the bits that are set.
#[inline(always)]
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros() as usize;
        (word != 0).then(|| {
            word &= word - 1;
            bit
        })
    })
}
