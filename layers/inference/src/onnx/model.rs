//! A model: its nodes in an order in which they can run, ours one by one, standard ones in stretches.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto};

use super::ml::{self, BuildFault, Operator};
use super::standard::{self, Stretch};
use super::tensor::{self, TensorFault};
use super::value::{RunFault, Value};

/// The domain of the operators that are ours.
const ML: &str = "ai.onnx.ml";

/// Why a file is no model that can be run.
#[derive(Debug, thiserror::Error)]
pub enum ModelFault {
    /// It is no ONNX file.
    #[error("this is no ONNX file: {0}")]
    Malformed(String),
    /// It has no graph.
    #[error("the file has no graph")]
    Empty,
    /// An operator is not supported.
    #[error("operator `{operator}` of `{domain}` version {version} is not supported (node {node})")]
    Unsupported {
        /// The operator.
        operator: String,
        /// Its domain; the standard one is `ai.onnx`.
        domain: String,
        /// The version of the domain that the file asks for.
        version: i64,
        /// The node.
        node: String,
    },
    /// A node cannot be made ready.
    #[error("node {node} ({operator}): {fault}")]
    Node {
        /// The node.
        node: String,
        /// Its operator.
        operator: String,
        /// What is wrong with it.
        fault: BuildFault,
    },
    /// An initial value cannot be read.
    #[error("tensor `{name}` {fault}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong with it.
        fault: TensorFault,
    },
    /// Something is used that nothing makes, or nodes wait for one another.
    #[error("{0}")]
    Order(String),
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum ModelRunFault {
    /// An input is not given.
    #[error("input `{0}` is missing")]
    Input(String),
    /// A node cannot take what it is given.
    #[error("{node} {fault}")]
    Node {
        /// The node, or those of a stretch.
        node: String,
        /// Why.
        fault: RunFault,
    },
}

/// What runs at a time.
#[derive(Debug)]
enum Stage {
    Own { node: String, operator: Box<dyn Operator>, inputs: Vec<String>, outputs: Vec<String> },
    Standard(Box<Stretch>),
}

/// A model that is ready to run.
#[derive(Debug)]
pub struct Model {
    inputs: Vec<String>,
    outputs: Vec<String>,
    constants: HashMap<String, Value>,
    stages: Vec<Stage>,
}

/// A node's name, or its place.
fn name_of(node: &NodeProto, place: usize) -> String {
    if node.name.is_empty() { format!("number {place}") } else { format!("`{}`", node.name) }
}

