//! ONNX files: their messages, and the operators that models of tables are made of.

mod attributes;
mod ml;
mod post_transform;
mod proto;
mod tensor;
mod tree_ensemble;
mod value;
