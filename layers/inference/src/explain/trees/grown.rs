//! Trees in the order in which they are explained, with what is known of each path.

use crate::explain::ExplainFault;
use crate::explain::contributions::count;
use crate::trees::{Branch as EnsembleBranch, Comparison, Ensemble, Node as EnsembleNode, Test};

/// Branches on a path at most.
pub(super) const MAX_DEPTH: usize = 512;
/// Features on a path at most: sets of them are words.
pub(super) const MAX_PLAYERS: usize = 64;
/// Values of leaves that are always taken, however few votes there are.
const SMALL: usize = 1 << 20;

/// What a branch asks.
#[derive(Clone, Debug)]
enum Question {
    AtMost(f64),
    Asked(Test),
}

/// A node that goes one of two ways: to the node after it, or to `second`.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) feature: usize,
    /// The feature's place among those of the path.
    pub(super) slot: usize,
    pub(super) second: usize,
    /// Its place among the branches of the tree.
    pub(super) ordinal: usize,
    question: Question,
    missing_first: bool,
}

impl Branch {
    fn new(branch: &EnsembleBranch, slot: usize, ordinal: usize) -> Self {
        let at_most = |split: f64| Question::AtMost(split);
        let (question, first_is_true) = match &branch.test {
            Test::Compare(Comparison::LessOrEqual, split) if !split.is_nan() => (at_most(*split), true),
            Test::Compare(Comparison::Greater, split) if !split.is_nan() => (at_most(*split), false),
            Test::Compare(Comparison::Less, split) if *split > f64::NEG_INFINITY => (at_most(split.next_down()), true),
            Test::Compare(Comparison::GreaterOrEqual, split) if *split > f64::NEG_INFINITY => {
                (at_most(split.next_down()), false)
            }
            test => (Question::Asked(test.clone()), true),
        };
        let missing_is_true = branch.missing_is_true || branch.test.holds(f64::NAN);
        // Where the second child is, is known when the first is grown.
        let missing_first = missing_is_true == first_is_true;
        Self { feature: branch.feature, slot, second: 0, ordinal, question, missing_first }
    }

    /// Whether the question is turned round: its first child is that of a no.
    const fn first_of(branch: &EnsembleBranch, question: &Question) -> (usize, usize) {
        let turned = matches!(question, Question::AtMost(_))
            && matches!(branch.test, Test::Compare(Comparison::Greater | Comparison::GreaterOrEqual, _));
        if turned { (branch.when_false, branch.when_true) } else { (branch.when_true, branch.when_false) }
    }

    /// Whether a value leads to the node after this one.
    #[inline]
    pub(super) fn goes_first(&self, value: f64) -> bool {
        let yes = match &self.question {
            Question::AtMost(split) => value <= *split,
            Question::Asked(test) => test.holds(value),
        };
        yes || (value.is_nan() && self.missing_first)
    }

    /// For some values 1 where it leads to the second node, else 0.
    #[inline(always)]
    pub(super) fn second_ways<const ROWS: usize>(&self, values: &[f64; ROWS], ways: &mut [u16; ROWS]) {
        match &self.question {
            Question::AtMost(split) if self.missing_first => {
                ways.iter_mut().zip(values).for_each(|(way, value)| *way = u16::from(*value > *split));
            }
            Question::AtMost(split) => {
                ways.iter_mut().zip(values).for_each(|(way, value)| *way = 1 - u16::from(*value <= *split));
            }
            Question::Asked(_) => {
                ways.iter_mut().zip(values).for_each(|(way, value)| *way = u16::from(!self.goes_first(*value)));
            }
        }
    }
}

/// A node: a branch, or a leaf by its place among the leaves.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Branch(Branch),
    Leaf(usize),
}

/// A node, and what is above and below it.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// How many features the path to it asks for.
    pub(super) players: usize,
    /// The place after the last node below it.
    pub(super) end: usize,
}

/// A tree: each node is followed by all below its first child, and these by all below its second.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    /// The targets that its leaves vote for.
    pub(super) targets: Vec<usize>,
    /// Leaf by leaf, target by target, less the mean over the leaves: contributions do not change by it, and are not
    /// the small rest of great numbers.
    pub(super) values: Vec<f64>,
    /// The mean over the leaves, by target.
    pub(super) means: Vec<f64>,
}

impl Tree {
    /// The values of a leaf, target by target.
    pub(super) fn values_of(&self, leaf: usize) -> &[f64] {
        &self.values[leaf * self.targets.len()..(leaf + 1) * self.targets.len()]
    }

