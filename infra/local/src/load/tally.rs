//! What became of the files of a load.

use std::process::ExitCode;

use mandi_core::Result;

use super::walk::PassedOver;
use crate::answers::{Outcome, Status};
use crate::client;
use crate::terminal;

/// After how many files in a row that got no answer the server is taken to be gone.
const ENOUGH_WITHOUT_ANSWER: usize = 3;

/// Counts of files, and the failures with their reasons.
pub(super) struct Tally {
    files: usize,
    counted: usize,
    indexed: usize,
    unchanged: usize,
    failures: Vec<(String, String)>,
    /// How many of the last failures were that no answer came.
    without_answer: usize,
    passed_over: PassedOver,
}

impl Tally {
    /// Before the first of so many files, with what failed already.
    pub(super) const fn new(files: usize, failures: Vec<(String, String)>, passed_over: PassedOver) -> Self {
        Self { files, counted: 0, indexed: 0, unchanged: 0, failures, without_answer: 0, passed_over }
    }

    /// Counts a file.
    pub(super) fn count(&mut self, id: String, outcome: Result<Outcome>) {
        self.counted += 1;
        let is_answered = !outcome.as_ref().is_err_and(client::is_without_answer);
        self.without_answer = if is_answered { 0 } else { self.without_answer + 1 };
        match outcome {
            Ok(Outcome { status: Status::Indexed, .. }) => self.indexed += 1,
            Ok(Outcome { status: Status::Unchanged, .. }) => self.unchanged += 1,
            Ok(outcome) => self.failures.push((id, outcome.error.unwrap_or_else(|| "it has no outcome".to_owned()))),
            Err(problem) => self.failures.push((id, problem.detail)),
        }
    }

    /// How many have failed.
    pub(super) const fn failed(&self) -> usize {
        self.failures.len()
    }

    /// Whether there is no sense in sending more.
    pub(super) const fn is_server_gone(&self) -> bool {
        self.without_answer >= ENOUGH_WITHOUT_ANSWER
    }

    /// Says it all. The exit code says whether every file is there now.
    pub(super) fn say(mut self, collection: &str) -> ExitCode {
        let is_whole = self.failures.is_empty();
        let not_sent = self.not_sent();
        let Self { indexed, unchanged, failures, passed_over, .. } = self;
        let failed = failures.len();
        terminal::say(&format!(
            "{indexed} loaded into `{collection}`, {unchanged} there already unchanged, {failed} failed"
        ));
        failures.iter().for_each(|(id, reason)| terminal::say(&format!("  {id}: {reason}")));
        passed_over.words().into_iter().chain(not_sent).for_each(|line| terminal::say(&line));
        if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// Where the server is gone: a line for all files that it did not get, in place of one failure for each.
    fn not_sent(&mut self) -> Option<String> {
        if !self.is_server_gone() {
            return None;
        }
        let unanswered = self.failures.split_off(self.failures.len() - self.without_answer);
        let (_, reason) = unanswered.last()?;
        let files = self.files - self.counted + unanswered.len();
        Some(format!(
            "{reason}; {files} files were not sent: type the same command again when a server runs, what is there already \
             is left as it is"
        ))
    }
}
