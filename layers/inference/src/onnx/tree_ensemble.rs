//! The attributes of `TreeEnsembleRegressor` and `TreeEnsembleClassifier` (`ai.onnx.ml` 1 and 3), and of
//! `TreeEnsemble` (5), as an [`Ensemble`].

use std::collections::HashMap;

use super::attributes::{AttributeFault, Attributes};
use crate::trees::{Aggregate, Branch, Comparison, Ensemble, Fault, Node, Test, Vote};

/// Why a node's attributes are no ensemble.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeFault {
    /// An attribute cannot be taken.
    #[error(transparent)]
    Attribute(#[from] AttributeFault),
    /// The nodes are no trees; they are told by their places in the attributes.
    #[error(transparent)]
    Trees(#[from] Fault),
    /// A tree has no root, or more than one.
    #[error("tree {tree} has {roots} nodes that no branch leads to; it must have one, its root")]
    Roots {
        /// The tree's id.
        tree: i64,
        /// How many such nodes it has.
        roots: usize,
    },
    /// A node is named that is not there.
    #[error("{from} names node {node} of tree {tree}, which is not there")]
    NoNode {
        /// What names it.
        from: String,
        /// The node's id.
        node: i64,
        /// The tree's id.
        tree: i64,
    },
    /// Two nodes of one id.
    #[error("tree {tree} has two nodes with the id {node}")]
    Twice {
        /// The node's id.
        node: i64,
        /// The tree's id.
        tree: i64,
    },
}

fn fault(attribute: &str, reason: impl Into<String>) -> TreeFault {
    AttributeFault::new(attribute, reason).into()
}

/// Checks that a list has as many values as there are nodes, or votes.
fn as_many(attribute: &str, found: usize, expected: usize, of: &str) -> Result<(), TreeFault> {
    if found == expected {
        return Ok(());
    }
    Err(fault(attribute, format!("has {found} values for {expected} {of}")))
}

/// A whole number that counts something.
fn index(attribute: &str, number: i64) -> Result<usize, TreeFault> {
    usize::try_from(number).map_err(|_| fault(attribute, format!("has the value {number}")))
}

/// The kinds of nodes, by the names of versions 1 and 3.
fn comparison(mode: &str) -> Result<Option<Comparison>, TreeFault> {
    Ok(Some(match mode {
        "BRANCH_LEQ" => Comparison::LessOrEqual,
        "BRANCH_LT" => Comparison::Less,
        "BRANCH_GTE" => Comparison::GreaterOrEqual,
        "BRANCH_GT" => Comparison::Greater,
        "BRANCH_EQ" => Comparison::Equal,
        "BRANCH_NEQ" => Comparison::NotEqual,
        "LEAF" => return Ok(None),
        other => return Err(fault("nodes_modes", format!("has the value `{other}`"))),
    }))
}

/// How votes become scores: `aggregate_function` of versions 1 and 3.
pub(crate) fn aggregate(attributes: Attributes<'_>) -> Result<Aggregate, TreeFault> {
    match attributes.text("aggregate_function")? {
        None | Some("SUM") => Ok(Aggregate::Sum),
        Some("AVERAGE") => Ok(Aggregate::Average),
        Some("MIN") => Ok(Aggregate::Min),
        Some("MAX") => Ok(Aggregate::Max),
        Some(other) => Err(fault("aggregate_function", format!("has the value `{other}`"))),
    }
}

/// Whose votes are read: `target` for a regressor, `class` for a classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voters {
    Targets,
    Classes,
}

impl Voters {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Targets => "target",
            Self::Classes => "class",
        }
    }
}

/// Node ids by tree, and where they are in the attributes.
struct Places<'a> {
    trees: &'a [i64],
    by_id: HashMap<(i64, i64), usize>,
}

impl<'a> Places<'a> {
    fn of(attributes: Attributes<'a>) -> Result<Self, TreeFault> {
        let (trees, nodes) = (attributes.ints("nodes_treeids"), attributes.ints("nodes_nodeids"));
        as_many("nodes_nodeids", nodes.len(), trees.len(), "nodes")?;
        let mut by_id = HashMap::with_capacity(trees.len());
        for (place, (tree, node)) in trees.iter().zip(nodes).enumerate() {
            if by_id.insert((*tree, *node), place).is_some() {
                return Err(TreeFault::Twice { node: *node, tree: *tree });
            }
        }
        Ok(Self { trees, by_id })
    }

    fn find(&self, tree: i64, node: i64, from: impl FnOnce() -> String) -> Result<usize, TreeFault> {
        self.by_id.get(&(tree, node)).copied().ok_or_else(|| TreeFault::NoNode { from: from(), node, tree })
    }
}

