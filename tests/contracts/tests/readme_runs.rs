//! The shell commands of README do what they say, against a runner with the demo tenant.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mandi_contracts::{read, readme, root};

/// Where this build puts its binaries: beside the temporary folder that Cargo gives to tests.
fn binaries() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("debug")
}

/// A runner with the demo tenant in a folder of its own; it ends, and the folder goes, when this is dropped.
struct Runner {
    process: Child,
    data: PathBuf,
    port: String,
}

impl Runner {
    fn start() -> Self {
        let mandi = binaries().join("mandi");
        assert!(mandi.is_file(), "there is no {}: run `cargo build --workspace`", mandi.display());
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("readme-{}", std::process::id()));
        let mut command = Command::new(mandi);
        command.args(["up", "--demo", "--port", "0", "--data"]).arg(&data).current_dir(root()).env("MANDI_LOG", "warn");
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap_or_else(|error| panic!("mandi up: {error}"));
        let stdout = process.stdout.take().unwrap_or_else(|| panic!("mandi up has no output"));
        let mut runner = Self { process, data, port: String::new() };
        let mut lines = BufReader::new(stdout).lines();
        for line in lines.by_ref().map_while(Result::ok) {
            if let Some((_, port)) = line.split_once("listening on http://127.0.0.1:") {
                port.clone_into(&mut runner.port);
            }
            if line.starts_with("Paste next") {
                // What else it prints has to go somewhere, or it would wait.
                std::thread::spawn(move || lines.for_each(drop));
                return runner;
            }
        }
        panic!("mandi up ended before it was ready");
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

/// What README tells people to type, but for `make`, which other tests check, and what needs an AWS account.
fn script(port: &str) -> String {
    let blocks = readme::blocks(&read("README.md"));
    let commands = blocks.iter().filter(|block| block.info == "sh").flat_map(readme::commands);
    let typed: Vec<String> = commands.filter(|line| !line.starts_with("make ")).collect();
    assert!(typed.iter().any(|line| line.starts_with("mandi ask ")), "README shows no question");
    // README's port is the one that people have; curl would take a problem document for a success.
    let setup = "set -euo pipefail\ncurl() { command curl --fail-with-body \"$@\"; }\n";
    format!("{setup}set -x\n{}\n", typed.join("\n").replace(":8080", &format!(":{port}")))
}

#[test]
fn given_the_demo_when_the_commands_of_readme_are_typed_then_each_succeeds() {
    let runner = Runner::start();
    let path = format!("{}:{}", binaries().display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("bash");
    shell.arg("-c").arg(script(&runner.port)).current_dir(root());
    shell.env("PATH", path).env("MANDI_DATA", &runner.data).env("MANDI_PORT", &runner.port);
    let run = shell.output().unwrap_or_else(|error| panic!("bash: {error}"));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&run.stdout), said(&run.stderr));
    assert!(run.status.success(), "{out}\n{err}");
    assert!(out.contains("SC-2026-014"), "the first question cites another document:\n{out}\n{err}");
    assert!(out.contains("event: done") || out.contains("event:done"), "the streamed answer has no end:\n{out}\n{err}");
}
