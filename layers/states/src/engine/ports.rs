//! What an execution needs of the outside.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures::channel::mpsc::UnboundedSender;
use mandi_core::{Clock, Timestamp};
use serde_json::Value;

use super::journal::Journal;
use crate::definition::Resource;
use crate::fault::StateFault;
use crate::query::Random;

/// One call of a task.
#[derive(Clone, Debug)]
pub struct TaskCall {
    /// The same for every call of the same attempt, also after the process was killed meanwhile: what the runner has
    /// done under this id it does not do again.
    pub id: String,
    /// The state's name.
    pub state: String,
    /// What is called.
    pub resource: Resource,
    /// With what.
    pub arguments: Value,
    /// The token of a task whose end is told from outside.
    pub token: Option<String>,
    /// How often the state was tried before, from 0.
    pub retry_count: u64,
    /// Tells that the task is alive.
    pub heartbeat: Heartbeat,
}

/// Tells that a task is alive. A task with `HeartbeatSeconds` that does not use it fails with
/// `States.HeartbeatTimeout`.
#[derive(Clone)]
pub struct Heartbeat(pub(super) UnboundedSender<()>);

impl Heartbeat {
    /// The task is alive.
    pub fn beat(&self) {
        // The execution may have ended meanwhile; then nobody asks.
        let _ = self.0.unbounded_send(());
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Heartbeat")
    }
}

/// Does the work of tasks. A call whose future is dropped was cut off: by a time-out, a stop, or because another branch
/// failed.
#[async_trait]
pub trait TaskRunner: Send + Sync + fmt::Debug {
    /// Calls a task and waits for its end.
    ///
    /// # Errors
    /// The task failed; the name is what `ErrorEquals` matches.
    async fn run(&self, call: TaskCall) -> Result<Value, StateFault>;
}

/// Tells the ends of tasks that have a token.
#[async_trait]
pub trait Callbacks: Send + Sync + fmt::Debug {
    /// Waits until the token's holder has told the task's end, which it may have done before this call.
    ///
    /// # Errors
    /// The holder said that the task failed.
    async fn outcome(&self, token: &str, heartbeat: &Heartbeat) -> Result<Value, StateFault>;
}

/// Nobody tells ends: tasks with tokens wait for ever, or for their time-out.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCallbacks;

#[async_trait]
impl Callbacks for NoCallbacks {
    async fn outcome(&self, _: &str, _: &Heartbeat) -> Result<Value, StateFault> {
        futures::future::pending().await
    }
}

/// Waits.
#[async_trait]
pub trait Timer: Send + Sync + fmt::Debug {
    /// Returns when the moment has come.
    async fn until(&self, moment: Timestamp);
}

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its size.
    pub size_bytes: u64,
    /// When it was written last.
    pub modified_at: Option<Timestamp>,
}

/// Where item readers read and result writers write.
#[async_trait]
pub trait ItemStore: Send + Sync + fmt::Debug {
    /// The content of an object.
    ///
    /// # Errors
    /// A sentence that says why it cannot be read.
    async fn get(&self, bucket: &str, key: &str) -> Result<Bytes, String>;

    /// The objects whose keys begin with a prefix, in the order of their keys.
    ///
    /// # Errors
    /// A sentence that says why they cannot be listed.
    async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Listed>, String>;

    /// Writes an object.
    ///
    /// # Errors
    /// A sentence that says why it cannot be written.
    async fn put(&self, bucket: &str, key: &str, content: Bytes) -> Result<(), String>;
}

/// No objects.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoItemStore;

#[async_trait]
impl ItemStore for NoItemStore {
    async fn get(&self, bucket: &str, key: &str) -> Result<Bytes, String> {
        Err(format!("there are no objects here to read s3://{bucket}/{key} from"))
    }

    async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Listed>, String> {
        Err(format!("there are no objects here to list s3://{bucket}/{prefix}"))
    }

    async fn put(&self, bucket: &str, key: &str, _: Bytes) -> Result<(), String> {
        Err(format!("there are no objects here to write s3://{bucket}/{key} to"))
    }
}

/// What an execution needs of the outside.
#[derive(Clone, Copy, Debug)]
pub struct Ports<'a> {
    /// Does the work.
    pub tasks: &'a dyn TaskRunner,
    /// Tells the ends of tasks with tokens.
    pub callbacks: &'a dyn Callbacks,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Waits.
    pub timer: &'a dyn Timer,
    /// Chance.
    pub random: &'a dyn Random,
    /// Items of distributed maps and their results.
    pub items: &'a dyn ItemStore,
    /// Where events go.
    pub journal: &'a dyn Journal,
}
