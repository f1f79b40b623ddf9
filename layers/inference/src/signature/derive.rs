//! The signature that a file tells by itself.

use super::{Feature, Kind, Missing, Output, Role, Scalar, Signature, Unknown};
use crate::onnx::{self, Dimension, ElementType, Input, Labels, ValueType};

/// The most columns of one input for which features are named.
const MOST_COLUMNS: usize = 10_000;

/// Derives what the file tells: an input of one column is a feature of its name; the columns of a wider one are `name_0`,
/// `name_1`, ..., or `x0`, `x1`, ... where it is the only input; an input of more dimensions is one tensor.
///
/// # Errors
/// An input has no fixed number of columns, or too many: in words.
pub fn derive(file: &onnx::Signature) -> Result<Signature, String> {
    let only = file.inputs.len() == 1;
    let inputs = file.inputs.iter().map(|input| features(input, only)).collect::<Result<Vec<_>, _>>()?;
    Ok(Signature { inputs: inputs.into_iter().flatten().collect(), outputs: outputs(file) })
}

fn features(input: &Input, only: bool) -> Result<Vec<Feature>, String> {
    let ValueType::Tensor(element) = input.value else {
        let way_out = "export the model without `DictVectorizer` at its beginning";
        return Err(format!("input `{}` is a map, and only tensors are taken; {way_out}", input.name));
    };
    let feature = |name: String, column: usize, shape: Vec<usize>| Feature {
        name,
        kind: match element {
            ElementType::Float | ElementType::Double => Kind::Number,
            ElementType::Int64 | ElementType::Int32 => Kind::Integer,
            ElementType::Bool => Kind::Boolean,
            ElementType::String => Kind::String,
        },
        shape,
        range: None,
        categories: None,
        unknown: Unknown::Error,
        default: None,
        missing: Missing::Error,
        private: false,
        input: input.name.clone(),
        column,
    };
    match input.shape.as_deref().unwrap_or(&[Dimension::Free(None), Dimension::Free(None)]) {
        [] | [_] | [_, Dimension::Fixed(1)] => Ok(vec![feature(input.name.clone(), 0, Vec::new())]),
        [_, Dimension::Fixed(width)] if *width <= MOST_COLUMNS => {
            let name = |column| if only { format!("x{column}") } else { format!("{}_{column}", input.name) };
            Ok((0..*width).map(|column| feature(name(column), column, Vec::new())).collect())
        }
        [_, Dimension::Fixed(width)] => {
            Err(format!("input `{}` has {width} columns; at most {MOST_COLUMNS} are taken", input.name))
        }
        [_, Dimension::Free(_)] => Err(format!(
            "input `{}` has no fixed number of columns; name them in `signature`, in their order",
            input.name
        )),
        [_, dimensions @ ..] => match dimensions.iter().map(fixed).collect::<Option<Vec<usize>>>() {
            Some(shape) => Ok(vec![feature(input.name.clone(), 0, shape)]),
            None => Err(format!(
                "input `{}` has dimensions that are not fixed, beside the rows; export it with fixed ones",
                input.name
            )),
        },
    }
}

fn fixed(dimension: &Dimension) -> Option<usize> {
    match dimension {
        Dimension::Fixed(size) => Some(*size),
        Dimension::Free(_) => None,
    }
}

/// The roles of the outputs, as the operators that make them tell.
fn outputs(file: &onnx::Signature) -> Vec<Output> {
    let classes = file.classes.as_ref().map(|labels| match labels {
        Labels::Ints(labels) => labels.iter().copied().map(Scalar::Integer).collect(),
        Labels::Strings(labels) => labels.iter().cloned().map(Scalar::Text).collect::<Vec<_>>(),
    });
    let mut predicted = false;
    let output = |output: &onnx::Output| {
        let (role, classes) = match output.role {
            onnx::Role::Label => (Role::Label, None),
            onnx::Role::Probabilities => (Role::Probabilities, classes.clone()),
            // A model predicts one thing; what it gives besides is shown under its name.
            onnx::Role::Regression if !predicted => {
                predicted = true;
                (Role::Value, None)
            }
            onnx::Role::Regression | onnx::Role::Scores => (Role::Other, None),
        };
        Output { name: output.name.clone(), role, classes, coverage: None }
    };
    file.outputs.iter().map(output).collect()
}
