//! One node of a file that gives the scores, and what makes the table that it reads: a model of its own.

use std::collections::{HashMap, HashSet};

use prost::Message as _;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, ValueInfoProto};

use super::fault::{ModelFault, ModelRunFault};
use super::model::Model;
use super::value::{RunFault, Tensor, Value};

/// Nodes after the scores that change none.
const NEUTRAL: [&str; 3] = ["Cast", "Identity", "ZipMap"];

/// What the scores of a node are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scores {
    /// Values of a regression, by target.
    Values,
    /// Scores of classes, in the order of the model's labels.
    Classes,
    /// The score of the second of two classes: the first one's is its opposite, or what is missing to 1.
    SecondClass,
}

/// What lies around a node.
#[derive(Debug)]
pub(super) struct Around {
    /// Operators that use the node's scores and may change them.
    pub(super) after: Vec<String>,
    operator: String,
    input: String,
    /// What makes the table that the node reads; none when it is an input of the model.
    before: Option<Model>,
}

/// The file as its own types say it.
pub(super) fn decode(bytes: &[u8]) -> Result<ModelProto, ModelFault> {
    ModelProto::decode(bytes).map_err(|error: prost::DecodeError| ModelFault::Malformed(error.to_string()))
}

/// The nodes of a graph with operators of `ai.onnx.ml` of some names.
pub(super) fn of_ml(graph: &GraphProto, is_one: impl Fn(&str) -> bool) -> Vec<&NodeProto> {
    graph.node.iter().filter(|node| node.domain == "ai.onnx.ml" && is_one(&node.op_type)).collect()
}

impl Around {
    /// What lies around a node of a file.
    ///
    /// # Errors
    /// What lies before it is no model.
    pub(super) fn of(mut file: ModelProto, node: &NodeProto) -> Result<Self, ModelFault> {
        let graph = file.graph.as_mut().ok_or(ModelFault::Empty)?;
        let input = node.input.first().cloned().unwrap_or_default();
        let scores = node.output.last().cloned().unwrap_or_default();
        let after = changed_by(&graph.node, &scores);
        let is_input = graph.input.iter().any(|own| own.name == input);
        graph.node = makers(&graph.node, &input);
        graph.output = vec![ValueInfoProto { name: input.clone(), ..ValueInfoProto::default() }];
        let before = if is_input { None } else { Some(Model::parse(&file.encode_to_vec())?) };
        Ok(Self { after, operator: node.op_type.clone(), input, before })
    }

    /// The table that the node reads, of inputs of the model: row by row, and how many columns it has. Its numbers are as
    /// the file has them, so that 32-bit floats stay such.
    ///
    /// # Errors
    /// An input is missing, or is none that the model takes.
    pub(super) fn columns(&self, mut inputs: HashMap<String, Value>) -> Result<(Vec<f64>, usize), ModelRunFault> {
        let value = match &self.before {
            Some(before) => before.run(inputs)?.pop(),
            None => inputs.remove(&self.input),
        };
        let value = value.ok_or_else(|| ModelRunFault::Input(self.input.clone()))?;
        table(&value).map_err(|fault| ModelRunFault::Node {
            node: format!("`{}`", self.input),
            operator: self.operator.clone(),
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
