//! `mandi`: all of the platform in one process, and its command line.

mod answers;
mod ask;
mod batch;
mod client;
mod commands;
mod demo;
mod doctor;
mod load;
mod machine;
mod machines;
mod model;
mod platform;
mod receive;
mod shutdown;
mod terminal;
mod token;
mod up;
mod upload;
mod values;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use mandi_core::ProblemKind;

/// How long the process waits at its end for threads that compute for nobody.
const LAST_WAIT: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::complain(&format!("mandi: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run());
    // All that has to be durable is so by now.
    runtime.shutdown_timeout(LAST_WAIT);
    code
}

async fn run() -> ExitCode {
    match commands::Cli::parse().run().await {
        Ok(code) => code,
        Err(problem) => {
            // Where it is not our fault the detail says it all.
            let because = match problem.kind {
                ProblemKind::Internal => format!(" ({})", problem.causes()),
                _ => String::new(),
            };
            terminal::complain(&format!("mandi: {}{because}", problem.detail));
            ExitCode::FAILURE
        }
    }
}
