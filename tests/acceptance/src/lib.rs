//! The platform as a user meets it: the `mandi` binary in a process of its own, over HTTP.
#![expect(clippy::unwrap_used, reason = "everything here runs inside tests, where a panic is the report")]

pub mod aws;
pub mod batch;
pub mod events;
pub mod registry;
pub mod retrieval;
pub mod webhook;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(60);

/// The folder where cargo put the binaries.
fn binaries() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let folder = program.parent().unwrap();
    // Tests lie in `deps` beside the binaries; benches lie among them.
    if folder.ends_with("deps") { folder.parent().unwrap().to_owned() } else { folder.to_owned() }
}

/// The `mandi` binary.
///
/// # Panics
/// It has not been built.
#[must_use]
pub fn mandi() -> PathBuf {
    binary("mandi")
}

/// A binary of the workspace.
///
/// # Panics
/// It has not been built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let path = binaries().join(name);
    assert!(path.exists(), "{} is not there: run `cargo build --workspace` first", path.display());
    path
}

/// The folder of the models.
#[must_use]
pub fn models() -> PathBuf {
    std::env::var_os("MANDI_MODELS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.mandi/models"), PathBuf::from)
}

/// How a server is started.
#[derive(Debug)]
pub struct Setup {
    data: PathBuf,
    settings: Vec<(String, String)>,
    arguments: Vec<String>,
    disk_mb: Option<usize>,
}

impl Setup {
    /// On a data folder, without a language model: answers are made of quotes.
    #[must_use]
    pub fn on(data: &Path) -> Self {
        let setup = Self { data: data.to_owned(), settings: Vec::new(), arguments: Vec::new(), disk_mb: None };
        setup.with("MANDI_PROVIDER", "none").with("MANDI_MODELS", &models().to_string_lossy())
    }

    /// With a setting.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a language model behind an OpenAI-compatible address.
    #[must_use]
    pub fn with_model_at(self, base_url: &str) -> Self {
        self.with("MANDI_PROVIDER", "openai").with("MANDI_OPENAI_BASE_URL", base_url).with("MANDI_OPENAI_MODEL", "stub")
    }

    /// With its data on a file system of this size, which ends with the process. It needs user namespaces.
    #[must_use]
    pub fn on_a_disk_of(mut self, megabytes: usize) -> Self {
        self.disk_mb = Some(megabytes);
        self
    }

    /// With the demo tenant.
    #[must_use]
    pub fn with_demo(mut self) -> Self {
        self.arguments.push("--demo".to_owned());
        self
    }

    /// Starts it on a free port, and waits until it listens (with the demo: until that is loaded).
    ///
    /// # Panics
    /// It does not come up; its log is in the message.
    pub async fn start(self) -> Server {
        let log = self.data.join("server.log");
        std::fs::create_dir_all(&self.data).unwrap();
        let mut child = self.command().stdout(Stdio::piped()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let last = if self.arguments.is_empty() { "listening on" } else { "Paste next" };
        let mut base = String::new();
        let listening = tokio::time::timeout(START, async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some(address) = line.strip_prefix("listening on ") {
                    base = address.to_owned();
                }
                if line.starts_with(last) {
                    return;
                }
            }
            panic!("the server ended: {}", std::fs::read_to_string(&log).unwrap());
        });
        assert!(listening.await.is_ok(), "the server does not listen: {}", std::fs::read_to_string(&log).unwrap());
        // Nobody reads on, but the pipe stays open.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let data = match self.disk_mb {
            None => self.data,
            // The file system is there for the server alone: others reach it through the server's own view.
            Some(_) => {
                let view = PathBuf::from(format!("/proc/{}/root", child.id().unwrap()));
                view.join(self.data.strip_prefix("/").unwrap())
            }
        };
        Server { child, base, data, log }
    }

    /// The command that starts it.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = match self.disk_mb {
            None => Command::new(mandi()),
            Some(megabytes) => {
                let mount = format!(r#"mount -t tmpfs -o size={megabytes}m tmpfs "$1" && shift && exec "$@""#);
                let mut command = Command::new("unshare");
                command.args(["-rm", "sh", "-c", &mount, "sh"]).arg(&self.data).arg(mandi());
                command
            }
        };
        command.args(["up", "--port", "0", "--data"]).arg(&self.data).args(&self.arguments);
        command.envs(self.settings.iter().map(|(name, value)| (name, value))).kill_on_drop(true);
        command
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    base: String,
    data: PathBuf,
    log: PathBuf,
}

