//! What tests share: the conformance suite of each port, the emulator that the AWS adapters are tested
//! against, and stand-ins for language-model providers that speak their wire formats. A dev-dependency only.
#![expect(clippy::unwrap_used, reason = "everything here runs inside tests, where a panic is the report")]

pub mod bus;
pub mod captures;
pub mod lambda;
pub mod moto;
pub mod objects;
pub mod orchestrator;
pub mod provider;
pub mod records;

use std::sync::Arc;

use mandi_core::time::FixedClock;
use mandi_core::{TenantId, Timestamp};

/// A clock that stands at 2026-11-21T09:50:00.123Z until it is moved.
#[must_use]
pub fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::at(Timestamp::from_unix_ms(1_795_254_600_123)))
}

/// A tenant.
///
/// # Panics
/// The name is not one that a tenant may have.
#[must_use]
pub fn tenant(name: &str) -> TenantId {
    TenantId::from_stored(name).unwrap()
}

/// Makes one test of each named case of a suite; the suites' own macros call it.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($make:path; $suite:ident; $($case:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let fixture = $make().await;
                $crate::$suite::$case(&fixture).await;
            }
        )+
    };
}
