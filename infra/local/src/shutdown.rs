//! When to stop.

/// Waits for SIGTERM or Ctrl-C.
pub async fn asked() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupted = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted => {}
            }
        }
        Err(error) => {
            tracing::warn!(%error, "SIGTERM is not listened for");
            // Without a handler the signal ends the process by itself.
            let _ = interrupted.await;
        }
    }
}
