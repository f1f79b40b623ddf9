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

use clap::Parser;
use mandi_core::ProblemKind;

#[tokio::main]
async fn main() -> ExitCode {
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
