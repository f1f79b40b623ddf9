//! What is computed on this processor, in safe Rust: models of tables, sentence embeddings and a reranker.
//!
//! [`onnx`] reads and runs files of models over tables, [`signature`] says what they take and give in their callers'
//! terms, [`explain`] what each feature contributes; [`trees`] is the engine of their forests. All of it is pure.
//!
//! [`TextEncoder`] and [`CrossEncoder`] load a folder and are pure functions from then on: no input or output, no
//! event loop, the same numbers in any batch and on any thread. [`LocalEmbedder`] and [`LocalReranker`] make the
//! platform's ports of them. Why the encoder is our own, and what it costs, is in `docs/adr/0001-own-bert-encoder.md`.

mod cross_encoder;
mod encoder;
mod error;
pub mod explain;
mod kernel;
pub mod onnx;
mod ports;
pub mod signature;
mod text_encoder;
mod tokens;
pub mod trees;
mod weights;

pub use cross_encoder::CrossEncoder;
pub use error::LoadError;
pub use onnx::Scores;
pub use onnx::trees_of::{Trees, TreesFault};
pub use ports::{LocalEmbedder, LocalReranker};
pub use text_encoder::{EncodedText, TextEncoder};
