//! Tasks: called once for each attempt, and not again when the journal has their end.

use std::time::Duration;

use futures::channel::mpsc::unbounded;
use futures::future::{Either, pending, select};
use futures::{FutureExt as _, StreamExt as _};
use mandi_core::Timestamp;
use serde_json::Value;

use super::event::Event;
use super::frame::Frame;
use super::ports::{Heartbeat, TaskCall};
use super::state::{Exit, Visit};
use super::{Engine, Halt, data};
use crate::definition::{Pattern, Task};
use crate::fault::{StateFault, names, within_limit};
use crate::query::draw;

/// A task as it was scheduled.
struct Scheduled {
    call_id: String,
    parameters: Value,
    timeout_ms: Option<u64>,
    heartbeat_ms: Option<u64>,
    token: Option<String>,
}

impl Engine<'_> {
    pub(super) async fn task(&self, visit: &Visit<'_>, task: &Task, frame: &mut Frame<'_>) -> Result<Exit, Halt> {
        let scheduled = self.schedule(visit, task, frame).await?;
        let resource = task.resource.as_str().to_owned();
        let is = |event: &Event| matches!(event, Event::TaskStarted { .. });
        let started = frame.branch.once(is, Event::TaskStarted { resource: resource.clone() }).await?;
        let result = self.outcome(visit, task, &scheduled, started.at, frame).await?;
        let leave = |frame: &Frame<'_>| {
            let scope = visit.scope(self, frame);
            let effective = data::effective_input(visit.state, scope)?;
            data::leave(visit.state, scope, &effective, Some(&result))
        };
        frame.evaluate(visit.state, leave).await
    }

    /// Computes what the task is called with, or finds it in the journal.
    async fn schedule(&self, visit: &Visit<'_>, task: &Task, frame: &mut Frame<'_>) -> Result<Scheduled, Halt> {
        let call_id = format!("{}:{}:{}:{}", self.execution.id, frame.branch.id, frame.visits, visit.retries);
        let resource = task.resource.as_str().to_owned();
        let recorded = frame.branch.take_if(|event| matches!(event, Event::TaskScheduled { .. }));
        let event = match recorded {
            Some(entry) => entry.event,
            None => {
                let schedule = |frame: &Frame<'_>| self.arguments(visit, task, frame);
                let event = frame.evaluate(visit.state, schedule).await?;
                frame.branch.write(event).await?.event
            }
        };
        match event {
            Event::TaskScheduled { resource: recorded, parameters, timeout_ms, heartbeat_ms, token }
                if recorded == resource =>
            {
                Ok(Scheduled { call_id, parameters, timeout_ms, heartbeat_ms, token })
            }
            _ => Err(StateFault::runtime("the journal has another task here").into()),
        }
    }

    fn arguments(&self, visit: &Visit<'_>, task: &Task, frame: &Frame<'_>) -> Result<Event, StateFault> {
        let token = (task.resource.pattern() == Pattern::Callback).then(|| draw::uuid(self.ports.random));
        let mut context = visit.context.as_ref().clone();
        if let Some(token) = &token {
            context["Task"] = serde_json::json!({ "Token": token });
        }
        let scope = crate::query::Scope { context: &context, ..visit.scope(self, frame) };
        let effective = data::effective_input(visit.state, scope)?;
        let scope = scope.of(&effective);
        let parameters = data::arguments(visit.state, scope)?;
        within_limit(&format!("What the state '{}' calls its task with", visit.state.name), &parameters)?;
        let milliseconds = |template: &Option<_>, field: &str| {
            let Some(template) = template else { return Ok(None) };
            let seconds = data::number(visit.state, template, scope, field, 1.0..=99_999_999.0)?;
            Ok(Some(u64::try_from(Duration::from_secs_f64(seconds).as_millis()).unwrap_or(u64::MAX)))
        };
        Ok(Event::TaskScheduled {
            resource: task.resource.as_str().to_owned(),
            parameters,
            timeout_ms: milliseconds(&task.timeout, "TimeoutSeconds")?,
            heartbeat_ms: milliseconds(&task.heartbeat, "HeartbeatSeconds")?,
            token,
        })
    }

    /// The task's result: from the journal, or by calling it.
    async fn outcome(
        &self,
        visit: &Visit<'_>,
        task: &Task,
        scheduled: &Scheduled,
        started_at: Timestamp,
        frame: &mut Frame<'_>,
    ) -> Result<Value, Halt> {
        let submitted = frame.branch.take_if(|event| matches!(event, Event::TaskSubmitted { .. })).is_some();
        let ended = |event: &Event| {
            matches!(event, Event::TaskSucceeded { .. } | Event::TaskFailed { .. } | Event::TaskTimedOut { .. })
        };
        let resource = task.resource.as_str().to_owned();
        let event = match frame.branch.take_if(ended) {
            Some(entry) => entry.event,
            None => {
                let within = self.guarded(visit, task, scheduled, started_at, submitted, frame).await;
                let event = match within {
                    Ok(output) => Event::TaskSucceeded { resource, output },
                    Err(Halt::Broken(error)) => return Err(Halt::Broken(error)),
                    Err(Halt::Fault(fault))
                        if matches!(fault.error.as_str(), names::TIMEOUT | names::HEARTBEAT_TIMEOUT) =>
                    {
                        Event::TaskTimedOut { resource, fault }
                    }
                    Err(Halt::Fault(fault)) => Event::TaskFailed { resource, fault },
                };
                frame.branch.write(event).await?.event
            }
        };
        match event {
            Event::TaskSucceeded { output, .. } => Ok(output),
            Event::TaskFailed { fault, .. } | Event::TaskTimedOut { fault, .. } => Err(Halt::Fault(fault)),
            _ => Err(StateFault::runtime("the end of a task is none").into()),
        }
    }

    /// Calls the task under its time-out and its heartbeat.
    async fn guarded(
        &self,
        visit: &Visit<'_>,
        task: &Task,
        scheduled: &Scheduled,
        started_at: Timestamp,
        submitted: bool,
        frame: &mut Frame<'_>,
    ) -> Result<Value, Halt> {
        let (sender, mut beats) = unbounded();
        let heartbeat = Heartbeat(sender);
        let name = &visit.state.name;
        let too_late = async {
            match scheduled.timeout_ms {
                Some(milliseconds) => {
                    self.ports.timer.until(started_at.plus(Duration::from_millis(milliseconds))).await;
                }
                None => pending().await,
            }
            StateFault::new(names::TIMEOUT, format!("The task of the state '{name}' took longer than TimeoutSeconds"))
        };
        let silent = async {
            let Some(milliseconds) = scheduled.heartbeat_ms else { return pending().await };
            loop {
                let until = self.ports.clock.now().plus(Duration::from_millis(milliseconds));
                match select(beats.next(), self.ports.timer.until(until)).await {
                    Either::Left((Some(()), _)) => {}
                    Either::Left((None, _)) => return pending().await,
                    Either::Right(_) => {
                        let cause = format!("The task of the state '{name}' sent no heartbeat for HeartbeatSeconds");
                        return StateFault::new(names::HEARTBEAT_TIMEOUT, cause);
                    }
                }
            }
        };
        let guards = select(too_late.boxed(), silent.boxed());
        let call = self.call(visit, task, scheduled, submitted, heartbeat, frame);
        match select(guards, call.boxed()).await {
            Either::Left((guard, _)) => Err(Halt::Fault(guard.factor_first().0)),
            Either::Right((result, _)) => {
                let output = result?;
                within_limit(&format!("The result of the task of the state '{name}'"), &output)?;
                Ok(output)
            }
        }
    }

    async fn call(
        &self,
        visit: &Visit<'_>,
        task: &Task,
        scheduled: &Scheduled,
        submitted: bool,
        heartbeat: Heartbeat,
        frame: &mut Frame<'_>,
    ) -> Result<Value, Halt> {
        if !submitted {
            let call = TaskCall {
                id: scheduled.call_id.clone(),
                state: visit.state.name.clone(),
                resource: task.resource.clone(),
                arguments: scheduled.parameters.clone(),
                token: scheduled.token.clone(),
                retry_count: visit.retries,
                heartbeat: heartbeat.clone(),
            };
            let output = self.ports.tasks.run(call).await?;
            if scheduled.token.is_none() {
                return Ok(output);
            }
            let resource = task.resource.as_str().to_owned();
            frame.branch.write(Event::TaskSubmitted { resource, output }).await?;
        }
        let token = scheduled.token.as_deref().unwrap_or_default();
        Ok(self.ports.callbacks.outcome(token, &heartbeat).await?)
    }
}
