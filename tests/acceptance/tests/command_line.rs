//! The command line as a newcomer types it: in the wrong folder, beside a running server, at a terminal.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use mandi_acceptance::{Server, Setup, mandi, models};
use tokio::io::{AsyncBufReadExt, BufReader};

/// The command line in a folder, with nothing said by the environment.
fn typed_in(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(mandi());
    command.args(arguments).current_dir(folder).env_remove("MANDI_DATA").env_remove("MANDI_PORT");
    command.env("MANDI_MODELS", models()).env("MANDI_PROVIDER", "none");
    command
}

/// Whether it succeeds, what it prints, and what it complains of.
fn outcome(command: &mut Command) -> (bool, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// What `mandi doctor` says of a data folder and a port; the models are not looked at.
fn doctor(data: &Path, port: &str) -> String {
    let mut command = typed_in(data, &["doctor", "--data"]);
    outcome(command.arg(data).env("MANDI_PORT", port).env("MANDI_MODELS", "/nonexistent")).1
}

fn port_of(server: &Server) -> &str {
    server.base().rsplit(':').next().unwrap()
}

/// A port where nobody listens.
fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[tokio::test]
async fn given_a_server_when_the_doctor_is_asked_then_its_port_and_its_data_folder_are_well() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let mut command = typed_in(folder.path(), &["doctor", "--data"]);
    let (success, told, _) = outcome(command.arg(folder.path()).env("MANDI_PORT", port_of(&server)));
    assert!(success, "{told}");
    assert!(told.contains(&format!("ok       port {}: mandi ", port_of(&server))), "{told}");
    assert!(told.contains(&format!("ok       data folder {}: in use by the mandi", folder.path().display())), "{told}");
    assert!(told.contains(&format!("all is well: mandi serves {}", server.base())), "{told}");
}

#[tokio::test]
async fn given_a_server_of_another_data_folder_when_the_doctor_is_asked_then_it_says_so() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Setup::on(folder.path()).start().await;
    let told = doctor(other.path(), port_of(&server));
    let line = told.lines().find(|line| line.contains(" port ")).unwrap();
    assert!(line.starts_with("ok ") && line.contains("on another data folder"), "{told}");
}

#[tokio::test]
async fn given_a_data_folder_whose_holder_serves_elsewhere_when_the_doctor_is_asked_then_it_names_the_holder() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let told = doctor(folder.path(), &free_port());
    let line = told.lines().find(|line| line.contains(" data folder ")).unwrap();
    let holder = format!("in use by process {}", server.pid().unwrap());
    assert!(line.starts_with("MISSING ") && line.contains(&holder) && line.contains("set MANDI_PORT"), "{told}");
}

#[test]
fn given_a_stranger_on_the_port_when_the_doctor_is_asked_then_that_is_a_fault() {
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = stranger.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        for connection in stranger.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 1024]);
            let body = r#"{"status": "ok"}"#;
            write!(connection, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let told = doctor(folder.path(), &port);
    assert!(told.contains(&format!("MISSING  port {port}: something listens there")), "{told}");
    assert!(told.contains("stop it, or choose another port"), "{told}");
}

#[test]
fn given_a_folder_without_data_when_the_doctor_is_asked_then_it_says_what_would_be_made_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (success, told, _) = outcome(typed_in(folder.path(), &["doctor"]).env("MANDI_PORT", free_port()));
    let would_be = folder.path().canonicalize().unwrap().join(".mandi/data");
    let line = format!("ok       data folder .mandi/data: not there yet; `mandi up` makes {}", would_be.display());
    assert!(success && told.contains(&line), "{told}");
    assert!(is_empty(folder.path()));
}

#[test]
fn given_a_data_folder_that_cannot_be_made_when_the_doctor_is_asked_then_that_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut command = typed_in(folder.path(), &["doctor", "--data", "file/data"]);
    let told = outcome(command.env("MANDI_MODELS", "/nonexistent")).1;
    assert!(told.contains("MISSING  data folder file/data: "), "{told}");
    assert!(told.contains("file is not a folder; set MANDI_DATA to another place"), "{told}");
}

#[test]
fn given_no_file_of_the_language_model_when_the_doctor_is_asked_then_it_names_the_command_that_fetches_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = typed_in(folder.path(), &["doctor"]);
    let told = outcome(command.env("MANDI_MODELS", folder.path()).env("MANDI_PROVIDER", "local")).1;
    let line = told.lines().find(|line| line.contains(" language model: ")).unwrap();
    assert!(line.contains("gguf is not there; `make models` fetches it, or set MANDI_PROVIDER"), "{told}");
    assert!(!told.contains("mandi doctor"), "{told}");
}

#[test]
fn given_a_folder_without_data_when_a_token_is_needed_then_that_is_said_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let looked_in = folder.path().canonicalize().unwrap();
    let commands: [&[&str]; 3] = [
        &["ask", "--tenant", "demo", "hello"],
        &["load", "--tenant", "demo", "--collection", "c", "."],
        &["token", "--tenant", "demo"],
    ];
    for command in commands {
        let (success, told, complaint) = outcome(&mut typed_in(folder.path(), command));
        assert!(!success && told.is_empty(), "{told}");
        let missing = format!("the data folder .mandi/data is not there (looked in {})", looked_in.display());
        assert!(complaint.contains(&missing) && complaint.contains("--data or MANDI_DATA"), "{complaint}");
        assert!(is_empty(folder.path()));
    }
}

#[test]
fn given_a_data_folder_by_name_that_is_not_there_when_a_token_is_asked_for_then_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let (success, _, complaint) =
        outcome(&mut typed_in(folder.path(), &["token", "--tenant", "demo", "--data", "data"]));
    assert!(!success && complaint.contains("the data folder data is not there"), "{complaint}");
    assert!(is_empty(folder.path()));
}

