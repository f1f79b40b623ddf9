//! Statistics and learning: pure, synchronous, without input or output.
//!
//! Each type that is stored is a value with serde; each change is a function from a value to the next one. Time,
//! randomness and ids come from the caller. Definitions, formulas and sources are in `docs/rollout-and-fusion.md`.

pub mod agreement;
pub mod arm;
pub mod capture;
pub mod conformal;
pub mod distribution;
mod format;
pub mod fusion;
pub mod guard;
pub mod metric;
mod numbers;
pub mod rollout;
pub mod sequential;

pub use format::Format;
