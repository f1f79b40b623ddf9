//! The command line: what it takes, and who does it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use mandi_core::Result;
use mandi_core::ids::ConversationId;
use mandi_core::settings::{self, Settings};
use mandi_retrieval::CollectionName;
use reqwest::Url;

use crate::{ask, batch, doctor, load, machine, model, terminal, token, up, values};

/// A multi-tenant AI back end for trading, ERP and CRM products.
#[derive(Debug, Parser)]
#[command(name = "mandi", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves all of the platform in this process.
    ///
    /// Standard error is the log, as JSON lines. At a terminal, and with `--demo`, only warnings are logged unless
    /// `MANDI_LOG` says what is.
    Up(Up),
    /// Prints a token for a server's data folder.
    Token(Token),
    /// Asks a question, and streams the answer with its citations.
    Ask(Ask),
    /// Loads a folder or a file of documents into a collection.
    ///
    /// A file is Markdown, HTML or text; or JSON, with one document as the API takes it (`entity_type`, `entity_id`, and
    /// `content`, `fields` or `object`; a `collection` beside them is left out), or with the fields of what
    /// `--entity-type` says. Hidden files, symbolic links and what is no file are passed over, and counted at the end.
    Load(Load),
    /// Models of the registry.
    #[command(subcommand)]
    Model(Model),
    /// Predicts a table: CSV, JSON Lines or Parquet, also compressed.
    Batch(Batch),
    /// Says what is missing on this machine, and how to get it; makes nothing.
    Doctor(Doctor),
    /// Runs and checks definitions of state machines on this machine, without a server.
    #[command(subcommand)]
    Machine(machine::Machine),
    /// Prints the OpenAPI document.
    Openapi,
}

/// The folder of the local store.
#[derive(Clone, Debug, Args)]
pub struct Data {
    /// The folder of the local store; `MANDI_DATA` or `.mandi/data` when it is not given.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// `mandi up`
#[derive(Debug, Args)]
pub struct Up {
    /// The port to listen on; 0 picks a free one.
    #[arg(long)]
    pub port: Option<u16>,
    #[command(flatten)]
    pub data: Data,
    /// Loads the demo tenant.
    #[arg(long)]
    pub demo: bool,
}

/// `mandi token`
#[derive(Debug, Args)]
pub struct Token {
    /// The tenant.
    #[arg(long)]
    pub tenant: String,
    /// The user.
    #[arg(long, default_value = "admin", value_parser = values::user)]
    pub user: String,
    /// A role: admin, editor or viewer. May be given several times; admin when it is not given.
    #[arg(long)]
    pub role: Vec<String>,
    /// A single permission, such as usage.read. May be given several times.
    #[arg(long)]
    pub permission: Vec<String>,
    /// For how many hours the token holds: 1 to 8760, which is a year.
    #[arg(long, default_value_t = 12, value_parser = value_parser!(u16).range(values::HOURS))]
    pub hours: u16,
    #[command(flatten)]
    pub data: Data,
}

/// Which server, and in whose name.
#[derive(Clone, Debug, Args)]
pub struct Server {
    /// The tenant.
    #[arg(long)]
    pub tenant: String,
    /// The user.
    #[arg(long, default_value = "admin", value_parser = values::user)]
    pub user: String,
    /// The server's address; `http://127.0.0.1:8080` when it is not given.
    #[arg(long, value_parser = values::address)]
    pub url: Option<Url>,
    #[command(flatten)]
    pub data: Data,
}

/// `mandi ask`
#[derive(Debug, Args)]
pub struct Ask {
    #[command(flatten)]
    pub server: Server,
    /// Where to look; may be given several times; in all collections when it is not given.
    #[arg(long, value_parser = values::collection)]
    pub collection: Vec<CollectionName>,
    /// The conversation to go on with; a new one when it is not given.
    #[arg(long, value_parser = values::conversation)]
    pub conversation: Option<ConversationId>,
    /// The language of the answer, such as hi.
    #[arg(long)]
    pub language: Option<String>,
    /// The question.
    pub question: String,
}

/// `mandi load`
#[derive(Debug, Args)]
pub struct Load {
    #[command(flatten)]
    pub server: Server,
    /// The collection, made if need be.
    #[arg(long, value_parser = values::collection)]
    pub collection: CollectionName,
    /// What the files are, such as contract; by their format when it is not given.
    #[arg(long)]
    pub entity_type: Option<String>,
    /// A folder or a file.
    pub path: PathBuf,
}

/// `mandi model`
#[derive(Debug, Subcommand)]
pub enum Model {
    /// Registers an ONNX file as the next version of a model, which is made if need be.
    Push(Push),
}

/// `mandi model push`
#[derive(Debug, Args)]
pub struct Push {
    #[command(flatten)]
    pub server: Server,
    /// The model's name.
    #[arg(long)]
    pub name: String,
    /// A JSON file with what the ONNX file does not tell: `signature`, `sample`, `metrics`, `lineage`, as the API takes
    /// them.
    #[arg(long, value_name = "FILE")]
    pub version: Option<PathBuf>,
    /// Lets the version serve all calls at this stage.
    #[arg(long, value_enum)]
    pub stage: Option<Stage>,
    /// Prints the version as JSON.
    #[arg(long)]
    pub json: bool,
    /// The ONNX file.
    pub file: PathBuf,
}

/// A stage that serves.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Stage {
    /// To be tried.
    Staging,
    /// What callers get who name nothing else.
    Production,
}

