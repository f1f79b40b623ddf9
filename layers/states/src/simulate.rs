//! Executions in simulated time, with canned tasks and objects in memory: for tests of definitions.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use async_trait::async_trait;
use bytes::Bytes;
use mandi_core::{Clock, Timestamp};

use crate::engine::{ItemStore, Listed, Timer};

/// Time that stands still while anything can go on, and then jumps to the next moment that something waits for.
#[derive(Debug)]
pub struct SimulatedTime {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    waiting: Vec<(Timestamp, Waker)>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl SimulatedTime {
    /// Time that begins at a moment.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self { state: Mutex::new(State { now, waiting: Vec::new() }) }
    }

    /// Drives a future to its end. `None` when it waits for something that no time brings.
    pub fn drive<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        loop {
            woken.0.store(false, Ordering::SeqCst);
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Some(output);
            }
            if !woken.0.load(Ordering::SeqCst) && !self.jump() {
                return None;
            }
        }
    }

    /// Moves to the next moment that is waited for.
    fn jump(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(next) = state.waiting.iter().map(|(moment, _)| *moment).min() else { return false };
        state.now = state.now.max(next);
        let now = state.now;
        let due: Vec<_> = state.waiting.extract_if(.., |(moment, _)| *moment <= now).collect();
        drop(state);
        due.into_iter().for_each(|(_, waker)| waker.wake());
        true
    }
}

impl Clock for SimulatedTime {
    fn now(&self) -> Timestamp {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).now
    }
}

#[async_trait]
impl Timer for SimulatedTime {
    async fn until(&self, moment: Timestamp) {
        std::future::poll_fn(|context| {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.now >= moment {
                return Poll::Ready(());
            }
            state.waiting.push((moment, context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

/// Objects in memory, by bucket and key.
#[derive(Debug, Default)]
pub struct MemoryItems {
    objects: Mutex<BTreeMap<(String, String), Bytes>>,
}

impl MemoryItems {
    /// The objects that are there: bucket, key and content.
    #[must_use]
    pub fn objects(&self) -> BTreeMap<(String, String), Bytes> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl ItemStore for MemoryItems {
    async fn get(&self, bucket: &str, key: &str) -> Result<Bytes, String> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let found = objects.get(&(bucket.to_owned(), key.to_owned())).cloned();
        found.ok_or_else(|| format!("there is no object s3://{bucket}/{key}"))
    }

    async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Listed>, String> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = objects.iter().filter(|((in_bucket, key), _)| in_bucket == bucket && key.starts_with(prefix));
        let listed = |((_, key), content): (&(String, String), &Bytes)| Listed {
            key: key.clone(),
            size_bytes: u64::try_from(content.len()).unwrap_or(u64::MAX),
            modified_at: None,
        };
        Ok(wanted.map(listed).collect())
    }

    async fn put(&self, bucket: &str, key: &str, content: Bytes) -> Result<(), String> {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.insert((bucket.to_owned(), key.to_owned()), content);
        Ok(())
    }
}
