//! Waiting for the other side.

use std::time::Duration;

/// Waits until something holds, for at most ten seconds.
pub async fn eventually(holds: impl Fn() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it did not come to hold within ten seconds");
}
