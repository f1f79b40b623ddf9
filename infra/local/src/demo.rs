//! The demo tenant: documents, questions and the model of the folder `demo`, built into the program.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use bytes::Bytes;
use include_dir::{Dir, include_dir};
use mandi_core::settings::Settings;
use mandi_core::{Problem, Result};
use mandi_retrieval::CollectionName;
use serde_json::Value;

use crate::client::{self, Client};
use crate::load::Destination;
use crate::model::{self, Pushed};
use crate::{terminal, token};

static DEMO: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../demo");

/// The tenant, and the user in whose name it is loaded.
const TENANT: &str = "demo";
const USER: &str = "admin";
/// The name of its model.
const MODEL: &str = "turmeric-grade";

/// Loads the demo's documents and its model, through the public interface. What is there already is left as it is.
pub async fn load(settings: &Settings, server: SocketAddr) -> Result<()> {
    let client = Client::new(settings, client::at(server)?, TENANT, USER)?;
    let mut made = BTreeSet::new();
    let folder = DEMO.get_dir("documents").ok_or_else(|| Problem::internal("the demo has no documents"))?;
    for file in folder.files() {
        let mut document: Value = serde_json::from_slice(file.contents()).map_err(Problem::internal)?;
        let collection = document.as_object_mut().and_then(|fields| fields.remove("collection"));
        let Some(collection) = collection.as_ref().and_then(Value::as_str).and_then(CollectionName::parse) else {
            return Err(Problem::internal(format!("{} names no collection", file.path().display())));
        };
        let destination = Destination { client: client.clone(), collection: collection.clone(), entity_type: None };
        if made.insert(collection) {
            destination.make_collection().await?;
        }
        let outcome = destination.document(&document).await?;
        if let Some(error) = outcome.error {
            return Err(Problem::internal(format!("{}: {error}", file.path().display())));
        }
    }
    push_model(&client).await
}

/// Registers the demo's model and lets it serve, unless one of its name is there.
async fn push_model(client: &Client) -> Result<()> {
    let file = |name: &str| DEMO.get_file(name).ok_or_else(|| Problem::internal(format!("the demo has no {name}")));
    if model::find(client, MODEL).await?.is_some() {
        return Ok(());
    }
    let version = file("models/turmeric-grade.json")?.contents();
    let pushed = Pushed {
        name: MODEL,
        description: Some(
            "Grade of a lot of turmeric (A, B, C) from what the laboratory measures and where it comes from",
        ),
        filename: "turmeric-grade.onnx",
        content: Bytes::from_static(file("models/turmeric-grade.onnx")?.contents()),
        version: serde_json::from_slice(version).map_err(Problem::internal)?,
    };
    let version = pushed.push(client).await?;
    model::deploy(client, &version, "production").await
}

/// Prints the address, a token, and what to paste next.
pub fn say_what_next(settings: &Settings, address: SocketAddr) -> Result<()> {
    let token = token::for_command(settings, TENANT, USER)?;
    let program = std::env::current_exe().ok().map_or_else(|| "mandi".to_owned(), |path| shown(&path));
    let port = address.port();
    let url = if port == 8080 { String::new() } else { format!(" --url http://{address}") };
    terminal::say(&format!(
        "\nMandi serves http://{address} with the demo tenant. A token for an hour:\n\n{token}\n\nPaste next, in another terminal:\n\n  \
         {program} ask --tenant demo{url} \"When must the buyer pay the invoices for the cotton?\"\n  \
         {program} ask --tenant demo{url} \"किसानों को कपास का भुगतान कितने दिन के भीतर किया जाएगा?\"\n  \
         {program} load --tenant demo{url} --collection handbook README.md\n"
    ));
    Ok(())
}

/// The program as a person would type it here.
fn shown(path: &std::path::Path) -> String {
    let link = std::path::Path::new(".mandi/bin/mandi");
    if link.exists() { link.display().to_string() } else { path.display().to_string() }
}
