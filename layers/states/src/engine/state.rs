//! States, one after the other.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use mandi_core::Timestamp;
use serde_json::{Map, Value, json};

use super::event::Event;
use super::frame::Frame;
use super::{Engine, Halt, data, retry};
use crate::definition::{Graph, Kind, Next, State, Wait};
use crate::fault::{StateFault, within_limit};
use crate::query::{Scope, Template};

/// The most events of an execution, as in Step Functions: what goes round for ever ends here.
const MAX_EVENTS: u64 = 25_000;

/// How a state was left.
#[derive(Debug)]
pub(super) struct Exit {
    pub(super) output: Value,
    pub(super) assigned: Map<String, Value>,
    pub(super) next: Option<String>,
}

/// One visit of a state.
#[derive(Clone, Debug)]
pub(super) struct Visit<'v> {
    pub(super) state: &'v State,
    pub(super) input: &'v Value,
    pub(super) entered_at: Timestamp,
    /// How often the state was tried before in this visit.
    pub(super) retries: u64,
    pub(super) context: Arc<Value>,
}

impl<'v> Visit<'v> {
    pub(super) fn scope<'s>(&'s self, engine: &'s Engine<'_>, frame: &'s Frame<'_>) -> Scope<'s>
    where
        'v: 's,
    {
        Scope {
            input: self.input,
            result: None,
            error_output: None,
            context: &self.context,
            variables: &frame.variables,
            now: engine.ports.clock.now(),
            random: engine.ports.random,
        }
    }
}

