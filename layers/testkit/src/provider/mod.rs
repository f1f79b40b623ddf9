//! Stub providers that speak the real wire protocols: for tests of the language-model adapters, and of all
//! that stands on them.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use mandi_testkit::provider::{OpenAiStub, Script};
//!
//! let stub = OpenAiStub::start(Script::text("Payment is due in 30 days.")).await?;
//! let base_url = stub.base_url(); // give it to the adapter
//! assert_eq!(stub.calls(), 0);
//! # Ok(()) }
//! ```

mod bedrock;
mod openai;
mod script;
mod server;
mod stub;

pub use bedrock::{Bedrock, BedrockStub};
pub use openai::{OpenAi, OpenAiStub};
pub use script::{Call, End, Script, Streamed};
pub use stub::Stub;

use serde_json::Value;

/// A vector that depends on nothing but the text, so that tests know what to expect: component `i` is the sum
/// of the text's bytes at the positions `p` with `p % dimensions == i`, plus one. It is not of unit length.
#[must_use]
pub fn stub_vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![1.0_f32; dimensions];
    for (position, byte) in text.bytes().enumerate() {
        vector[position % dimensions] += f32::from(byte);
    }
    vector
}

/// The tokens that the stubs count for a text: its words, at least one.
fn stub_tokens(text: &str) -> u64 {
    text.split_whitespace().count().max(1) as u64
}

/// A field of a JSON object as a number.
fn number(body: &Value, field: &str) -> Option<usize> {
    body.get(field).and_then(Value::as_u64).and_then(|value| usize::try_from(value).ok())
}
