//! What every part of Mandi shares: tenants, ids, errors, time, settings, and the ports to the outside.
//!
//! Nothing here knows HTTP, AWS or Lambda. A port (a trait in [`ports`]) is where the outside begins; its
//! adapters live in their own crates, and one conformance suite in `mandi-testkit` runs against all of them.

pub mod audit;
pub mod capture;
pub mod error;
pub mod event_log;
pub mod files;
pub mod identity;
pub mod ids;
pub mod language;
pub mod lease;
pub mod metering;
pub mod money;
pub mod ports;
pub mod settings;
pub mod streams;
pub mod text;
pub mod time;
pub mod uploads;

pub use error::{FieldError, Problem, ProblemKind, Result};
pub use identity::{Permission, Principal, TenantId};
pub use language::Language;
pub use money::MicroUsd;
pub use time::{Clock, SystemClock, Timestamp};
