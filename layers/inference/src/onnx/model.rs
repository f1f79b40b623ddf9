//! A model: what is read of a file, and how it is run.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tract_onnx::pb::{GraphProto, ModelProto};

use super::budget::Budget;
use super::fault::{ModelFault, ModelRunFault};
use super::graph::{Graph, Held, Scope, StepFault};
use super::limits::Limits;
use super::signature::{Signature, ValueType};
use super::value::Value;

/// A model that is ready to run; it may be run from many threads at a time.
#[derive(Debug)]
pub struct Model {
    signature: Signature,
    inputs: Vec<String>,
    outputs: Vec<String>,
    graph: Graph,
    limits: Limits,
}

impl Model {
    /// Reads a file within the default [`Limits`].
    ///
    /// # Errors
    /// [`ModelFault`] says what of it cannot be run.
    pub fn parse(bytes: &[u8]) -> Result<Self, ModelFault> {
        Self::parse_within(bytes, &Limits::default())
    }

    /// Reads a file. The limits hold for its runs too.
    ///
    /// # Errors
    /// [`ModelFault`] says what of it cannot be run.
    pub fn parse_within(bytes: &[u8], limits: &Limits) -> Result<Self, ModelFault> {
        catch_unwind(|| Self::read(bytes, limits)).unwrap_or_else(|panic| Err(ModelFault::Inside(message(&*panic))))
    }

    fn read(bytes: &[u8], limits: &Limits) -> Result<Self, ModelFault> {
        use prost::Message as _;
        limits.check_bytes(bytes)?;
        let mut model = ModelProto::decode(bytes).map_err(|error| ModelFault::Malformed(error.to_string()))?;
        let graph = model.graph.take().ok_or(ModelFault::Empty)?;
        limits.check(&graph)?;
        let signature = Signature::read(&model, &graph)?;
        check_maps(&signature, &graph)?;
        let inputs = signature.inputs.iter().map(|input| input.name.clone()).collect();
        let outputs = graph.output.iter().map(|output| output.name.clone()).collect();
        let graph = Graph::new(graph, &model.opset_import, &Scope::OUTSIDE)?;
        Ok(Self { signature, inputs, outputs, graph, limits: limits.clone() })
    }

    /// What it takes and gives.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
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

    /// The bounds that it was read with.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The outputs, in their order, of inputs by name. What is no input is not looked at.
    ///
    /// # Errors
    /// An input is missing or not what the signature says, a node cannot take what it is given, or a limit is passed.
    pub fn run(&self, inputs: HashMap<String, Value>) -> Result<Vec<Value>, ModelRunFault> {
        // What a panic could leave half done is the run's own, or behind locks that are taken again.
        let run = AssertUnwindSafe(|| self.run_graph(inputs));
        catch_unwind(run).unwrap_or_else(|panic| Err(ModelRunFault::Inside(message(&*panic))))
    }

    fn run_graph(&self, mut inputs: HashMap<String, Value>) -> Result<Vec<Value>, ModelRunFault> {
        let mut given = Vec::with_capacity(self.inputs.len());
        for input in &self.signature.inputs {
            let value = inputs.remove(&input.name).ok_or_else(|| ModelRunFault::Input(input.name.clone()))?;
            input.check(&value).map_err(|fault| ModelRunFault::InputValue { name: input.name.clone(), fault })?;
            given.push(Held::Owned(value));
        }
        let found = self.graph.run(given, &Budget::new(&self.limits));
        found.map_err(|StepFault { node, operator, fault }| ModelRunFault::Node { node, operator, fault })
    }
}

/// Inputs that are no tensors must be maps, and only these operators take them: the decoder leaves other types out.
fn check_maps(signature: &Signature, graph: &GraphProto) -> Result<(), ModelFault> {
    let maps = signature.inputs.iter().filter(|input| input.value == ValueType::Map);
    for input in maps {
        let users = graph.node.iter().filter(|node| node.input.contains(&input.name));
        if users.clone().next().is_none()
            || !users.clone().all(|node| matches!(&*node.op_type, "DictVectorizer" | "CastMap"))
        {
            return Err(ModelFault::Part("inputs that are sequences, optional or without a type"));
        }
    }
    Ok(())
}

/// What a panic said.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

#[cfg(test)]
mod tests;
