//! How many records a second redb writes and reads, with one task and with many: `cargo run --example records_rate`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement for the terminal")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use mandi_core::ports::{Condition, Key, Partition, Record, Records};
use mandi_core::{SystemClock, TenantId};
use mandi_local::{DataDir, RedbRecords};
use tokio::task::JoinSet;

const EACH: Duration = Duration::from_secs(3);

fn record(task: usize, number: u64) -> Record {
    let partition = Partition::of(&TenantId::from_stored("demo").unwrap(), &["rate"]);
    Record::new(Key::new(partition, format!("{task:03}-{:05}", number % 1_000))).with("text", "x".repeat(500))
}

async fn rate(store: &RedbRecords, tasks: usize, write: bool) -> f64 {
    let started = Instant::now();
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let store = store.clone();
        running.spawn(async move {
            let mut done = 0;
            while started.elapsed() < EACH {
                let record = record(task, done);
                if write {
                    store.put(record, Condition::Always).await.unwrap();
                } else {
                    store.get(&record.key).await.unwrap();
                }
                done += 1;
            }
            done
        });
    }
    let done: u64 = running.join_all().await.into_iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let rate = done as f64 / started.elapsed().as_secs_f64();
    rate
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let store = RedbRecords::open(&DataDir::open(folder.path()).unwrap(), Arc::new(SystemClock)).unwrap();
    println!("records of 500 bytes a second; every put is durable");
    for tasks in [1, 64] {
        let put = rate(&store, tasks, true).await;
        let get = rate(&store, tasks, false).await;
        println!("{tasks:>3} tasks: put {put:>8.0}/s   get {get:>8.0}/s");
    }
}
