//! The command line as a client of a running server.

use mandi_core::settings::{self, Settings};
use mandi_core::{Problem, ProblemKind, Result};
use mandi_http::problem::ProblemDocument;
use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;

use crate::commands::Server;
use crate::token;

/// A server, in a user's name.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    /// The server that the command names.
    pub fn of(settings: &Settings, server: &Server) -> Result<Self> {
        let port = settings.required(settings::PORT)?;
        let base = server.url.clone().unwrap_or_else(|| format!("http://127.0.0.1:{port}"));
        Self::new(settings, &base, &server.tenant, &server.user)
    }

    /// A server at an address.
    pub fn new(settings: &Settings, base: &str, tenant: &str, user: &str) -> Result<Self> {
        Ok(Self {
            http: reqwest::Client::new(),
            base: base.trim_end_matches('/').to_owned(),
            token: token::for_command(settings, tenant, user)?,
        })
    }

    /// A request to a path.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// Sends a request; an answer that is a problem is an error.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.map_err(|error| {
            let detail = format!("no server answers at {}; start one with `make run` or `mandi up`", self.base);
            Problem::new(ProblemKind::Unavailable, detail).caused_by(error)
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let kind = ProblemKind::ALL.into_iter().find(|kind| kind.status() == status).unwrap_or(ProblemKind::Internal);
        let detail = match response.json::<ProblemDocument>().await {
            Ok(document) => document.detail,
            Err(_) => format!("the server answers with status {status}"),
        };
        Err(Problem::new(kind, detail))
    }

    /// Sends a request and reads its JSON answer.
    pub async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        self.send(request).await?.json().await.map_err(Problem::internal)
    }
}
