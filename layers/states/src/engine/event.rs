//! What happens in an execution, by the names of Step Functions' history.
//! Source: `HistoryEvent` in the Step Functions API reference.

use std::collections::HashMap;

use mandi_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::fault::StateFault;
use crate::query::Language;

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number in the execution, from 1.
    pub id: u64,
    /// The entry that led to it; 0 for the first.
    pub previous: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The branch of the execution: empty for the machine's own states.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// What happened.
    pub event: Event,
}

/// Something that happened. Each is written before its effect counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
#[expect(missing_docs, reason = "the fields are those of the history's details, and are named like them")]
pub enum Event {
    /// The execution, or one of a distributed map, has begun.
    ExecutionStarted { input: Value },
    /// It has ended well.
    ExecutionSucceeded { output: Value },
    /// It has failed.
    ExecutionFailed { fault: StateFault },
    /// It was stopped.
    ExecutionAborted { fault: StateFault },
    /// It took longer than the machine's `TimeoutSeconds`.
    ExecutionTimedOut,
    /// A state was entered.
    StateEntered { kind: String, name: String, input: Value },
    /// A state was left. With `next` and the variables, a finished state is never computed again.
    StateExited {
        kind: String,
        name: String,
        output: Value,
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        assigned: Map<String, Value>,
        next: Option<String>,
    },
    /// A query failed.
    EvaluationFailed { state: String, fault: StateFault, jsonata: bool },
    /// A task is about to be called.
    TaskScheduled {
        resource: String,
        parameters: Value,
        timeout_ms: Option<u64>,
        heartbeat_ms: Option<u64>,
        token: Option<String>,
    },
    /// A task was called.
    TaskStarted { resource: String },
    /// A task was handed over, and its token's holder will tell its end.
    TaskSubmitted { resource: String, output: Value },
    /// A task ended well.
    TaskSucceeded { resource: String, output: Value },
    /// A task failed.
    TaskFailed { resource: String, fault: StateFault },
    /// A task took too long.
    TaskTimedOut { resource: String, fault: StateFault },
    /// Branches have begun.
    ParallelStateStarted,
    /// All branches ended well.
    ParallelStateSucceeded,
    /// A branch failed.
    ParallelStateFailed { fault: StateFault },
    /// Items are known, and their processing has begun.
    MapStateStarted {
        length: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        items: Option<Value>,
    },
    /// All items were processed.
    MapStateSucceeded,
    /// The map failed.
    MapStateFailed { fault: StateFault },
    /// An item's processing has begun.
    MapIterationStarted { name: String, index: u64 },
    /// An item was processed.
    MapIterationSucceeded { name: String, index: u64 },
    /// An item failed.
    MapIterationFailed { name: String, index: u64 },
    /// An item's processing was cut off because another failed.
    MapIterationAborted { name: String, index: u64 },
    /// The executions of a distributed map have begun.
    MapRunStarted { map_run: String },
    /// They are done.
    MapRunSucceeded { map_run: String },
    /// Too many of them failed.
    MapRunFailed { map_run: String, fault: StateFault },
    /// A wait has an end. Not in Step Functions' history.
    Waiting { until: Timestamp },
    /// A state will be tried again. Not in Step Functions' history.
    Retrying { until: Timestamp },
}

