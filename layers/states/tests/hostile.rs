//! Definitions and expressions that were changed at random: no panic, and an end within bounds.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking, and says what it tried")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mandi_core::Timestamp;
use mandi_states::definition::{check, parse};
use mandi_states::engine::{Execution, MemoryJournal, Ports, run};
use mandi_states::mock::MockTasks;
use mandi_states::query::{Expression, Intrinsic, Limits, Path, Random as _, Scope, SeededRandom, Variables};
use mandi_states::simulate::{MemoryItems, SimulatedTime};
use serde_json::{Value, json};

/// How long each test goes on.
const FOR: Duration = Duration::from_secs(4);

struct Chance(SeededRandom);

impl Chance {
    fn below(&self, bound: usize) -> usize {
        usize::try_from(self.0.next_u64() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn pick<'t>(&self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    /// Cuts, doubles, swaps or replaces a few pieces of a text.
    fn change(&self, text: &str, pieces: &[&str]) -> String {
        let mut letters: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(3) {
            let (at, length) = (self.below(letters.len() + 1), self.below(12));
            let end = (at + length).min(letters.len());
            match self.below(4) {
                0 => drop(letters.drain(at..end)),
                1 => {
                    let piece: Vec<char> = letters[at..end].to_vec();
                    letters.splice(at..at, piece);
                }
                2 => drop(letters.splice(at..at, self.pick(pieces).chars())),
                _ => drop(letters.splice(at..end, self.pick(pieces).chars())),
            }
        }
        letters.into_iter().collect()
    }
}

/// What is tried now, and since when.
type Current = Arc<Mutex<(String, Instant)>>;

/// Ends the process, with what it tried, when that takes too long: a test that hangs tells nothing.
fn watch() -> Current {
    let current = Arc::new(Mutex::new((String::new(), Instant::now())));
    let watched = Arc::clone(&current);
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(100));
            let (text, since) = watched.lock().unwrap().clone();
            if since.elapsed() > Duration::from_secs(15) {
                eprintln!("this takes longer than 15 s: {text}");
                std::process::abort();
            }
        }
    });
    current
}

