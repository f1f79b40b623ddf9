//! The port: who listens there.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use mandi_core::settings::Settings;
use mandi_core::{Problem, Result};
use reqwest::StatusCode;
use serde::Deserialize;

use super::{Finding, Verdict};
use crate::token;

/// How long what listens may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The tenant and the user in whose name a server is asked for its data folder. They have nothing in it.
const TENANT: &str = "doctor";
const USER: &str = "doctor";

/// Who listens on the port.
pub(super) enum Listener {
    /// Nobody: it is free.
    Nobody,
    /// A mandi that serves the data folder that is looked at.
    Ours { version: String },
    /// A mandi that serves another data folder.
    OfAnotherFolder { version: String },
    /// Something else, or something that does not answer.
    Stranger,
    /// Nobody may: what the system says.
    Refused(std::io::Error),
}

#[derive(Deserialize)]
struct Health {
    status: String,
    version: String,
}

/// Looks who listens.
pub(super) async fn look(settings: &Settings, port: u16) -> Result<Listener> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(Listener::Nobody),
        Err(error) if error.kind() == ErrorKind::AddrInUse => ask(settings, &format!("http://127.0.0.1:{port}")).await,
        Err(error) => Ok(Listener::Refused(error)),
    }
}

/// What is found, in words.
pub(super) fn finding(port: u16, listener: &Listener) -> Finding {
    let verdict = match listener {
        Listener::Nobody => Verdict::Well,
        Listener::Ours { version } => Verdict::Note(format!("mandi {version} serves there, on this data folder")),
        Listener::OfAnotherFolder { version } => Verdict::Note(format!(
            "mandi {version} serves there, on another data folder; to serve this one too, choose another port with \
             `mandi up --port`"
        )),
        Listener::Stranger => Verdict::Fault(
            "something listens there that does not answer as mandi does (one that is still starting does not yet); \
             stop it, or choose another port with `--port` or MANDI_PORT"
                .to_owned(),
        ),
        Listener::Refused(error) => Verdict::Fault(format!(
            "it cannot be listened on ({error}); choose another from 1024 up with `--port` or MANDI_PORT"
        )),
    };
    Finding { what: format!("port {port}"), verdict }
}

/// Asks what listens whether it is a mandi, and whether it knows the secret of the data folder.
async fn ask(settings: &Settings, base: &str) -> Result<Listener> {
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().map_err(Problem::internal)?;
    let Some(version) = version(&http, base).await else { return Ok(Listener::Stranger) };
    // Without a secret the folder is none that a server uses.
    let Ok(token) = token::for_command(settings, TENANT, USER) else {
        return Ok(Listener::OfAnotherFolder { version });
    };
    let answer = http.get(format!("{base}/v1/conversations?limit=1")).bearer_auth(token).send().await;
    let knows_secret = answer.is_ok_and(|answer| answer.status() != StatusCode::UNAUTHORIZED);
    Ok(if knows_secret { Listener::Ours { version } } else { Listener::OfAnotherFolder { version } })
}

/// The version of the mandi at an address; `None` when it is something else.
async fn version(http: &reqwest::Client, base: &str) -> Option<String> {
    let answer = http.get(format!("{base}/v1/health")).send().await.ok()?;
    let health: Health = answer.error_for_status().ok()?.json().await.ok()?;
    (health.status == "ok").then_some(health.version)
}
