//! The conformance suite of the orchestrator on this machine, and what SIGKILL and stops do to executions.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mandi_core::SystemClock;
use mandi_core::ids::ExecutionId;
use mandi_core::ports::{ExecutionError, ExecutionKey, ExecutionStatus, MachineName, Orchestrator};
use mandi_local::{DataDir, Doorway, FileObjects, LocalOrchestrator, Machines, OrchestratorParts, RedbRecords};
use mandi_states::definition::parse;
use mandi_states::engine::{TaskCall, TaskRunner, history};
use mandi_states::fault::StateFault;
use mandi_testkit::orchestrator::{Differences, Fixture, MACHINES, Running, StopReason};
use serde_json::{Value, json};

/// Names the data folder to the other process, and is absent in this one.
const FOLDER: &str = "MANDI_TEST_ORCHESTRATOR_FOLDER";

/// A short lease, so that a killed process's executions are soon free.
const LEASE: Duration = Duration::from_millis(900);

fn machines(definitions: &[(&str, &str)]) -> Machines {
    let machine = |(name, text): &(&str, &str)| (MachineName::parse(name).unwrap(), Arc::new(parse(text).unwrap()));
    definitions.iter().map(machine).collect()
}

fn open(folder: &Path, tasks: Arc<dyn TaskRunner>, machines: Machines) -> LocalOrchestrator {
    let data = DataDir::open(folder).unwrap();
    let clock = Arc::new(SystemClock);
    LocalOrchestrator::new(OrchestratorParts {
        records: Arc::new(RedbRecords::open(&data, clock.clone()).unwrap()),
        objects: Arc::new(
            FileObjects::open(&data, Doorway::new("http://127.0.0.1/", data.secret().clone(), clock.clone())).unwrap(),
        ),
        tasks,
        clock,
        machines,
        lease: LEASE,
    })
}

/// A task that takes a while, says in a file that it was called, and may never end.
#[derive(Debug)]
struct Worker {
    log: PathBuf,
    dropped: Arc<AtomicUsize>,
}

struct CountsDrop(Arc<AtomicUsize>);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl TaskRunner for Worker {
    async fn run(&self, call: TaskCall) -> Result<Value, StateFault> {
        let mut log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        writeln!(log, "{}", call.id).unwrap();
        if call.resource.as_str() == "forever" {
            let _counts = CountsDrop(self.dropped.clone());
            return std::future::pending().await;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        let number = call.arguments["n"].as_i64().unwrap();
        if call.resource.as_str() == "flaky" && call.retry_count == 0 {
            return Err(StateFault::new("Flaky", "the first attempt fails"));
        }
        Ok(json!(number * 10))
    }
}

fn worker(folder: &Path) -> (Arc<Worker>, Arc<AtomicUsize>) {
    let dropped = Arc::new(AtomicUsize::new(0));
    (Arc::new(Worker { log: folder.join("calls.log"), dropped: dropped.clone() }), dropped)
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let (worker, _) = worker(folder.path());
    Fixture {
        orchestrator: Arc::new(open(&folder.path().join("data"), worker, machines(&MACHINES))),
        differences: Differences { running: Running::Runs, stop_reason: StopReason::Kept },
        keep: Box::new(folder),
    }
}

mandi_testkit::orchestrator_suite!(fixture);

const LONG: &str = r#"{
  "QueryLanguage": "JSONata", "StartAt": "First",
  "States": {
    "First": {"Type": "Task", "Resource": "flaky", "Arguments": {"n": 1}, "Assign": {"salt": "{% $random() %}"},
      "Retry": [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 1, "MaxAttempts": 1}], "Next": "Each"},
    "Each": {"Type": "Map", "Items": "{% [1..6] %}", "MaxConcurrency": 2,
      "ItemProcessor": {"StartAt": "One", "States": {
        "One": {"Type": "Task", "Resource": "work", "Arguments": {"n": "{% $states.input %}"}, "Next": "Two"},
        "Two": {"Type": "Task", "Resource": "work", "Arguments": {"n": "{% $states.input %}"}, "End": true}}},
      "Next": "Apart"},
    "Apart": {"Type": "Map",
      "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Three", "States": {
        "Three": {"Type": "Task", "Resource": "work", "Arguments": {"n": "{% $states.input %}"}, "End": true}}},
      "MaxConcurrency": 2, "Next": "Sum"},
    "Sum": {"Type": "Pass", "Output": "{% $sum($states.input) %}", "End": true}
  }
}"#;

fn long_key() -> ExecutionKey {
    ExecutionKey {
        tenant: mandi_testkit::tenant("demo"),
        machine: MachineName::parse("long").unwrap(),
        id: ExecutionId::parse("exec_00000000000000000000000000000001").unwrap(),
    }
}

