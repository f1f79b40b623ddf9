//! Why a file is no model, and why a run fails.

use super::ml::BuildFault;
use super::tensor::TensorFault;
use super::value::RunFault;

/// Why a file is no model that can be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFault {
    /// It is no ONNX file.
    #[error("this is no ONNX file: {0}")]
    Malformed(String),
    /// It has no graph.
    #[error("the file has no graph")]
    Empty,
    /// It is more than the limits allow.
    #[error("the file has {found} {what}, and {allowed} are allowed")]
    TooLarge {
        /// What there is too much of: `nodes`, `values in attribute ..` and so on.
        what: String,
        /// How many there are.
        found: usize,
        /// How many there may be.
        allowed: usize,
    },
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
    #[error("node {node} ({operator} of `{domain}` version {version}): {fault}")]
    Node {
        /// The node.
        node: String,
        /// Its operator.
        operator: String,
        /// The operator's domain; the standard one is `ai.onnx`.
        domain: String,
        /// The version of the domain that the file asks for.
        version: i64,
        /// What is wrong with it.
        fault: Box<BuildFault>,
    },
    /// An initial value cannot be read.
    #[error("tensor `{name}` {fault}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong with it.
        fault: TensorFault,
    },
    /// An input or output of the model is of a type that is not read.
    #[error(
        "`{name}` is of the data type {data_type}, which is not supported; float, double, int32, int64, bool and string are"
    )]
    DataType {
        /// The input or output.
        name: String,
        /// `TensorProto.DataType`.
        data_type: i32,
    },
    /// A part of the format that is not read.
    #[error("the file has {0}, which is not supported")]
    Part(&'static str),
    /// Something is used that nothing makes, or nodes wait for one another, or two make the same.
    #[error("{0}")]
    Order(String),
    /// A fault of ours, which the file has brought to light.
    #[error("reading the file failed inside: {0}")]
    Inside(String),
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelRunFault {
    /// An input is not given.
    #[error("input `{0}` is missing")]
    Input(String),
    /// An input is not what the model says that it takes.
    #[error("input `{name}` {fault}")]
    InputValue {
        /// The input.
        name: String,
        /// What is wrong with it.
        fault: RunFault,
    },
    /// A node cannot take what it is given, would make more than the limits allow, or ran out of time: see [`RunFault`].
    #[error("node {node} ({operator}) {fault}")]
    Node {
        /// The node.
        node: String,
        /// Its operator.
        operator: String,
        /// Why.
        fault: RunFault,
    },
    /// A fault of ours, which the input has brought to light.
    #[error("the run failed inside: {0}")]
    Inside(String),
}
