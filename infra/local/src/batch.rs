//! `mandi batch`: a table through a model, with a progress bar; the results become a file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use mandi_core::settings::Settings;
use mandi_core::{Problem, ProblemKind, Result};
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::io::AsyncWriteExt;

use crate::client::Client;
use crate::commands::Batch;
use crate::{model, terminal, upload};

/// How often the job is asked how far it has come.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// How many failed rows are shown.
const SHOWN_FAILURES: &str = "5";

/// Predicts a table, and prints what became of it. The exit code is 1 when the job did not succeed.
pub async fn run(settings: &Settings, batch: &Batch) -> Result<ExitCode> {
    let client = Client::of(settings, &batch.server)?;
    let found = model::find(&client, &batch.model).await?;
    let model = found.as_ref().and_then(|model| model["id"].as_str()).ok_or_else(|| {
        let detail = format!("there is no model `{}`; `mandi model push` registers one", batch.model);
        Problem::new(ProblemKind::NotFound, detail)
    })?;
    let table = upload::file(&client, &batch.file).await?;
    let mut output = Map::new();
    if let Some(format) = batch.format {
        output.insert("format".to_owned(), json!(format.name()));
    }
    if batch.explain {
        output.insert("explain".to_owned(), json!(true));
    }
    let mut new = json!({"model_id": model, "input": {"upload": table}, "output": output});
    if let Some(version) = batch.version {
        new["version"] = json!(version);
    }
    let started: Value = client.json(client.request(Method::POST, &["predictions", "batch"]).json(&new)).await?;
    for warning in started["input"]["warnings"].as_array().into_iter().flatten() {
        terminal::complain(&format!("note: {}", warning.as_str().unwrap_or_default()));
    }
    let id = started["job_id"].as_str().unwrap_or_default();
    let mut done = watch(&client, id).await?;
    let succeeded = done["state"] == "succeeded";
    if succeeded {
        let path = batch.output.clone().unwrap_or_else(|| beside(&batch.file, &done));
        download(&client, id, &path).await?;
        done["file"] = json!(path.display().to_string());
    }
    let failures: Value =
        client.json(client.query(&["predictions", id, "failures"], &[("limit", SHOWN_FAILURES)])).await?;
    if batch.json {
        done["failures"] = failures["failures"].clone();
        done["input"] = started["input"].clone();
        terminal::say(&done.to_string());
    } else {
        say(&done, &failures);
    }
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows how far the job has come, until it is over. Returns it as it is then.
async fn watch(client: &Client, id: &str) -> Result<Value> {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg:10} {bar:30} {human_pos}/{human_len} rows, {eta} left") {
        bar.set_style(style);
    }
    loop {
        let job: Value = client.json(client.request(Method::GET, &["predictions", id])).await?;
        let count = |name: &str| job[name].as_u64().unwrap_or(0);
        bar.set_length(count("total"));
        bar.set_position(count("completed") + count("failed"));
        let state = job["state"].as_str().unwrap_or_default().to_owned();
        let over = ["succeeded", "failed", "cancelled"].contains(&state.as_str());
        bar.set_message(state);
        if over {
            bar.finish_and_clear();
            return Ok(job);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// The file of results beside the table: `prices.csv` gives `prices.predictions.csv`.
fn beside(table: &Path, job: &Value) -> PathBuf {
    let stem = table.file_name().unwrap_or_default().to_string_lossy();
    let stem = stem.split('.').next().unwrap_or_default();
    let extension = job["output_format"].as_str().unwrap_or_default();
    table.with_file_name(format!("{stem}.predictions.{extension}"))
}

/// Reads the one file of results, piece by piece.
async fn download(client: &Client, id: &str, path: &Path) -> Result<()> {
    let wrong = |error: std::io::Error| Problem::field("output", format!("{}: {error}", path.display()));
    let answer = client.send(client.request(Method::GET, &["predictions", id, "results", "download"])).await?;
    let mut file = tokio::fs::File::create(path).await.map_err(wrong)?;
    let mut pieces = answer.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let cut = |error: reqwest::Error| {
            Problem::new(ProblemKind::Unavailable, "the results did not come to their end; try again").caused_by(error)
        };
        file.write_all(&piece.map_err(cut)?).await.map_err(wrong)?;
    }
    file.flush().await.map_err(wrong)
}

/// Prints a job for a person.
fn say(job: &Value, failures: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rate = job["rows_per_second"].as_f64().map_or_else(String::new, |rate| format!("  {rate:.0} rows/s"));
    let (completed, failed) = (&job["completed"], &job["failed"]);
    terminal::say(&format!("{}  {completed} rows predicted, {failed} failed{rate}", text(&job["state"])));
    if job["failure"].is_object() {
        terminal::say(&format!("{}: {}", text(&job["failure"]["error"]), text(&job["failure"]["detail"])));
    }
    for fault in failures["failures"].as_array().into_iter().flatten() {
        terminal::say(&format!("  row {}  {}  {}", fault["row"], text(&fault["column"]), text(&fault["detail"])));
    }
    if job["file"].is_string() {
        terminal::say(&format!("results are in {}", text(&job["file"])));
    }
    terminal::say(&format!("job {}", text(&job["job_id"])));
}