impl Stage {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

/// `mandi batch`
#[derive(Debug, Args)]
pub struct Batch {
    #[command(flatten)]
    pub server: Server,
    /// The model's name.
    #[arg(long)]
    pub model: String,
    /// Its version; the one that serves in production when it is not given.
    #[arg(long)]
    pub version: Option<u32>,
    /// The format of the results; the table's when it is not given.
    #[arg(long, value_enum)]
    pub format: Option<TableFormat>,
    /// Adds what each feature contributes to each answer.
    #[arg(long)]
    pub explain: bool,
    /// Where the results go; beside the table, as NAME.predictions.FORMAT, when it is not given.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Prints the job as JSON.
    #[arg(long)]
    pub json: bool,
    /// The table: CSV, JSON Lines or Parquet; text also compressed by gzip or Zstandard.
    pub file: PathBuf,
}

/// A format of tables.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TableFormat {
    /// Values between commas.
    Csv,
    /// A JSON object on each line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

impl TableFormat {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
        }
    }
}

/// `mandi doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub data: Data,
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    /// In words for the person at the terminal.
    pub async fn run(self) -> Result<ExitCode> {
        let settings = Settings::from_env();
        match self.command {
            Command::Up(up) => up::run(with_data(settings, &up.data), &up).await.map(|()| ExitCode::SUCCESS),
            Command::Token(token) => token::run(&with_data(settings, &token.data), &token).map(|()| ExitCode::SUCCESS),
            Command::Ask(ask) => ask::run(&with_data(settings, &ask.server.data), &ask).await,
            Command::Load(load) => load::run(&with_data(settings, &load.server.data), &load).await,
            Command::Model(Model::Push(push)) => model::run(&with_data(settings, &push.server.data), &push).await,
            Command::Batch(batch) => batch::run(&with_data(settings, &batch.server.data), &batch).await,
            Command::Doctor(doctor) => doctor::run(&with_data(settings, &doctor.data)).await,
            Command::Machine(machine) => machine.run().await,
            Command::Openapi => {
                terminal::say(&crate::platform::openapi_json()?);
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn with_data(settings: Settings, data: &Data) -> Settings {
    match &data.data {
        Some(folder) => settings.with(settings::DATA_DIR, folder.to_string_lossy()),
        None => settings,
    }
}
