//! The queue between answers and the store of captures: bounded, with one writer, and with a count of what was lost.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::call::Lines;
use crate::ids::ModelId;
use crate::ports::{
    CaptureError, CaptureLine, CaptureStore, MAX_CAPTURE_BATCH_BYTES, MAX_CAPTURE_BATCH_LINES, MAX_CAPTURE_LINE_BYTES,
};

/// The most models that are counted each.
const MOST_MODELS: usize = 10_000;

/// How much may wait, with what is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureLimits {
    /// In lines.
    pub lines: usize,
    /// In bytes. A line is at most [`MAX_CAPTURE_LINE_BYTES`]; with less than that, longer ones are never taken.
    pub bytes: usize,
}

impl Default for CaptureLimits {
    fn default() -> Self {
        Self { lines: 20 * MAX_CAPTURE_BATCH_LINES, bytes: 32 * MAX_CAPTURE_LINE_BYTES }
    }
}

/// Why a line, or a row that is too long for one, was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LostReason {
    /// The queue was full: the store is slower than the calls.
    QueueFull,
    /// A row alone is longer than a line may be.
    TooLong,
    /// The store asked to slow down, also after several tries.
    Throttled,
    /// The disk was full.
    StorageFull,
    /// The store could not be reached, was broken, or refused the line.
    Unavailable,
    /// The writer had ended.
    Ended,
    /// It could not be written as JSON.
    NotWritten,
}

impl LostReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::QueueFull,
        Self::TooLong,
        Self::Throttled,
        Self::StorageFull,
        Self::Unavailable,
        Self::Ended,
        Self::NotWritten,
    ];

    /// Its name in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooLong => "too_long",
            Self::Throttled => "throttled",
            Self::StorageFull => "storage_full",
            Self::Unavailable => "unavailable",
            Self::Ended => "ended",
            Self::NotWritten => "not_written",
        }
    }

    const fn of(error: &CaptureError) -> Self {
        match error {
            CaptureError::Throttled => Self::Throttled,
            CaptureError::Full => Self::StorageFull,
            CaptureError::Unavailable(_) => Self::Unavailable,
        }
    }
}

/// What became of lines, of all models or of one, since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureCounts {
    /// Lines that are durable in the store.
    pub captured: u64,
    lost: [u64; LostReason::ALL.len()],
}

impl CaptureCounts {
    fn lose(&mut self, reason: LostReason, count: u64) {
        let counter = LostReason::ALL.iter().zip(&mut self.lost).find(|(of, _)| **of == reason);
        if let Some((_, counter)) = counter {
            *counter += count;
        }
    }

    /// Lines (of [`LostReason::TooLong`]: rows) that were lost for a reason.
    #[must_use]
    pub fn lost(&self, reason: LostReason) -> u64 {
        LostReason::ALL.iter().zip(self.lost).find(|(of, _)| **of == reason).map_or(0, |(_, count)| count)
    }

    /// All that was lost.
    #[must_use]
    pub fn lost_in_all(&self) -> u64 {
        self.lost.iter().sum()
    }
}

/// How a wait for the store ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// All that was offered before is durable, or counted as lost.
    Settled,
    /// The time was over before.
    TimedOut,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<CaptureLine>,
    /// Lines and bytes that wait or are being written.
    lines: usize,
    bytes: usize,
    /// Lines that were ever taken.
    taken: u64,
    is_closed: bool,
    has_ended: bool,
}

