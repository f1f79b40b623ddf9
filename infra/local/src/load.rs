//! `mandi load`: a folder or a file of documents into a collection.
//!
//! A file whose name ends in `.json` and that holds `entity_type` and `entity_id` is a document as the API takes
//! it; every other file is sent as it is, under its path as id. What is there already unchanged is skipped.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use mandi_core::settings::Settings;
use mandi_core::{Problem, ProblemKind, Result};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use walkdir::WalkDir;

use crate::answers::{Documents, Job, Outcome, Status};
use crate::client::Client;
use crate::commands::{self, Load};

/// How many files are sent at the same time.
const CONCURRENCY: usize = 4;
/// How often a job is asked how far it is.
const POLL: Duration = Duration::from_millis(300);

/// Where documents go.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The server.
    pub client: Client,
    /// The collection.
    pub collection: String,
    /// What the files are, if it is not for their format to say.
    pub entity_type: Option<String>,
}

/// Loads, and prints what became of it. The exit code says whether every file is there now.
pub async fn run(settings: &Settings, load: &Load) -> Result<ExitCode> {
    let destination = Destination {
        client: Client::of(settings, &load.server)?,
        collection: load.collection.clone(),
        entity_type: load.entity_type.clone(),
    };
    let files = files(&load.path)?;
    destination.make_collection().await?;
    let bar = progress(files.len());
    let mut loaded = futures::stream::iter(files)
        .map(|(path, id)| {
            let destination = &destination;
            async move { (id.clone(), destination.file(&path, &id).await) }
        })
        .buffer_unordered(CONCURRENCY);
    let mut tally = Tally::default();
    while let Some((id, outcome)) = loaded.next().await {
        tally.count(&id, outcome);
        bar.inc(1);
        bar.set_message(format!("{} failed", tally.failures.len()));
    }
    bar.finish_and_clear();
    tally.say(&load.collection);
    Ok(if tally.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn progress(files: usize) -> ProgressBar {
    let bar = ProgressBar::new(files as u64);
    let template = "{bar:30} {pos}/{len} files, {per_sec}, {eta} left, {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// The files under a path, with their ids: the path within the folder.
fn files(path: &Path) -> Result<Vec<(PathBuf, String)>> {
    let unreadable =
        |error: &dyn std::fmt::Display| Problem::field("path", format!("`{}` cannot be read: {error}", path.display()));
    if std::fs::metadata(path).map_err(|error| unreadable(&error))?.is_file() {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        return Ok(vec![(path.to_owned(), name)]);
    }
    let mut files = Vec::new();
    let hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('.');
    let entries = WalkDir::new(path).sort_by_file_name().into_iter();
    for entry in entries.filter_entry(|entry| entry.depth() == 0 || !hidden(entry.file_name())) {
        let entry = entry.map_err(|error| unreadable(&error))?;
        if entry.file_type().is_file() {
            let within = entry.path().strip_prefix(path).unwrap_or(entry.path()).to_string_lossy().into_owned();
            files.push((entry.into_path(), within));
        }
    }
    if files.is_empty() {
        return Err(Problem::field("path", format!("`{}` holds no files", path.display())));
    }
    Ok(files)
}

#[derive(Default)]
struct Tally {
    indexed: usize,
    unchanged: usize,
    failures: Vec<(String, String)>,
}

impl Tally {
    fn count(&mut self, id: &str, outcome: Result<Outcome>) {
        match outcome {
            Ok(outcome) if outcome.status == Status::Indexed => self.indexed += 1,
            Ok(outcome) if outcome.status == Status::Unchanged => self.unchanged += 1,
            Ok(outcome) => {
                let reason = outcome.error.unwrap_or_else(|| "it has no outcome".to_owned());
                self.failures.push((id.to_owned(), reason));
            }
            Err(problem) => self.failures.push((id.to_owned(), problem.detail)),
        }
    }

    fn say(&self, collection: &str) {
        let (indexed, unchanged, failed) = (self.indexed, self.unchanged, self.failures.len());
        commands::say(&format!(
            "{indexed} loaded into `{collection}`, {unchanged} there already unchanged, {failed} failed"
        ));
        for (id, reason) in &self.failures {
            commands::say(&format!("  {id}: {reason}"));
        }
    }
}

impl Destination {
    /// Makes the collection, unless it is there.
    pub async fn make_collection(&self) -> Result<()> {
        let path = format!("/v1/collections/{}", self.collection);
        self.client.send(self.client.request(Method::PUT, &path).json(&json!({}))).await.map(drop)
    }

    async fn file(&self, path: &Path, id: &str) -> Result<Outcome> {
        let bytes = tokio::fs::read(path)
            .await
            .map_err(|error| Problem::field("path", format!("it cannot be read: {error}")))?;
        if let Some(document) = as_document(path, &bytes) {
            return self.document(&document).await;
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut form = Form::new().text("entity_id", id.to_owned());
        if let Some(entity_type) = &self.entity_type {
            form = form.text("entity_type", entity_type.clone());
        }
        let form = form.part("file", Part::bytes(bytes).file_name(name));
        self.outcome(self.client.request(Method::POST, &self.path()).multipart(form)).await
    }

    /// Sends a document as the API takes it.
    pub async fn document(&self, document: &Value) -> Result<Outcome> {
        self.outcome(self.client.request(Method::POST, &self.path()).json(document)).await
    }

    fn path(&self) -> String {
        format!("/v1/collections/{}/documents", self.collection)
    }

    async fn outcome(&self, request: reqwest::RequestBuilder) -> Result<Outcome> {
        let none = || Problem::new(ProblemKind::Internal, "the server gives no outcome");
        let sent: Documents = self.client.json(request).await?;
        let Some(job) = sent.job_id else { return sent.documents.into_iter().next().ok_or_else(none) };
        loop {
            let job: Job = self.client.json(self.client.request(Method::GET, &format!("/v1/jobs/{job}"))).await?;
            if job.state == "done" {
                return job.documents.into_iter().next().ok_or_else(none);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// A file that holds a document as the API takes it.
fn as_document(path: &Path, bytes: &[u8]) -> Option<Value> {
    if path.extension()?.to_string_lossy().to_ascii_lowercase() != "json" {
        return None;
    }
    let value: Value = serde_json::from_slice(bytes).ok()?;
    (value.get("entity_type").is_some() && value.get("entity_id").is_some()).then_some(value)
}
