//! `Map` states in the execution itself.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::{Map as Object, Value, json};

use super::event::Event;
use super::frame::{Frame, Place};
use super::state::{Exit, Visit};
use super::{Engine, Halt, data};
use crate::definition::{Map, Mode};
use crate::fault::StateFault;
use crate::query::{Language, Scope};

/// The most iterations at the same time where the definition sets no limit, as in Step Functions.
const MAX_ITERATIONS: usize = 40;

/// An item with the name of its place where the items are an object's members.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) value: Value,
    pub(super) key: Option<String>,
}

impl Engine<'_> {
    pub(super) async fn map(&self, visit: &Visit<'_>, map: &Map, frame: &mut Frame<'_>) -> Result<Exit, Halt> {
        if map.mode == Mode::Distributed {
            return self.map_run(visit, map, frame).await;
        }
        let items = self.start(visit, map, frame).await?;
        let failed = frame.branch.take_through(|event| matches!(event, Event::MapStateFailed { .. }));
        if let Some(Event::MapStateFailed { fault }) = failed.map(|entry| entry.event) {
            return Err(Halt::Fault(fault));
        }
        let result = match self.iterations(visit, map, &items, frame).await {
            Ok(outputs) => Value::Array(outputs),
            Err(Halt::Fault(fault)) => {
                frame.branch.write(Event::MapStateFailed { fault: fault.clone() }).await?;
                return Err(Halt::Fault(fault));
            }
            Err(broken) => return Err(broken),
        };
        let is = |event: &Event| matches!(event, Event::MapStateSucceeded);
        frame.branch.once(is, Event::MapStateSucceeded).await?;
        self.leave_map(visit, &result, frame).await
    }

    pub(super) async fn leave_map(
        &self,
        visit: &Visit<'_>,
        result: &Value,
        frame: &mut Frame<'_>,
    ) -> Result<Exit, Halt> {
        let leave = |frame: &Frame<'_>| {
            let scope = visit.scope(self, frame);
            let effective = data::effective_input(visit.state, scope)?;
            data::leave(visit.state, scope, &effective, Some(result))
        };
        frame.evaluate(visit.state, leave).await
    }

    /// The items, written when the map begins.
    async fn start(&self, visit: &Visit<'_>, map: &Map, frame: &mut Frame<'_>) -> Result<Vec<Item>, Halt> {
        let recorded = frame.branch.take_if(|event| matches!(event, Event::MapStateStarted { .. }));
        let items = match recorded.map(|entry| entry.event) {
            Some(Event::MapStateStarted { items: Some(items), .. }) => items,
            _ => {
                let items = |frame: &Frame<'_>| self.given_items(visit, map, visit.scope(self, frame));
                let items = frame.evaluate(visit.state, items).await?;
                let length = items.as_array().map(Vec::len).or_else(|| items.as_object().map(Object::len));
                let length = u64::try_from(length.unwrap_or_default()).unwrap_or_default();
                let event = Event::MapStateStarted { length, items: Some(items.clone()) };
                frame.branch.write(event).await?;
                items
            }
        };
        Ok(each(items))
    }

    /// `Items` or `ItemsPath`; without them the input.
    pub(super) fn given_items(&self, visit: &Visit<'_>, map: &Map, scope: Scope<'_>) -> Result<Value, StateFault> {
        let effective = data::effective_input(visit.state, scope)?;
        let scope = scope.of(&effective);
        let field = if visit.state.language == Language::Jsonata { "Items" } else { "ItemsPath" };
        let items = match &map.items {
            Some(template) => template.evaluate(&scope, field).map_err(data::in_the_state_itself)?,
            None => effective.clone(),
        };
        if items.is_array() || (items.is_object() && (map.mode == Mode::Distributed || map.items.is_some())) {
            return Ok(items);
        }
        Err(data::wrong(visit.state, field, "an array", &items))
    }

    /// Runs the processor for each item; when one fails, the others are cut off.
    async fn iterations(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        items: &[Item],
        frame: &mut Frame<'_>,
    ) -> Result<Vec<Value>, Halt> {
        let limit = {
            let scope = visit.scope(self, frame);
            let limit = data::whole(visit.state, map.max_concurrency.as_ref(), scope, "MaxConcurrency")?;
            limit.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0).unwrap_or(MAX_ITERATIONS)
        };
        let limit = limit.min(MAX_ITERATIONS);
        let mut outputs = vec![Value::Null; items.len()];
        let mut begun = vec![false; items.len()];
        let mut failed = None;
        {
            let mut running = FuturesUnordered::new();
            let mut waiting = items.iter().enumerate();
            loop {
                while running.len() < limit
                    && let Some((index, item)) = waiting.next()
                {
                    if let Some(begun) = begun.get_mut(index) {
                        *begun = true;
                    }
                    running.push(self.iteration(visit, map, index, item, frame));
                }
                let Some((index, output)) = running.next().await else { break };
                if let Some(begun) = begun.get_mut(index) {
                    *begun = false;
                }
                match output {
                    Ok(output) => {
                        if let Some(place) = outputs.get_mut(index) {
                            *place = output;
                        }
                    }
                    Err(halt) => {
                        failed = Some(halt);
                        break;
                    }
                }
            }
        }
        let Some(halt) = failed else { return Ok(outputs) };
        if matches!(halt, Halt::Fault(_)) {
            for index in begun.iter().enumerate().filter_map(|(index, begun)| begun.then_some(index)) {
                let index = u64::try_from(index).unwrap_or_default();
                frame.branch.write(Event::MapIterationAborted { name: visit.state.name.clone(), index }).await?;
            }
        }
        Err(halt)
    }

    async fn iteration(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        index: usize,
        item: &Item,
        frame: &Frame<'_>,
    ) -> (usize, Result<Value, Halt>) {
        let name = format!("{}.{}.{index}", frame.visits, visit.retries);
        let place = Place { item: Some(Arc::new(item_context(index, item, None))), child: frame.place.child.clone() };
        let mut inner = frame.inner(&name, place);
        (index, self.iterate(visit, map, index, item, &mut inner).await)
    }

    async fn iterate(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        index: usize,
        item: &Item,
        inner: &mut Frame<'_>,
    ) -> Result<Value, Halt> {
        let name = visit.state.name.clone();
        let number = u64::try_from(index).unwrap_or_default();
        let is = |event: &Event| matches!(event, Event::MapIterationStarted { .. });
        inner.branch.once(is, Event::MapIterationStarted { name: name.clone(), index: number }).await?;
        let outcome = match self.item_input(visit, map, item, inner) {
            Ok(input) => self.graph(&map.processor, input, inner).await,
            Err(fault) => Err(Halt::Fault(fault)),
        };
        match outcome {
            Ok(output) => {
                let is = |event: &Event| matches!(event, Event::MapIterationSucceeded { .. });
                inner.branch.once(is, Event::MapIterationSucceeded { name, index: number }).await?;
                Ok(output)
            }
            Err(Halt::Fault(fault)) => {
                let is = |event: &Event| matches!(event, Event::MapIterationFailed { .. });
                inner.branch.once(is, Event::MapIterationFailed { name, index: number }).await?;
                Err(Halt::Fault(fault))
            }
            Err(broken) => Err(broken),
        }
    }

    /// The input of an item's processing: the item, or what `ItemSelector` (or the older `Parameters`) makes of it.
    pub(super) fn item_input(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        item: &Item,
        inner: &Frame<'_>,
    ) -> Result<Value, StateFault> {
        let Some(selector) = map.selector.as_ref().or(visit.state.data.arguments.as_ref()) else {
            return Ok(item.value.clone());
        };
        let context = self.context(visit.state, visit.entered_at, visit.retries, inner);
        let scope = Scope { context: &context, ..visit.scope(self, inner) };
        let effective = data::effective_input(visit.state, scope)?;
        selector.evaluate(&scope.of(&effective), "ItemSelector")
    }
}

/// The items of an array, or the members of an object.
pub(super) fn each(items: Value) -> Vec<Item> {
    match items {
        Value::Array(items) => items.into_iter().map(|value| Item { value, key: None }).collect(),
        Value::Object(members) => {
            let member =
                |(key, value): (String, Value)| Item { value: json!({ "Key": key, "Value": value }), key: Some(key) };
            members.into_iter().map(member).collect()
        }
        other => vec![Item { value: other, key: None }],
    }
}

/// `Map.Item` of the context object.
pub(super) fn item_context(index: usize, item: &Item, source: Option<&str>) -> Value {
    let mut context = json!({ "Index": index, "Value": item.value });
    if let Some(key) = &item.key {
        context["Key"] = Value::String(key.clone());
        context["Value"] = item.value.get("Value").cloned().unwrap_or_default();
    }
    if let Some(source) = source {
        context["Source"] = Value::String(source.to_owned());
    }
    context
}
