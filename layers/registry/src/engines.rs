//! Loaded models: each file once for a process, under a bound of memory, the least used ones given up first.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mandi_core::ports::{ObjectKey, Objects};
use mandi_core::{Problem, ProblemKind, Result};
use mandi_inference::onnx::{Model, ModelRunFault, Value};
use mandi_inference::signature::{Bound, Row};
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use tokio::sync::Semaphore;

/// How much memory a loaded model is reckoned to take, by the size of its file: trees and weights are kept in another
/// order, and the file itself is let go.
const MEMORY_BY_FILE: u64 = 3;
/// What any model takes, in bytes.
const LEAST_MEMORY: u64 = 64 * 1024;

/// Loads models, and runs them.
#[derive(Clone, Debug)]
pub struct Engines {
    objects: Arc<dyn Objects>,
    loaded: Cache<ObjectKey, Arc<Loaded>>,
    timeout: Duration,
    running: Arc<Semaphore>,
}

/// What a run may take that is done at once, on the thread of its request: less than to hand it to another one and back.
const QUICK: Duration = Duration::from_micros(100);

/// A model in memory.
#[derive(Debug)]
pub struct Loaded {
    model: Model,
    memory_bytes: u64,
    /// What a row took in the slowest of the last runs, in nanoseconds; 0 before the first.
    row_ns: AtomicU64,
}

impl Loaded {
    /// Reads a file.
    pub fn parse(content: &[u8]) -> Result<Self, mandi_inference::onnx::ModelFault> {
        let memory_bytes = (content.len() as u64 * MEMORY_BY_FILE).max(LEAST_MEMORY);
        Ok(Self { model: Model::parse(content)?, memory_bytes, row_ns: AtomicU64::new(0) })
    }

    /// The model.
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// What the model gives for some rows, and a note of how long that took.
    fn run(&self, bound: &Bound, rows: &[Row]) -> Result<Vec<Value>, ModelRunFault> {
        let begun = Instant::now();
        let outputs = self.model.run(bound.inputs(rows));
        let row = begun.elapsed().as_nanos() / rows.len().max(1) as u128;
        // One slow run counts for some: it is forgotten by an eighth with each.
        let before = self.row_ns.load(Ordering::Relaxed);
        let slowest = u64::try_from(row).unwrap_or(u64::MAX).max(before - before / 8).max(1);
        self.row_ns.store(slowest, Ordering::Relaxed);
        outputs
    }

    /// Whether so many rows are soon done, by what the last runs took.
    fn is_quick(&self, rows: usize) -> bool {
        let row_ns = self.row_ns.load(Ordering::Relaxed);
        row_ns > 0 && u128::from(row_ns) * (rows as u128) < QUICK.as_nanos()
    }
}

/// Says that somebody is gone.
struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Engines {
    /// Engines that keep models of up to `memory_bytes` together, and give an inference `timeout`.
    pub fn new(objects: Arc<dyn Objects>, memory_bytes: u64, timeout: Duration) -> Self {
        let weight =
            |_: &ObjectKey, loaded: &Arc<Loaded>| u32::try_from(loaded.memory_bytes / 1024).unwrap_or(u32::MAX);
        let loaded = Cache::builder()
            .max_capacity(memory_bytes / 1024)
            .weigher(weight)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { objects, loaded, timeout, running: Arc::new(Semaphore::new(2 * cores)) }
    }

    /// The model of a file, which is read if it is not in memory. Calls that come meanwhile wait for the same reading.
    pub async fn load(&self, key: &ObjectKey) -> Result<Arc<Loaded>> {
        let read = async {
            let content = self.kept(key).await?;
            tokio::task::spawn_blocking(move || Loaded::parse(&content))
                .await
                .map_err(Problem::internal)?
                .map(Arc::new)
                .map_err(Problem::internal)
        };
        self.loaded.try_get_with_by_ref(key, read).await.map_err(|problem: Arc<Problem>| {
            Problem::new(problem.kind, problem.detail.clone()).caused_by(problem.causes())
        })
    }

    /// Keeps a model that was read to be checked.
    pub async fn keep(&self, key: ObjectKey, loaded: Arc<Loaded>) {
        self.loaded.insert(key, loaded).await;
    }

    /// What a model gives for some rows.
    ///
    /// # Errors
    /// `unprocessable` when the model cannot take the rows, with its words; `unavailable` when it takes too long.
    pub async fn run(&self, loaded: Arc<Loaded>, bound: Arc<Bound>, rows: Arc<Vec<Row>>) -> Result<Vec<Value>> {
        let outputs = if loaded.is_quick(rows.len()) {
            catch_unwind(AssertUnwindSafe(|| loaded.run(&bound, &rows)))
                .map_err(|_| Problem::internal("a model panicked"))?
        } else {
            self.compute(move |_| loaded.run(&bound, &rows)).await?
        };
        outputs.map_err(|fault: ModelRunFault| refused(&fault))
    }

    /// Computes aside from the event loop, a few at a time. A panic in it is its caller's alone. The work may ask now and then
    /// whether nobody waits for it any more: its time is over, or its caller is gone.
    ///
    /// # Errors
    /// `unavailable` when it takes too long.
    pub async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Result<T> {
        let permit = self.running.clone().acquire_owned().await.map_err(Problem::internal)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let _at_the_end = SetOnDrop(is_over.clone());
        let work = tokio::task::spawn_blocking(move || {
            let outcome = work(&|| is_over.load(Ordering::Relaxed));
            drop(permit);
            outcome
        });
        self.within_the_limit(work).await?.map_err(Problem::internal)
    }

    /// What work gives, if it is done in the time of one inference.
    ///
    /// # Errors
    /// `unavailable` when it takes longer.
    pub(crate) async fn within_the_limit<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::time::timeout(self.timeout, work).await.map_err(|_| {
            let detail =
                format!("the model took more than {} ms; send fewer rows, or a batch", self.timeout.as_millis());
            Problem::new(ProblemKind::Unavailable, detail)
        })
    }

    /// Bytes that a version keeps.
    ///
    /// # Errors
    /// They are gone.
    pub async fn kept(&self, key: &ObjectKey) -> Result<Bytes> {
        self.objects.get(key).await?.ok_or_else(|| Problem::internal("what a version keeps is gone"))
    }
}

fn refused(fault: &ModelRunFault) -> Problem {
    Problem::new(ProblemKind::Unprocessable, format!("the model does not take it: {fault}"))
}

/// The checksum of a file, as its version has it.
pub fn sha256(content: &Bytes) -> String {
    use sha2::{Digest, Sha256};
    mandi_core::uploads::hexadecimal(&Sha256::digest(content))
}
