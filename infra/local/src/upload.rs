//! A file to the platform, piece by piece, under a progress bar.

use std::io;
use std::path::Path;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use mandi_core::{Problem, ProblemKind, Result};
use reqwest::{Body, Method};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::client::Client;

/// In pieces of so many bytes a file is sent.
const PIECE_BYTES: usize = 256 * 1024;

/// What is sent.
#[derive(Debug)]
pub struct Announced<'a> {
    /// The file's name.
    pub filename: &'a str,
    /// How long it is, in bytes.
    pub size_bytes: u64,
    /// Its SHA-256, in hexadecimal, where it is known.
    pub sha256: Option<String>,
}

/// Sends content that is in memory. Returns the upload's id.
pub async fn content(client: &Client, announced: &Announced<'_>, content: Bytes) -> Result<String> {
    let length = content.len();
    let pieces = (0..length).step_by(PIECE_BYTES).map(move |from| content.slice(from..length.min(from + PIECE_BYTES)));
    send(client, announced, stream::iter(pieces.map(Ok))).await
}

/// Sends a file of any length, which is not read into memory. Returns the upload's id.
pub async fn file(client: &Client, path: &Path) -> Result<String> {
    let wrong = |error: io::Error| Problem::field("file", format!("{}: {error}", path.display()));
    let file = tokio::fs::File::open(path).await.map_err(wrong)?;
    let size_bytes = file.metadata().await.map_err(wrong)?.len();
    let pieces = stream::try_unfold(file, |mut file| async move {
        let mut piece = vec![0; PIECE_BYTES];
        let count = file.read(&mut piece).await?;
        piece.truncate(count);
        Ok((count > 0).then(|| (Bytes::from(piece), file)))
    });
    let filename = path.file_name().unwrap_or_default().to_string_lossy();
    send(client, &Announced { filename: &filename, size_bytes, sha256: None }, pieces).await
}

async fn send(
    client: &Client,
    announced: &Announced<'_>,
    pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Result<String> {
    let Announced { filename, size_bytes, sha256 } = announced;
    let new = json!({"filename": filename, "size_bytes": size_bytes, "sha256": sha256});
    let upload: Value = client.json(client.request(Method::POST, &["uploads"]).json(&new)).await?;
    let bar = ProgressBar::new(*size_bytes);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left") {
        bar.set_style(style);
    }
    let shown = bar.clone();
    let pieces = pieces.inspect(move |piece| shown.inc(piece.as_ref().map_or(0, |piece| piece.len() as u64)));
    let mut request = reqwest::Client::new()
        .put(upload["url"].as_str().unwrap_or_default())
        .header("content-length", *size_bytes)
        .body(Body::wrap_stream(pieces));
    for (name, value) in upload["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap_or_default());
    }
    let sent = request.send().await;
    bar.finish_and_clear();
    let refused =
        |reason: String| Problem::new(ProblemKind::Unavailable, format!("the file was not taken: {reason}; try again"));
    let response = sent.map_err(|error| refused(error.without_url().to_string()))?;
    if !response.status().is_success() {
        return Err(refused(format!("status {}", response.status())));
    }
    let id = upload["upload_id"].as_str().map(str::to_owned);
    id.ok_or_else(|| Problem::internal("the server gives no upload"))
}
