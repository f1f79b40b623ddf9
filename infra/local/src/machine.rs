//! `mandi machine`: runs and checks definitions of state machines. What it does is in `mandi-states`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use mandi_core::{Clock, Problem, ProblemKind, Result, SystemClock};
use mandi_local::{ClockTimer, FolderItems};
use mandi_states::standalone::{Given, Outside, check_report, run_once};

use crate::terminal;

#[derive(Debug, Subcommand)]
pub enum Machine {
    /// Runs a definition (Amazon States Language) and prints its output, or Error and Cause with exit code 1
    Run(Run),
    /// Lists every fault of a definition with its place; exit code 1 when it cannot be run
    Check {
        /// The definition, for instance infra/statemachines/batch-prediction.asl.json
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct Run {
    /// The definition
    file: PathBuf,
    /// The input: JSON, or @FILE
    #[arg(long, default_value = "{}")]
    input: String,
    /// Prints the events too, by their names in Step Functions, one a line
    #[arg(long)]
    history: bool,
    /// Canned results: {"STATE or RESOURCE": {"Return": ..} or {"Throw": {"Error": "..", "Cause": ".."}}}
    #[arg(long)]
    mock: Option<PathBuf>,
}

impl Machine {
    /// Runs or checks.
    pub async fn run(self) -> Result<ExitCode> {
        match self {
            Self::Check { file } => {
                let (report, status) = check_report(&read(&file)?);
                terminal::say(&report);
                Ok(ExitCode::from(status.exit_code()))
            }
            Self::Run(run) => run.run().await,
        }
    }
}

impl Run {
    async fn run(self) -> Result<ExitCode> {
        let definition = read(&self.file)?;
        let input = match self.input.strip_prefix('@') {
            Some(file) => read(Path::new(file))?,
            None => self.input,
        };
        let mock = self.mock.as_deref().map(read).transpose()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        let outside = Outside {
            timer: Arc::new(ClockTimer(Arc::clone(&clock))),
            clock,
            items: Arc::new(FolderItems::new(folder)),
        };
        let given = Given { definition: &definition, input: &input, mock: mock.as_deref() };
        let finished = run_once(given, &outside).await;
        let finished = finished.map_err(|error| Problem::new(ProblemKind::InvalidRequest, error.to_string()))?;
        if self.history {
            finished.history.iter().for_each(|event| terminal::say(&event.to_string()));
        }
        terminal::say(&format!("{:#}", finished.shown));
        finished.notes.iter().for_each(|note| terminal::complain(&format!("note: {note}")));
        Ok(ExitCode::from(finished.status.exit_code()))
    }
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(|error| {
        Problem::new(ProblemKind::InvalidRequest, format!("{} cannot be read: {error}", file.display()))
    })
}
