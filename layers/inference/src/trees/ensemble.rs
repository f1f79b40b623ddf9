//! An ensemble in the form of the file, and whether it is one.

use std::ops::Range;

/// How a branch compares a row's value with its split: `value <= split` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `BRANCH_LEQ`.
    LessOrEqual,
    /// `BRANCH_LT`.
    Less,
    /// `BRANCH_GTE`.
    GreaterOrEqual,
    /// `BRANCH_GT`.
    Greater,
    /// `BRANCH_EQ`.
    Equal,
    /// `BRANCH_NEQ`.
    NotEqual,
}

/// What a branch asks of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// To compare with a split.
    Compare(Comparison, f64),
    /// To be one of a set: `BRANCH_MEMBER`.
    Member(Box<[f64]>),
}

impl Test {
    /// Whether a value passes, by IEEE 754: NaN is equal to nothing, and differs from everything.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "the operators compare exactly")]
    pub fn holds(&self, value: f64) -> bool {
        match self {
            Self::Compare(Comparison::LessOrEqual, split) => value <= *split,
            Self::Compare(Comparison::Less, split) => value < *split,
            Self::Compare(Comparison::GreaterOrEqual, split) => value >= *split,
            Self::Compare(Comparison::Greater, split) => value > *split,
            Self::Compare(Comparison::Equal, split) => value == *split,
            Self::Compare(Comparison::NotEqual, split) => value != *split,
            Self::Member(set) => set.contains(&value),
        }
    }
}

/// A node that goes one of two ways.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// Which value of the row is looked at, from 0.
    pub feature: usize,
    /// What is asked of it.
    pub test: Test,
    /// The node after a yes.
    pub when_true: usize,
    /// The node after a no.
    pub when_false: usize,
    /// A missing value (NaN) counts as a yes; else it counts as what the test says of NaN.
    pub missing_is_true: bool,
}

impl Branch {
    /// The node after this one for a value.
    #[must_use]
    pub fn next(&self, value: f64) -> usize {
        let yes = self.test.holds(value) || (value.is_nan() && self.missing_is_true);
        if yes { self.when_true } else { self.when_false }
    }
}

/// What a leaf adds to a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vote {
    /// The target, or class, from 0.
    pub target: usize,
    /// What it gets.
    pub weight: f64,
}

/// A node of a tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// It goes one of two ways.
    Branch(Branch),
    /// It ends, with votes: a range of [`Ensemble::votes`].
    Leaf(Range<usize>),
}

/// Why something is no ensemble of trees. Nodes are told by their places in the list that was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A root or a child that is not there.
    #[error("{from} leads to node {to}, but there are {nodes} nodes")]
    Outside {
        /// `node 7`, or `root 2`.
        from: String,
        /// Where it leads.
        to: usize,
        /// How many nodes there are.
        nodes: usize,
    },
    /// A node has two ways to it: a cycle, or a branch shared by two parents.
    #[error("node {0} is reached more than once; a tree has one way to each node")]
    ReachedTwice(usize),
    /// No way leads to a node.
    #[error("no root and no branch leads to node {0}")]
    Unreached(usize),
    /// A leaf votes for a target that is not there.
    #[error("node {node} votes for target {target}, but there are {targets} targets")]
    Target {
        /// The leaf.
        node: usize,
        /// The target, from 0.
        target: usize,
        /// How many targets there are.
        targets: usize,
    },
    /// A leaf has votes that are not there.
    #[error("node {node} has the votes {from} to {to}, but there are {votes} votes")]
    Votes {
        /// The leaf.
        node: usize,
        /// The first vote, from 0.
        from: usize,
        /// The one after the last.
        to: usize,
        /// How many votes there are.
        votes: usize,
    },
    /// There is no tree.
    #[error("there is no tree")]
    Empty,
    /// More than can be counted in 31 bits.
    #[error("{0} nodes or features are more than 2147483647")]
    TooMany(usize),
}

/// Trees that vote together. Every node is reached from one root on one way, but for those that a chain of equal
/// comparisons was made one of.
#[derive(Clone, Debug, PartialEq)]
pub struct Ensemble {
    nodes: Vec<Node>,
    roots: Vec<usize>,
    votes: Vec<Vote>,
    targets: usize,
    features: usize,
}