fn definitions() -> Vec<String> {
    let folder = format!("{}/tests/cases", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let cases = files
        .iter()
        .flat_map(|file| serde_json::from_str::<Vec<Value>>(&std::fs::read_to_string(file).unwrap()).unwrap());
    cases.map(|case| case["definition"].to_string()).collect()
}

fn run_it(text: &str) {
    let Ok(machine) = parse(text) else { return };
    let time = Arc::new(SimulatedTime::at(Timestamp::from_unix_ms(0)));
    let tasks = MockTasks::parse(r#"{"r": {"Return": {"a": 1}}}"#, time.clone(), time.clone()).unwrap();
    let journal = MemoryJournal::default();
    let random = SeededRandom::new(1);
    let ports = Ports {
        tasks: &tasks,
        callbacks: &tasks,
        clock: time.as_ref(),
        timer: time.as_ref(),
        random: &random,
        items: &MemoryItems::default(),
        journal: &journal,
    };
    let name = "x".to_owned();
    let execution = Execution {
        id: name.clone(),
        name: name.clone(),
        machine_id: name.clone(),
        machine_name: name,
        input: json!({"a": [1, 2], "xs": [1], "n": 1}),
    };
    // `None`: it waits for a token that nobody tells.
    if let Some(ended) = time.drive(run(&machine, &execution, &ports)) {
        ended.unwrap();
    }
}

#[test]
fn given_definitions_changed_at_random_then_they_are_checked_and_run_without_a_panic() {
    let corpus = definitions();
    let pieces = [
        "\"Next\":\"A\",",
        "\"End\":true,",
        "null",
        "[]",
        "{}",
        "\"{% $x %}\"",
        "\"$\"",
        "1e308",
        "-1",
        "\"\"",
        "\"States.ALL\"",
        "\\u0000",
        "\"Type\":\"Map\",",
        "\"Type\":\"Choice\",",
        "9999999999999999999",
        "[[[[",
        "}}}}",
        ".$",
        "$$",
        "{%",
        "%}",
        "\"QueryLanguage\":\"JSONata\",",
    ];
    let chance = Chance(SeededRandom::new(2026));
    let (begun, mut tried, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    while begun.elapsed() < FOR {
        let text = chance.change(&corpus[chance.below(corpus.len())], &pieces);
        let at = Instant::now();
        drop(check(&text));
        run_it(&text);
        slowest = slowest.max(at.elapsed());
        tried += 1;
    }
    assert!(tried > 100 && slowest < Duration::from_secs(10), "{tried} definitions, the slowest took {slowest:?}");
}

#[test]
fn given_expressions_changed_at_random_then_they_are_evaluated_without_a_panic() {
    let corpus: Vec<&str> = include_str!("fixtures/jsonata/expressions.txt").lines().collect();
    let pieces = [
        "$",
        "$$",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "%",
        "^(",
        "~>",
        ":=",
        "..",
        "1e9",
        "$map",
        "function($x){",
        "/a+/",
        "\"",
        "`",
        "@$v",
        "#$i",
        "|",
        "?",
        "λ",
        "😀",
    ];
    let data: Value = serde_json::from_str(include_str!("fixtures/jsonata/data.json")).unwrap();
    let variables: Variables = [("d".to_owned(), Arc::new(data.clone()))].into();
    let (context, random) = (json!({}), SeededRandom::new(3));
    let now = Timestamp::from_unix_ms(0);
    let scope = Scope {
        input: &data,
        result: None,
        error_output: None,
        context: &context,
        variables: &variables,
        now,
        random: &random,
    };
    let limits = Limits { time_ms: 200, ..Limits::STANDARD };
    let chance = Chance(SeededRandom::new(7));
    let current = watch();
    let (begun, mut tried, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    while begun.elapsed() < FOR {
        let text = chance.change(corpus[chance.below(corpus.len())], &pieces);
        let at = Instant::now();
        *current.lock().unwrap() = (text.clone(), at);
        if let Ok(expression) = Expression::parse(&text) {
            drop(expression.evaluate_within(&scope, &limits));
        }
        slowest = slowest.max(at.elapsed());
        tried += 1;
    }
    assert!(tried > 500 && slowest < Duration::from_secs(5), "{tried} expressions, the slowest took {slowest:?}");
}

#[test]
fn given_paths_and_calls_changed_at_random_then_they_are_read_without_a_panic() {
    let corpus = [
        "$.a.b[0]['c'].d",
        "$..a[*].b",
        "$.a[?(@.b > 1 && @.c == 'x')]",
        "$$.Execution.Input",
        "$x.y[1:3]",
        "$.a-b.length()",
        "States.Format('a {} \\' {}', $.a, States.Array(1, 'x', null))",
        "States.MathAdd($.n, -1)",
        "States.JsonMerge($.a, $.b, false)",
    ];
    let pieces =
        ["'", "\"", "[", "]", "(", ")", ",", ".", "..", "$", "\\", "?(@", "*", "😀", "States.", "[-1]", "['", "']"];
    let data = json!({"a": {"b": [{"c": {"d": 1}}]}, "n": 1});
    let variables = Variables::new();
    let random = SeededRandom::new(3);
    let now = Timestamp::from_unix_ms(0);
    let scope = Scope {
        input: &data,
        result: None,
        error_output: None,
        context: &data,
        variables: &variables,
        now,
        random: &random,
    };
    let chance = Chance(SeededRandom::new(11));
    for _ in 0..20_000 {
        let text = chance.change(corpus[chance.below(corpus.len())], &pieces);
        if let Ok(path) = Path::parse(&text) {
            drop(path.find(&scope));
        }
        if let Ok(call) = Intrinsic::parse(&text) {
            drop(call.evaluate(&scope));
        }
    }
}
