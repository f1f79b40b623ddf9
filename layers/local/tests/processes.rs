//! What two processes see of one data folder: this test binary starts itself again as the other one.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use mandi_core::SystemClock;
use mandi_core::ports::{Condition, Key, Partition, Query, Record, Records, RecordsError};
use mandi_local::{DataDir, DataDirError, RedbRecords};

/// Names the data folder to the other process, and is absent in this one.
const FOLDER: &str = "MANDI_TEST_PROCESS_FOLDER";

/// Under which a process that has only so many kB for a file is started.
const FILE_LIMIT_KB: u32 = 8 * 1024;

fn partition() -> Partition {
    Partition::of(&mandi_testkit::tenant("demo"), &["processes"])
}

fn store(folder: &Path) -> RedbRecords {
    RedbRecords::open(&DataDir::open(folder).unwrap(), Arc::new(SystemClock)).unwrap()
}

fn numbered(number: i64) -> Record {
    Record::new(Key::new(partition(), format!("{number:08}"))).with("number", number)
}

/// Starts this binary again, to run one test of it alone.
fn start(test: &str, folder: &Path, shell: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut process = Command::new("sh")
        .args(["-c", &format!("{shell} exec \"$0\" --exact {test} --nocapture --include-ignored")])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(process.stdout.take().unwrap());
    (process, output)
}

/// The next line of the other process that begins with `word`: what follows it.
fn next_after(output: &mut impl BufRead, word: &str) -> Option<String> {
    output.lines().map_while(Result::ok).find_map(|line| Some(line.split_once(word)?.1.trim().to_owned()))
}

fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}").unwrap();
    output.flush().unwrap();
}

/// The other process: writes records one after the other and says the number of each that is done.
#[tokio::test]
#[ignore = "run by the other tests, in a process of its own"]
async fn other_process_that_writes() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = store(Path::new(&folder));
    for number in 0.. {
        match store.put(numbered(number), Condition::Absent).await {
            Ok(()) => say(&format!("done:{number}")),
            Err(error) => return say(&format!("refused:{error:?}")),
        }
    }
}

/// The other process: writes large records until the file may not grow, then waits for a line, then writes.
#[tokio::test]
#[ignore = "run by the other tests, in a process of its own"]
async fn other_process_that_fills_its_file() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = store(Path::new(&folder));
    let large = |number| numbered(number).with("text", "x".repeat(300_000));
    for number in 0..1_000 {
        match store.put(large(number), Condition::Absent).await {
            Ok(()) => {}
            Err(RecordsError::Full) => {
                let kept = store.get(&large(0).key).await.unwrap().is_some();
                say(&format!("full:{number} {kept}"));
                std::io::stdin().read_line(&mut String::new()).unwrap();
                let again = store.put(large(number), Condition::Absent).await;
                return say(&format!("again:{again:?}"));
            }
            Err(error) => return say(&format!("again:{error:?}")),
        }
    }
}

#[test]
fn a_folder_that_another_process_holds_is_refused_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (mut other, mut output) = start("other_process_that_writes", folder.path(), "");
    next_after(&mut output, "done:").unwrap();

    let refused = DataDir::open(folder.path()).unwrap_err();
    assert!(matches!(&refused, DataDirError::InUse { holder, .. } if *holder == format!("process {}", other.id())));

    other.kill().unwrap();
    other.wait().unwrap();
    store(folder.path());
}

#[tokio::test]
async fn after_sigkill_every_write_that_was_confirmed_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = 0;
    for round in 1..=3 {
        let fresh = folder.path().join(round.to_string());
        let (mut other, mut output) = start("other_process_that_writes", &fresh, "");
        let mut last: i64 = next_after(&mut output, "done:").unwrap().parse().unwrap();
        std::thread::sleep(Duration::from_millis(150 * round));
        other.kill().unwrap();
        while let Some(done) = next_after(&mut output, "done:") {
            last = done.parse().unwrap();
        }
        other.wait().unwrap();

        let store = store(&fresh);
        let page = store.query(Query { limit: 1_000_000, ..Query::all(partition()) }).await.unwrap();
        let numbers: Vec<_> = page.records.iter().map(|record| record.int("number").unwrap()).collect();
        // One more may have become durable before its confirmation was read.
        let count = i64::try_from(numbers.len()).unwrap();
        assert!(count == last + 1 || count == last + 2, "{count} records, {last} confirmed last");
        assert_eq!(numbers, (0..count).collect::<Vec<_>>());
        expected += count;
    }
    assert!(expected > 0);
}

/// A limit of the file's size stands for a full disk: it needs no other rights and comes at the same place.
#[test]
fn a_full_disk_is_said_reads_go_on_and_writes_work_again_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let limit = format!("trap '' XFSZ; ulimit -S -f {};", FILE_LIMIT_KB * 2);
    let (mut other, mut output) = start("other_process_that_fills_its_file", folder.path(), &limit);

    let full = next_after(&mut output, "full:").unwrap();
    assert!(full.ends_with("true"), "a record that was written before can be read: {full}");

    let raised =
        Command::new("prlimit").args(["--pid", &other.id().to_string(), "--fsize=unlimited"]).status().unwrap();
    assert!(raised.success());
    other.stdin.take().unwrap().write_all(b"go on\n").unwrap();
    assert_eq!(next_after(&mut output, "again:").as_deref(), Some("Ok(())"));
    other.wait().unwrap();
}
