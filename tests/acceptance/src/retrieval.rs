//! How well the platform finds: questions whose answers are known, what their searches give, and the measures of that.
//!
//! A search is judged by *needs*: what a question asks for, one thing as a rule. Relevance is binary: a result meets a
//! need or it does not, and only the first result that meets it gains anything, so that chunks which overlap, or
//! versions of one document which say the same, count once.

pub mod decisions;
pub mod declaration;
pub mod licences;
pub mod metrics;
pub mod report;
pub mod searching;
