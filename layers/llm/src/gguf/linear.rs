//! A matrix of weights that serves one row quickly, and many rows quickly.

use std::io::{Read, Seek};

use candle_core::quantized::gguf_file::Content;
use candle_core::{Device, Error, Result, Tensor};

use super::packed::{BLOCK, PackedMatrix};

/// From so many rows on, all share what is unpacked of the weights.
const MANY_ROWS: usize = 6;

/// The weights of a linear map without bias.
#[derive(Debug)]
pub(super) struct Linear {
    weights: PackedMatrix,
}

impl Linear {
    /// Reads a tensor of any quantisation. Its rounding is coarser than that of the 8 bits in which it is kept.
    pub(super) fn load(content: &Content, reader: &mut (impl Read + Seek), name: &str) -> Result<Self> {
        let tensor = content.tensor(reader, name, &Device::Cpu)?.dequantize(&Device::Cpu)?;
        let (_, inputs) = tensor.dims2()?;
        if !inputs.is_multiple_of(BLOCK) {
            return Err(Error::Msg(format!("`{name}` has rows of {inputs} numbers, which is no multiple of {BLOCK}")));
        }
        Ok(Self { weights: PackedMatrix::new(inputs, &tensor.flatten_all()?.to_vec1()?) })
    }

    /// Maps rows `[n, inputs]` to `[n, outputs]`.
    pub(super) fn forward(&self, rows: &Tensor) -> Result<Tensor> {
        let (count, inputs) = rows.dims2()?;
        let outputs = self.weights.outputs();
        let numbers = rows.flatten_all()?.to_vec1::<f32>()?;
        let products = if count < MANY_ROWS {
            numbers.chunks_exact(inputs).flat_map(|row| self.weights.apply(row)).collect()
        } else {
            self.weights.apply_to_many(&numbers)
        };
        Tensor::from_vec(products, (count, outputs), &Device::Cpu)
    }

    /// The weights of these outputs, `[n, inputs]`: the map read as a table of embeddings.
    pub(super) fn rows(&self, numbers: &[u32]) -> Result<Tensor> {
        let rows = numbers.iter().flat_map(|number| self.weights.row(*number as usize)).collect();
        Tensor::from_vec(rows, (numbers.len(), self.weights.inputs()), &Device::Cpu)
    }
}
