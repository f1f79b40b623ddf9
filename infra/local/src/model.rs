//! `mandi model push`: a file into the registry, as the next version of a model.

use std::path::Path;
use std::process::ExitCode;

use bytes::Bytes;
use mandi_core::settings::Settings;
use mandi_core::uploads::hexadecimal;
use mandi_core::{Problem, Result};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::client::Client;
use crate::commands::Push;
use crate::upload::Announced;
use crate::{terminal, upload};

/// A file that is to become a version.
#[derive(Debug)]
pub struct Pushed<'a> {
    /// The model's name; it is made if need be.
    pub name: &'a str,
    /// What the model is for, where it is made.
    pub description: Option<&'a str>,
    /// The file's name.
    pub filename: &'a str,
    /// The file.
    pub content: Bytes,
    /// The version as the API takes it, without the file: signature, sample, metrics, lineage.
    pub version: Value,
}

/// Pushes, and prints what became of it.
pub async fn run(settings: &Settings, push: &Push) -> Result<ExitCode> {
    let client = Client::of(settings, &push.server)?;
    let content = read(&push.file)?;
    let version = match &push.version {
        None => json!({}),
        Some(path) => serde_json::from_slice(&read(path)?)
            .map_err(|error| Problem::field("version", format!("{} is no JSON: {error}", path.display())))?,
    };
    let filename = push.file.file_name().unwrap_or_default().to_string_lossy();
    let pushed = Pushed { name: &push.name, description: None, filename: &filename, content, version };
    let mut made = pushed.push(&client).await?;
    if let Some(stage) = push.stage {
        let stage = stage.name();
        deploy(&client, &made, stage).await?;
        made["stage"] = json!(stage);
    }
    if push.json {
        terminal::say(&made.to_string());
    } else {
        say(&push.name, &made);
    }
    Ok(ExitCode::SUCCESS)
}

impl Pushed<'_> {
    /// Sends the file and registers it. Returns the version as the API shows it.
    pub async fn push(self, client: &Client) -> Result<Value> {
        let (model, origin) = self.model(client).await?;
        let pushed = self.register(client, &model).await;
        if pushed.is_err() && origin == Origin::Made {
            // A model without a version would stay behind. Why there is none is what the caller has to know.
            let _ = client.send(client.request(Method::DELETE, &["models", &model])).await;
        }
        pushed
    }

    async fn register(self, client: &Client, model: &str) -> Result<Value> {
        let Self { filename, content, mut version, .. } = self;
        let sha256 = Some(hexadecimal(&Sha256::digest(&content)));
        let announced = Announced { filename, size_bytes: content.len() as u64, sha256 };
        let upload = upload::content(client, &announced, content).await?;
        let fields = version.as_object_mut().ok_or_else(|| Problem::field("version", "it is no JSON object"))?;
        fields.insert("artifact".to_owned(), json!({"upload": upload}));
        client.json(client.request(Method::POST, &["models", model, "versions"]).json(&version)).await
    }

    /// The id of the model, which is made if need be.
    async fn model(&self, client: &Client) -> Result<(String, Origin)> {
        let id = |model: &Value| model["id"].as_str().map(str::to_owned);
        let found = find(client, self.name).await?;
        if let Some(id) = found.as_ref().and_then(id) {
            return Ok((id, Origin::Found));
        }
        let new = json!({"name": self.name, "description": self.description});
        let made: Value = client.json(client.request(Method::POST, &["models"]).json(&new)).await?;
        let id = id(&made).ok_or_else(|| Problem::internal("the server gives no id"))?;
        Ok((id, Origin::Made))
    }
}

/// Where a model comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// It was there.
    Found,
    /// It was made for this push.
    Made,
}

/// The model of a name, if there is one.
pub async fn find(client: &Client, name: &str) -> Result<Option<Value>> {
    let mut page: Value = client.json(client.query(&["models"], &[("name", name)])).await?;
    Ok(page["models"].get_mut(0).map(Value::take))
}

/// Lets a version serve all calls at a stage.
pub async fn deploy(client: &Client, version: &Value, stage: &str) -> Result<()> {
    let model = version["model_id"].as_str().unwrap_or_default();
    let request = client.request(Method::POST, &["models", model, "deploy"]);
    client.send(request.json(&json!({"version": version["version"], "stage": stage}))).await.map(drop)
}

fn read(path: &Path) -> Result<Bytes> {
    let content = std::fs::read(path);
    content.map(Bytes::from).map_err(|error| Problem::field("file", format!("{}: {error}", path.display())))
}

/// Prints a version for a person.
fn say(name: &str, version: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    terminal::say(&format!("{name}  version {}  stage {}", version["version"], text(&version["stage"])));
    terminal::say(&format!("id {}  sha256 {}", text(&version["model_id"]), text(&version["artifact"]["sha256"])));
    for (heading, list, what) in [("takes", "inputs", "type"), ("gives", "outputs", "role")] {
        terminal::say(&format!("\n{heading}"));
        for item in version["signature"][list].as_array().into_iter().flatten() {
            terminal::say(&format!("  {:30} {}", text(&item["name"]), text(&item[what])));
        }
    }
}
