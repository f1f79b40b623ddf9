//! Language models and remote embedding models: adapters of `mandi_core::ports::{LanguageModel, Embedder}`,
//! which of them answers for which tenant, and what they cost.
//!
//! Adapters report what happened in the caller's terms ([`mandi_core::ports::ModelError`]) and never try
//! again: whoever calls decides on retry, breaker and fallback around the port.

#[cfg(feature = "bedrock")]
pub mod bedrock;
mod estimate;
#[cfg(feature = "gguf")]
pub mod gguf;
pub mod openai;
pub mod prices;
pub mod providers;
mod sse;
mod timeouts;
mod vector;
mod watched;

pub use timeouts::Timeouts;
