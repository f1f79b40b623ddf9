//! Trees in the form in which they are run: every test is `value <= split`, and the two children lie side by side.
//!
//! Any test of one value is a set of intervals, so that every mode of ONNX becomes one or more such nodes: `value < s`
//! is `value <= t` with the number before `s`, and a set of members is a search tree over the ends of its intervals.
//! A leaf leads to itself, so that a walk may take more steps than it needs.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use super::ensemble::{Branch, Comparison, Ensemble, Node, Test};
use super::walk::Value;

/// In [`FlatNode::feature`]: NaN goes to the first child.
const MISSING_GOES_FIRST: u32 = 1 << 31;

/// A node: on to `first` when the value is at most `split`, else to the node after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlatNode<V> {
    feature: u32,
    first: u32,
    split: V,
}

impl<V: Value> FlatNode<V> {
    pub(super) const fn feature(&self) -> usize {
        (self.feature & !MISSING_GOES_FIRST) as usize
    }

    /// The child for a value of at most the split; none of a leaf.
    pub(super) fn first_child(&self) -> Option<u32> {
        (!self.split.is_nan()).then_some(self.first)
    }

    pub(super) const fn split(&self) -> V {
        self.split
    }

    pub(super) const fn missing_goes_first(&self) -> bool {
        self.feature & MISSING_GOES_FIRST != 0
    }

    /// The node after this one for a value.
    #[inline]
    pub(super) fn next(&self, value: V) -> u32 {
        let first = value <= self.split || (value.is_nan() && self.feature & MISSING_GOES_FIRST != 0);
        self.first.wrapping_add(u32::from(!first))
    }

    /// No value is at most NaN, so that the way is always to the second child: the leaf itself.
    const fn leaf(place: u32) -> Self {
        Self { feature: 0, first: place.wrapping_sub(1), split: V::NAN }
    }

    fn branch(feature: usize, missing_goes_first: bool, split: V, first: u32) -> Self {
        let missing = if missing_goes_first { MISSING_GOES_FIRST } else { 0 };
        // A feature is below 2^31: `Ensemble` has counted them.
        Self { feature: u32::try_from(feature).unwrap_or(0) | missing, first, split }
    }
}

/// Where the intervals of a test end, and which way each leads. One way more than ends: the last has no end.
#[derive(Debug, PartialEq)]
struct Intervals<V> {
    ends: Vec<V>,
    ways: Vec<bool>,
    missing: bool,
}

impl<V: Value> Intervals<V> {
    fn of(branch: &Branch) -> Self {
        let always = |way| (Vec::new(), vec![way]);
        let upto = |end: Option<V>, way: bool| end.map_or_else(|| always(!way), |end| (vec![end], vec![way, !way]));
        let (ends, ways) = match &branch.test {
            Test::Compare(Comparison::NotEqual, split) if split.is_nan() => always(true),
            Test::Compare(_, split) if split.is_nan() => always(false),
            Test::Compare(Comparison::LessOrEqual, split) => upto(V::at_most(*split), true),
            Test::Compare(Comparison::Greater, split) => upto(V::at_most(*split), false),
            Test::Compare(Comparison::Less, split) => upto(V::below(*split), true),
            Test::Compare(Comparison::GreaterOrEqual, split) => upto(V::below(*split), false),
            Test::Compare(Comparison::Equal, split) => Self::members(&[*split], true),
            Test::Compare(Comparison::NotEqual, split) => Self::members(&[*split], false),
            Test::Member(set) => Self::members(set, true),
        };
        let missing = branch.missing_is_true || branch.test.holds(f64::NAN);
        Self { ends, ways, missing }
    }

    /// The way of the members of a set, and the other for all else.
    fn members(set: &[f64], way: bool) -> (Vec<V>, Vec<bool>) {
        let mut members: Vec<V> = set.iter().filter_map(|member| V::exactly(*member)).collect();
        members.sort_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
        members.dedup();
        let (mut ends, mut ways) = (Vec::new(), vec![!way]);
        for member in members {
            match V::below(member.into()) {
                // What follows the member before it at once, or is the least of all numbers: its interval grows.
                Some(before) if ends.last() == Some(&before) => {
                    ends.pop();
                    ways.pop();
                }
                Some(before) => {
                    ends.push(before);
                    ways.push(way);
                }
                None => ways = vec![way],
            }
            ends.push(member);
            ways.push(!way);
        }
        (ends, ways)
    }

    /// The one way that all values go, missing or not, if it is one.
    fn only_way(&self) -> Option<bool> {
        self.ways.iter().all(|way| *way == self.missing).then_some(self.missing)
    }
}

/// A branch of the ensemble with its intervals.
#[derive(Debug)]
struct Question<'a, V> {
    place: usize,
    branch: &'a Branch,
    intervals: Intervals<V>,
}

