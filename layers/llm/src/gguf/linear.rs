//! A matrix of weights that serves one row quickly, and many rows quickly.

use std::io::{Read, Seek};

use candle_core::quantized::gguf_file::Content;
use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{Device, Module, Result, Tensor};
use std::sync::Arc;

/// From so many rows on, the weights are unpacked to f32 for one product.
///
/// One row reads each weight once, so that the time goes into memory: 8-bit weights take a quarter of f32's.
/// Many rows use each weight many times, and f32 products (FMA, cache blocking) beat the 8-bit ones by far
/// more than unpacking costs.
pub(super) const MANY_ROWS: usize = 12;

/// The weights of a linear map without bias, 8 bits each in blocks of 32 (Q8_0).
#[derive(Debug)]
pub(super) struct Linear {
    weights: Arc<QTensor>,
    product: QMatMul,
}

impl Linear {
    /// Reads a tensor of any quantisation. Those without a vectorised product in candle (Q4_1 among them, 4 to
    /// 5 times slower here) are converted to Q8_0, whose rounding is finer than theirs.
    pub(super) fn load(content: &Content, reader: &mut (impl Read + Seek), name: &str) -> Result<Self> {
        let tensor = content.tensor(reader, name, &Device::Cpu)?;
        let weights = match tensor.dtype() {
            GgmlDType::Q8_0 => tensor,
            _ => QTensor::quantize(&tensor.dequantize(&Device::Cpu)?, GgmlDType::Q8_0)?,
        };
        let weights = Arc::new(weights);
        Ok(Self { product: QMatMul::from_arc(Arc::clone(&weights))?, weights })
    }

    /// Maps rows `[n, inputs]` to `[n, outputs]`.
    pub(super) fn forward(&self, rows: &Tensor) -> Result<Tensor> {
        if rows.dim(0)? < MANY_ROWS {
            self.product.forward(rows)
        } else {
            rows.matmul(&self.weights.dequantize(&Device::Cpu)?.t()?)
        }
    }

    /// The weights' rows of these numbers: the map read as a table of embeddings.
    pub(super) fn rows(&self, numbers: &Tensor) -> Result<Tensor> {
        self.weights.embedding(numbers)
    }
}
