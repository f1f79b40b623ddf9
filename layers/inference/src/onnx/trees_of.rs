//! The trees of a model, as what they are: for explanations.
//!
//! A file is one ensemble, with what makes its columns before it and, perhaps, something after it. The part before it is
//! a model of its own, whose output is the table that the trees read.

use std::collections::{HashMap, HashSet};

use prost::Message as _;
use tract_onnx::pb::{ModelProto, NodeProto, ValueInfoProto};

use super::attributes::Attributes;
use super::fault::{ModelFault, ModelRunFault};
use super::ml::BuildFault;
use super::model::Model;
use super::post_transform::PostTransform;
use super::tree_ensemble::{TreeFault, Voters, aggregate, aggregate_5, ensemble, ensemble_5};
use super::value::{RunFault, Tensor, Value};
use crate::explain::{ExplainFault, TreeModel};
use crate::trees::{Aggregate, Ensemble, Node, Vote};

/// Nodes after the trees that change no score.
const NEUTRAL: [&str; 3] = ["Cast", "Identity", "ZipMap"];

/// Why a model's trees cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum TreesFault {
    /// The file is no model.
    #[error(transparent)]
    Model(#[from] ModelFault),
    /// It has no trees, or more than one ensemble.
    #[error("the model has {0} ensembles of trees; exact explanations take one; use permutation")]
    Ensembles(usize),
    /// The trees cannot be taken.
    #[error("the trees: {0}")]
    Trees(BuildFault),
    /// They are no sums.
    #[error(transparent)]
    Explain(#[from] ExplainFault),
    /// Base values of two classes in a form that no exporter writes.
    #[error("`base_values` has {0} values for the votes of two classes; use permutation")]
    Base(usize),
}

/// What the targets of a model's trees are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeScores {
    /// Values of a regression, by target.
    Values,
    /// TreeScores of classes, in the order of the model's labels.
    Classes,
    /// The score of the second of two classes: the first one's is its opposite, or what is missing to 1.
    SecondClass,
}

/// The trees of a model.
#[derive(Debug)]
pub struct Trees {
    /// What is explained.
    pub model: TreeModel,
    /// What its targets are.
    pub scores: TreeScores,
    /// What is done to the scores.
    pub post_transform: PostTransform,
    /// Operators that use the trees' scores and may change them: what they do is not explained.
    pub after: Vec<String>,
    input: String,
    /// What makes the table that the trees read; none when it is an input of the model.
    before: Option<Model>,
}

impl Trees {
    /// The trees of a file.
    ///
    /// # Errors
    /// [`TreesFault`] says why there is no exact explanation.
    pub fn parse(bytes: &[u8]) -> Result<Self, TreesFault> {
        let malformed = |error: prost::DecodeError| ModelFault::Malformed(error.to_string());
        let mut file = ModelProto::decode(bytes).map_err(malformed)?;
        let graph = file.graph.as_mut().ok_or(ModelFault::Empty)?;
        let is_trees = |node: &&NodeProto| node.domain == "ai.onnx.ml" && node.op_type.starts_with("TreeEnsemble");
        let found: Vec<&NodeProto> = graph.node.iter().filter(is_trees).collect();
        let [node] = found[..] else { return Err(TreesFault::Ensembles(found.len())) };
        let read = read(node).map_err(TreesFault::Trees)?;
        let input = node.input.first().cloned().unwrap_or_default();
        let scores_name = node.output.last().cloned().unwrap_or_default();
        let after = changed_by(&graph.node, &scores_name);
        let is_input = graph.input.iter().any(|own| own.name == input);
        graph.node = makers(&graph.node, &input);
        graph.output = vec![ValueInfoProto { name: input.clone(), ..ValueInfoProto::default() }];
        let before = if is_input { None } else { Some(Model::parse(&file.encode_to_vec())?) };
        let (scores, ensemble, base) = read.scores()?;
        let model = TreeModel::new(ensemble, read.aggregate, base)?;
        Ok(Self { model, scores, post_transform: read.post_transform, after, input, before })
    }

    /// The table that the trees read, of inputs of the model: row by row, and how many columns it has. Its numbers are as
    /// the trees compare them, so that 32-bit floats stay such.
    ///
    /// # Errors
    /// An input is missing, or is none that the model takes.
    pub fn columns(&self, mut inputs: HashMap<String, Value>) -> Result<(Vec<f64>, usize), ModelRunFault> {
        let value = match &self.before {
            Some(before) => before.run(inputs)?.pop(),
            None => inputs.remove(&self.input),
        };
        let value = value.ok_or_else(|| ModelRunFault::Input(self.input.clone()))?;
        table(&value).map_err(|fault| ModelRunFault::Node {
            node: format!("`{}`", self.input),
            operator: "TreeEnsemble".to_owned(),
            fault,
        })
    }
}