impl Model {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ModelFault`] says what of it cannot be run.
    pub fn parse(bytes: &[u8]) -> Result<Self, ModelFault> {
        use prost::Message as _;
        let model = ModelProto::decode(bytes).map_err(|error| ModelFault::Malformed(error.to_string()))?;
        let versions = model.opset_import;
        Plan::new(model.graph.ok_or(ModelFault::Empty)?, versions)?.into_model()
    }

    /// The names of its inputs.
    #[must_use]
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// The names of its outputs.
    #[must_use]
    pub fn outputs(&self) -> &[String] {
        &self.outputs
    }

    /// The outputs, in their order, of inputs by name.
    ///
    /// # Errors
    /// An input is missing, or a node cannot take what it is given.
    pub fn run(&self, inputs: HashMap<String, Value>) -> Result<Vec<Value>, ModelRunFault> {
        let mut made = inputs;
        for stage in &self.stages {
            let (names, outputs) = match stage {
                Stage::Own { inputs, outputs, .. } => (inputs, outputs),
                Stage::Standard(stretch) => (&stretch.inputs, &stretch.outputs),
            };
            let find = |name: &String| {
                let found = made.get(name).or_else(|| self.constants.get(name));
                found.ok_or_else(|| ModelRunFault::Input(name.clone()))
            };
            let given = names.iter().map(find).collect::<Result<Vec<_>, _>>()?;
            let found = match stage {
                Stage::Own { operator, node, .. } => {
                    operator.run(&given).map_err(|fault| ModelRunFault::Node { node: format!("node {node}"), fault })
                }
                Stage::Standard(stretch) => stretch.run(&given).map_err(|fault| {
                    let node = format!("the nodes that make `{}`:", stretch.outputs.join("`, `"));
                    ModelRunFault::Node { node, fault }
                }),
            }?;
            made.extend(outputs.iter().cloned().zip(found));
        }
        let find = |name: &String| made.get(name).or_else(|| self.constants.get(name)).cloned();
        self.outputs.iter().map(|name| find(name).ok_or_else(|| ModelRunFault::Input(name.clone()))).collect()
    }
}

/// A graph that is being put in order.
struct Plan {
    graph: GraphProto,
    versions: Vec<OperatorSetIdProto>,
    /// Names of what can be used so far.
    known: HashSet<String>,
    constants: HashMap<String, TensorProto>,
}

impl Plan {
    fn new(mut graph: GraphProto, versions: Vec<OperatorSetIdProto>) -> Result<Self, ModelFault> {
        let constants: HashMap<String, TensorProto> =
            graph.initializer.drain(..).map(|tensor| (tensor.name.clone(), tensor)).collect();
        for (place, node) in graph.node.iter().enumerate() {
            let standard = node.domain.is_empty() || node.domain == "ai.onnx";
            if !(node.domain == ML || (standard && standard::is_known(&node.op_type))) {
                let domain = if standard { "ai.onnx".to_owned() } else { node.domain.clone() };
                let version = version_of(&versions, &node.domain);
                let (operator, node) = (node.op_type.clone(), name_of(node, place));
                return Err(ModelFault::Unsupported { operator, domain, version, node });
            }
        }
        let inputs = graph.input.iter().map(|input| input.name.clone());
        let known = inputs.chain(constants.keys().cloned()).chain([String::new()]).collect();
        Ok(Self { graph, versions, known, constants })
    }

    fn into_model(mut self) -> Result<Model, ModelFault> {
        let mut waiting: Vec<(usize, NodeProto)> = self.graph.node.drain(..).enumerate().collect();
        let mut stages: Vec<Vec<(usize, NodeProto)>> = Vec::new();
        while !waiting.is_empty() {
            let before = waiting.len();
            // As many standard nodes as can run before one of ours has to, then all of ours that can.
            let standard = self.take(&mut waiting, |node| node.domain != ML);
            if !standard.is_empty() {
                stages.push(standard);
            }
            let own = self.take(&mut waiting, |node| node.domain == ML);
            stages.extend(own.into_iter().map(|node| vec![node]));
            if waiting.len() == before {
                let (place, node) = &waiting[0];
                let missing = node.input.iter().find(|name| !self.known.contains(*name)).cloned().unwrap_or_default();
                let detail = format!("node {} needs `{missing}`, which nothing before it makes", name_of(node, *place));
                return Err(ModelFault::Order(detail));
            }
        }
        let outputs: Vec<String> = self.graph.output.iter().map(|output| output.name.clone()).collect();
        if let Some(output) = outputs.iter().find(|name| !self.known.contains(*name)) {
            return Err(ModelFault::Order(format!("nothing makes the output `{output}`")));
        }
        let inputs = self.graph.input.iter().map(|input| input.name.clone());
        let inputs: Vec<String> = inputs.filter(|name| !self.constants.contains_key(name)).collect();
        let constants = self.own_constants(&stages, &outputs)?;
        let needed = needed_after(&stages, &outputs);
        let stages = stages.into_iter().zip(needed).map(|(nodes, needed)| self.stage(nodes, &needed));
        Ok(Model { stages: stages.collect::<Result<_, _>>()?, inputs, outputs, constants })
    }

    /// Those of the waiting nodes that can run one after the other, of those that are wanted.
    fn take(
        &mut self,
        waiting: &mut Vec<(usize, NodeProto)>,
        wanted: impl Fn(&NodeProto) -> bool,
    ) -> Vec<(usize, NodeProto)> {
        let mut taken = Vec::new();
        loop {
            let before = taken.len();
            let mut left = Vec::with_capacity(waiting.len());
            for (place, node) in waiting.drain(..) {
                if wanted(&node) && uses(&node).all(|name| self.known.contains(name)) {
                    self.known.extend(node.output.iter().cloned());
                    taken.push((place, node));
                } else {
                    left.push((place, node));
                }
            }
            *waiting = left;
            if taken.len() == before {
                return taken;
            }
        }
    }

    /// The initial values that our nodes take, or that are outputs.
    fn own_constants(
        &self,
        stages: &[Vec<(usize, NodeProto)>],
        outputs: &[String],
    ) -> Result<HashMap<String, Value>, ModelFault> {
        let own = stages.iter().flatten().filter(|(_, node)| node.domain == ML);
        let names: HashSet<&String> = own.flat_map(|(_, node)| &node.input).chain(outputs).collect();
        let read = |(name, tensor): (&String, &TensorProto)| {
            let value = tensor::read(tensor).map_err(|fault| ModelFault::Tensor { name: name.clone(), fault })?;
            Ok((name.clone(), Value::Tensor(value)))
        };
        self.constants.iter().filter(|(name, _)| names.contains(name)).map(read).collect()
    }

    fn stage(&self, mut nodes: Vec<(usize, NodeProto)>, needed: &HashSet<String>) -> Result<Stage, ModelFault> {
        if nodes[0].1.domain == ML {
            let (place, node) = nodes.remove(0);
            let version = version_of(&self.versions, ML);
            let operator = ml::build(&node, version).map_err(|fault| {
                let (node_name, operator) = (name_of(&node, place), node.op_type.clone());
                match fault {
                    BuildFault::Unknown => {
                        ModelFault::Unsupported { operator, domain: ML.to_owned(), version, node: node_name }
                    }
                    fault => ModelFault::Node { node: node_name, operator, fault },
                }
            })?;
            let name = name_of(&node, place);
            return Ok(Stage::Own { node: name, operator, inputs: node.input, outputs: node.output });
        }
        let nodes: Vec<NodeProto> = nodes.into_iter().map(|(_, node)| node).collect();
        let made: HashSet<&String> = nodes.iter().flat_map(|node| &node.output).collect();
        let mut inputs: Vec<String> = Vec::new();
        let mut constants: Vec<TensorProto> = Vec::new();
        let mut seen = HashSet::new();
        for name in nodes.iter().flat_map(uses).filter(|name| !name.is_empty()) {
            if made.contains(name) || !seen.insert(name) {
                continue;
            }
            match self.constants.get(name) {
                Some(constant) => constants.push(constant.clone()),
                None => inputs.push(name.clone()),
            }
        }
        let outputs =
            nodes.iter().flat_map(|node| &node.output).filter(|name| needed.contains(*name)).cloned().collect();
        Ok(Stage::Standard(Box::new(Stretch::new(nodes, constants, (inputs, outputs), self.versions.clone()))))
    }
}

fn version_of(versions: &[OperatorSetIdProto], domain: &str) -> i64 {
    let standard = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let found =
        versions.iter().find(|version| version.domain == domain || (standard(&version.domain) && standard(domain)));
    found.map_or(1, |version| version.version)
}

/// The names that a node uses, also inside its graphs.
fn uses(node: &NodeProto) -> Box<dyn Iterator<Item = &String> + '_> {
    let inner = node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()).flat_map(|graph| {
        let own: HashSet<&String> = graph
            .input
            .iter()
            .map(|input| &input.name)
            .chain(graph.initializer.iter().map(|tensor| &tensor.name))
            .chain(graph.node.iter().flat_map(|node| &node.output))
            .collect();
        let outputs = graph.output.iter().map(|output| &output.name);
        let used = graph.node.iter().flat_map(uses).chain(outputs).filter(|name| !own.contains(name));
        used.collect::<Vec<_>>()
    });
    Box::new(node.input.iter().chain(inner))
}

/// For each stage, the names that a later one or the caller uses.
fn needed_after(stages: &[Vec<(usize, NodeProto)>], outputs: &[String]) -> Vec<HashSet<String>> {
    let mut needed: HashSet<String> = outputs.iter().cloned().collect();
    let mut of_stages: Vec<HashSet<String>> = stages
        .iter()
        .rev()
        .map(|nodes| {
            let after = needed.clone();
            needed.extend(nodes.iter().flat_map(|(_, node)| uses(node)).cloned());
            after
        })
        .collect();
    of_stages.reverse();
    of_stages
}

#[cfg(test)]
mod tests;
