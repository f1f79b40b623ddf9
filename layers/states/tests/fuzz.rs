//! Definitions and expressions that were changed at random: they are read, checked and run. Nothing may panic, and all is
//! bounded.
//!
//! `MANDI_FUZZ_SECONDS` says for how long each test runs (5 by default), `MANDI_FUZZ_SEED` where to begin.
#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mandi_core::Timestamp;
use mandi_states::definition::{check, parse};
use mandi_states::engine::{Execution, MemoryJournal, Ports, run};
use mandi_states::mock::MockTasks;
use mandi_states::query::{Expression, Limits, Scope, SeededRandom, Variables};
use mandi_states::simulate::{MemoryItems, SimulatedTime};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

/// No definition or expression may take longer, on a slow machine.
const MOST: Duration = Duration::from_secs(10);
/// What an expression may take.
const LIMITS: Limits = Limits { time_ms: 200, ..Limits::STANDARD };

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Does `one` with a random generator again and again, and tells the seeds at which it panicked or took too long.
fn fuzz(one: impl Fn(&mut StdRng)) {
    let until = Instant::now() + Duration::from_secs(number("MANDI_FUZZ_SECONDS", 5));
    let (mut seed, mut faults) = (number("MANDI_FUZZ_SEED", 1), Vec::new());
    while Instant::now() < until && faults.len() < 20 {
        let begun = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| one(&mut StdRng::seed_from_u64(seed))));
        if outcome.is_err() || begun.elapsed() > MOST {
            faults.push((seed, outcome.is_err(), begun.elapsed()));
        }
        seed += 1;
    }
    assert_eq!(faults, [], "seeds, whether they panicked, and how long they took");
}

/// Cuts, repeats, moves and exchanges parts of a text.
fn changed(text: &str, other: &str, random: &mut StdRng) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let other: Vec<char> = other.chars().collect();
    for _ in 0..random.random_range(1..5) {
        let mut place = |length: usize| random.random_range(0..=length);
        let (one, two) = (place(characters.len()), place(characters.len()));
        let (from, to) = (one.min(two), one.max(two).min(one.min(two) + 24));
        let start = place(other.len());
        match random.random_range(0..6) {
            0 => drop(characters.drain(from..to)),
            1 => {
                let part = characters[from..to].repeat(random.random_range(1..6));
                drop(characters.splice(to..to, part));
            }
            2 => drop(characters.splice(from..to, other[start..(start + 24).min(other.len())].iter().copied())),
            3 => {
                let odd =
                    ["(((((((((", "[[[[", "\u{0}", "1e999", "-9223372036854775808", "$$$", "\"", "{%", "नमस्ते", "~>"];
                drop(characters.splice(from..from, odd.choose(random).unwrap().chars()));
            }
            4 => characters.truncate(to),
            _ => characters[from..to].reverse(),
        }
    }
    characters.into_iter().collect()
}

/// The definitions of the cases.
fn definitions() -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let cases: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        gather(&cases, &mut found);
    }
    assert!(found.len() > 100, "there are few definitions");
    found
}

fn gather(value: &Value, into: &mut Vec<Value>) {
    match value {
        Value::Object(fields) if fields.contains_key("StartAt") => into.push(value.clone()),
        Value::Object(fields) => fields.values().for_each(|below| gather(below, into)),
        Value::Array(items) => items.iter().for_each(|below| gather(below, into)),
        _ => {}
    }
}

/// Exchanges values of a definition for others of it, or for odd ones.
fn exchanged(definition: &Value, random: &mut StdRng) -> Value {
    let odd =
        [json!(null), json!(-1), json!(1e300), json!([]), json!({}), json!(""), json!("{% $states %}"), json!("$.a")];
    fn places(value: &Value, path: &str, into: &mut Vec<String>) {
        into.push(path.to_owned());
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, below)| {
                places(below, &format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")), into);
            }),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(place, below)| places(below, &format!("{path}/{place}"), into));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    places(definition, "", &mut found);
    let mut made = definition.clone();
    for _ in 0..random.random_range(1..4) {
        let with = if random.random_bool(0.5) {
            odd.choose(random).unwrap().clone()
        } else {
            definition.pointer(found.choose(random).unwrap()).cloned().unwrap_or_default()
        };
        if let Some(place) = made.pointer_mut(found.choose(random).unwrap()) {
            *place = with;
        }
    }
    made
}

#[test]
fn given_changed_definitions_when_they_are_read_and_run_then_nothing_panics_and_all_ends() {
    let definitions = definitions();
    fuzz(|random| {
        let definition = definitions.choose(random).unwrap();
        let text = if random.random_bool(0.6) {
            exchanged(definition, random).to_string()
        } else {
            changed(&definition.to_string(), &definitions.choose(random).unwrap().to_string(), random)
        };
        let faults = check(&text);
        let Ok(machine) = parse(&text) else {
            assert!(!faults.is_empty(), "what cannot be read has a fault");
            return;
        };
        let time = Arc::new(SimulatedTime::at(Timestamp::from_unix_ms(1_795_254_600_000)));
        let tasks = MockTasks::parse("{}", time.clone(), time.clone()).unwrap();
        let (items, journal, chance) = (MemoryItems::default(), MemoryJournal::default(), SeededRandom::new(7));
        let ports = Ports {
            tasks: &tasks,
            callbacks: &tasks,
            clock: time.as_ref(),
            timer: time.as_ref(),
            random: &chance,
            items: &items,
            journal: &journal,
        };
        let name = || "exec-1".to_owned();
        let input = json!({"a": [1, 2, 3], "b": {"c": "text"}, "items": [{"x": 1}, {"x": 2}]});
        let execution = Execution { id: name(), name: name(), machine_id: name(), machine_name: name(), input };
        // One that waits for ever is none of ours to end.
        drop(time.drive(run(&machine, &execution, &ports)));
    });
}

#[test]
fn given_changed_expressions_when_they_are_evaluated_then_nothing_panics_and_all_ends() {
    let lines: Vec<String> = include_str!("fixtures/jsonata/expected.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Vec<Value>>(line).unwrap()[0].as_str().unwrap().to_owned())
        .collect();
    let data: Value = serde_json::from_str(include_str!("fixtures/jsonata/data.json")).unwrap();
    let variables: Variables =
        BTreeMap::from([("d".to_owned(), Arc::new(data.clone())), ("v".to_owned(), Arc::new(json!(2)))]);
    let (context, chance) = (json!({}), SeededRandom::new(1));
    fuzz(|random| {
        let source = changed(lines.choose(random).unwrap(), lines.choose(random).unwrap(), random);
        let scope = Scope {
            input: &data,
            result: None,
            error_output: None,
            context: &context,
            variables: &variables,
            now: Timestamp::from_unix_ms(1_795_254_600_000),
            random: &chance,
        };
        if let Ok(expression) = Expression::parse(&source) {
            drop(expression.evaluate_within(&scope, &LIMITS));
        }
    });
}
