//! Amazon States Language on one machine: definitions are read, checked and run, in JSONata and in JSONPath.
//!
//! Nothing here does input or output of its own: tasks, time, chance, objects and the journal are behind traits.

pub mod definition;
pub mod engine;
pub mod fault;
pub mod locate;
pub mod mock;
pub mod query;
pub mod simulate;
pub mod standalone;
