//! `mandi doctor`: what is missing on this machine, and how to get it. It looks, and makes nothing.

mod data_folder;
mod models;
mod port;

use std::process::ExitCode;

use mandi_core::settings::{self, Settings};
use mandi_core::{Problem, Result};
use mandi_llm::providers::{LOCAL_MODEL_FILE, Providers};

use crate::terminal;
use port::Listener;

/// One thing that was looked at.
struct Finding {
    what: String,
    verdict: Verdict,
}

enum Verdict {
    Well,
    /// All is well, and there is something to know.
    Note(String),
    /// What is wrong and how to mend it.
    Fault(String),
}

impl Finding {
    fn line(&self) -> String {
        let what = &self.what;
        match &self.verdict {
            Verdict::Well => format!("ok       {what}"),
            Verdict::Note(note) => format!("ok       {what}: {note}"),
            Verdict::Fault(fault) => format!("MISSING  {what}: {fault}"),
        }
    }

    fn fault(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Fault(fault) => Some(fault),
            Verdict::Well | Verdict::Note(_) => None,
        }
    }
}

/// Looks at everything, and says what it sees. The exit code says whether all is well.
pub async fn run(settings: &Settings) -> Result<ExitCode> {
    let models = models::look(settings)?;
    let number: u16 = settings.parsed(settings::PORT)?;
    let listener = port::look(settings, number).await?;
    let mut findings = vec![
        data_folder::finding(settings.required(settings::DATA_DIR)?, number, &listener),
        port::finding(number, &listener),
        provider(settings, &models).await,
    ];
    findings.splice(0..0, models.into_iter().map(|model| model.finding));
    findings.iter().for_each(|finding| terminal::say(&finding.line()));
    if findings.iter().any(|finding| finding.fault().is_some()) {
        return Ok(ExitCode::FAILURE);
    }
    terminal::say(&match listener {
        Listener::Ours { .. } => format!("all is well: mandi serves http://127.0.0.1:{number}"),
        Listener::OfAnotherFolder { .. } => "all is well, but what serves there has another data folder".to_owned(),
        _ => "all is well: `mandi up --demo` serves the demo tenant".to_owned(),
    });
    Ok(ExitCode::SUCCESS)
}

async fn provider(settings: &Settings, models: &[models::Model]) -> Finding {
    let verdict = match Providers::from_settings(settings).await {
        Ok(_) => Verdict::Well,
        Err(problem) => Verdict::Fault(fault_of_provider(problem, models)),
    };
    Finding { what: "language model".to_owned(), verdict }
}

/// What is wrong with the language model. Where that is the built-in model's file, the words of the library send
/// the reader to this command; the file's own finding says what to do.
fn fault_of_provider(problem: Problem, models: &[models::Model]) -> String {
    let file = models.iter().find(|model| model.file == LOCAL_MODEL_FILE);
    match file.and_then(|model| model.finding.fault()) {
        Some(fault) if problem.detail.contains(LOCAL_MODEL_FILE) => {
            format!("{fault}, or set MANDI_PROVIDER to another provider")
        }
        _ => problem.detail,
    }
}
