//! Exact SHAP values of ensembles of trees.
//!
//! A leaf is a conjunction: it counts for a row when each feature on its path passes all of its tests there. Of the
//! features on a path (its players) a row passes some; which of them it fails is its pattern, and the contributions
//! that come from a leaf depend on nothing else. So they are computed once for each leaf and pattern ([`leaf`], after
//! WOODELF), those of some leaves that lie together are joined in one table ([`pieces`]), and rows are looked up, many
//! at a time ([`lookup`]). Both games are the same here: they differ in how likely the background's patterns are.
//!
//! Tables double with each player. Leaves with too many are walked to instead: [`interventional`] keeps the background's
//! rows that are left as sets of bits, and [`path_dependent`] integrates over the share of known features.
//! `docs/adr/0006-exact-shap.md` has the sources, the choice, and figures.

mod explainer;
mod grown;
mod interventional;
mod leaf;
mod logistic;
mod lookup;
mod model;
mod path_dependent;
mod patterns;
mod pieces;
mod quadrature;

pub use explainer::{MAX_BACKGROUND, TreeExplainer};
pub use model::TreeModel;

#[cfg(test)]
mod tests;
