//! The arithmetic of the encoder, in safe Rust over `pulp`'s vectors: AVX-512, AVX2 or NEON, chosen when it runs.
//!
//! Everything is laid out in [`Strip`]s, so that the result of one matrix product is the operand of the next
//! without being packed again, and so that each head of the attention is one block.

mod attention;
mod function;
mod linear;
mod norm;
mod packed;
mod strip;
#[cfg(test)]
mod tests;
mod tile;

pub(crate) use attention::attend;
pub(crate) use linear::{Activation, Linear, Order, Part};
pub(crate) use norm::Norm;
pub(crate) use strip::{Blocks, STRIP, Strip};
