//! What the model calls of one piece of work took together, such as those of a request.

use std::sync::{Arc, Mutex, PoisonError};

use crate::money::MicroUsd;
use crate::ports::ModelRef;

tokio::task_local! {
    static CURRENT: Tally;
}

/// Sums up the calls that are metered while its work goes on. Clones share the sum.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Mutex<Sum>>);

#[derive(Clone, Debug, Default)]
struct Sum {
    models: Vec<ModelRef>,
    cost: MicroUsd,
}

impl Tally {
    /// Does work whose calls count here.
    pub async fn count<T>(&self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), work).await
    }

    /// The same work, to go on in a task of its own, with its calls counted where they count now.
    pub fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
        let current = CURRENT.try_with(Clone::clone).unwrap_or_default();
        CURRENT.scope(current, work)
    }

    /// Adds a call to the work that goes on now, if any is counted.
    pub(super) fn add(model: &ModelRef, cost: MicroUsd) {
        let add = |tally: &Self| {
            let mut sum = tally.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !sum.models.contains(model) {
                sum.models.push(model.clone());
            }
            sum.cost.0 += cost.0;
        };
        // Work that nobody counts is no fault.
        let _ = CURRENT.try_with(add);
    }

    /// The models that were called, as `provider/model`, by commas; empty when none was.
    #[must_use]
    pub fn models(&self) -> String {
        let sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<String> = sum.models.iter().map(|model| format!("{}/{}", model.provider, model.model)).collect();
        names.join(",")
    }

    /// What they cost.
    #[must_use]
    pub fn cost(&self) -> MicroUsd {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).cost
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn model(name: &str) -> ModelRef {
        ModelRef { provider: "test".to_owned(), model: name.to_owned() }
    }

    #[tokio::test]
    async fn calls_count_in_the_work_that_makes_them_also_in_its_tasks() {
        let (one, other) = (Tally::default(), Tally::default());
        Tally::add(&model("uncounted"), MicroUsd(1));
        let work = async {
            Tally::add(&model("a"), MicroUsd(2));
            tokio::spawn(Tally::carried(async { Tally::add(&model("b"), MicroUsd(3)) })).await.unwrap();
        };
        one.count(work).await;
        other.count(async { Tally::add(&model("a"), MicroUsd(5)) }).await;
        assert_eq!((one.models().as_str(), one.cost()), ("test/a,test/b", MicroUsd(5)));
        assert_eq!((other.models().as_str(), other.cost()), ("test/a", MicroUsd(5)));
    }
}
