//! Distributed `Map` states: an execution of its own for each item or batch.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use mandi_core::Timestamp;
use serde_json::{Value, json};

use super::event::Event;
use super::frame::{Frame, Place};
use super::items;
use super::map::{Item, each, item_context};
use super::results::{self, Run};
use super::state::{Exit, Visit};
use super::{Engine, Halt, data};
use crate::definition::Map;
use crate::fault::{StateFault, names, within_limit};

/// The most executions at the same time in this process, whatever the definition asks for.
const MAX_RUNNING: usize = 1_000;

/// The numbers that a distributed map goes by.
struct Plan {
    max_running: usize,
    tolerated: u64,
    tolerated_percentage: f64,
    has_tolerance: (bool, bool),
}

/// One execution to run.
struct Child {
    input: Value,
    items: usize,
    context: Option<Arc<Value>>,
}

/// How executions ended so far.
#[derive(Default)]
struct Tally {
    items: u64,
    failed: u64,
}

impl Tally {
    /// More items failed than are tolerated. Without any tolerance one is too many.
    #[expect(clippy::cast_precision_loss, reason = "items are counted in memory; there are fewer than 2^53")]
    fn exceeds(&self, plan: &Plan) -> bool {
        let share = if self.items == 0 { 0.0 } else { self.failed as f64 * 100.0 / self.items as f64 };
        match plan.has_tolerance {
            (false, false) => self.failed > 0,
            (count, percentage) => {
                (count && self.failed > plan.tolerated) || (percentage && share > plan.tolerated_percentage)
            }
        }
    }
}