impl Engine<'_> {
    /// Runs a graph to its end, and returns its output.
    pub(super) fn graph<'g>(
        &'g self,
        graph: &'g Graph,
        input: Value,
        frame: &'g mut Frame<'_>,
    ) -> BoxFuture<'g, Result<Value, Halt>> {
        async move {
            let (mut name, mut input) = (graph.start_at.clone(), input);
            loop {
                let Some(state) = graph.states.get(&name) else {
                    return Err(StateFault::runtime(format!("there is no state '{name}'")).into());
                };
                let exit = self.visit(state, input, frame).await?;
                frame.assign(exit.assigned);
                match exit.next {
                    Some(next) => (name, input) = (next, exit.output),
                    None => return Ok(exit.output),
                }
            }
        }
        .boxed()
    }

    /// Enters a state and leaves it, or finds in the journal how it was left.
    async fn visit(&self, state: &State, input: Value, frame: &mut Frame<'_>) -> Result<Exit, Halt> {
        let kind = state.kind.name().to_owned();
        let event = Event::StateEntered { kind: kind.clone(), name: state.name.clone(), input };
        let is = |event: &Event| matches!(event, Event::StateEntered { name, .. } if *name == state.name);
        let entered = frame.branch.once(is, event).await?;
        let entered_at = entered.at;
        let Event::StateEntered { input, .. } = entered.event else {
            return Err(StateFault::runtime("the entry of a state is none").into());
        };
        frame.visits += 1;
        if frame.branch.events() >= MAX_EVENTS {
            let cause = format!("The execution has reached {MAX_EVENTS} events in its history");
            return Err(StateFault::runtime(cause).into());
        }
        if let Some(entry) = frame.branch.take_through(|event| matches!(event, Event::StateExited { .. }))
            && let Event::StateExited { output, assigned, next, .. } = entry.event
        {
            return Ok(Exit { output, assigned, next });
        }
        let exit = retry::until_left(self, state, &input, entered_at, frame).await?;
        let Exit { output, assigned, next } = exit;
        let event = Event::StateExited { kind, name: state.name.clone(), output, assigned, next };
        match frame.branch.write(event).await?.event {
            Event::StateExited { output, assigned, next, .. } => Ok(Exit { output, assigned, next }),
            _ => Err(StateFault::runtime("the exit of a state is none").into()),
        }
    }

    /// Does what a state does, once.
    pub(super) async fn attempt(&self, visit: &Visit<'_>, frame: &mut Frame<'_>) -> Result<Exit, Halt> {
        let state = visit.state;
        match &state.kind {
            Kind::Pass { result } => {
                let exit = |frame: &Frame<'_>| {
                    let scope = visit.scope(self, frame);
                    let effective = data::effective_input(state, scope)?;
                    let result = match result {
                        Some(result) => result.clone(),
                        None => data::arguments(state, scope.of(&effective))?,
                    };
                    data::leave(state, scope, &effective, Some(&result))
                };
                frame.evaluate(state, exit).await
            }
            Kind::Succeed => frame.evaluate(state, |frame| data::leave_as_it_is(state, visit.scope(self, frame))).await,
            Kind::Wait(wait) => {
                let until = match frame.branch.peek() {
                    Some(Event::Waiting { until }) => *until,
                    _ => frame.evaluate(state, |frame| until(wait, state, visit.scope(self, frame))).await?,
                };
                let is = |event: &Event| matches!(event, Event::Waiting { .. });
                frame.branch.once(is, Event::Waiting { until }).await?;
                self.ports.timer.until(until).await;
                frame.evaluate(state, |frame| data::leave_as_it_is(state, visit.scope(self, frame))).await
            }
            Kind::Choice { rules, default } => {
                let choose = |frame: &Frame<'_>| {
                    super::choice::choose(state, rules, default.as_deref(), visit.scope(self, frame))
                };
                frame.evaluate(state, choose).await
            }
            Kind::Fail { error, cause } => {
                let fault = |frame: &Frame<'_>| {
                    let scope = visit.scope(self, frame);
                    let text = |template: &Option<Template>, field: &str| match template {
                        None => Ok(String::new()),
                        Some(template) => match template.evaluate(&scope, field)? {
                            Value::String(text) => Ok(text),
                            other => Err(data::wrong(state, field, "a text", &other)),
                        },
                    };
                    Ok(StateFault::new(text(error, "Error")?, text(cause, "Cause")?))
                };
                Err(Halt::Fault(frame.evaluate(state, fault).await?))
            }
            Kind::Task(task) => self.task(visit, task, frame).await,
            Kind::Parallel { branches } => self.parallel(visit, branches, frame).await,
            Kind::Map(map) => self.map(visit, map, frame).await,
        }
    }

    /// The context object for a visit.
    pub(super) fn context(&self, state: &State, entered_at: Timestamp, retries: u64, frame: &Frame<'_>) -> Arc<Value> {
        let Some(base) = &self.context else { return Arc::new(Value::Object(Map::new())) };
        let mut context = base.clone();
        context["State"] = json!({ "EnteredTime": entered_at, "Name": state.name, "RetryCount": retries });
        if let Some(item) = &frame.place.item {
            context["Map"] = json!({ "Item": item.as_ref() });
        }
        if let Some(child) = &frame.place.child {
            context["Execution"] = child.as_ref().clone();
        }
        Arc::new(context)
    }
}

/// The state after this one.
pub(super) fn next_of(state: &State) -> Option<String> {
    match &state.next {
        Next::State(name) => Some(name.clone()),
        Next::End => None,
    }
}

/// The moment that a `Wait` state waits for.
fn until(wait: &Wait, state: &State, scope: Scope<'_>) -> Result<Timestamp, StateFault> {
    let effective = data::effective_input(state, scope)?;
    let scope = scope.of(&effective);
    match wait {
        Wait::Seconds(template) => {
            let seconds = data::number(state, template, scope, "Seconds", 0.0..=99_999_999.0)?;
            Ok(scope.now.plus(std::time::Duration::from_secs_f64(seconds)))
        }
        Wait::Timestamp(template) => {
            let value = template.evaluate(&scope, "Timestamp").map_err(data::in_the_state_itself)?;
            let moment = value.as_str().and_then(|text| Timestamp::parse(text).ok());
            moment.ok_or_else(|| data::wrong(state, "Timestamp", "a time as in RFC 3339", &value))
        }
    }
}

/// Fails when an output or a set of variables is too large.
pub(super) fn check_sizes(state: &State, exit: &Exit) -> Result<(), StateFault> {
    within_limit(&format!("The output of the state '{}'", state.name), &exit.output)?;
    if exit.assigned.is_empty() {
        return Ok(());
    }
    within_limit(&format!("What the state '{}' assigns", state.name), &Value::Object(exit.assigned.clone()))
}
