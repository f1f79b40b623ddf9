//! ONNX files of models over tables, as scikit-learn, XGBoost, LightGBM, CatBoost and PyTorch export them.
//!
//! [`Model::parse`] reads a file and refuses what it cannot run, by name; [`Model::signature`] says what it takes and
//! gives; [`Model::run`] runs rows. All of it is pure, bounded by [`Limits`], and never panics: a fault inside is an error.
//! Which operators and which exporters are proven equal to ONNX Runtime is in `docs/models/operators.md`.

mod around;
mod attributes;
mod budget;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod exports;
mod fault;
#[cfg(test)]
mod fuzz;
mod graph;
mod limits;
pub(crate) mod linear_of;
mod ml;
mod model;
#[cfg(test)]
mod nodes;
mod post_transform;
mod roles;
mod scan;
mod signature;
mod standard;
mod tensor;
mod tree_ensemble;
pub(crate) mod trees_of;
mod value;

pub use around::Scores;
pub use attributes::AttributeFault;
pub use fault::{ModelFault, ModelRunFault};
pub use limits::Limits;
pub use ml::BuildFault;
pub use model::Model;
pub use signature::{Column, Dimension, ElementType, Input, Output, Producer, Role, Signature, ValueType};
pub use tensor::TensorFault;
pub use tree_ensemble::TreeFault;
pub use value::{Array, Labels, RunFault, Tensor, Value};