/// The other process: starts the execution, or takes it up, and runs it until it is killed.
#[tokio::test]
#[ignore = "run by the other tests, in a process of its own"]
async fn other_process_that_runs_an_execution() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let (worker, _) = worker(&folder);
    let orchestrator = open(&folder.join("data"), worker, machines(&[("long", LONG)]));
    orchestrator.start(&long_key(), &json!({})).await.unwrap();
    loop {
        orchestrator.resume().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn start_other(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "other_process_that_runs_an_execution", "--nocapture", "--include-ignored"])
        .env(FOLDER, folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn given_sigkill_at_many_moments_then_the_execution_ends_as_if_undisturbed() {
    let folder = tempfile::tempdir().unwrap();
    let kills: usize = 8;
    for round in 0..kills {
        let mut other = start_other(folder.path());
        // A killed process's lease has to run out first; then the execution goes on for a while.
        let moment = u64::try_from(round * 97 % 400).unwrap();
        std::thread::sleep(LEASE + Duration::from_millis(150 + moment));
        other.kill().unwrap();
        other.wait().unwrap();
    }
    let (worker, _) = worker(folder.path());
    let orchestrator = open(&folder.path().join("data"), worker, machines(&[("long", LONG)]));
    let mut description = orchestrator.describe(&long_key()).await.unwrap();
    for _ in 0..300 {
        if description.status != ExecutionStatus::Running {
            break;
        }
        orchestrator.resume().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        description = orchestrator.describe(&long_key()).await.unwrap();
    }
    assert_eq!(description.output, Some(json!((1..=6).sum::<i64>() * 1000)), "{description:?}");

    let calls = std::fs::read_to_string(folder.path().join("calls.log")).unwrap();
    let mut by_id: BTreeMap<&str, usize> = BTreeMap::new();
    calls.lines().for_each(|id| *by_id.entry(id).or_default() += 1);
    // One id for each attempt: 2 of the flaky task, 12 in the map, 6 in the distributed map. At most two tasks were open
    // at each kill, and only those were called again.
    assert_eq!(by_id.len(), 20, "{by_id:?}");
    assert!(calls.lines().count() <= 20 + 2 * kills, "{by_id:?}");

    let types: Vec<Value> = history(&orchestrator.journal(&long_key()).await.unwrap())
        .into_iter()
        .map(|event| event["type"].clone())
        .collect();
    let count = |name: &str| types.iter().filter(|kind| *kind == name).count();
    assert_eq!((count("TaskFailed"), count("TaskSucceeded"), count("MapIterationSucceeded")), (1, 13, 6), "{types:?}");
    assert_eq!(types.last(), Some(&json!("ExecutionSucceeded")));
}

#[tokio::test]
async fn given_a_stop_then_the_task_that_runs_is_cut_off_and_nothing_is_called_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let (worker, dropped) = worker(folder.path());
    let text = r#"{"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "forever", "Retry": [{"ErrorEquals": ["States.ALL"]}], "End": true}}}"#;
    let orchestrator = open(&folder.path().join("data"), worker, machines(&[("long", text)]));
    orchestrator.start(&long_key(), &json!({})).await.unwrap();
    while !folder.path().join("calls.log").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let reason = ExecutionError { error: "Stop".to_owned(), cause: "enough".to_owned() };
    orchestrator.stop(&long_key(), &reason).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    assert_eq!(orchestrator.resume().await.unwrap(), 0);
    assert_eq!(std::fs::read_to_string(folder.path().join("calls.log")).unwrap().lines().count(), 1);
    let last = history(&orchestrator.journal(&long_key()).await.unwrap()).pop().unwrap();
    assert_eq!(last["type"], "ExecutionAborted");
}

#[tokio::test]
async fn given_a_task_token_then_its_holder_tells_the_end_also_before_it_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (worker, _) = worker(folder.path());
    let text = r#"{"QueryLanguage": "JSONata", "StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "work.waitForTaskToken",
        "Arguments": {"n": 1, "token": "{% $states.context.Task.Token %}"}, "End": true}}}"#;
    let orchestrator = open(&folder.path().join("data"), worker, machines(&[("long", text)]));
    orchestrator.start(&long_key(), &json!({})).await.unwrap();
    let token = loop {
        let journal = orchestrator.journal(&long_key()).await.unwrap();
        let token = journal.iter().find_map(|entry| match &entry.event {
            mandi_states::engine::Event::TaskScheduled { token, .. } => token.clone(),
            _ => None,
        });
        if let Some(token) = token {
            break token;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    orchestrator.tokens().succeed(&token, &json!({"told": true})).await.unwrap();
    orchestrator.tokens().fail(&token, &StateFault::new("Late", "")).await.unwrap();
    for _ in 0..100 {
        if orchestrator.describe(&long_key()).await.unwrap().status != ExecutionStatus::Running {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(orchestrator.describe(&long_key()).await.unwrap().output, Some(json!({"told": true})));
}
