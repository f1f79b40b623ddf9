//! Runs a state machine. Every event is in the journal before its effect counts, so that a run that was cut off at any
//! point is taken up from the journal.

mod choice;
mod data;
mod distributed;
mod event;
mod frame;
mod items;
mod journal;
mod map;
mod parallel;
mod ports;
mod results;
mod retry;
mod state;
mod task;

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{Either, select};
use mandi_core::Timestamp;
use serde_json::{Value, json};

pub use event::{Entry, Event, history};
pub use journal::{Draft, Journal, JournalError, MemoryJournal};
pub use ports::{
    Callbacks, Heartbeat, ItemStore, Listed, NoCallbacks, NoItemStore, Ports, TaskCall, TaskRunner, Timer,
};

use crate::definition::Machine;
use crate::fault::{StateFault, within_limit};
use frame::{Frame, Place};
use journal::Recorder;

/// Which execution is run.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Its id (in Step Functions an ARN).
    pub id: String,
    /// Its name.
    pub name: String,
    /// The machine's id.
    pub machine_id: String,
    /// The machine's name.
    pub machine_name: String,
    /// Its input.
    pub input: Value,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Succeeded(Value),
    /// With an error.
    Failed(StateFault),
    /// It took longer than the machine's `TimeoutSeconds`.
    TimedOut,
    /// It was stopped.
    Aborted(StateFault),
}

impl Outcome {
    /// The outcome that a recorded event tells.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        Some(match event {
            Event::ExecutionSucceeded { output } => Self::Succeeded(output.clone()),
            Event::ExecutionFailed { fault } => Self::Failed(fault.clone()),
            Event::ExecutionAborted { fault } => Self::Aborted(fault.clone()),
            Event::ExecutionTimedOut => Self::TimedOut,
            _ => return None,
        })
    }
}

/// Why a strand of an execution does not go on.
#[derive(Debug)]
enum Halt {
    /// It failed; a retrier or a catcher may take it from here.
    Fault(StateFault),
    /// The journal failed; nothing can be done any more.
    Broken(JournalError),
}

impl From<StateFault> for Halt {
    fn from(fault: StateFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<JournalError> for Halt {
    fn from(error: JournalError) -> Self {
        Self::Broken(error)
    }
}

/// Runs an execution to its end, or takes it up where its journal ends. To stop it, drop the future and write
/// [`Event::ExecutionAborted`].
///
/// # Errors
/// The journal cannot be read or written. The execution has not ended then, and can be taken up again.
pub async fn run(machine: &Machine, execution: &Execution, ports: &Ports<'_>) -> Result<Outcome, JournalError> {
    let recorder = Recorder::open(ports.journal, ports.clock).await?;
    let mut branch = recorder.branch(String::new(), 0, Arc::default());
    let started = Event::ExecutionStarted { input: execution.input.clone() };
    let started = branch.once(|event| matches!(event, Event::ExecutionStarted { .. }), started).await?;
    if let Some(ended) = branch.take_through(|event| Outcome::of(event).is_some())
        && let Some(outcome) = Outcome::of(&ended.event)
    {
        return Ok(outcome);
    }
    let engine = Engine { ports, execution, context: base_context(machine, execution, started.at) };
    let deadline = machine.timeout_s.map(|seconds| started.at.plus(std::time::Duration::from_secs(seconds)));
    let outcome = {
        let mut frame = Frame::new(branch, Place::default());
        let whole = async {
            within_limit("The execution's input", &execution.input)?;
            engine.graph(&machine.graph, execution.input.clone(), &mut frame).await
        };
        let outcome = match deadline {
            None => whole.await,
            Some(deadline) => match select(ports.timer.until(deadline), whole.boxed()).await {
                Either::Left(_) => {
                    drop_and_write(&recorder, ports, Event::ExecutionTimedOut).await?;
                    return Ok(Outcome::TimedOut);
                }
                Either::Right((outcome, _)) => outcome,
            },
        };
        let event = match outcome {
            Ok(output) => Event::ExecutionSucceeded { output },
            Err(Halt::Fault(fault)) => Event::ExecutionFailed { fault },
            Err(Halt::Broken(error)) => return Err(error),
        };
        frame.branch.write(event).await?.event
    };
    Outcome::of(&outcome).ok_or_else(|| JournalError::Mismatch("the last entry is no end".to_owned()))
}

/// Writes the end of an execution that was cut off.
async fn drop_and_write(recorder: &Recorder<'_>, ports: &Ports<'_>, event: Event) -> Result<(), JournalError> {
    let previous = ports.journal.load().await?.last().map_or(0, |entry| entry.id);
    recorder.branch(String::new(), previous, Arc::default()).write(event).await.map(drop)
}

/// The context object's parts that stay the same; empty when the machine does not mention it.
fn base_context(machine: &Machine, execution: &Execution, started_at: Timestamp) -> Option<Value> {
    machine.mentions_context.then(|| {
        json!({
            "Execution": {
                "Id": execution.id,
                "Input": execution.input,
                "Name": execution.name,
                "RoleArn": "",
                "StartTime": started_at,
                "RedriveCount": 0,
            },
            "StateMachine": { "Id": execution.machine_id, "Name": execution.machine_name },
        })
    })
}

struct Engine<'a> {
    ports: &'a Ports<'a>,
    execution: &'a Execution,
    context: Option<Value>,
}
