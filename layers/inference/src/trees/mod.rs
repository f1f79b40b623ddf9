//! Ensembles of decision trees, as ONNX's operators `TreeEnsembleRegressor`, `TreeEnsembleClassifier` and
//! `TreeEnsemble` (domain `ai.onnx.ml`) define them.
//!
//! [`Ensemble`] is what a file says, checked: every node is reached once. [`Forest`] is the same in the form in which it
//! is run.

mod ensemble;
mod flat;
mod forest;
mod masks;
mod walk;

pub use ensemble::{Branch, Comparison, Ensemble, Fault, Node, Test, Vote};
pub use forest::{Aggregate, Forest, Scores};
pub use walk::Value;

#[cfg(test)]
pub(crate) use forest::tests as samples;
