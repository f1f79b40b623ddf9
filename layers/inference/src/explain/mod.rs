//! Explanations: what each feature contributes to an output.
//!
//! All of it is pure: numbers in, numbers out, no clock and no files. [`TreeExplainer`] is exact for ensembles of trees,
//! [`LinearExplainer`] for linear models, [`permutation`] estimates for any model and says how well. They play the game
//! of Shapley values: base and contributions make the output.

mod contributions;
mod fault;
mod linear;
mod permutation;
mod rows;
mod trees;
mod whole;

pub use contributions::{Bin, Contributions, Game, Grouping, Space, dependence, importance};
pub use fault::ExplainFault;
pub use linear::LinearExplainer;
pub use permutation::{Budget, Estimate, permutation};
pub use rows::Rows;
pub use trees::{MAX_BACKGROUND, TreeExplainer, TreeModel};
pub use whole::{Explanation, Found, ModelExplainer, Overall, Subject};
