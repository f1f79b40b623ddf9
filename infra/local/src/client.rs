//! The command line as a client of a running server.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use mandi_core::settings::{self, Settings};
use mandi_core::{Problem, ProblemKind, Result};
use mandi_http::problem::ProblemDocument;
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::de::DeserializeOwned;

use crate::commands::Server;
use crate::token;

/// A server, in a user's name.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: String,
    /// The data folder whose secret signed the token.
    data: PathBuf,
}

impl Client {
    /// The server that the command names.
    pub fn of(settings: &Settings, server: &Server) -> Result<Self> {
        let base = match &server.url {
            Some(url) => url.clone(),
            None => at(SocketAddr::from((Ipv4Addr::LOCALHOST, port(settings)?)))?,
        };
        Self::new(settings, base, &server.tenant, &server.user)
    }

    /// A server at an address.
    pub fn new(settings: &Settings, base: Url, tenant: &str, user: &str) -> Result<Self> {
        let data = settings.required(settings::DATA_DIR)?;
        Ok(Self {
            http: reqwest::Client::new(),
            base,
            token: token::for_command(settings, tenant, user)?,
            data: std::path::absolute(data).unwrap_or_else(|_| data.into()),
        })
    }

    /// A request to a path below `/v1`, given by its parts.
    pub fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        self.http.request(method, self.url(path)).bearer_auth(&self.token)
    }

    /// A request to read a path below `/v1` with a query.
    pub fn query(&self, path: &[&str], query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.url(path);
        url.query_pairs_mut().extend_pairs(query);
        self.http.get(url).bearer_auth(&self.token)
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        // Each part is percent-encoded. An address of HTTP can always be extended.
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().push("v1").extend(path);
        }
        url
    }

    /// Sends a request; an answer that is a problem is an error.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.map_err(|error| self.no_answer(error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let kind = ProblemKind::ALL.into_iter().find(|kind| kind.status() == status).unwrap_or(ProblemKind::Internal);
        let detail = match response.json::<ProblemDocument>().await {
            Ok(document) => document.detail,
            Err(_) => format!("the server answers with status {status}"),
        };
        Err(Problem::new(kind, if kind == ProblemKind::Unauthorised { self.not_our_server(&detail) } else { detail }))
    }

    /// That a request got no answer; see [`is_without_answer`].
    fn no_answer(&self, error: reqwest::Error) -> Problem {
        let detail = if error.is_connect() {
            format!("no server answers at {}; start one with `make run` or `mandi up`", self.address())
        } else {
            format!("the server at {} broke the connection off; see whether it still runs", self.address())
        };
        Problem::new(ProblemKind::Unavailable, detail).caused_by(error)
    }

    /// The server's address, as people write it.
    fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Why a server refuses the token that this command made, and the way out.
    fn not_our_server(&self, detail: &str) -> String {
        format!(
            "the server at {} does not take the token that was made from {} ({detail}): it runs on another data folder, \
             or with other MANDI_JWT settings; type this in the folder where that server was started, or name its data \
             folder with --data or MANDI_DATA",
            self.address(),
            self.data.display()
        )
    }

    /// Sends a request and reads its JSON answer.
    pub async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let unreadable = || format!("the answer of the server at {} cannot be read", self.address());
        let answer = self.send(request).await?.json().await;
        answer.map_err(|error| Problem::new(ProblemKind::Internal, unreadable()).caused_by(error))
    }
}

/// Whether a problem is that a request got no answer, and not what a server answered.
pub fn is_without_answer(problem: &Problem) -> bool {
    problem.kind == ProblemKind::Unavailable && problem.source().is_some_and(|source| source.is::<reqwest::Error>())
}

/// The address of a server that listens there.
pub fn at(listener: SocketAddr) -> Result<Url> {
    Url::parse(&format!("http://{listener}")).map_err(Problem::internal)
}

/// The port that the settings name.
fn port(settings: &Settings) -> Result<u16> {
    let text = settings.required(settings::PORT)?;
    let wrong = |why: String| Problem::field(settings::PORT.name, why);
    match text.parse() {
        Ok(0) => Err(wrong("0 lets a server pick a free port; name the address that it printed with --url".to_owned())),
        Ok(port) => Ok(port),
        Err(_) => Err(wrong(format!("`{text}` is not a port, which is a number from 1 to 65535"))),
    }
}
