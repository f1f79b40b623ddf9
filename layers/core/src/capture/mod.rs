//! Captured predictions: what is kept of a call, without what is private, and the queue that it leaves by.
//!
//! Which calls are captured is `mandi-learning`'s `CapturePolicy`. A call that is captured costs its answer nothing but
//! making the line: [`Captures::offer`] never waits. What cannot be kept is counted by its reason, and logged.

mod call;
mod queue;
mod redaction;

pub use call::{CapturedArm, CapturedCall, CapturedRow, Lines, UnknownFormat};
pub use queue::{CaptureCounts, CaptureLimits, CaptureWriter, Captures, Flushed, LostReason};
pub use redaction::{Privacy, Redaction};
