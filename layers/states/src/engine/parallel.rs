//! Branches that run at the same time.

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::Value;

use super::event::Event;
use super::frame::Frame;
use super::state::{Exit, Visit};
use super::{Engine, Halt, data};
use crate::definition::Graph;

impl Engine<'_> {
    pub(super) async fn parallel(
        &self,
        visit: &Visit<'_>,
        branches: &[Graph],
        frame: &mut Frame<'_>,
    ) -> Result<Exit, Halt> {
        let is = |event: &Event| matches!(event, Event::ParallelStateStarted);
        if !frame.branch.peek().is_some_and(is) {
            // What fails here is told before the branches begin.
            frame.evaluate(visit.state, |frame| self.branch_input(visit, frame)).await?;
        }
        frame.branch.once(is, Event::ParallelStateStarted).await?;
        let failed = frame.branch.take_if(|event| matches!(event, Event::ParallelStateFailed { .. }));
        if let Some(Event::ParallelStateFailed { fault }) = failed.map(|entry| entry.event) {
            return Err(Halt::Fault(fault));
        }
        let input = self.branch_input(visit, frame)?;
        let result = match self.branches(visit, branches, &input, frame).await {
            Ok(outputs) => Value::Array(outputs),
            Err(Halt::Fault(fault)) => {
                frame.branch.write(Event::ParallelStateFailed { fault: fault.clone() }).await?;
                return Err(Halt::Fault(fault));
            }
            Err(broken) => return Err(broken),
        };
        let is = |event: &Event| matches!(event, Event::ParallelStateSucceeded);
        frame.branch.once(is, Event::ParallelStateSucceeded).await?;
        let leave = |frame: &Frame<'_>| {
            let scope = visit.scope(self, frame);
            let effective = data::effective_input(visit.state, scope)?;
            data::leave(visit.state, scope, &effective, Some(&result))
        };
        frame.evaluate(visit.state, leave).await
    }

    fn branch_input(&self, visit: &Visit<'_>, frame: &Frame<'_>) -> Result<Value, crate::fault::StateFault> {
        let scope = visit.scope(self, frame);
        let effective = data::effective_input(visit.state, scope)?;
        data::arguments(visit.state, scope.of(&effective))
    }

    /// Runs the branches; when one fails, the others are cut off.
    async fn branches(
        &self,
        visit: &Visit<'_>,
        branches: &[Graph],
        input: &Value,
        frame: &Frame<'_>,
    ) -> Result<Vec<Value>, Halt> {
        let mut running = FuturesUnordered::new();
        for (index, graph) in branches.iter().enumerate() {
            let name = format!("{}.{}.{index}", frame.visits, visit.retries);
            let mut inner = frame.inner(&name, frame.place.clone());
            let input = input.clone();
            running.push(async move { (index, self.graph(graph, input, &mut inner).await) });
        }
        let mut outputs = vec![Value::Null; branches.len()];
        while let Some((index, output)) = running.next().await {
            let output = output?;
            if let Some(place) = outputs.get_mut(index) {
                *place = output;
            }
        }
        Ok(outputs)
    }
}
