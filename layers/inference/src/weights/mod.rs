//! Reading weights from files.

mod onnx;
mod safetensors;
mod table;

pub(crate) use onnx::OnnxWeights;
pub(crate) use safetensors::SafetensorsWeights;
pub(crate) use table::Table;

use crate::error::LoadError;
use crate::kernel::{Norm, Order, Part};

/// Numbers of a file, by the names that BERT's own implementation gave them. A method checks that a tensor is there
/// and has the shape that is asked for.
pub(crate) trait Weights: Sync {
    /// The number of rows of a matrix that has `columns` columns.
    fn rows(&self, name: &str, columns: usize) -> Result<usize, LoadError>;

    /// A vector of `length` numbers.
    fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, LoadError>;

    /// The weights of a linear layer, and their order.
    fn matrix(&self, name: &str, inputs: usize, outputs: usize) -> Result<(Vec<f32>, Order), LoadError>;

    /// A table of vectors of `columns` numbers, by row.
    fn table(&self, name: &str, columns: usize) -> Result<Table, LoadError>;

    /// `{name}.weight` and `{name}.bias` of a linear layer.
    fn part(&self, name: &str, inputs: usize, outputs: usize) -> Result<Part, LoadError> {
        let (weights, order) = self.matrix(&format!("{name}.weight"), inputs, outputs)?;
        Ok(Part { weights, order, bias: self.vector(&format!("{name}.bias"), outputs)? })
    }

    /// `{name}.weight` and `{name}.bias` of a layer normalisation.
    fn norm(&self, name: &str, columns: usize) -> Result<Norm, LoadError> {
        let scale = self.vector(&format!("{name}.weight"), columns)?;
        Ok(Norm::new(&scale, &self.vector(&format!("{name}.bias"), columns)?))
    }
}