/// The ensemble of a `TreeEnsembleRegressor` or `TreeEnsembleClassifier`.
pub(crate) fn ensemble(attributes: Attributes<'_>, voters: Voters, targets: usize) -> Result<Ensemble, TreeFault> {
    let places = Places::of(attributes)?;
    let mut nodes = branches(attributes, &places)?;
    let roots = roots(&places, &nodes)?;
    let votes = add_votes(attributes, &places, voters, &mut nodes)?;
    Ok(Ensemble::new(nodes, roots, votes, targets)?)
}

/// All nodes, the leaves without votes.
fn branches(attributes: Attributes<'_>, places: &Places<'_>) -> Result<Vec<Node>, TreeFault> {
    let count = places.trees.len();
    let modes = attributes.texts("nodes_modes")?;
    let features = attributes.ints("nodes_featureids");
    let splits = attributes.numbers("nodes_values")?;
    let (yes, no) = (attributes.ints("nodes_truenodeids"), attributes.ints("nodes_falsenodeids"));
    let missing = attributes.ints("nodes_missing_value_tracks_true");
    for (name, found) in [
        ("nodes_modes", modes.len()),
        ("nodes_featureids", features.len()),
        ("nodes_values", splits.len()),
        ("nodes_truenodeids", yes.len()),
        ("nodes_falsenodeids", no.len()),
    ] {
        as_many(name, found, count, "nodes")?;
    }
    if !missing.is_empty() {
        as_many("nodes_missing_value_tracks_true", missing.len(), count, "nodes")?;
    }
    let node = |place: usize| {
        let Some(comparison) = comparison(modes[place])? else { return Ok(Node::Leaf(0..0)) };
        let tree = places.trees[place];
        let child = |name: &str, node| places.find(tree, node, || format!("`{name}` at {place}"));
        Ok(Node::Branch(Branch {
            feature: index("nodes_featureids", features[place])?,
            test: Test::Compare(comparison, splits[place]),
            when_true: child("nodes_truenodeids", yes[place])?,
            when_false: child("nodes_falsenodeids", no[place])?,
            missing_is_true: missing.get(place).is_some_and(|missing| *missing != 0),
        }))
    };
    (0..count).map(node).collect()
}

/// The one node of each tree that no branch leads to, in the order in which the trees come.
fn roots(places: &Places<'_>, nodes: &[Node]) -> Result<Vec<usize>, TreeFault> {
    let mut is_child = vec![false; nodes.len()];
    for node in nodes {
        if let Node::Branch(branch) = node {
            is_child[branch.when_true] = true;
            is_child[branch.when_false] = true;
        }
    }
    let mut order: Vec<i64> = Vec::new();
    let mut of_tree: HashMap<i64, Vec<usize>> = HashMap::new();
    for (place, tree) in places.trees.iter().enumerate() {
        let roots = of_tree.entry(*tree).or_insert_with(|| {
            order.push(*tree);
            Vec::new()
        });
        if !is_child[place] {
            roots.push(place);
        }
    }
    let root = |tree: &i64| match of_tree[tree][..] {
        [root] => Ok(root),
        ref other => Err(TreeFault::Roots { tree: *tree, roots: other.len() }),
    };
    order.iter().map(root).collect()
}

/// Gives the leaves their votes, in the order of the attributes.
fn add_votes(
    attributes: Attributes<'_>,
    places: &Places<'_>,
    voters: Voters,
    nodes: &mut [Node],
) -> Result<Vec<Vote>, TreeFault> {
    let name = |what: &str| format!("{}_{what}", voters.prefix());
    let (trees, leaves, ids) =
        (attributes.ints(&name("treeids")), attributes.ints(&name("nodeids")), attributes.ints(&name("ids")));
    let weights = attributes.numbers(&name("weights"))?;
    for (what, found) in [("treeids", trees.len()), ("nodeids", leaves.len()), ("ids", ids.len())] {
        as_many(&name(what), found, weights.len(), "votes")?;
    }
    let mut found = Vec::with_capacity(weights.len());
    for place in 0..weights.len() {
        let leaf = places.find(trees[place], leaves[place], || format!("`{}` at {place}", name("nodeids")))?;
        // ONNX Runtime passes over votes of branches, which some exporters write.
        if matches!(nodes[leaf], Node::Leaf(_)) {
            found.push((leaf, Vote { target: index(&name("ids"), ids[place])?, weight: weights[place] }));
        }
    }
    found.sort_by_key(|(leaf, _)| *leaf);
    let votes = found.iter().map(|(_, vote)| *vote).collect();
    let mut first = 0;
    for run in found.chunk_by(|one, other| one.0 == other.0) {
        nodes[run[0].0] = Node::Leaf(first..first + run.len());
        first += run.len();
    }
    Ok(votes)
}

