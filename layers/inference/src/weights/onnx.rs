//! Weights of an ONNX file whose matrices were quantised to 8 bits (ONNX Runtime's dynamic quantisation).
//!
//! Only the numbers are taken; they are turned back into f32, and the activations stay f32 too, which is nearer to the
//! model before quantisation than the quantised graph is. Field numbers are those of `onnx.proto` (ONNX 1.14).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use prost::Message;
use prost::bytes::Bytes;

use super::{Table, Weights};
use crate::error::LoadError;
use crate::kernel::Order;

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeProto>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorProto>,
}

#[derive(Clone, PartialEq, Message)]
struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(float, repeated, tag = "4")]
    float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    int32_data: Vec<i32>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "bytes", tag = "9")]
    raw_data: Bytes,
}

/// `TensorProto.DataType`.
const FLOAT: i32 = 1;
const UINT8: i32 = 2;
const INT8: i32 = 3;

/// The tensors of an ONNX file by name.
#[derive(Debug)]
pub(crate) struct OnnxWeights {
    file: PathBuf,
    tensors: HashMap<String, TensorProto>,
    /// The exporter names the matrices of the layers by number; what they are is in the name of the node that
    /// multiplies by them.
    matrices: HashMap<String, String>,
}

/// 8-bit numbers `q`, each of which means `(q - zero_point) * scale`.
struct Quantised<'a> {
    tensor: &'a TensorProto,
    scale: f32,
    zero_point: i32,
}

impl OnnxWeights {
    /// Reads the file.
    pub(crate) fn open(path: &Path) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path).map_err(|error| LoadError::unreadable(path, error))?;
        let model = ModelProto::decode(Bytes::from(bytes)).map_err(|error| LoadError::damaged(path, &error))?;
        let graph = model.graph.ok_or_else(|| LoadError::damaged(path, &"it has no graph"))?;
        let matrices = graph.node.iter().filter(|node| node.op_type == "MatMulInteger").filter_map(matrix_of).collect();
        let tensors = graph.initializer.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        Ok(Self { file: path.to_owned(), tensors, matrices })
    }

    fn damaged(&self, reason: &str) -> LoadError {
        LoadError::damaged(&self.file, &reason)
    }

    fn tensor(&self, name: &str) -> Result<&TensorProto, LoadError> {
        self.tensors.get(name).ok_or_else(|| self.damaged(&format!("no `{name}`")))
    }

    /// The tensor `{base}_quantized` with `{base}_scale` and `{base}_zero_point`, checked to be whole.
    fn quantised(&self, base: &str) -> Result<Quantised<'_>, LoadError> {
        let tensor = self.tensor(&format!("{base}_quantized"))?;
        let scale = self.tensor(&format!("{base}_scale"))?;
        let zero_point = self.tensor(&format!("{base}_zero_point"))?;
        let numbers = tensor.dims.iter().try_fold(1_usize, |size, dim| size.checked_mul(usize::try_from(*dim).ok()?));
        if numbers != Some(tensor.raw_data.len()) || !matches!(tensor.data_type, UINT8 | INT8) {
            return Err(self.damaged(&format!("`{base}_quantized` is not a whole tensor of 8-bit numbers")));
        }
        let scale = scale.floats().first().copied();
        let zero_point = zero_point.int32_data.first().copied().or_else(|| {
            let byte = *zero_point.raw_data.first()?;
            Some(if zero_point.data_type == INT8 { i32::from(byte.cast_signed()) } else { i32::from(byte) })
        });
        match (scale, zero_point) {
            (Some(scale), Some(zero_point)) => Ok(Quantised { tensor, scale, zero_point }),
            _ => Err(self.damaged(&format!("`{base}` has no scale or no zero point"))),
        }
    }
}

/// The name of the weights that a node multiplies by, and the base name of their tensors: of
/// `/bert/encoder/layer.0/output/dense/MatMul_quant` it is `bert.encoder.layer.0.output.dense.weight`.
fn matrix_of(node: &NodeProto) -> Option<(String, String)> {
    let (layer, _) = node.name.trim_start_matches('/').rsplit_once('/')?;
    let base = node.input.get(1)?.strip_suffix("_quantized")?;
    Some((format!("{}.weight", layer.replace('/', ".")), base.to_owned()))
}

impl TensorProto {
    fn floats(&self) -> Vec<f32> {
        if self.data_type != FLOAT {
            return Vec::new();
        }
        let raw = self.raw_data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        self.float_data.iter().copied().chain(raw).collect()
    }

    fn has_shape(&self, shape: &[usize]) -> bool {
        self.dims.len() == shape.len()
            && self.dims.iter().zip(shape).all(|(dim, expected)| usize::try_from(*dim) == Ok(*expected))
    }
}

impl Quantised<'_> {
    /// Its numbers by what each byte stands for.
    #[expect(clippy::cast_precision_loss, reason = "differences of 8-bit numbers are exact in f32")]
    fn numbers(&self) -> Vec<f32> {
        let meaning: [f32; 256] = std::array::from_fn(|byte| {
            let byte = u8::try_from(byte).unwrap_or(u8::MAX);
            let number = if self.tensor.data_type == INT8 { i32::from(byte.cast_signed()) } else { i32::from(byte) };
            (number - self.zero_point) as f32 * self.scale
        });
        self.tensor.raw_data.iter().map(|byte| meaning[usize::from(*byte)]).collect()
    }
}

impl Weights for OnnxWeights {
    fn rows(&self, name: &str, columns: usize) -> Result<usize, LoadError> {
        let dims = &self.tensor(&format!("{name}_quantized"))?.dims;
        match dims[..] {
            [rows, found] if usize::try_from(found) == Ok(columns) => usize::try_from(rows).ok(),
            _ => None,
        }
        .ok_or_else(|| self.damaged(&format!("`{name}` does not have {columns} columns")))
    }

    fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, LoadError> {
        let values = self.tensor(name)?.floats();
        if values.len() == length {
            Ok(values)
        } else {
            Err(self.damaged(&format!("`{name}` has {} numbers where {length} are expected", values.len())))
        }
    }

    fn matrix(&self, name: &str, inputs: usize, outputs: usize) -> Result<(Vec<f32>, Order), LoadError> {
        let base = self.matrices.get(name).ok_or_else(|| self.damaged(&format!("nothing multiplies by `{name}`")))?;
        let quantised = self.quantised(base)?;
        if !quantised.tensor.has_shape(&[inputs, outputs]) {
            return Err(self.damaged(&format!("`{base}` does not have the shape [{inputs}, {outputs}]")));
        }
        Ok((quantised.numbers(), Order::InputMajor))
    }

    fn table(&self, name: &str, columns: usize) -> Result<Table, LoadError> {
        self.rows(name, columns)?;
        let Quantised { tensor, scale, zero_point } = self.quantised(name)?;
        match u8::try_from(zero_point) {
            Ok(zero_point) if tensor.data_type == UINT8 => {
                Ok(Table::of_u8(columns, tensor.raw_data.to_vec(), scale, zero_point))
            }
            _ => Err(self.damaged(&format!("`{name}` is not of unsigned 8-bit numbers"))),
        }
    }
}
