//! What the outputs of a graph say, read from the operators that make them.

use std::collections::HashMap;

use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

use super::attributes::Attributes;
use super::signature::{Dimension, ElementType, Role, ValueType};
use super::tensor;
use super::value::{Labels, Tensor};

/// The role of each output, and the classes.
#[derive(Debug)]
pub(super) struct Roles {
    pub(super) roles: Vec<Role>,
    pub(super) classes: Option<Labels>,
}

/// What the operators tell of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Label,
    Probabilities,
    Scores,
    Unknown,
}

/// Operators that change how a value is written, and not what it says.
const TRANSPARENT: [&str; 7] = ["Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose"];

/// Outputs by the nodes that make them.
struct Makers<'a> {
    nodes: HashMap<&'a str, (&'a NodeProto, usize)>,
    constants: HashMap<&'a str, &'a TensorProto>,
}

impl Roles {
    /// The roles of a graph's outputs, whose types are given.
    pub(super) fn of(graph: &GraphProto, types: &[(ValueType, Option<Vec<Dimension>>)]) -> Self {
        let outputs = |node| Makers::outputs(node);
        let makers = Makers {
            nodes: graph.node.iter().flat_map(outputs).collect(),
            constants: graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect(),
        };
        let mut classes = None;
        let origins: Vec<Origin> =
            graph.output.iter().map(|output| makers.origin(&output.name, graph.node.len(), &mut classes)).collect();
        let is_text = |value: &ValueType| {
            matches!(
                value,
                ValueType::Tensor(ElementType::Int64 | ElementType::Int32 | ElementType::Bool | ElementType::String)
            )
        };
        let named = graph.output.iter().zip(types).zip(&origins);
        // A whole number or text beside other outputs is a label.
        let labelled = named
            .clone()
            .any(|((_, (value, _)), origin)| *origin == Origin::Label || (is_text(value) && types.len() > 1));
        let role =
            |((output, (value, _)), origin): ((&tract_onnx::pb::ValueInfoProto, &(ValueType, _)), &Origin)| match (
                origin, value,
            ) {
                (Origin::Label, _) => Role::Label,
                (Origin::Probabilities, _) => Role::Probabilities,
                (Origin::Scores, _) => Role::Scores,
                (Origin::Unknown, ValueType::Map) => Role::Probabilities,
                (Origin::Unknown, value) if is_text(value) => Role::Label,
                (Origin::Unknown, _) if output.name.to_lowercase().contains("prob") => Role::Probabilities,
                (Origin::Unknown, _) if labelled => Role::Scores,
                (Origin::Unknown, _) => Role::Regression,
            };
        Self { roles: named.map(role).collect(), classes }
    }
}

impl<'a> Makers<'a> {
    fn outputs(node: &'a NodeProto) -> impl Iterator<Item = (&'a str, (&'a NodeProto, usize))> {
        node.output.iter().enumerate().map(move |(place, name)| (name.as_str(), (node, place)))
    }

    /// Follows an output up to the operator that tells what it is; keeps the classes that it meets. `steps` bounds it,
    /// should nodes wait for one another.
    fn origin(&self, output: &'a str, steps: usize, classes: &mut Option<Labels>) -> Origin {
        let mut name = output;
        let mut found = Origin::Unknown;
        for _ in 0..=steps {
            let Some((node, place)) = self.nodes.get(name) else { return found };
            let (attributes, first) = (Attributes(node), node.input.first().map_or("", String::as_str));
            match node.op_type.as_str() {
                operator if TRANSPARENT.contains(&operator) => name = first,
                "ZipMap" => {
                    keep(classes, labels(attributes, "classlabels_int64s", "classlabels_strings"));
                    name = first;
                }
                "Softmax" => return Origin::Probabilities,
                "Sigmoid" | "Normalizer" => {
                    found = Origin::Probabilities;
                    name = first;
                }
                "TreeEnsembleClassifier" | "LinearClassifier" | "SVMClassifier" => {
                    let ints = if node.op_type == "TreeEnsembleClassifier" {
                        "classlabels_int64s"
                    } else {
                        "classlabels_ints"
                    };
                    keep(classes, labels(attributes, ints, "classlabels_strings"));
                    return match place {
                        0 => Origin::Label,
                        _ if found == Origin::Probabilities || are_probabilities(attributes) => Origin::Probabilities,
                        _ => Origin::Scores,
                    };
                }
                "ArrayFeatureExtractor" | "Gather" => {
                    let Some(constant) = self.constants.get(first) else { return found };
                    keep(classes, labels_of(constant));
                    return Origin::Label;
                }
                "LabelEncoder" => {
                    keep(classes, labels(attributes, "values_int64s", "values_strings"));
                    return Origin::Label;
                }
                "ArgMax" => return Origin::Label,
                _ => return found,
            }
        }
        found
    }
}

/// The first classes that are met count.
fn keep(classes: &mut Option<Labels>, found: Option<Labels>) {
    if classes.is_none() {
        *classes = found;
    }
}

/// Classes of attributes; a fault of theirs shows when the node is made ready.
fn labels(attributes: Attributes<'_>, ints: &str, strings: &str) -> Option<Labels> {
    let (ints, strings) = (attributes.ints(ints), attributes.texts(strings).ok()?);
    match (ints.is_empty(), strings.is_empty()) {
        (false, _) => Some(Labels::Ints(ints.to_vec())),
        (true, false) => Some(Labels::Strings(strings.into_iter().map(str::to_owned).collect())),
        (true, true) => None,
    }
}

fn labels_of(constant: &TensorProto) -> Option<Labels> {
    match tensor::read(constant).ok()? {
        Tensor::Int64(labels) => Some(Labels::Ints(labels.data)),
        Tensor::Int32(labels) => Some(Labels::Ints(labels.data.into_iter().map(i64::from).collect())),
        Tensor::String(labels) => Some(Labels::Strings(labels.data)),
        _ => None,
    }
}

/// Whether the scores of a classifier are between 0 and 1 and sum to 1 by construction.
fn are_probabilities(attributes: Attributes<'_>) -> bool {
    if matches!(attributes.text("post_transform"), Ok(Some("LOGISTIC" | "SOFTMAX" | "SOFTMAX_ZERO"))) {
        return true;
    }
    let weights = attributes.numbers("class_weights").unwrap_or_default();
    let of_leaves = !weights.is_empty() && weights.iter().all(|weight| *weight >= 0.0);
    of_leaves || attributes.get("prob_a").is_some_and(|attribute| !attribute.floats.is_empty())
}