impl Ensemble {
    /// Trees by their nodes, roots and votes. Costs time and memory in proportion to the nodes.
    ///
    /// # Errors
    /// What is no ensemble: see [`Fault`].
    pub fn new(mut nodes: Vec<Node>, roots: Vec<usize>, votes: Vec<Vote>, targets: usize) -> Result<Self, Fault> {
        let absorbed = absorb_chains(&mut nodes);
        check_ways(&nodes, &roots, &absorbed)?;
        let mut features = 0;
        for (place, node) in nodes.iter().enumerate() {
            match node {
                Node::Branch(branch) => features = features.max(branch.feature.saturating_add(1)),
                Node::Leaf(range) => check_votes(place, range, &votes, targets)?,
            }
        }
        let most = nodes.len().max(features);
        if i32::try_from(most).is_err() {
            return Err(Fault::TooMany(most));
        }
        Ok(Self { nodes, roots, votes, targets, features })
    }

    /// All nodes.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The places of the roots, one for each tree.
    #[must_use]
    pub fn roots(&self) -> &[usize] {
        &self.roots
    }

    /// The votes of all leaves.
    #[must_use]
    pub fn votes(&self) -> &[Vote] {
        &self.votes
    }

    /// How many targets there are.
    #[must_use]
    pub const fn targets(&self) -> usize {
        self.targets
    }

    /// How many values a row must have at least.
    #[must_use]
    pub const fn features(&self) -> usize {
        self.features
    }

    /// The votes of the leaf that a row comes to from a root, one branch after the other: the plain meaning of a tree,
    /// which [`Forest`](super::Forest) is tested against.
    #[must_use]
    pub fn leaf_of(&self, root: usize, row: &[f64]) -> &[Vote] {
        let mut place = root;
        loop {
            match &self.nodes[place] {
                Node::Branch(branch) => place = branch.next(row[branch.feature]),
                Node::Leaf(range) => return &self.votes[range.clone()],
            }
        }
    }
}

/// Makes sets of members of chains: LightGBM's exporter writes "one of these categories" as a branch for each of them,
/// all of which lead to one child on a yes. Tells which nodes nothing leads to any more.
fn absorb_chains(nodes: &mut [Node]) -> Vec<bool> {
    let mut ways = vec![0_usize; nodes.len()];
    for node in &*nodes {
        if let Node::Branch(branch) = node {
            for next in [branch.when_true, branch.when_false] {
                ways.get_mut(next).into_iter().for_each(|ways| *ways += 1);
            }
        }
    }
    let mut absorbed = vec![false; nodes.len()];
    for place in 0..nodes.len() {
        let Node::Branch(mut first) = nodes[place].clone() else { continue };
        let Some(mut set) = members(&first.test).map(<[f64]>::to_vec) else { continue };
        let alone = set.len();
        while let Some((next, second)) = next_of_chain(nodes, &first).filter(|(next, _)| ways[*next] == 1) {
            set.extend(members(&second.test).unwrap_or_default());
            ways[next] = 0;
            ways.get_mut(first.when_true).into_iter().for_each(|ways| *ways -= 1);
            absorbed[next] = true;
            first.when_false = second.when_false;
            first.missing_is_true |= second.missing_is_true;
        }
        if set.len() > alone {
            first.test = Test::Member(set.into());
            nodes[place] = Node::Branch(first);
        }
    }
    absorbed
}

/// What a value is asked to be one of, if that is what is asked.
fn members(test: &Test) -> Option<&[f64]> {
    match test {
        Test::Compare(Comparison::Equal, value) => Some(std::slice::from_ref(value)),
        Test::Member(set) => Some(set),
        Test::Compare(..) => None,
    }
}

/// The branch after a no that asks the same feature the same kind of question and has the same yes.
fn next_of_chain<'a>(nodes: &'a [Node], first: &Branch) -> Option<(usize, &'a Branch)> {
    let Some(Node::Branch(second)) = nodes.get(first.when_false) else { return None };
    let same = first.feature == second.feature && first.when_true == second.when_true;
    (same && members(&second.test).is_some()).then_some((first.when_false, second))
}

fn check_ways(nodes: &[Node], roots: &[usize], absorbed: &[bool]) -> Result<(), Fault> {
    if roots.is_empty() {
        return Err(Fault::Empty);
    }
    let mut reached = vec![false; nodes.len()];
    let mut reach = |from: &dyn Fn() -> String, to: usize| match reached.get_mut(to) {
        None => Err(Fault::Outside { from: from(), to, nodes: nodes.len() }),
        Some(true) => Err(Fault::ReachedTwice(to)),
        Some(reached) => {
            *reached = true;
            Ok(())
        }
    };
    let mut open = Vec::new();
    for (tree, root) in roots.iter().enumerate() {
        reach(&|| format!("root {tree}"), *root)?;
        open.push(*root);
        while let Some(place) = open.pop() {
            if let Node::Branch(branch) = &nodes[place] {
                for next in [branch.when_true, branch.when_false] {
                    reach(&|| format!("node {place}"), next)?;
                    open.push(next);
                }
            }
        }
    }
    let unreached = |(reached, absorbed): (&bool, &bool)| !reached && !absorbed;
    reached.iter().zip(absorbed).position(unreached).map_or(Ok(()), |place| Err(Fault::Unreached(place)))
}

