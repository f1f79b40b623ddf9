//! Standard operators: tract runs them, a stretch of nodes at a time.
//!
//! tract optimises a graph for the shapes of its inputs. Each stretch is made ready when it is first run with some
//! shapes, and kept for the next ones of the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as DimensionValue};
use tract_onnx::pb::type_proto::{Tensor as TensorType, Value as TypeValue};
use tract_onnx::pb::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
};
use tract_onnx::prelude::*;

use super::tensor::data_type;
use super::value::{Array, RunFault, Tensor as OurTensor, Value};

/// For how many different shapes a stretch is kept ready.
const KEPT: usize = 16;

/// What tells one optimised graph from another: the types and shapes of its inputs.
type Shapes = Vec<(DatumType, Vec<usize>)>;

/// Nodes of the standard operators that run together.
#[derive(Debug)]
pub(crate) struct Stretch {
    /// The names of what it needs of the rest.
    pub(crate) inputs: Vec<String>,
    /// The names of what the rest needs of it.
    pub(crate) outputs: Vec<String>,
    model: ModelProto,
    ready: Mutex<HashMap<Shapes, Arc<TypedRunnableModel>>>,
}

/// Whether tract knows an operator of the standard domain.
pub(crate) fn is_known(operator: &str) -> bool {
    tract_onnx::onnx().op_register.0.contains_key(operator)
}

impl Stretch {
    pub(crate) fn new(
        nodes: Vec<NodeProto>,
        constants: Vec<TensorProto>,
        (inputs, outputs): (Vec<String>, Vec<String>),
        versions: Vec<OperatorSetIdProto>,
    ) -> Self {
        let named = |name: &String| ValueInfoProto { name: name.clone(), ..ValueInfoProto::default() };
        let graph = GraphProto {
            node: nodes,
            initializer: constants,
            input: inputs.iter().map(named).collect(),
            output: outputs.iter().map(named).collect(),
            ..GraphProto::default()
        };
        let model = ModelProto { graph: Some(graph), opset_import: versions, ..ModelProto::default() };
        Self { inputs, outputs, model, ready: Mutex::default() }
    }

    /// The outputs, in their order, of inputs in theirs.
    pub(crate) fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let tensors = inputs.iter().map(|value| to_tract(value.tensor()?)).collect::<Result<Vec<_>, _>>()?;
        let shapes: Shapes = tensors.iter().map(|tensor| (tensor.datum_type(), tensor.shape().to_vec())).collect();
        let known = self.lock().get(&shapes).cloned();
        let ready = match known {
            Some(ready) => ready,
            None => {
                let ready = self.optimised(&shapes).map_err(|error| fault(&error))?;
                let mut kept = self.lock();
                if kept.len() >= KEPT {
                    kept.clear();
                }
                kept.insert(shapes, Arc::clone(&ready));
                ready
            }
        };
        let found = ready.run(tensors.into_iter().map(Tensor::into_tvalue).collect()).map_err(|error| fault(&error))?;
        found.iter().map(|tensor| Ok(Value::Tensor(of_tract(tensor)?))).collect()
    }

    fn optimised(&self, shapes: &Shapes) -> TractResult<Arc<TypedRunnableModel>> {
        let framework = tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
        let mut model = self.model.clone();
        let inputs = model.graph.iter_mut().flat_map(|graph| &mut graph.input);
        inputs.zip(shapes).for_each(|(input, (datum_type, shape))| input.r#type = Some(type_of(*datum_type, shape)));
        framework.model_for_proto_model(&model)?.into_optimized()?.into_runnable()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Shapes, Arc<TypedRunnableModel>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn type_of(datum_type: DatumType, shape: &[usize]) -> TypeProto {
    let elem_type = match datum_type {
        DatumType::F32 => data_type::FLOAT,
        DatumType::F64 => data_type::DOUBLE,
        DatumType::I64 => data_type::INT64,
        DatumType::I32 => data_type::INT32,
        DatumType::Bool => data_type::BOOL,
        _ => data_type::STRING,
    };
    let size = |size: &usize| Dimension {
        value: Some(DimensionValue::DimValue(i64::try_from(*size).unwrap_or(i64::MAX))),
        ..Dimension::default()
    };
    let shape = Some(TensorShapeProto { dim: shape.iter().map(size).collect() });
    let value = Some(TypeValue::TensorType(TensorType { elem_type, shape }));
    TypeProto { value, ..TypeProto::default() }
}

fn fault(error: &TractError) -> RunFault {
    RunFault::Value(format!("{error:#}"))
}

fn to_tract(tensor: &OurTensor) -> Result<Tensor, RunFault> {
    fn made<T: Datum + Clone>(array: &Array<T>) -> Result<Tensor, RunFault> {
        let made = tract_ndarray::ArrayD::from_shape_vec(&array.shape[..], array.data.clone());
        made.map(IntoTensor::into_tensor).map_err(|error| RunFault::Value(error.to_string()))
    }
    match tensor {
        OurTensor::Float(array) => made(array),
        OurTensor::Double(array) => made(array),
        OurTensor::Int64(array) => made(array),
        OurTensor::Int32(array) => made(array),
        OurTensor::Bool(array) => made(array),
        OurTensor::String(array) => made(array),
    }
}

fn of_tract(tensor: &Tensor) -> Result<OurTensor, RunFault> {
    fn read<T: Datum + Clone>(tensor: &Tensor) -> Result<Array<T>, RunFault> {
        let view = tensor.to_plain_array_view::<T>().map_err(|error| fault(&error))?;
        Ok(Array { shape: tensor.shape().to_vec(), data: view.iter().cloned().collect() })
    }
    let cast = |to: DatumType| tensor.cast_to_dt(to).map_err(|error| fault(&error));
    Ok(match tensor.datum_type() {
        DatumType::F32 => OurTensor::Float(read(tensor)?),
        DatumType::F64 => OurTensor::Double(read(tensor)?),
        DatumType::I64 => OurTensor::Int64(read(tensor)?),
        DatumType::I32 => OurTensor::Int32(read(tensor)?),
        DatumType::Bool => OurTensor::Bool(read(tensor)?),
        DatumType::String => OurTensor::String(read(tensor)?),
        DatumType::F16 => OurTensor::Float(read(&*cast(DatumType::F32)?)?),
        // Smaller whole numbers, and those that tract keeps of shapes.
        _ => OurTensor::Int64(read(&*cast(DatumType::I64)?)?),
    })
}
