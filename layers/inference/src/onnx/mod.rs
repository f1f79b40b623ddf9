//! ONNX files: their messages, and the operators that models of tables are made of.

mod attributes;
#[cfg(test)]
mod cases;
mod ml;
mod model;
mod post_transform;
mod standard;
mod tensor;
mod tree_ensemble;
pub(crate) mod trees_of;
mod value;
