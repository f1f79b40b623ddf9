//! Where a strand of an execution stands: its branch, its variables, its item of a map.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde_json::{Map, Value};

use super::Halt;
use super::event::Event;
use super::journal::Branch;
use crate::definition::State;
use crate::fault::StateFault;
use crate::query::Variables;

/// What the states of one graph share while it runs.
pub(super) struct Frame<'a> {
    pub(super) branch: Branch<'a>,
    pub(super) variables: Variables,
    /// States entered so far in this branch; with the branch it names each visit of a state.
    pub(super) visits: u64,
    pub(super) place: Place,
}

/// What the context object says besides the execution.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// `Map` of the context object: the item.
    pub(super) item: Option<Arc<Value>>,
    /// `Execution` of the context object, within an execution of a distributed map.
    pub(super) child: Option<Arc<Value>>,
}

impl<'a> Frame<'a> {
    pub(super) fn new(branch: Branch<'a>, place: Place) -> Self {
        Self { branch, variables: Variables::new(), visits: 0, place }
    }

    /// A frame within this one: it sees these variables.
    pub(super) fn inner(&self, name: &str, place: Place) -> Self {
        self.part(name, place, Arc::clone(&self.branch.count))
    }

    /// A frame of an execution of its own: it sees no variable, and its events are counted apart.
    pub(super) fn apart(&self, name: &str, place: Place) -> Self {
        Self { variables: Variables::new(), ..self.part(name, place, Arc::default()) }
    }

    fn part(&self, name: &str, place: Place, count: Arc<AtomicU64>) -> Self {
        let id = format!("{}/{name}", self.branch.id);
        let branch = self.branch.recorder().branch(id, self.branch.previous, count);
        Self { branch, variables: self.variables.clone(), visits: 0, place }
    }

    /// Sets variables.
    pub(super) fn assign(&mut self, assigned: Map<String, Value>) {
        self.variables.extend(assigned.into_iter().map(|(name, value)| (name, Arc::new(value))));
    }

    /// Evaluates queries. A failure is written, and a failure that was written is not evaluated again.
    pub(super) async fn evaluate<T>(
        &mut self,
        state: &State,
        compute: impl FnOnce(&Self) -> Result<T, StateFault> + Send,
    ) -> Result<T, Halt>
    where
        T: Send,
    {
        let recorded = self.branch.take_if(|event| matches!(event, Event::EvaluationFailed { .. }));
        if let Some(Event::EvaluationFailed { fault, .. }) = recorded.map(|entry| entry.event) {
            return Err(Halt::Fault(fault));
        }
        match compute(self) {
            Ok(value) => Ok(value),
            Err(fault) => {
                let event = Event::evaluation_failed(state.name.clone(), fault.clone(), state.language);
                self.branch.write(event).await?;
                Err(Halt::Fault(fault))
            }
        }
    }
}
