//! What a file, and a run of it, may cost.

use std::time::Duration;

use tract_onnx::pb::{GraphProto, TensorProto};

use super::fault::ModelFault;
use super::scan;
use super::tensor;

/// Bounds of a file and of its runs. What is beyond them is refused before the memory for it is taken.
///
/// The defaults are for a function with 2 GB of memory: a forest of 500 trees with 1,000 leaves each has 30 MB and
/// 10,000,000 values in its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The file's size in bytes: 256 MiB.
    pub file_bytes: usize,
    /// Texts of the file, and messages, which count as eight: 4,000,000. They cost more in memory than in the file. The mode
    /// of each node of a tree is one text.
    pub parts: usize,
    /// Nodes of the graph, with those of graphs inside: 20,000.
    pub nodes: usize,
    /// Graphs inside graphs: 8.
    pub depth: usize,
    /// Values of one attribute of a node: 50,000,000.
    pub attribute_values: usize,
    /// Bytes of one text: 4,096.
    pub text_bytes: usize,
    /// Values of one tensor, in the file or during a run: 50,000,000.
    pub tensor_values: usize,
    /// Values of all tensors that a run holds at one time: 100,000,000.
    pub run_values: usize,
    /// How long a run may take: 30 s. It is looked at between nodes, and every few hundred rows of the operators that go
    /// row by row or multiply matrices; a node may overstep it by the time of such a part.
    pub run_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 256 << 20,
            parts: 4_000_000,
            nodes: 20_000,
            depth: 8,
            attribute_values: 50_000_000,
            text_bytes: 4_096,
            tensor_values: 50_000_000,
            run_values: 100_000_000,
            run_time: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// Checks the bytes of a file, before they are decoded.
    pub(crate) fn check_bytes(&self, bytes: &[u8]) -> Result<(), ModelFault> {
        at_most("bytes", bytes.len(), self.file_bytes)?;
        at_most("texts and messages", scan::parts(bytes), self.parts)
    }

    /// Checks a graph that was decoded.
    pub(crate) fn check(&self, graph: &GraphProto) -> Result<(), ModelFault> {
        let mut nodes = 0;
        self.check_inside(graph, 0, &mut nodes)?;
        at_most("nodes", nodes, self.nodes)
    }

    fn check_inside(&self, graph: &GraphProto, depth: usize, nodes: &mut usize) -> Result<(), ModelFault> {
        at_most("graphs inside one another", depth, self.depth)?;
        *nodes = nodes.saturating_add(graph.node.len());
        graph.initializer.iter().try_for_each(|tensor| self.check_tensor(tensor))?;
        for attribute in graph.node.iter().flat_map(|node| &node.attribute) {
            let name = &attribute.name;
            let values = attribute.ints.len().max(attribute.floats.len()).max(attribute.strings.len());
            at_most(&format!("values in attribute `{name}`"), values, self.attribute_values)?;
            let longest = attribute.strings.iter().map(Vec::len).max().unwrap_or(0).max(attribute.s.len());
            at_most(&format!("bytes in a text of attribute `{name}`"), longest, self.text_bytes)?;
            attribute.t.iter().chain(&attribute.tensors).try_for_each(|tensor| self.check_tensor(tensor))?;
            if !attribute.graphs.is_empty() {
                return Err(ModelFault::Part("lists of graphs"));
            }
            attribute.g.iter().try_for_each(|graph| self.check_inside(graph, depth + 1, nodes))?;
        }
        Ok(())
    }

    fn check_tensor(&self, proto: &TensorProto) -> Result<(), ModelFault> {
        let name = || proto.name.clone();
        let values = tensor::length(proto).map_err(|fault| ModelFault::Tensor { name: name(), fault })?;
        at_most(&format!("values in tensor `{}`", proto.name), values, self.tensor_values)?;
        let longest = proto.string_data.iter().map(Vec::len).max().unwrap_or(0);
        at_most(&format!("bytes in a text of tensor `{}`", proto.name), longest, self.text_bytes)
    }
}

fn at_most(what: &str, found: usize, allowed: usize) -> Result<(), ModelFault> {
    if found <= allowed { Ok(()) } else { Err(ModelFault::TooLarge { what: what.to_owned(), found, allowed }) }
}