impl Engine<'_> {
    pub(super) async fn map_run(&self, visit: &Visit<'_>, map: &Map, frame: &mut Frame<'_>) -> Result<Exit, Halt> {
        let label = map.label.as_deref().unwrap_or(&visit.state.name);
        let map_run = format!("{}:{label}:{}.{}", self.execution.id, frame.visits, visit.retries);
        let children = self.children(visit, map, frame).await?;
        let is = |event: &Event| matches!(event, Event::MapStateStarted { .. });
        let length = u64::try_from(children.iter().map(|child| child.items).sum::<usize>()).unwrap_or_default();
        frame.branch.once(is, Event::MapStateStarted { length, items: None }).await?;
        let is = |event: &Event| matches!(event, Event::MapRunStarted { .. });
        frame.branch.once(is, Event::MapRunStarted { map_run: map_run.clone() }).await?;
        let failed = frame.branch.take_through(|event| matches!(event, Event::MapStateFailed { .. }));
        if let Some(Event::MapStateFailed { fault }) = failed.map(|entry| entry.event) {
            return Err(Halt::Fault(fault));
        }
        let result = match self.run_children(visit, map, &map_run, children, frame).await {
            Ok(result) => result,
            Err(Halt::Fault(fault)) => {
                let event = Event::MapRunFailed { map_run, fault: fault.clone() };
                frame.branch.write(event).await?;
                frame.branch.write(Event::MapStateFailed { fault: fault.clone() }).await?;
                return Err(Halt::Fault(fault));
            }
            Err(broken) => return Err(broken),
        };
        let is = |event: &Event| matches!(event, Event::MapRunSucceeded { .. });
        frame.branch.once(is, Event::MapRunSucceeded { map_run }).await?;
        let is = |event: &Event| matches!(event, Event::MapStateSucceeded);
        frame.branch.once(is, Event::MapStateSucceeded).await?;
        self.leave_map(visit, &result, frame).await
    }

    /// Reads the items, selects from each, and gathers batches. A map that is taken up again reads them again.
    async fn children(&self, visit: &Visit<'_>, map: &Map, frame: &mut Frame<'_>) -> Result<Vec<Child>, Halt> {
        let (items, source) = match &map.reader {
            None => {
                let items = |frame: &Frame<'_>| self.given_items(visit, map, visit.scope(self, frame));
                (each(frame.evaluate(visit.state, items).await?), "STATE_DATA".to_owned())
            }
            Some(reader) => {
                let asked = |frame: &Frame<'_>| {
                    let scope = visit.scope(self, frame);
                    let effective = data::effective_input(visit.state, scope)?;
                    let scope = scope.of(&effective);
                    let most = data::whole(visit.state, reader.config.max_items.as_ref(), scope, "MaxItems")?;
                    Ok((reader.arguments.evaluate(&scope, "ItemReader")?, most.filter(|most| *most > 0)))
                };
                let (arguments, most) = frame.evaluate(visit.state, asked).await?;
                let most = most.and_then(|most| usize::try_from(most).ok());
                let read = items::read(self.ports.items, reader.resource, &reader.config, &arguments, most).await;
                frame.evaluate(visit.state, |_| read).await?
            }
        };
        let children = |frame: &Frame<'_>| self.select(visit, map, items, &source, frame);
        frame.evaluate(visit.state, children).await
    }

    fn select(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        items: Vec<Item>,
        source: &str,
        frame: &Frame<'_>,
    ) -> Result<Vec<Child>, StateFault> {
        let mut children = Vec::with_capacity(items.len());
        let mut place = frame.inner("#", Place { item: None, child: frame.place.child.clone() });
        for (index, item) in items.into_iter().enumerate() {
            let context = self.context.is_some().then(|| Arc::new(item_context(index, &item, Some(source))));
            place.place.item.clone_from(&context);
            let input = self.item_input(visit, map, &item, &place)?;
            children.push(Child { input, items: 1, context });
        }
        let Some(batcher) = &map.batcher else { return Ok(children) };
        let scope = visit.scope(self, frame);
        let effective = data::effective_input(visit.state, scope)?;
        let scope = scope.of(&effective);
        let whole = |template, field| {
            let whole = data::whole(visit.state, template, scope, field)?;
            Ok::<_, StateFault>(whole.and_then(|whole| usize::try_from(whole).ok()).filter(|whole| *whole > 0))
        };
        let max_items = whole(batcher.max_items.as_ref(), "MaxItemsPerBatch")?;
        let max_bytes = whole(batcher.max_bytes.as_ref(), "MaxInputBytesPerBatch")?;
        let input = batcher.batch_input.as_ref().map(|input| input.evaluate(&scope, "BatchInput")).transpose()?;
        let inputs = children.into_iter().map(|child| child.input).collect();
        let batches = items::batches(inputs, max_items, max_bytes, input.as_ref());
        Ok(batches.into_iter().map(|(input, items)| Child { input, items, context: None }).collect())
    }

    fn plan(&self, visit: &Visit<'_>, map: &Map, frame: &Frame<'_>) -> Result<Plan, StateFault> {
        let scope = visit.scope(self, frame);
        let effective = data::effective_input(visit.state, scope)?;
        let scope = scope.of(&effective);
        let running = data::whole(visit.state, map.max_concurrency.as_ref(), scope, "MaxConcurrency")?;
        let tolerated = data::whole(visit.state, map.tolerated_count.as_ref(), scope, "ToleratedFailureCount")?;
        let percentage = map
            .tolerated_percentage
            .as_ref()
            .map(|template| data::number(visit.state, template, scope, "ToleratedFailurePercentage", 0.0..=100.0));
        let percentage = percentage.transpose()?;
        let running = running.and_then(|running| usize::try_from(running).ok()).filter(|running| *running > 0);
        Ok(Plan {
            max_running: running.unwrap_or(MAX_RUNNING).min(MAX_RUNNING),
            tolerated: tolerated.unwrap_or_default(),
            tolerated_percentage: percentage.unwrap_or_default(),
            has_tolerance: (tolerated.is_some(), percentage.is_some()),
        })
    }

    async fn run_children(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        map_run: &str,
        children: Vec<Child>,
        frame: &mut Frame<'_>,
    ) -> Result<Value, Halt> {
        let plan = self.plan(visit, map, frame)?;
        let mut tally = Tally {
            items: u64::try_from(children.iter().map(|child| child.items).sum::<usize>()).unwrap_or_default(),
            failed: 0,
        };
        let mut runs: Vec<Option<Run>> = children.iter().map(|_| None).collect();
        {
            let mut running = FuturesUnordered::new();
            let mut waiting = children.into_iter().enumerate();
            loop {
                while running.len() < plan.max_running
                    && let Some((index, child)) = waiting.next()
                {
                    running.push(self.child(visit, map, map_run, index, child, frame));
                }
                let Some(ended) = running.next().await else { break };
                let (index, items, run) = ended?;
                if run.outcome.is_err() {
                    tally.failed += u64::try_from(items).unwrap_or_default();
                }
                if let Some(place) = runs.get_mut(index) {
                    *place = Some(run);
                }
                if tally.exceeds(&plan) {
                    let cause = format!(
                        "{} of {} items failed, which is more than the state tolerates",
                        tally.failed, tally.items
                    );
                    let first = runs.iter().flatten().find_map(|run| run.outcome.as_ref().err());
                    let cause =
                        first.map_or_else(|| cause.clone(), |first| format!("{cause}. The first failure: {first}"));
                    return Err(StateFault::new(names::EXCEED_TOLERATED_FAILURE_THRESHOLD, cause).into());
                }
            }
        }
        let runs: Vec<Run> = runs.into_iter().flatten().collect();
        let Some(writer) = &map.writer else {
            return Ok(Value::Array(runs.into_iter().filter_map(|run| run.outcome.ok()).collect()));
        };
        let arguments = {
            let scope = visit.scope(self, frame);
            let effective = data::effective_input(visit.state, scope)?;
            let scope = scope.of(&effective);
            writer.arguments.as_ref().map(|arguments| arguments.evaluate(&scope, "ResultWriter")).transpose()?
        };
        Ok(results::write(self.ports.items, writer.config, arguments.as_ref(), map_run, &runs).await?)
    }

    /// Runs one execution, or finds in the journal how it ended.
    async fn child(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        map_run: &str,
        index: usize,
        child: Child,
        frame: &Frame<'_>,
    ) -> Result<(usize, usize, Run), Halt> {
        let name = format!("{}.{}#{index}", frame.visits, visit.retries);
        let mut inner = frame.apart(&name, Place::default());
        let is = |event: &Event| matches!(event, Event::ExecutionStarted { .. });
        let started = inner.branch.once(is, Event::ExecutionStarted { input: child.input }).await?;
        let Event::ExecutionStarted { input } = started.event else {
            return Err(StateFault::runtime("the start of an execution is none").into());
        };
        let id = format!("{map_run}:{index}");
        let ended = |event: &Event| matches!(event, Event::ExecutionSucceeded { .. } | Event::ExecutionFailed { .. });
        let ended = match inner.branch.take_through(ended) {
            Some(ended) => ended,
            None => {
                if self.context.is_some() {
                    inner.place =
                        Place { item: child.context, child: Some(Arc::new(child_context(&id, &input, started.at))) };
                }
                let outcome = match within_limit("The input of an item's execution", &input) {
                    Ok(()) => self.graph(&map.processor, input.clone(), &mut inner).await,
                    Err(fault) => Err(Halt::Fault(fault)),
                };
                let event = match outcome {
                    Ok(output) => Event::ExecutionSucceeded { output },
                    Err(Halt::Fault(fault)) => Event::ExecutionFailed { fault },
                    Err(broken) => return Err(broken),
                };
                inner.branch.write(event).await?
            }
        };
        let outcome = match ended.event {
            Event::ExecutionSucceeded { output } => Ok(output),
            Event::ExecutionFailed { fault } => Err(fault),
            _ => return Err(StateFault::runtime("the end of an execution is none").into()),
        };
        Ok((index, child.items, Run { id, input, started_at: started.at, ended_at: ended.at, outcome }))
    }
}

fn child_context(id: &str, input: &Value, started_at: Timestamp) -> Value {
    json!({
        "Id": id,
        "Input": input,
        "Name": id.rsplit(':').next().unwrap_or(id),
        "RoleArn": "",
        "StartTime": started_at,
        "RedriveCount": 0,
    })
}
