//! The trees of a model, as what they are: for explanations.
//!
//! A file is one ensemble, with what makes its columns before it and, perhaps, something after it.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::NodeProto;

use super::around::{Around, Scores, decode, of_ml};
use super::attributes::Attributes;
use super::fault::{ModelFault, ModelRunFault};
use super::ml::BuildFault;
use super::post_transform::PostTransform;
use super::tree_ensemble::{TreeFault, Voters, aggregate, aggregate_5, ensemble, ensemble_5};
use super::value::Value;
use crate::explain::{ExplainFault, TreeModel};
use crate::trees::{Aggregate, Ensemble, Node, Vote};

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

/// The trees of a model.
#[derive(Debug)]
pub struct Trees {
    /// What is explained.
    pub model: TreeModel,
    /// What its targets are.
    pub scores: Scores,
    /// What is done to the scores.
    pub post_transform: PostTransform,
    around: Around,
}

impl Trees {
    /// The trees of a file.
    ///
    /// # Errors
    /// [`TreesFault`] says why there is no exact explanation.
    pub fn parse(bytes: &[u8]) -> Result<Self, TreesFault> {
        let file = decode(bytes)?;
        let graph = file.graph.as_ref().ok_or(ModelFault::Empty)?;
        let found = of_ml(graph, |operator| operator.starts_with("TreeEnsemble"));
        let [node] = found[..] else { return Err(TreesFault::Ensembles(found.len())) };
        let node = node.clone();
        let read = read(&node).map_err(TreesFault::Trees)?;
        let around = Around::of(file, &node)?;
        let (scores, ensemble, base) = read.scores()?;
        let model = TreeModel::new(ensemble, read.aggregate, base)?;
        Ok(Self { model, scores, post_transform: read.post_transform, around })
    }

    /// Operators that use the trees' scores and may change them: what they do is not explained.
    #[must_use]
    pub fn after(&self) -> &[String] {
        &self.around.after
    }

    /// The table that the trees read, of inputs of the model: row by row, and how many columns it has. Its numbers are as
    /// the trees compare them, so that 32-bit floats stay such.
    ///
    /// # Errors
    /// An input is missing, or is none that the model takes.
    pub fn columns(&self, inputs: HashMap<String, Value>) -> Result<(Vec<f64>, usize), ModelRunFault> {
        self.around.columns(inputs)
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
    fn scores(&self) -> Result<(Scores, Ensemble, Vec<f64>), TreesFault> {
        let targets = self.ensemble.targets();
        if !self.is_classifier {
            let voted: HashSet<usize> = self.ensemble.votes().iter().map(|vote| vote.target).collect();
            // Of several targets, one that no leaf votes for scores 0, whatever its base value is.
            let kept =
                |(target, base): (usize, &f64)| if targets == 1 || voted.contains(&target) { *base } else { 0.0 };
            let base = self.base.iter().enumerate().map(kept).collect();
            return Ok((Scores::Values, self.ensemble.clone(), base));
        }
        let first = self.ensemble.votes().first().map_or(0, |vote| vote.target);
        let one_voted = self.ensemble.votes().iter().all(|vote| vote.target == first);
        if targets != 2 {
            return Ok((Scores::Classes, self.ensemble.clone(), self.base.clone()));
        }
        match (one_voted, first, self.base.len()) {
            (_, _, 0) | (true, 0, 1) => {}
            (.., base) => return Err(TreesFault::Base(base)),
        }
        if !one_voted {
            return Ok((Scores::Classes, self.ensemble.clone(), Vec::new()));
        }
        let votes = self.ensemble.votes().iter().map(|vote| Vote { target: 0, ..*vote }).collect();
        let nodes: Vec<Node> = self.ensemble.nodes().to_vec();
        let single = Ensemble::new(nodes, self.ensemble.roots().to_vec(), votes, 1);
        let single = single.map_err(|fault| TreesFault::Trees(BuildFault::Trees(TreeFault::Trees(fault))))?;
        Ok((Scores::SecondClass, single, self.base.clone()))
    }
}

#[cfg(test)]
mod tests;
