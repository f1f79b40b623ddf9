//! What a run has left of its limits.

use std::cell::Cell;
use std::time::Instant;

use super::limits::Limits;
use super::value::RunFault;

/// The limits of a run, and what it has used of them.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    started: Instant,
    /// Values that are held at present.
    held: Cell<usize>,
}

impl Budget {
    /// A run that starts now.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), started: Instant::now(), held: Cell::new(0) }
    }

    /// Asks whether a tensor of a shape may be made; how many values it has.
    pub(crate) fn shape(&self, shape: &[usize]) -> Result<usize, RunFault> {
        // An empty dimension makes all of it empty, but a shape that overflows without it is refused all the same.
        let needed = shape.iter().try_fold(1_usize, |size, dimension| size.checked_mul((*dimension).max(1)));
        self.values(needed.unwrap_or(usize::MAX))?;
        Ok(shape.iter().product())
    }

    /// Asks whether so many values more may be made.
    pub(crate) fn values(&self, needed: usize) -> Result<(), RunFault> {
        let left = self.limits.run_values.saturating_sub(self.held.get()).min(self.limits.tensor_values);
        if needed <= left { Ok(()) } else { Err(RunFault::TooLarge { needed, allowed: left }) }
    }

    /// Asks whether there is time left.
    pub(crate) fn time(&self) -> Result<(), RunFault> {
        let limit = self.limits.run_time;
        if self.started.elapsed() < limit { Ok(()) } else { Err(RunFault::Time { limit_ms: limit.as_millis() }) }
    }

    /// Counts values that are held from now on.
    pub(crate) fn hold(&self, values: usize) {
        self.held.set(self.held.get().saturating_add(values));
    }

    /// Counts values that are no longer held.
    pub(crate) fn release(&self, values: usize) {
        self.held.set(self.held.get().saturating_sub(values));
    }
}
