//! AWS as the functions' binaries see it: DynamoDB and S3 emulated, Lambda's runtime API and API Gateway served.

use std::fs::File;

use mandi_testkit::lambda::{self, Function};
use mandi_testkit::moto;

use crate::{Client, binary, models};

/// What the functions share.
#[derive(Debug)]
pub struct Aws {
    environment: Vec<(String, String)>,
    folder: tempfile::TempDir,
    // It stops when it is dropped.
    _moto: moto::Server,
}

impl Aws {
    /// A table and buckets, empty; no language model.
    ///
    /// # Panics
    /// The emulator does not start.
    #[must_use]
    pub fn start() -> Self {
        let moto = moto::Server::start();
        for bucket in ["documents", "vectors"] {
            moto.create_bucket(bucket);
        }
        moto.create_table("mandi");
        let aws = Self { environment: moto.environment(), folder: tempfile::tempdir().unwrap(), _moto: moto };
        aws.with("AWS_ALLOW_HTTP", "true")
            .with("MANDI_TABLE", "mandi")
            .with("MANDI_BUCKET", "documents")
            .with("MANDI_VECTORS_URI", "s3://vectors/tables")
            .with("MANDI_MODELS", &models().to_string_lossy())
            .with("MANDI_PROVIDER", "none")
    }

    /// With an environment variable for the functions that are started from now on.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A process of a function, and a client of it. `name` is that of its log.
    ///
    /// # Panics
    /// It cannot be started.
    pub async fn function(&self, function: &str, name: &str) -> (Function, Client) {
        let log = File::create(self.folder.path().join(name)).unwrap();
        let function = Function::start(&binary(function), &self.environment, log).await;
        let client = Client::at(function.url(), lambda::token("demo"));
        (function, client)
    }

    /// What a process has logged so far.
    ///
    /// # Panics
    /// There is no such log.
    #[must_use]
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}
