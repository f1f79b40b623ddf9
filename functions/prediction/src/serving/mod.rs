//! Predictions: which version answers, its model in memory, and the answer row by row.

mod engines;
mod explainers;
mod predict;

pub(crate) use engines::{Engines, Loaded, sha256};
pub(crate) use predict::{Answer, Asked, RowAnswer, Served, Serving};