impl Server {
    /// Its address.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// What it has logged so far.
    ///
    /// # Panics
    /// The log cannot be read.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// A token of `mandi token`.
    ///
    /// # Panics
    /// `mandi token` fails.
    #[must_use]
    pub fn token(&self, arguments: &[&str]) -> String {
        let output = std::process::Command::new(mandi())
            .arg("token")
            .args(arguments)
            .arg("--data")
            .arg(&self.data)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A client in the name of a tenant's administrator.
    #[must_use]
    pub fn client(&self, tenant: &str) -> Client {
        self.client_with(self.token(&["--tenant", tenant]))
    }

    /// A client with a token.
    #[must_use]
    pub fn client_with(&self, token: String) -> Client {
        Client::at(&self.base, token)
    }

    /// Kills the process as `kill -9` does.
    ///
    /// # Panics
    /// It cannot be killed.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// It cannot be waited for.
    pub async fn ended(&mut self) -> std::process::ExitStatus {
        self.child.wait().await.unwrap()
    }
}

/// A client with a token.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    /// A client of an address.
    #[must_use]
    pub fn at(base: &str, token: String) -> Self {
        Self { http: reqwest::Client::new(), base: base.to_owned(), token }
    }

    /// A request.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body).send().await.unwrap()).await
    }

    /// PUT of JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(body).send().await.unwrap()).await
    }

    /// PATCH of JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(body).send().await.unwrap()).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path).send().await.unwrap()).await
    }

    /// A new conversation's id.
    pub async fn conversation(&self) -> String {
        self.post("/v1/conversations", &json!({"assistant_type": "contract"})).await.expect(201)["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// A collection with one document of plain text.
    pub async fn collection_with(&self, collection: &str, id: &str, text: &str) {
        self.put(&format!("/v1/collections/{collection}"), &json!({})).await;
        let document = json!({"entity_type": "contract", "entity_id": id, "content": text});
        self.post(&format!("/v1/collections/{collection}/documents"), &document).await.expect(200);
    }

    /// Sends documents (one, or `{documents: [...]}`), and waits until they can be found.
    ///
    /// # Panics
    /// One of them fails.
    pub async fn load(&self, collection: &str, documents: &Value) {
        let mut sent = self.post(&format!("/v1/collections/{collection}/documents"), documents).await;
        if sent.status == 202 {
            let job = sent.expect(202)["job_id"].as_str().unwrap().to_owned();
            sent.text = self.finished(&job).await.to_string();
            sent.status = 200;
        }
        let outcomes = sent.expect(200);
        let indexed = |outcome: &Value| outcome["status"] == "indexed";
        assert!(outcomes["documents"].as_array().unwrap().iter().all(indexed), "{outcomes}");
    }

    /// The path of the messages of a new conversation.
    pub async fn new_messages_path(&self) -> String {
        format!("/v1/conversations/{}/messages", self.conversation().await)
    }

    /// Waits for the end of a job, and returns it.
    ///
    /// # Panics
    /// It does not end within two minutes.
    pub async fn finished(&self, job: &str) -> Value {
        for _ in 0..600 {
            let job = self.get(&format!("/v1/jobs/{job}")).await.expect(200);
            if job["state"] == "done" {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("job {job} does not end");
    }
}

/// An answer that was read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// Reads a response to its end.
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    /// The body as JSON, of an answer that has this status.
    ///
    /// # Panics
    /// It has another; the body is in the message.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    /// A problem document of a type, whose words or fields name something.
    ///
    /// # Panics
    /// It is not.
    pub fn expect_problem(&self, status: u16, kind: &str, names: &str) {
        let problem = self.expect(status);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(problem["type"], format!("/problems/{kind}"), "{problem}");
        let told = format!("{} {}", problem["detail"], problem["errors"]);
        assert!(told.contains(names), "`{names}` is not named in {told}");
    }
}
