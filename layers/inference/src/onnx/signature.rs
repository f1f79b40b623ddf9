//! What a model takes and gives, as far as its file tells.

use std::collections::{BTreeMap, HashSet};

use tract_onnx::pb::tensor_shape_proto::dimension::Value as DimensionValue;
use tract_onnx::pb::type_proto::Value as TypeValue;
use tract_onnx::pb::{GraphProto, ModelProto, ValueInfoProto};

use super::fault::ModelFault;
use super::roles::Roles;
use super::tensor::data_type;
use super::value::{Labels, RunFault, Tensor, Value};

/// The type of a tensor's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementType {
    /// 32-bit floats.
    Float,
    /// 64-bit floats.
    Double,
    /// 64-bit whole numbers.
    Int64,
    /// 32-bit whole numbers.
    Int32,
    /// Truth values.
    Bool,
    /// Texts.
    String,
}

impl ElementType {
    /// The type by its number in files (`TensorProto.DataType`).
    pub(crate) const fn of(number: i32) -> Option<Self> {
        Some(match number {
            data_type::FLOAT => Self::Float,
            data_type::DOUBLE => Self::Double,
            data_type::INT64 => Self::Int64,
            data_type::INT32 => Self::Int32,
            data_type::BOOL => Self::Bool,
            data_type::STRING => Self::String,
            _ => return None,
        })
    }

    /// The type of a tensor.
    #[must_use]
    pub const fn of_tensor(tensor: &Tensor) -> Self {
        match tensor {
            Tensor::Float(_) => Self::Float,
            Tensor::Double(_) => Self::Double,
            Tensor::Int64(_) => Self::Int64,
            Tensor::Int32(_) => Self::Int32,
            Tensor::Bool(_) => Self::Bool,
            Tensor::String(_) => Self::String,
        }
    }

    /// Its name as ONNX writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Float => "tensor(float)",
            Self::Double => "tensor(double)",
            Self::Int64 => "tensor(int64)",
            Self::Int32 => "tensor(int32)",
            Self::Bool => "tensor(bool)",
            Self::String => "tensor(string)",
        }
    }
}

/// A dimension of an input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Always this size.
    Fixed(usize),
    /// Any size: the number of rows, as a rule. The name, if it has one, is the same where the size is.
    Free(Option<String>),
}

/// The type of an input or output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// A tensor.
    Tensor(ElementType),
    /// A map, or a map for each row: what `ZipMap` makes and `DictVectorizer` takes.
    Map,
}

/// An input of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its type.
    pub value: ValueType,
    /// Its dimensions, rows first; none when the file does not say.
    pub shape: Option<Vec<Dimension>>,
}

/// What an output says about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The class that it is put into.
    Label,
    /// The probability of each class, in the order of [`Signature::classes`] or as a map.
    Probabilities,
    /// A score for each class, or one for all, that is no probability: a margin, or how usual a row is.
    Scores,
    /// The predicted numbers.
    Regression,
}

/// An output of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its type.
    pub value: ValueType,
    /// Its dimensions, rows first; none when the file does not say. Exporters are careless here: a hint only.
    pub shape: Option<Vec<Dimension>>,
    /// What it says: derived from the operators that make it, and by its type and name where they do not tell.
    pub role: Role,
}

/// What made a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Producer {
    /// `skl2onnx`, `OnnxMLTools`, `CatBoost`, `pytorch` and so on; empty when the file does not say.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A column of a table, and where its values go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The input's name; of an input with several columns, with `_` and the place from 0 after it.
    pub name: String,
    /// The place of the input in [`Signature::inputs`].
    pub input: usize,
    /// The place in a row of that input.
    pub place: usize,
    /// The type of its values.
    pub element: ElementType,
}

/// What a model takes and gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// What it takes, without the inputs that have an initial value.
    pub inputs: Vec<Input>,
    /// What it gives.
    pub outputs: Vec<Output>,
    /// The classes, in the order of the columns of probabilities; none when the file does not tell, or has none.
    pub classes: Option<Labels>,
    /// What made the file.
    pub producer: Producer,
    /// `metadata_props`.
    pub metadata: BTreeMap<String, String>,
    /// The version of each domain of operators; the standard one is `ai.onnx`.
    pub versions: BTreeMap<String, i64>,
}