#[tokio::test]
async fn given_a_server_of_another_data_folder_when_it_is_asked_then_that_is_said() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Setup::on(folder.path()).start().await;
    std::fs::write(other.path().join("secret"), [7; 32]).unwrap();
    let mut command = typed_in(other.path(), &["ask", "--tenant", "demo", "--url", server.base(), "--data"]);
    let (success, _, complaint) = outcome(command.arg(other.path()).arg("hello"));
    assert!(!success);
    for part in [server.base(), &other.path().to_string_lossy(), "it runs on another data folder", "--data"] {
        assert!(complaint.contains(part), "{part} is not in: {complaint}");
    }
}

#[tokio::test]
async fn given_no_terminal_when_requests_come_then_each_is_logged_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).with("MANDI_LOG", "").start().await;
    server.client("demo").get("/v1/health").await.expect(200);
    let log = server.log();
    let is_request = |line: &str| line.starts_with('{') && line.contains(r#""message":"request""#);
    assert!(log.lines().any(is_request), "{log}");
}

#[tokio::test]
async fn given_a_terminal_when_the_demo_is_served_then_the_screen_shows_what_to_type_and_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::on(folder.path()).with_demo().command();
    let up = setup.as_std();
    let words: Vec<String> = std::iter::once(up.get_program()).chain(up.get_args()).map(quoted).collect();
    let mut terminal = tokio::process::Command::new("script");
    terminal.args(["-qefc", &words.join(" "), "/dev/null"]);
    terminal.envs(up.get_envs().filter_map(|(name, value)| Some((name, value?)))).env_remove("MANDI_LOG");
    let mut terminal = terminal.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();

    let mut lines = BufReader::new(terminal.stdout.take().unwrap()).lines();
    let mut screen = Vec::new();
    let shown = tokio::time::timeout(Duration::from_secs(180), async {
        while let Some(line) = lines.next_line().await.unwrap() {
            let is_last = line.contains("load --tenant demo");
            screen.push(line);
            if is_last {
                return true;
            }
        }
        false
    });
    assert!(shown.await.unwrap_or_default(), "{screen:#?}");
    let server = std::fs::read_to_string(folder.path().join("lock")).unwrap();
    assert!(Command::new("kill").args(["-TERM", server.trim()]).status().unwrap().success());
    assert!(terminal.wait().await.unwrap().success());

    assert!(!screen.iter().any(|line| line.contains('{')), "{screen:#?}");
    for part in ["listening on http://", "MANDI_LOG=info", "A token for an hour", "Paste next", " ask --tenant demo"] {
        assert!(screen.iter().any(|line| line.contains(part)), "{part} is not in {screen:#?}");
    }
}

/// Runs a command whose reader goes away before it reads anything: whether it succeeds, and what it complains of.
fn unread(command: &mut Command) -> (bool, String) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn given_a_reader_that_goes_away_when_a_command_prints_then_it_ends_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    server.client("demo").collection_with("terms", "T-1", "The buyer shall pay within 30 days.").await;
    let data = folder.path().to_str().unwrap();
    let note = folder.path().join("note.md");
    std::fs::write(&note, "The seller delivers at the mill.").unwrap();
    let at = ["--tenant", "demo", "--url", server.base(), "--data", data];
    let commands: [&[&str]; 6] = [
        &[&["ask", "When must the buyer pay?"][..], &at].concat(),
        &[&["load", note.to_str().unwrap(), "--collection", "terms"][..], &at].concat(),
        &["token", "--tenant", "demo", "--data", data],
        &["openapi"],
        &["--help"],
        &["up", "--demo", "--port", "0", "--data", "served"],
    ];
    for command in commands {
        assert_eq!(unread(&mut typed_in(folder.path(), command)), (true, String::new()), "{command:?}");
    }
}

#[test]
fn given_a_port_that_is_none_when_a_server_is_asked_then_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    for port in ["abc", "65536"] {
        let mut command = typed_in(folder.path(), &["ask", "--tenant", "demo", "hello"]);
        let (success, _, complaint) = outcome(command.env("MANDI_PORT", port));
        let said = format!("`MANDI_PORT`: `{port}` is not a port, which is a number from 1 to 65535");
        assert!(!success && complaint.contains(&said), "{complaint}");
    }
}

#[test]
fn given_a_token_that_no_server_would_take_when_it_is_asked_for_then_the_rule_is_said() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), [7; 32]).unwrap();
    let (user, hours) = ("a user is 1 to 256 bytes, and not blank", "1..=8760");
    let refused = [
        ("--user", "", user),
        ("--user", " ", user),
        ("--hours", "0", hours),
        ("--hours", "8761", hours),
        ("--hours", "999999999999999999", hours),
    ];
    for (option, value, rule) in refused {
        let (success, told, complaint) =
            outcome(&mut typed_in(folder.path(), &["token", "--tenant", "demo", "--data", ".", option, value]));
        assert!(!success && told.is_empty() && complaint.contains(rule), "{option} {value}: {told}{complaint}");
    }
}

#[test]
fn given_an_address_or_a_conversation_that_is_none_when_a_question_is_asked_then_the_rule_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = [
        ("--url", "localhost:8080", "begins with `http://`"),
        ("--conversation", "../x", "`conv_` and 32 hexadecimal digits"),
        ("--collection", "../x", "a collection's name is"),
    ];
    for (option, value, rule) in wrong {
        let (success, _, complaint) =
            outcome(&mut typed_in(folder.path(), &["ask", "--tenant", "demo", option, value, "hello"]));
        assert!(!success && complaint.contains(rule), "{option} {value}: {complaint}");
    }
}

/// A word as a shell reads it.
fn quoted(word: &OsStr) -> String {
    format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''"))
}
