//! What the readers of a process know of its writers without asking the store: which of them live, and when one has
//! stored something.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use super::StreamId;

/// The writers of this process.
#[derive(Debug, Default)]
pub(super) struct Hub(Mutex<HashMap<StreamId, watch::Sender<u64>>>);

impl Hub {
    /// Makes a writer known.
    pub(super) fn open(&self, id: &StreamId) {
        self.lock().entry(id.clone()).or_insert_with(|| watch::channel(0).0);
    }

    /// Says that all events up to `last` are stored.
    pub(super) fn stored(&self, id: &StreamId, last: u64) {
        if let Some(sender) = self.lock().get(id) {
            sender.send_replace(last);
        }
    }

    /// Forgets a writer: its readers wake, and find what is stored.
    pub(super) fn close(&self, id: &StreamId) {
        self.lock().remove(id);
    }

    /// What a writer of this process says, if there is one.
    pub(super) fn follow(&self, id: &StreamId) -> Option<watch::Receiver<u64>> {
        self.lock().get(id).map(watch::Sender::subscribe)
    }

    /// Whether a writer of this process lives.
    pub(super) fn has(&self, id: &StreamId) -> bool {
        self.lock().contains_key(id)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<StreamId, watch::Sender<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