impl Signature {
    /// The signature of a file with a graph.
    pub(crate) fn read(model: &ModelProto, graph: &GraphProto) -> Result<Self, ModelFault> {
        let initial: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        let given = graph.input.iter().filter(|input| !initial.contains(input.name.as_str()));
        let input = |info: &ValueInfoProto| {
            let (value, shape) = type_of(info)?;
            Ok(Input { name: info.name.clone(), value, shape })
        };
        let inputs = given.map(input).collect::<Result<_, ModelFault>>()?;
        let types = graph.output.iter().map(type_of).collect::<Result<Vec<_>, _>>()?;
        let roles = Roles::of(graph, &types);
        let named = graph.output.iter().zip(types).zip(roles.roles);
        let outputs =
            named.map(|((info, (value, shape)), role)| Output { name: info.name.clone(), value, shape, role });
        let domain = |domain: &str| if domain.is_empty() { "ai.onnx".to_owned() } else { domain.to_owned() };
        Ok(Self {
            inputs,
            outputs: outputs.collect(),
            classes: roles.classes,
            producer: Producer { name: model.producer_name.clone(), version: model.producer_version.clone() },
            metadata: model.metadata_props.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect(),
            versions: model.opset_import.iter().map(|set| (domain(&set.domain), set.version)).collect(),
        })
    }

    /// The columns of the table that the model takes, in the order of its inputs: one for an input of shape `[rows]` or
    /// `[rows, 1]`, several for one of `[rows, columns]`. None when an input is no table, or does not say its width.
    #[must_use]
    pub fn columns(&self) -> Option<Vec<Column>> {
        let mut columns = Vec::new();
        for (place, input) in self.inputs.iter().enumerate() {
            let ValueType::Tensor(element) = input.value else { return None };
            match input.shape.as_deref()? {
                [_] | [_, Dimension::Fixed(1)] => {
                    columns.push(Column { name: input.name.clone(), input: place, place: 0, element });
                }
                [_, Dimension::Fixed(width)] => columns.extend((0..*width).map(|at| Column {
                    name: format!("{}_{at}", input.name),
                    input: place,
                    place: at,
                    element,
                })),
                _ => return None,
            }
        }
        Some(columns)
    }

    /// How many rows a run must have, when the file fixes it; any number else.
    #[must_use]
    pub fn rows(&self) -> Option<usize> {
        self.inputs.iter().find_map(|input| match input.shape.as_deref()?.first()? {
            Dimension::Fixed(rows) => Some(*rows),
            Dimension::Free(_) => None,
        })
    }
}

impl Input {
    /// Checks that a value is what this input takes.
    pub(crate) fn check(&self, value: &Value) -> Result<(), RunFault> {
        let (ValueType::Tensor(element), Value::Tensor(tensor)) = (self.value, value) else {
            return match (self.value, value) {
                (ValueType::Map, _) => Ok(()),
                (ValueType::Tensor(element), _) => Err(RunFault::of_type(element.name(), value.type_name())),
            };
        };
        if element != ElementType::of_tensor(tensor) {
            return Err(RunFault::of_type(element.name(), tensor.type_name()));
        }
        let Some(shape) = &self.shape else { return Ok(()) };
        let fits = |(dimension, size): (&Dimension, &usize)| match dimension {
            Dimension::Fixed(fixed) => fixed == size,
            Dimension::Free(_) => true,
        };
        if shape.len() == tensor.shape().len() && shape.iter().zip(tensor.shape()).all(fits) {
            return Ok(());
        }
        let size = |dimension: &Dimension| match dimension {
            Dimension::Fixed(size) => size.to_string(),
            Dimension::Free(name) => name.clone().unwrap_or_else(|| "any".to_owned()),
        };
        let sizes: Vec<String> = shape.iter().map(size).collect();
        Err(RunFault::Shape { expected: format!("the shape [{}]", sizes.join(", ")), found: tensor.shape().to_vec() })
    }
}

/// The type and dimensions of an input or output. What is no tensor is a map: nothing else has a type here.
fn type_of(info: &ValueInfoProto) -> Result<(ValueType, Option<Vec<Dimension>>), ModelFault> {
    let Some(TypeValue::TensorType(tensor)) = info.r#type.as_ref().and_then(|kind| kind.value.as_ref()) else {
        return Ok((ValueType::Map, None));
    };
    let unknown = || ModelFault::DataType { name: info.name.clone(), data_type: tensor.elem_type };
    let element = ElementType::of(tensor.elem_type).ok_or_else(unknown)?;
    let dimension = |dimension: &tract_onnx::pb::tensor_shape_proto::Dimension| match &dimension.value {
        // Some exporters write 0 or -1 for any size.
        Some(DimensionValue::DimValue(size)) => match usize::try_from(*size) {
            Ok(size) if size > 0 => Dimension::Fixed(size),
            _ => Dimension::Free(None),
        },
        Some(DimensionValue::DimParam(name)) if !name.is_empty() => Dimension::Free(Some(name.clone())),
        _ => Dimension::Free(None),
    };
    let shape = tensor.shape.as_ref().map(|shape| shape.dim.iter().map(dimension).collect());
    Ok((ValueType::Tensor(element), shape))
}
