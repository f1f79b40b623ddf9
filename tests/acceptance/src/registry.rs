//! Models over HTTP: what tests of the registry, of predictions and of rollouts share.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::{Answer, Client, Server, Setup};

/// A server with a client of the tenant `acme`.
#[derive(Debug)]
pub struct Platform {
    /// The server.
    pub server: Server,
    /// The client, an administrator.
    pub client: Client,
    _folder: tempfile::TempDir,
}

/// Starts a server.
///
/// # Panics
/// It does not come up.
pub async fn platform() -> Platform {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let client = server.client("acme");
    Platform { client, server, _folder: folder }
}

/// The demo's forest: grades of turmeric from four numbers and a text.
#[derive(Clone, Debug)]
pub struct Grades {
    /// The ONNX file.
    pub file: Vec<u8>,
    /// The version as the API takes it.
    pub version: Value,
}

/// The demo's forest.
///
/// # Panics
/// Its description is no JSON.
#[must_use]
pub fn grades() -> Grades {
    let version = serde_json::from_str(include_str!("../../../demo/models/turmeric-grade.json")).unwrap();
    let file = include_bytes!("../../../demo/models/turmeric-grade.onnx");
    Grades { file: file.to_vec(), version }
}

/// A row of its sample.
#[must_use]
pub fn lot() -> Value {
    grades().version["sample"]["rows"][0].clone()
}

/// Makes a model; returns its id.
///
/// # Panics
/// It is refused.
pub async fn model(client: &Client, name: &str) -> String {
    let made = client.post("/v1/models", &json!({"name": name})).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

/// Registers a version from a form.
///
/// # Panics
/// There is no answer.
pub async fn register(client: &Client, model: &str, file: &[u8], version: &Value) -> Answer {
    let form = Form::new()
        .part("version", Part::text(version.to_string()))
        .part("file", Part::bytes(file.to_vec()).file_name("model.onnx"));
    let path = format!("/v1/models/{model}/versions");
    Answer::of(client.request(Method::POST, &path).multipart(form).send().await.unwrap()).await
}

/// Lets a version serve in production, by a rollout.
pub async fn deploy(client: &Client, model: &str, version: u32, rollout: &Value) -> Answer {
    let body = json!({"version": version, "stage": "production", "rollout": rollout});
    client.post(&format!("/v1/models/{model}/deploy"), &body).await
}

/// Asks for predictions.
pub async fn predict(client: &Client, model: &str, body: &Value) -> Answer {
    client.post(&format!("/v1/models/{model}/predict"), body).await
}

/// A model with the demo's forest as versions 1 and 2, of which the first serves.
///
/// # Panics
/// It is refused.
pub async fn graded(client: &Client) -> String {
    let model = model(client, "turmeric-grade").await;
    let Grades { file, version } = grades();
    for _ in 0..2 {
        register(client, &model, &file, &version).await.expect(201);
    }
    deploy(client, &model, 1, &json!({"kind": "all"})).await.expect(200);
    model
}
