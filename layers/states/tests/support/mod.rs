//! Executions in simulated time, for the tests of this crate.
#![expect(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test uses its part, and fails by panicking"
)]

use std::sync::Arc;

use bytes::Bytes;
use mandi_core::Timestamp;
use mandi_states::definition::{Machine, parse};
use mandi_states::engine::{Entry, Execution, ItemStore, MemoryJournal, Outcome, Ports, run};
use mandi_states::mock::MockTasks;
use mandi_states::query::SeededRandom;
use mandi_states::simulate::{MemoryItems, SimulatedTime};
use serde_json::{Value, json};

/// What an execution left behind.
#[derive(Debug)]
pub struct Ran {
    pub outcome: Outcome,
    pub entries: Vec<Entry>,
    pub calls: Vec<(String, Value)>,
    pub objects: Vec<(String, String)>,
}

pub fn machine(definition: &Value) -> Machine {
    let text = serde_json::to_string_pretty(definition).unwrap();
    parse(&text).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

pub fn execution(input: Value) -> Execution {
    Execution {
        id: "exec-1".to_owned(),
        name: "exec-1".to_owned(),
        machine_id: "machine-1".to_owned(),
        machine_name: "machine".to_owned(),
        input,
    }
}

pub fn simulate(definition: &Value, input: Value, mocks: &Value, objects: &Value) -> Ran {
    resume(definition, input, mocks, objects, Vec::new())
}

/// Runs on from entries that are there already.
pub fn resume(definition: &Value, input: Value, mocks: &Value, objects: &Value, entries: Vec<Entry>) -> Ran {
    let machine = machine(definition);
    let time = Arc::new(SimulatedTime::at(Timestamp::from_unix_ms(1_795_254_600_000)));
    let tasks = MockTasks::parse(&mocks.to_string(), time.clone(), time.clone()).unwrap();
    let items = MemoryItems::default();
    for (key, content) in objects.as_object().into_iter().flatten() {
        let content = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
        time.drive(items.put("bucket", key, Bytes::from(content))).unwrap().unwrap();
    }
    let journal = MemoryJournal::with(entries);
    let random = SeededRandom::new(7);
    let ports = Ports {
        tasks: &tasks,
        callbacks: &tasks,
        clock: time.as_ref(),
        timer: time.as_ref(),
        random: &random,
        items: &items,
        journal: &journal,
    };
    let execution = execution(input);
    let outcome = time.drive(run(&machine, &execution, &ports)).expect("the execution waits for ever").unwrap();
    let objects = items.objects().into_iter();
    let text = |content: Bytes| String::from_utf8(content.to_vec()).unwrap();
    Ran {
        outcome,
        entries: journal.entries(),
        calls: tasks.calls(),
        objects: objects.map(|((_, key), content)| (key, text(content))).collect(),
    }
}

pub fn nothing() -> Value {
    json!({})
}
