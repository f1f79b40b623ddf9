//! `mandi load`: a folder or a file of documents into a collection.
//!
//! A JSON file that holds `entity_type` and `entity_id` is a document as the API takes it; every other file is sent as
//! it is, under its path as id. What is there already unchanged is skipped. One that fails does not harm the others.

mod content;
mod tally;
mod walk;

use std::process::ExitCode;
use std::time::Duration;

use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use mandi_core::settings::Settings;
use mandi_core::{Problem, ProblemKind, Result};
use mandi_retrieval::CollectionName;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::answers::{Documents, Job, Outcome};
use crate::client::Client;
use crate::commands::Load;
use content::Content;
use tally::Tally;
use walk::{File, Walk};

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
    pub collection: CollectionName,
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
    let Walk { files, failures, passed_over } = walk::walk(&load.path)?;
    destination.make_collection().await?;
    let bar = progress(files.len());
    let mut tally = Tally::new(files.len(), failures, passed_over);
    let mut loaded = futures::stream::iter(files)
        .map(|file| {
            let destination = &destination;
            async move {
                let outcome = destination.file(&file).await;
                (file.id, outcome)
            }
        })
        .buffer_unordered(CONCURRENCY);
    while !tally.is_server_gone()
        && let Some((id, outcome)) = loaded.next().await
    {
        tally.count(id, outcome);
        bar.inc(1);
        bar.set_message(format!("{} failed", tally.failed()));
    }
    bar.finish_and_clear();
    Ok(tally.say(load.collection.as_str()))
}

fn progress(files: usize) -> ProgressBar {
    let bar = ProgressBar::new(files as u64);
    let template = "{bar:30} {pos}/{len} files, {per_sec}, {eta} left, {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

impl Destination {
    /// Makes the collection, unless it is there.
    pub async fn make_collection(&self) -> Result<()> {
        let request = self.client.request(Method::PUT, &["collections", self.collection.as_str()]);
        self.client.send(request.json(&json!({}))).await.map(drop)
    }

    async fn file(&self, file: &File) -> Result<Outcome> {
        let bytes = match content::read(&file.path, self.entity_type.is_some()).await? {
            Content::Document(document) => return self.document(&document).await,
            Content::File(bytes) => bytes,
        };
        let mut form = Form::new().text("entity_id", file.id.clone());
        if let Some(entity_type) = &self.entity_type {
            form = form.text("entity_type", entity_type.clone());
        }
        let form = form.part("file", Part::bytes(bytes).file_name(file.name().to_owned()));
        self.outcome(self.post().multipart(form)).await
    }

    /// Sends a document as the API takes it.
    pub async fn document(&self, document: &Value) -> Result<Outcome> {
        self.outcome(self.post().json(document)).await
    }

    fn post(&self) -> RequestBuilder {
        self.client.request(Method::POST, &["collections", self.collection.as_str(), "documents"])
    }

    async fn outcome(&self, request: RequestBuilder) -> Result<Outcome> {
        let none = || Problem::new(ProblemKind::Internal, "the server gives no outcome");
        let sent: Documents = self.client.json(request).await?;
        let Some(job) = sent.job_id else { return sent.documents.into_iter().next().ok_or_else(none) };
        loop {
            let job: Job = self.client.json(self.client.request(Method::GET, &["jobs", &job])).await?;
            if job.state == "done" {
                return job.documents.into_iter().next().ok_or_else(none);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