impl<V> Question<'_, V> {
    /// The node of the ensemble that a way leads to.
    const fn node(&self, way: bool) -> usize {
        if way { self.branch.when_true } else { self.branch.when_false }
    }
}

/// Some of the intervals of a branch: from the first to the last way.
#[derive(Debug)]
struct Part<'a, V> {
    question: Rc<Question<'a, V>>,
    from: usize,
    to: usize,
}

/// What a node of the flat form stands for.
#[derive(Debug)]
enum Source<'a, V> {
    /// A node of the ensemble.
    Node(usize),
    /// More than one interval, or the one that only missing values do not go.
    Part(Part<'a, V>),
}

impl<'a, V: Value> Source<'a, V> {
    fn part(question: &Rc<Question<'a, V>>, from: usize, to: usize) -> Self {
        if from == to {
            return Self::Node(question.node(question.intervals.ways[from]));
        }
        Self::Part(Part { question: Rc::clone(question), from, to })
    }
}

impl<'a, V: Value> Part<'a, V> {
    /// All of a branch; or, where all values go one way, the node that it leads to.
    fn whole(place: usize, branch: &'a Branch) -> Result<Self, usize> {
        let question = Question { place, branch, intervals: Intervals::of(branch) };
        match question.intervals.only_way() {
            Some(way) => Err(question.node(way)),
            None => Ok(Self { from: 0, to: question.intervals.ways.len() - 1, question: Rc::new(question) }),
        }
    }

    /// What tells parts apart.
    fn key(&self) -> (usize, usize, usize) {
        (self.question.place, self.from, self.to)
    }

    /// The node for it, with its children at `first` and after it, and what these stand for.
    fn split(&self, first: u32) -> (FlatNode<V>, [Source<'a, V>; 2]) {
        let Self { question, from, to } = self;
        let Intervals { ends, ways, missing } = &question.intervals;
        let feature = question.branch.feature;
        if from == to {
            // All numbers go one way, and missing values the other.
            let children = [Source::part(question, *from, *to), Source::Node(question.node(*missing))];
            return (FlatNode::branch(feature, false, V::INFINITY, first), children);
        }
        let middle = (from + to) / 2;
        // Ways alternate: of two intervals or more, one goes where missing values go.
        let missing_goes_first = ways[*from..=middle].contains(missing);
        let children = [Source::part(question, *from, middle), Source::part(question, middle + 1, *to)];
        (FlatNode::branch(feature, missing_goes_first, ends[middle], first), children)
    }
}

/// All nodes of all trees, and for each the leaf of the ensemble that it is, if it is one.
#[derive(Debug)]
pub(super) struct Flat<V> {
    pub(super) nodes: Vec<FlatNode<V>>,
    /// By node: the place of the ensemble's leaf. That of a branch says nothing.
    pub(super) leaves: Vec<usize>,
    /// By tree.
    pub(super) roots: Vec<u32>,
}

impl<V: Value> Flat<V> {
    pub(super) fn of(ensemble: &Ensemble) -> Self {
        let mut flat = Self { nodes: Vec::new(), leaves: Vec::new(), roots: Vec::new() };
        for root in ensemble.roots() {
            flat.add_tree(ensemble, *root);
        }
        flat
    }

    /// Adds a tree level by level, so that the nodes which every row passes lie together.
    fn add_tree(&mut self, ensemble: &Ensemble, root: usize) {
        let root_place = self.push();
        self.roots.push(root_place);
        let mut made = HashMap::new();
        let mut open = VecDeque::from([(root_place, Source::Node(root))]);
        while let Some((place, mut source)) = open.pop_front() {
            let part = loop {
                match source {
                    Source::Part(part) => break Some(part),
                    Source::Node(node) => match &ensemble.nodes()[node] {
                        Node::Leaf(_) => {
                            self.leaves[place as usize] = node;
                            break None;
                        }
                        Node::Branch(branch) => {
                            source = Part::whole(node, branch).map_or_else(Source::Node, Source::Part);
                        }
                    },
                }
            };
            let Some(part) = part else { continue };
            if let Some(same) = made.get(&part.key()) {
                self.nodes[place as usize] = self.nodes[*same as usize];
                continue;
            }
            made.insert(part.key(), place);
            let first = self.push();
            self.push();
            let (node, [yes, no]) = part.split(first);
            self.nodes[place as usize] = node;
            open.extend([(first, yes), (first + 1, no)]);
        }
    }

    /// A node more: a leaf, until it is made a branch.
    fn push(&mut self) -> u32 {
        let place = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(FlatNode::leaf(place));
        self.leaves.push(0);
        place
    }
}
