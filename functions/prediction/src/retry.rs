//! Changes that begin anew when another one came before.

use std::time::Duration;

/// How often a change is tried.
pub(crate) const TRIES: u32 = 10;

/// Waits before another attempt, longer each time and never as long as others that collided: up to about two seconds
/// in all.
pub(crate) async fn pause(attempt: u32) {
    if attempt > 0 {
        let most_ms = 4_u64 << attempt.min(8);
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..=most_ms))).await;
    }
}
