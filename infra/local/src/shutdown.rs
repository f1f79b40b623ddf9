//! When to stop.

use std::future::{Future, pending};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for SIGTERM and Ctrl-C from this call on; what it returns ends when one of them came.
pub fn asked() -> impl Future<Output = ()> {
    let (terminated, interrupted) = (listen(SignalKind::terminate()), listen(SignalKind::interrupt()));
    async {
        tokio::select! {
            () = came(terminated) => {}
            () = came(interrupted) => {}
        }
    }
}

fn listen(kind: SignalKind) -> Option<Signal> {
    // Without a handler the signal ends the process by itself.
    signal(kind).inspect_err(|error| tracing::warn!(%error, "a signal to stop is not listened for")).ok()
}

async fn came(signal: Option<Signal>) {
    match signal {
        Some(mut signal) => drop(signal.recv().await),
        None => pending().await,
    }
}