#[derive(Debug)]
struct Shared {
    limits: CaptureLimits,
    state: Mutex<State>,
    wake: Notify,
    /// Of the lines that were taken, how many are durable or counted as lost.
    settled: watch::Sender<u64>,
    captured: AtomicU64,
    lost: [AtomicU64; LostReason::ALL.len()],
    by_model: Mutex<HashMap<ModelId, CaptureCounts>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, reason: LostReason, count: u64) {
        let counter = LostReason::ALL.iter().zip(&self.lost).find(|(of, _)| **of == reason);
        if let Some((_, counter)) = counter {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    fn lose_of(&self, model: &ModelId, reason: LostReason, count: u64) {
        if count > 0 {
            self.lose(reason, count);
            self.count(model, |counts| counts.lose(reason, count));
        }
    }

    /// Counts for a model. A model too many is counted among all alone.
    fn count(&self, model: &ModelId, change: impl FnOnce(&mut CaptureCounts)) {
        let mut by_model = self.by_model.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = by_model.get_mut(model) {
            change(counts);
        } else if by_model.len() < MOST_MODELS {
            change(by_model.entry(model.clone()).or_default());
        }
    }

    fn counts(&self) -> CaptureCounts {
        let lost = self.lost.each_ref().map(|counter| counter.load(Ordering::Relaxed));
        CaptureCounts { captured: self.captured.load(Ordering::Relaxed), lost }
    }
}

/// Takes lines, and never waits for it. A clone is the same one.
#[derive(Clone)]
pub struct Captures {
    shared: Arc<Shared>,
}

impl fmt::Debug for Captures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Captures").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

/// Writes what [`Captures`] takes. Run it as a task of its own.
#[derive(Debug)]
pub struct CaptureWriter {
    shared: Arc<Shared>,
    store: Arc<dyn CaptureStore>,
}

impl Captures {
    /// A queue before a store, and its one writer.
    #[must_use]
    pub fn new(store: Arc<dyn CaptureStore>, limits: CaptureLimits) -> (Self, CaptureWriter) {
        let shared = Arc::new(Shared {
            limits,
            state: Mutex::default(),
            wake: Notify::new(),
            settled: watch::Sender::new(0),
            captured: AtomicU64::new(0),
            lost: Default::default(),
            by_model: Mutex::default(),
        });
        (Self { shared: shared.clone() }, CaptureWriter { shared, store })
    }

    /// Takes the lines of a call; those for which there is no room are lost and counted.
    pub fn offer(&self, lines: Lines) {
        let too_long = u64::try_from(lines.too_long).unwrap_or(u64::MAX);
        self.shared.lose_of(&lines.model, LostReason::TooLong, too_long);
        let mut state = self.shared.state();
        for line in lines.lines {
            let bytes = line.bytes().len();
            if state.is_closed || state.has_ended {
                self.shared.lose_of(&lines.model, LostReason::Ended, 1);
                // No writer is there to tell of it.
                tracing::warn!(captures_lost = 1, reason = LostReason::Ended.name(), "captured predictions were lost");
            } else if state.lines >= self.shared.limits.lines || state.bytes + bytes > self.shared.limits.bytes {
                self.shared.lose_of(&lines.model, LostReason::QueueFull, 1);
            } else {
                state.lines += 1;
                state.bytes += bytes;
                state.taken += 1;
                state.waiting.push_back(line);
            }
        }
        drop(state);
        self.shared.wake.notify_one();
    }

    /// Counts a call whose lines could not be made.
    pub fn not_written(&self, model: &ModelId) {
        self.shared.lose_of(model, LostReason::NotWritten, 1);
        self.shared.wake.notify_one();
    }

    /// Waits until all that was offered before is durable or counted as lost, at most so long.
    pub async fn flush(&self, within: Duration) -> Flushed {
        let taken = self.shared.state().taken;
        let mut settled = self.shared.settled.subscribe();
        let waited = tokio::time::timeout(within, settled.wait_for(|settled| *settled >= taken)).await;
        if waited.is_ok() { Flushed::Settled } else { Flushed::TimedOut }
    }

    /// Takes no more; the writer ends when it has written what waits.
    pub fn close(&self) {
        self.shared.state().is_closed = true;
        self.shared.wake.notify_one();
    }

    /// What became of the lines.
    #[must_use]
    pub fn counts(&self) -> CaptureCounts {
        self.shared.counts()
    }

    /// What became of the lines of a model.
    #[must_use]
    pub fn counts_of(&self, model: &ModelId) -> CaptureCounts {
        self.shared.by_model.lock().unwrap_or_else(PoisonError::into_inner).get(model).copied().unwrap_or_default()
    }
}

impl CaptureWriter {
    /// Writes until [`Captures::close`], and what waits then.
    pub async fn run(self) {
        let mut told = CaptureCounts::default();
        loop {
            let batch = self.take();
            if batch.is_empty() {
                told = self.tell(told);
                if self.shared.state().is_closed {
                    return;
                }
                self.shared.wake.notified().await;
                continue;
            }
            let outcomes = self.store.append(&batch).await;
            self.settle(&batch, outcomes);
            told = self.tell(told);
        }
    }

    /// The next lines, as many as go at a time.
    fn take(&self) -> Vec<CaptureLine> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let mut state = self.shared.state();
        while let Some(line) = state.waiting.front() {
            bytes += line.bytes().len();
            if batch.len() == MAX_CAPTURE_BATCH_LINES || bytes > MAX_CAPTURE_BATCH_BYTES {
                break;
            }
            batch.extend(state.waiting.pop_front());
        }
        batch
    }

    fn settle(&self, batch: &[CaptureLine], outcomes: Vec<Result<(), CaptureError>>) {
        let missing = || Err(CaptureError::Unavailable("the store gave no outcome".into()));
        let mut outcomes = outcomes.into_iter();
        let mut cause = None;
        for line in batch {
            match outcomes.next().unwrap_or_else(missing) {
                Ok(()) => {
                    self.shared.captured.fetch_add(1, Ordering::Relaxed);
                    self.shared.count(line.model(), |counts| counts.captured += 1);
                }
                Err(error) => {
                    self.shared.lose_of(line.model(), LostReason::of(&error), 1);
                    cause = Some(error);
                }
            }
        }
        if let Some(cause) = cause {
            tracing::warn!(error = ?cause, "the store of captures failed");
        }
        let mut state = self.shared.state();
        state.lines -= batch.len();
        state.bytes -= batch.iter().map(|line| line.bytes().len()).sum::<usize>();
        drop(state);
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        self.shared.settled.send_modify(|settled| *settled += count);
    }

    /// Logs what was lost since it was told last. The field `captures_lost` is what an alarm looks for.
    fn tell(&self, told: CaptureCounts) -> CaptureCounts {
        let counts = self.shared.counts();
        for reason in LostReason::ALL {
            let lost = counts.lost(reason) - told.lost(reason);
            if lost > 0 {
                tracing::warn!(captures_lost = lost, reason = reason.name(), "captured predictions were lost");
            }
        }
        counts
    }
}

/// A writer that ends, in whatever way, says what it leaves unwritten.
impl Drop for CaptureWriter {
    fn drop(&mut self) {
        let (taken, waiting) = {
            let mut state = self.shared.state();
            state.has_ended = true;
            (state.lines, state.bytes) = (0, 0);
            (state.taken, std::mem::take(&mut state.waiting))
        };
        for line in &waiting {
            self.shared.count(line.model(), |counts| counts.lose(LostReason::Ended, 1));
        }
        let left = taken - *self.shared.settled.borrow();
        if left > 0 {
            self.shared.lose(LostReason::Ended, left);
            tracing::warn!(captures_lost = left, reason = LostReason::Ended.name(), "captured predictions were lost");
            self.shared.settled.send_modify(|settled| *settled = taken);
        }
    }
}
