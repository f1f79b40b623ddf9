//! Answers with verified citations, as a stream of events: for chat and for single questions alike.
//!
//! A question is made to stand alone, passages are searched for it, and what is relevant among them is given to
//! the language model with numbers. Its output is held back until a sentence is complete; the sentence is shown
//! only after its citations are verified. The first sentence that its sources do not support stops the model,
//! and the answer goes on, or is made, of sentences of the sources (see [`crate::extractive`]), declared as
//! degraded. When nothing is relevant the answer says so, and no model is called.

mod calls;
mod engine;
mod events;
mod generate;
mod shown;
pub mod tell;

pub use calls::{CallLog, ModelCall};
pub use engine::{AnswerEngine, AnswerSettings};
pub use events::{AnswerDone, AnswerEvent, AnswerRequest, AnswerStream, Citation, DegradedReason, Finish, RewriteMode};