fn table(value: &Value) -> Result<(Vec<f64>, usize), RunFault> {
    match value.tensor()? {
        Tensor::Double(table) => Ok((table.data.clone(), table.rows()?.1)),
        other => {
            let table = other.to_floats()?;
            Ok((table.data.iter().copied().map(f64::from).collect(), table.rows()?.1))
        }
    }
}

/// What a node of trees says.
struct Read {
    ensemble: Ensemble,
    aggregate: Aggregate,
    base: Vec<f64>,
    is_classifier: bool,
    post_transform: PostTransform,
}

fn read(node: &NodeProto) -> Result<Read, BuildFault> {
    let attributes = Attributes(node);
    let count = |name: &str| attributes.int(name).map_or(1, |count| usize::try_from(count).unwrap_or(1)).max(1);
    if node.op_type == "TreeEnsemble" {
        return Ok(Read {
            ensemble: ensemble_5(attributes, count("n_targets"))?,
            aggregate: aggregate_5(attributes)?,
            base: Vec::new(),
            is_classifier: false,
            post_transform: PostTransform::of_number(attributes)?,
        });
    }
    let is_classifier = node.op_type == "TreeEnsembleClassifier";
    let post_transform = PostTransform::of(attributes)?;
    let base = attributes.numbers("base_values")?;
    let (ensemble, aggregate) = if is_classifier {
        let labels = attributes.ints("classlabels_int64s").len() + attributes.texts("classlabels_strings")?.len();
        (ensemble(attributes, Voters::Classes, labels.max(1))?, Aggregate::Sum)
    } else {
        (ensemble(attributes, Voters::Targets, count("n_targets"))?, aggregate(attributes)?)
    };
    Ok(Read { ensemble, aggregate, base, is_classifier, post_transform })
}

impl Read {
    /// What the targets are, with one target for the two classes that only one is voted for.
    fn scores(&self) -> Result<(TreeScores, Ensemble, Vec<f64>), TreesFault> {
        let targets = self.ensemble.targets();
        if !self.is_classifier {
            let voted: HashSet<usize> = self.ensemble.votes().iter().map(|vote| vote.target).collect();
            // Of several targets, one that no leaf votes for scores 0, whatever its base value is.
            let kept =
                |(target, base): (usize, &f64)| if targets == 1 || voted.contains(&target) { *base } else { 0.0 };
            let base = self.base.iter().enumerate().map(kept).collect();
            return Ok((TreeScores::Values, self.ensemble.clone(), base));
        }
        let first = self.ensemble.votes().first().map_or(0, |vote| vote.target);
        let one_voted = self.ensemble.votes().iter().all(|vote| vote.target == first);
        if targets != 2 {
            return Ok((TreeScores::Classes, self.ensemble.clone(), self.base.clone()));
        }
        match (one_voted, first, self.base.len()) {
            (_, _, 0) | (true, 0, 1) => {}
            (.., base) => return Err(TreesFault::Base(base)),
        }
        if !one_voted {
            return Ok((TreeScores::Classes, self.ensemble.clone(), Vec::new()));
        }
        let votes = self.ensemble.votes().iter().map(|vote| Vote { target: 0, ..*vote }).collect();
        let nodes: Vec<Node> = self.ensemble.nodes().to_vec();
        let single = Ensemble::new(nodes, self.ensemble.roots().to_vec(), votes, 1);
        let single = single.map_err(|fault| TreesFault::Trees(BuildFault::Trees(TreeFault::Trees(fault))))?;
        Ok((TreeScores::SecondClass, single, self.base.clone()))
    }
}

/// The nodes that a value needs, in the order of the file.
fn makers(nodes: &[NodeProto], value: &str) -> Vec<NodeProto> {
    let mut wanted: HashSet<&str> = HashSet::from([value]);
    let mut kept = vec![false; nodes.len()];
    // A file's nodes are in an order in which they can run; if not, the model says so.
    for (place, node) in nodes.iter().enumerate().rev() {
        if node.output.iter().any(|output| wanted.contains(output.as_str())) {
            kept[place] = true;
            wanted.extend(node.input.iter().map(String::as_str));
        }
    }
    nodes.iter().zip(kept).filter(|(_, kept)| *kept).map(|(node, _)| node.clone()).collect()
}

/// The operators that use a value, at once or through others, and may change it.
fn changed_by(nodes: &[NodeProto], value: &str) -> Vec<String> {
    let mut reached: HashSet<&str> = HashSet::from([value]);
    let mut found = Vec::new();
    for node in nodes {
        if node.input.iter().any(|input| reached.contains(input.as_str())) {
            reached.extend(node.output.iter().map(String::as_str));
            if !NEUTRAL.contains(&node.op_type.as_str()) {
                found.push(node.op_type.clone());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
