//! The journal of an execution, and how what stands in it is not done again.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mandi_core::{Clock, Timestamp};

use super::event::{Entry, Event};

/// Why an entry could not be written or read. The execution goes no further here; it can be taken up again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process has taken the execution over, or it was stopped.
    #[error("the execution is no longer this process's to run")]
    Lost,
    /// The journal cannot be read or written.
    #[error("the journal of the execution cannot be used")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What it says does not belong to this machine.
    #[error("the journal does not belong to this definition: {0}")]
    Mismatch(String),
}

/// An entry that has no number yet.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The entry that led to it.
    pub previous: u64,
    /// When it is written.
    pub at: Timestamp,
    /// The branch.
    pub branch: String,
    /// What happened.
    pub event: Event,
}

/// Where an execution's events go, one after the other, before their effects count.
#[async_trait]
pub trait Journal: Send + Sync + fmt::Debug {
    /// All entries, in order.
    async fn load(&self) -> Result<Vec<Entry>, JournalError>;

    /// Writes an entry after all others, and returns it with its number. When it returns, the entry is kept. A call
    /// that is dropped before has written the entry or not.
    async fn append(&self, draft: Draft) -> Result<Entry, JournalError>;
}

/// A journal in memory, for runs that need not survive the process.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    entries: Mutex<Vec<Entry>>,
}

impl MemoryJournal {
    /// With entries that are there already.
    #[must_use]
    pub const fn with(entries: Vec<Entry>) -> Self {
        Self { entries: Mutex::new(entries) }
    }

    /// All entries.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn load(&self) -> Result<Vec<Entry>, JournalError> {
        Ok(self.entries())
    }

    async fn append(&self, draft: Draft) -> Result<Entry, JournalError> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let id = entries.last().map_or(0, |entry| entry.id) + 1;
        let entry = Entry { id, previous: draft.previous, at: draft.at, branch: draft.branch, event: draft.event };
        entries.push(entry.clone());
        Ok(entry)
    }
}

/// The journal with what stood in it when the run began.
pub(super) struct Recorder<'a> {
    journal: &'a dyn Journal,
    clock: &'a dyn Clock,
    recorded: Mutex<HashMap<String, VecDeque<Entry>>>,
}

impl<'a> Recorder<'a> {
    pub(super) async fn open(journal: &'a dyn Journal, clock: &'a dyn Clock) -> Result<Self, JournalError> {
        let mut recorded: HashMap<String, VecDeque<Entry>> = HashMap::new();
        for entry in journal.load().await? {
            recorded.entry(entry.branch.clone()).or_default().push_back(entry);
        }
        Ok(Self { journal, clock, recorded: Mutex::new(recorded) })
    }

    /// A branch, with its recorded entries. `previous` is the entry that led to it.
    /// Its events are counted in `count`, also those that were recorded.
    pub(super) fn branch(&'a self, id: String, previous: u64, count: Arc<AtomicU64>) -> Branch<'a> {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let recorded = recorded.remove(&id).unwrap_or_default();
        count.fetch_add(u64::try_from(recorded.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Branch { recorder: self, id, previous, recorded, count }
    }
}

/// One strand of an execution: its entries follow each other.
pub(super) struct Branch<'a> {
    recorder: &'a Recorder<'a>,
    pub(super) id: String,
    pub(super) previous: u64,
    recorded: VecDeque<Entry>,
    /// The events of the execution that the branch is part of.
    pub(super) count: Arc<AtomicU64>,
}

impl<'a> Branch<'a> {
    /// The events of the execution so far.
    pub(super) fn events(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) const fn recorder(&self) -> &'a Recorder<'a> {
        self.recorder
    }

    /// The next recorded event that was not consumed yet.
    pub(super) fn peek(&self) -> Option<&Event> {
        self.recorded.front().map(|entry| &entry.event)
    }

    /// Takes the next recorded entry when `wanted` says so.
    pub(super) fn take_if(&mut self, wanted: impl FnOnce(&Event) -> bool) -> Option<Entry> {
        let entry = self.recorded.pop_front_if(|entry| wanted(&entry.event))?;
        self.previous = entry.id;
        Some(entry)
    }

    /// Takes the recorded entry that `wanted` finds first, and drops those before it. `None` when there is none.
    pub(super) fn take_through(&mut self, wanted: impl Fn(&Event) -> bool) -> Option<Entry> {
        let at = self.recorded.iter().position(|entry| wanted(&entry.event))?;
        let entry = self.recorded.drain(..=at).next_back()?;
        self.previous = entry.id;
        Some(entry)
    }

    /// The next entry: as it is recorded, or else written now. `is` says what a recorded one has to be.
    pub(super) async fn once(&mut self, is: impl FnOnce(&Event) -> bool, event: Event) -> Result<Entry, JournalError> {
        if let Some(entry) = self.recorded.front() {
            if !is(&entry.event) {
                let found = format!("entry {} is {:?} where {event:?} was to follow", entry.id, entry.event);
                return Err(JournalError::Mismatch(found.chars().take(500).collect()));
            }
            if let Some(entry) = self.recorded.pop_front() {
                self.previous = entry.id;
                return Ok(entry);
            }
        }
        self.write(event).await
    }

    /// Writes an entry after all recorded ones.
    pub(super) async fn write(&mut self, event: Event) -> Result<Entry, JournalError> {
        let at = self.recorder.clock.now();
        let draft = Draft { previous: self.previous, at, branch: self.id.clone(), event };
        let entry = self.recorder.journal.append(draft).await?;
        self.previous = entry.id;
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(entry)
    }
}