fn check_votes(node: usize, range: &Range<usize>, votes: &[Vote], targets: usize) -> Result<(), Fault> {
    let none = || Fault::Votes { node, from: range.start, to: range.end, votes: votes.len() };
    let own = votes.get(range.clone()).ok_or_else(none)?;
    let outside = own.iter().find(|vote| vote.target >= targets);
    outside.map_or(Ok(()), |vote| Err(Fault::Target { node, target: vote.target, targets }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests state what must hold")]
    use super::*;

    fn branch(when_true: usize, when_false: usize) -> Node {
        let test = Test::Compare(Comparison::LessOrEqual, 1.0);
        Node::Branch(Branch { feature: 2, test, when_true, when_false, missing_is_true: false })
    }

    fn votes() -> Vec<Vote> {
        vec![Vote { target: 0, weight: 1.0 }, Vote { target: 1, weight: 2.0 }]
    }

    fn fault(nodes: Vec<Node>, roots: Vec<usize>) -> Fault {
        Ensemble::new(nodes, roots, votes(), 2).unwrap_err()
    }

    #[test]
    fn given_a_tree_when_it_is_checked_then_it_knows_the_width_of_its_rows() {
        let nodes = vec![branch(1, 2), Node::Leaf(0..1), Node::Leaf(1..2)];
        let ensemble = Ensemble::new(nodes, vec![0], votes(), 2).unwrap();
        assert_eq!(ensemble.features(), 3);
        assert_eq!(ensemble.leaf_of(0, &[0.0, 0.0, 1.0]), &votes()[..1]);
        assert_eq!(ensemble.leaf_of(0, &[0.0, 0.0, f64::NAN]), &votes()[1..]);
    }

    #[test]
    fn given_nodes_that_are_no_tree_when_they_are_checked_then_the_fault_names_the_node() {
        let leaf = || Node::Leaf(0..0);
        assert_eq!(
            fault(vec![branch(1, 9), leaf()], vec![0]),
            Fault::Outside { from: "node 0".into(), to: 9, nodes: 2 }
        );
        assert_eq!(fault(vec![branch(0, 1), leaf()], vec![0]), Fault::ReachedTwice(0));
        assert_eq!(fault(vec![branch(1, 1), leaf()], vec![0]), Fault::ReachedTwice(1));
        assert_eq!(fault(vec![leaf(), leaf()], vec![0]), Fault::Unreached(1));
        assert_eq!(fault(vec![leaf()], vec![3]), Fault::Outside { from: "root 0".into(), to: 3, nodes: 1 });
        assert_eq!(fault(vec![], vec![]), Fault::Empty);
    }

    #[test]
    fn given_a_chain_of_categories_that_leads_to_one_child_then_it_is_a_set_of_them() {
        let equal = |value, when_true, when_false| {
            let test = Test::Compare(Comparison::Equal, value);
            Node::Branch(Branch { feature: 0, test, when_true, when_false, missing_is_true: false })
        };
        // 1, 2 or 5: a yes.
        let nodes = vec![equal(1.0, 3, 1), equal(2.0, 3, 2), equal(5.0, 3, 4), Node::Leaf(0..1), Node::Leaf(1..2)];
        let ensemble = Ensemble::new(nodes, vec![0], votes(), 2).unwrap();
        for (value, yes) in [(1.0, true), (2.0, true), (5.0, true), (3.0, false), (f64::NAN, false)] {
            assert_eq!(ensemble.leaf_of(0, &[value])[0].target, usize::from(!yes), "{value}");
        }
        assert_eq!(fault(vec![equal(1.0, 1, 0), Node::Leaf(0..0)], vec![0]), Fault::ReachedTwice(0));
    }

    #[test]
    fn given_votes_that_are_not_there_when_they_are_checked_then_the_fault_names_the_leaf() {
        assert_eq!(fault(vec![Node::Leaf(1..3)], vec![0]), Fault::Votes { node: 0, from: 1, to: 3, votes: 2 });
        let few = Ensemble::new(vec![Node::Leaf(0..2)], vec![0], votes(), 1);
        assert_eq!(few, Err(Fault::Target { node: 0, target: 1, targets: 1 }));
    }
}