/// The ensemble of a `TreeEnsemble` (version 5). Its branches lead to branches or to leaves, which have one vote each.
pub(crate) fn ensemble_5(attributes: Attributes<'_>, targets: usize) -> Result<Ensemble, TreeFault> {
    let (ids, weights) = (attributes.ints("leaf_targetids"), attributes.tensor_numbers("leaf_weights")?);
    as_many("leaf_weights", weights.len(), ids.len(), "leaves")?;
    let vote = |(id, weight): (&i64, f64)| Ok(Vote { target: index("leaf_targetids", *id)?, weight });
    let votes = ids.iter().zip(weights).map(vote).collect::<Result<Vec<_>, TreeFault>>()?;
    let tests = tests_5(attributes)?;
    let features = attributes.ints("nodes_featureids");
    as_many("nodes_featureids", features.len(), tests.len(), "nodes")?;
    let missing = attributes.ints("nodes_missing_value_tracks_true");
    if !missing.is_empty() {
        as_many("nodes_missing_value_tracks_true", missing.len(), tests.len(), "nodes")?;
    }
    let mut leaves = Leaves { first: tests.len(), votes: Vec::new(), count: votes.len() };
    let [yes, no] = ["true", "false"].map(|way| leaves.children(attributes, way, tests.len()));
    let (yes, no) = (yes?, no?);
    let branch = |(place, test): (usize, Test)| {
        Ok(Node::Branch(Branch {
            feature: index("nodes_featureids", features[place])?,
            test,
            when_true: yes[place],
            when_false: no[place],
            missing_is_true: missing.get(place).is_some_and(|missing| *missing != 0),
        }))
    };
    let mut nodes = tests.into_iter().enumerate().map(branch).collect::<Result<Vec<_>, TreeFault>>()?;
    nodes.extend(leaves.votes.into_iter().map(|vote| Node::Leaf(vote..vote + 1)));
    let root = |root: &i64| index("tree_roots", *root);
    let roots = attributes.ints("tree_roots").iter().map(root).collect::<Result<Vec<_>, TreeFault>>()?;
    Ok(Ensemble::new(nodes, roots, votes, targets)?)
}

/// Leaves that are told by their places in a list: each way to one becomes a node of its own after the branches.
struct Leaves {
    first: usize,
    /// The vote of each such node.
    votes: Vec<usize>,
    count: usize,
}

impl Leaves {
    /// The nodes that branches lead to on a way, `true` or `false`.
    fn children(&mut self, attributes: Attributes<'_>, way: &str, branches: usize) -> Result<Vec<usize>, TreeFault> {
        let (ids, kinds) = (format!("nodes_{way}nodeids"), format!("nodes_{way}leafs"));
        let (found, is_leaf) = (attributes.ints(&ids), attributes.ints(&kinds));
        as_many(&ids, found.len(), branches, "nodes")?;
        as_many(&kinds, is_leaf.len(), branches, "nodes")?;
        let child = |(id, is_leaf): (&i64, &i64)| {
            let id = index(&ids, *id)?;
            if *is_leaf == 0 {
                // One that is no branch would be taken for a leaf.
                return if id < branches { Ok(id) } else { Err(fault(&ids, format!("has the value {id}"))) };
            }
            if id >= self.count {
                return Err(fault(&ids, format!("names leaf {id}, but there are {}", self.count)));
            }
            self.votes.push(id);
            Ok(self.first + self.votes.len() - 1)
        };
        found.iter().zip(is_leaf).map(child).collect()
    }
}

/// What branches ask. The sets of `BRANCH_MEMBER` follow one another, with NaN between them.
fn tests_5(attributes: Attributes<'_>) -> Result<Vec<Test>, TreeFault> {
    let (modes, splits) = (attributes.tensor_numbers("nodes_modes")?, attributes.tensor_numbers("nodes_splits")?);
    as_many("nodes_splits", splits.len(), modes.len(), "nodes")?;
    let members = attributes.tensor_numbers("membership_values")?;
    let mut sets = members.split(|member| member.is_nan());
    let test = |(mode, split): (&f64, f64)| {
        let comparison = match *mode {
            0.0 => Comparison::LessOrEqual,
            1.0 => Comparison::Less,
            2.0 => Comparison::GreaterOrEqual,
            3.0 => Comparison::Greater,
            4.0 => Comparison::Equal,
            5.0 => Comparison::NotEqual,
            6.0 => {
                let set = sets.next().filter(|set| !set.is_empty());
                let none = || fault("membership_values", "has fewer sets than there are nodes of mode 6");
                return Ok(Test::Member(set.ok_or_else(none)?.into()));
            }
            other => return Err(fault("nodes_modes", format!("has the value {other}"))),
        };
        Ok(Test::Compare(comparison, split))
    };
    modes.iter().zip(splits).map(test).collect()
}

/// How votes become scores: `aggregate_function` of version 5.
pub(crate) fn aggregate_5(attributes: Attributes<'_>) -> Result<Aggregate, TreeFault> {
    match attributes.int("aggregate_function").unwrap_or(1) {
        0 => Ok(Aggregate::Average),
        1 => Ok(Aggregate::Sum),
        2 => Ok(Aggregate::Min),
        3 => Ok(Aggregate::Max),
        other => Err(fault("aggregate_function", format!("has the value {other}"))),
    }
}