    /// The leaf that a row comes to.
    pub(super) fn leaf_of(&self, row: &[f64]) -> usize {
        let mut place = 0;
        loop {
            match &self.nodes[place].kind {
                Kind::Branch(branch) => {
                    place = if branch.goes_first(row[branch.feature]) { place + 1 } else { branch.second };
                }
                Kind::Leaf(leaf) => return *leaf,
            }
        }
    }

    /// Adds what a row gets from the tree, target by target.
    pub(super) fn add_votes(&self, row: &[f64], sums: &mut [f64]) {
        let leaf = self.leaf_of(row);
        for (target, (value, mean)) in self.targets.iter().zip(self.values_of(leaf).iter().zip(&self.means)) {
            sums[*target] += value + mean;
        }
    }

    /// The place of the first or the second child of a branch.
    pub(super) const fn child(place: usize, branch: &Branch, second: bool) -> usize {
        if second { branch.second } else { place + 1 }
    }
}

/// A tree that is being grown.
struct Growth<'a> {
    ensemble: &'a Ensemble,
    nodes: Vec<Node>,
    leaves: Vec<usize>,
    path: Vec<usize>,
}

impl Growth<'_> {
    fn grow(&mut self, source: usize, depth: usize) -> Result<(), ExplainFault> {
        let (place, players) = (self.nodes.len(), self.path.len());
        match &self.ensemble.nodes()[source] {
            EnsembleNode::Leaf(_) => {
                self.nodes.push(Node { kind: Kind::Leaf(self.leaves.len()), players, end: place + 1 });
                self.leaves.push(source);
            }
            EnsembleNode::Branch(branch) => {
                if depth == MAX_DEPTH {
                    return Err(ExplainFault::Depth(MAX_DEPTH));
                }
                let slot = self.path.iter().position(|feature| *feature == branch.feature).unwrap_or(players);
                if slot == players {
                    if players == MAX_PLAYERS {
                        return Err(ExplainFault::Players(MAX_PLAYERS));
                    }
                    self.path.push(branch.feature);
                }
                let mut grown = Branch::new(branch, slot, place - self.leaves.len());
                let (first, second) = Branch::first_of(branch, &grown.question);
                self.nodes.push(Node { kind: Kind::Leaf(0), players, end: 0 });
                self.grow(first, depth + 1)?;
                grown.second = self.nodes.len();
                self.grow(second, depth + 1)?;
                self.path.truncate(players);
                self.nodes[place] = Node { kind: Kind::Branch(grown), players, end: self.nodes.len() };
            }
        }
        Ok(())
    }
}

/// The trees of an ensemble, each leaf's votes times `scale`.
pub(super) fn grow(ensemble: &Ensemble, scale: f64) -> Result<Vec<Tree>, ExplainFault> {
    let mut left = ensemble.votes().len().saturating_mul(2).max(SMALL);
    let grow = |root: &usize| {
        let mut growth = Growth { ensemble, nodes: Vec::new(), leaves: Vec::new(), path: Vec::new() };
        growth.grow(*root, 0)?;
        let votes = |leaf: &usize| match &ensemble.nodes()[*leaf] {
            EnsembleNode::Leaf(range) => &ensemble.votes()[range.clone()],
            EnsembleNode::Branch(_) => &[],
        };
        let mut targets: Vec<usize> = growth.leaves.iter().flat_map(votes).map(|vote| vote.target).collect();
        targets.sort_unstable();
        targets.dedup();
        let size = growth.leaves.len().saturating_mul(targets.len());
        left = left.checked_sub(size).ok_or(ExplainFault::Values(size))?;
        let mut values = vec![0.0; size];
        for (leaf, source) in growth.leaves.iter().enumerate() {
            for vote in votes(source) {
                if let Ok(place) = targets.binary_search(&vote.target) {
                    values[leaf * targets.len() + place] += scale * vote.weight;
                }
            }
        }
        let mean = |place: usize| {
            let own = values.iter().skip(place).step_by(targets.len());
            own.sum::<f64>() / count(growth.leaves.len())
        };
        let means: Vec<f64> = (0..targets.len()).map(mean).collect();
        for own in values.chunks_exact_mut(targets.len().max(1)) {
            own.iter_mut().zip(&means).for_each(|(value, mean)| *value -= mean);
        }
        Ok(Tree { nodes: growth.nodes, targets, values, means })
    };
    ensemble.roots().iter().map(grow).collect()
}