impl Event {
    /// The `type` in Step Functions' history; `None` for what it does not show.
    #[must_use]
    pub fn history_type(&self) -> Option<String> {
        Some(match self {
            Self::StateEntered { kind, .. } => format!("{kind}StateEntered"),
            Self::StateExited { kind, .. } => format!("{kind}StateExited"),
            Self::EvaluationFailed { jsonata: false, .. } | Self::Waiting { .. } | Self::Retrying { .. } => {
                return None;
            }
            Self::TaskScheduled { resource, .. } => task_event(resource, "Scheduled"),
            Self::TaskStarted { resource } => task_event(resource, "Started"),
            Self::TaskSubmitted { .. } => "TaskSubmitted".to_owned(),
            Self::TaskSucceeded { resource, .. } => task_event(resource, "Succeeded"),
            Self::TaskFailed { resource, .. } => task_event(resource, "Failed"),
            Self::TaskTimedOut { resource, .. } => task_event(resource, "TimedOut"),
            other => other.name().to_owned(),
        })
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::ExecutionStarted { .. } => "ExecutionStarted",
            Self::ExecutionSucceeded { .. } => "ExecutionSucceeded",
            Self::ExecutionFailed { .. } => "ExecutionFailed",
            Self::ExecutionAborted { .. } => "ExecutionAborted",
            Self::ExecutionTimedOut => "ExecutionTimedOut",
            Self::StateEntered { .. } => "StateEntered",
            Self::StateExited { .. } => "StateExited",
            Self::EvaluationFailed { .. } => "EvaluationFailed",
            Self::TaskScheduled { .. } => "TaskScheduled",
            Self::TaskStarted { .. } => "TaskStarted",
            Self::TaskSubmitted { .. } => "TaskSubmitted",
            Self::TaskSucceeded { .. } => "TaskSucceeded",
            Self::TaskFailed { .. } => "TaskFailed",
            Self::TaskTimedOut { .. } => "TaskTimedOut",
            Self::ParallelStateStarted => "ParallelStateStarted",
            Self::ParallelStateSucceeded => "ParallelStateSucceeded",
            Self::ParallelStateFailed { .. } => "ParallelStateFailed",
            Self::MapStateStarted { .. } => "MapStateStarted",
            Self::MapStateSucceeded => "MapStateSucceeded",
            Self::MapStateFailed { .. } => "MapStateFailed",
            Self::MapIterationStarted { .. } => "MapIterationStarted",
            Self::MapIterationSucceeded { .. } => "MapIterationSucceeded",
            Self::MapIterationFailed { .. } => "MapIterationFailed",
            Self::MapIterationAborted { .. } => "MapIterationAborted",
            Self::MapRunStarted { .. } => "MapRunStarted",
            Self::MapRunSucceeded { .. } => "MapRunSucceeded",
            Self::MapRunFailed { .. } => "MapRunFailed",
            Self::Waiting { .. } => "Waiting",
            Self::Retrying { .. } => "Retrying",
        }
    }

    /// The name of the history's details and the details themselves. Payloads are JSON texts there.
    #[must_use]
    pub fn details(&self) -> Option<(String, Value)> {
        let fault = |fault: &StateFault| json!({ "error": fault.error, "cause": fault.cause });
        let details = match self {
            Self::ExecutionStarted { input } => json!({ "input": input.to_string() }),
            Self::ExecutionSucceeded { output } => json!({ "output": output.to_string() }),
            Self::ExecutionFailed { fault: error }
            | Self::ExecutionAborted { fault: error }
            | Self::MapRunFailed { fault: error, .. } => fault(error),
            Self::StateEntered { name, input, .. } => {
                return Some((
                    "stateEnteredEventDetails".to_owned(),
                    json!({ "name": name, "input": input.to_string() }),
                ));
            }
            Self::StateExited { name, output, assigned, .. } => {
                let mut details = json!({ "name": name, "output": output.to_string() });
                if !assigned.is_empty() {
                    let texts = assigned.iter().map(|(name, value)| (name.clone(), Value::String(value.to_string())));
                    details["assignedVariables"] = Value::Object(texts.collect());
                }
                return Some(("stateExitedEventDetails".to_owned(), details));
            }
            Self::EvaluationFailed { state, fault, .. } => {
                json!({ "state": state, "error": fault.error, "cause": fault.cause })
            }
            Self::TaskScheduled { resource, parameters, timeout_ms, heartbeat_ms, .. } => {
                let mut details = task_details(resource);
                details["parameters"] = Value::String(parameters.to_string());
                let seconds = [("timeoutInSeconds", timeout_ms), ("heartbeatInSeconds", heartbeat_ms)];
                for (name, milliseconds) in seconds.into_iter().filter_map(|(name, value)| Some((name, (*value)?))) {
                    details[name] = Value::from(milliseconds.div_ceil(1000));
                }
                details
            }
            Self::TaskStarted { resource } => task_details(resource),
            Self::TaskSubmitted { resource, output } | Self::TaskSucceeded { resource, output } => {
                let mut details = task_details(resource);
                details["output"] = Value::String(output.to_string());
                details
            }
            Self::TaskFailed { resource, fault } | Self::TaskTimedOut { resource, fault } => {
                let mut details = task_details(resource);
                details["error"] = Value::String(fault.error.clone());
                details["cause"] = Value::String(fault.cause.clone());
                details
            }
            Self::MapStateStarted { length, .. } => json!({ "length": length }),
            Self::MapIterationStarted { name, index }
            | Self::MapIterationSucceeded { name, index }
            | Self::MapIterationFailed { name, index }
            | Self::MapIterationAborted { name, index } => json!({ "name": name, "index": index }),
            Self::MapRunStarted { map_run } => json!({ "mapRunArn": map_run }),
            _ => return None,
        };
        let mut name = self.history_type()?;
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        Some((format!("{name}EventDetails"), details))
    }

    pub(super) const fn evaluation_failed(state: String, fault: StateFault, language: Language) -> Self {
        Self::EvaluationFailed { state, fault, jsonata: matches!(language, Language::Jsonata) }
    }
}

/// Functions of Lambda have events of their own.
fn task_event(resource: &str, what: &str) -> String {
    let kind = if crate::definition::Resource::parse(resource).is_function() { "LambdaFunction" } else { "Task" };
    format!("{kind}{what}")
}

fn task_details(resource: &str) -> Value {
    let resource = crate::definition::Resource::parse(resource);
    if resource.is_function() {
        return json!({ "resource": resource.as_str() });
    }
    let (kind, action) = resource.integration();
    json!({ "resourceType": kind, "resource": action })
}

/// The history as `GetExecutionHistory` gives it: without what happened within executions of distributed maps, and
/// without what only the journal needs. Events are numbered one after the other, as there.
#[must_use]
pub fn history(entries: &[Entry]) -> Vec<Value> {
    let mut shown = Vec::new();
    // What stands for each entry: its own event, or that of the last shown one before it.
    let mut numbers: HashMap<u64, usize> = HashMap::new();
    for entry in entries {
        let previous = numbers.get(&entry.previous).copied().unwrap_or(0);
        let is_shown = !entry.branch.contains('#');
        let Some(kind) = entry.event.history_type().filter(|_| is_shown) else {
            numbers.insert(entry.id, previous);
            continue;
        };
        let id = shown.len() + 1;
        numbers.insert(entry.id, id);
        let mut event = json!({ "timestamp": entry.at, "type": kind, "id": id, "previousEventId": previous });
        if let Some((name, details)) = entry.event.details() {
            event[name] = details;
        }
        shown.push(event);
    }
    shown
}
