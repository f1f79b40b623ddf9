//! `mandi`: all of the platform in one process, and its command line.

mod answers;
mod ask;
mod client;
mod commands;
mod demo;
mod doctor;
mod load;
mod platform;
mod shutdown;
mod token;
mod up;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    match commands::Cli::parse().run().await {
        Ok(code) => code,
        Err(problem) => {
            let causes = problem.causes();
            let because = if causes.is_empty() { String::new() } else { format!(" ({causes})") };
            commands::complain(&format!("mandi: {}{because}", problem.detail));
            ExitCode::FAILURE
        }
    }
}
