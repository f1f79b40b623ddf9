//! Calls that take many entries and have an outcome for each: entries are cut into batches within a service's limits, and
//! those that fail for a passing reason are sent again, alone.

use std::future::Future;
use std::time::Duration;

use rand::RngExt as _;

/// How often an entry is sent.
const MOST_TRIES: u32 = 5;
/// The wait before the second try; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// What a call takes at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Entries.
    pub(crate) entries: usize,
    /// Bytes of all of them together.
    pub(crate) bytes: usize,
}

/// What became of an entry in one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tried<F> {
    /// The service has it.
    Taken,
    /// It may work later.
    Failed(F),
    /// It will not work later.
    Refused(F),
}

/// Sends entries by `call`, which gets the places of some of them and says what became of each, in their order; or why
/// the whole call failed, after the SDK's own retries. `sizes` has the size of each entry in bytes; an entry that an answer leaves out is `missing`.
pub(crate) async fn send<F, Call, Answer>(sizes: &[usize], limits: Limits, missing: F, call: Call) -> Vec<Result<(), F>>
where
    F: Clone,
    Call: Fn(Vec<usize>) -> Answer,
    Answer: Future<Output = Result<Vec<Tried<F>>, F>>,
{
    let mut outcomes: Vec<Option<Result<(), F>>> = vec![None; sizes.len()];
    let mut places: Vec<usize> = (0..sizes.len()).collect();
    for attempt in 0..MOST_TRIES {
        if attempt > 0 {
            let wait = FIRST_WAIT.saturating_mul(1 << (attempt - 1));
            let wait = wait.mul_f64(rand::rng().random_range(0.5..=1.0));
            tokio::time::sleep(wait).await;
        }
        let mut failed = Vec::new();
        for batch in cut(&places, sizes, limits) {
            let tried = match call(batch.clone()).await {
                Ok(tried) => tried,
                Err(fault) => vec![Tried::Refused(fault); batch.len()],
            };
            for (place, tried) in batch.into_iter().zip(tried) {
                let outcome = match tried {
                    Tried::Taken => Ok(()),
                    Tried::Refused(fault) => Err(fault),
                    Tried::Failed(fault) => {
                        failed.push(place);
                        Err(fault)
                    }
                };
                if let Some(entry) = outcomes.get_mut(place) {
                    *entry = Some(outcome);
                }
            }
        }
        places = failed;
        if places.is_empty() {
            break;
        }
    }
    outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Err(missing.clone()))).collect()
}

/// Cuts places into batches, in order. An entry that is larger than a batch goes alone: the service says what it thinks.
fn cut(places: &[usize], sizes: &[usize], limits: Limits) -> Vec<Vec<usize>> {
    let (mut batches, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0);
    for place in places {
        let size = sizes.get(*place).copied().unwrap_or_default();
        if !batch.is_empty() && (batch.len() == limits.entries || bytes + size > limits.bytes) {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        batch.push(*place);
        bytes += size;
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_stay_within_entries_and_bytes_and_keep_the_order() {
        let limits = Limits { entries: 3, bytes: 10 };
        let places = [0, 1, 2, 3, 4, 5];
        assert_eq!(cut(&places, &[1, 1, 1, 1, 9, 2], limits), [vec![0, 1, 2], vec![3, 4], vec![5]]);
        assert_eq!(cut(&places[..3], &[11, 5, 5], limits), [vec![0], vec![1, 2]]);
        assert!(cut(&[], &[], limits).is_empty());
    }
}
