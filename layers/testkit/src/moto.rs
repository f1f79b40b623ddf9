//! moto's server: DynamoDB, S3, EventBridge and the like on this machine, for the tests of the AWS adapters.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The folder of the Python environment that `make venv` makes, when not `.venv` in the workspace.
const VENV: &str = "MANDI_TEST_VENV";

const LAUNCHER: &str = include_str!("moto_server.py");

/// A running server. It stops when this is dropped, and when this process ends in whatever way.
#[derive(Debug)]
pub struct Server {
    port: u16,
    process: Child,
}

static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

impl Server {
    /// Starts a server on a free port.
    ///
    /// # Panics
    /// The Python environment is missing or has no moto: the message says `make venv`.
    #[must_use]
    pub fn start() -> Self {
        let python = venv().join("bin/python");
        assert!(
            python.exists(),
            "these tests need moto, and there is no {}: run `make venv`, or set {VENV} to the folder of a Python \
             environment with the packages of tests/requirements.txt",
            python.display()
        );
        let mut process = Command::new(&python)
            .args(["-c", LAUNCHER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Ok(port) = line.trim().parse() else {
            panic!("moto did not start from {}: run `make venv` to install what it needs", python.display());
        };
        Self { port, process }
    }

    /// The server that the tests of this process share; it stops when the last of them lets go of it.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let started = Arc::new(Self::start());
        *shared = Arc::downgrade(&started);
        started
    }

    /// A name for a table or a bucket that nothing else in this process has.
    #[must_use]
    pub fn fresh_name(kind: &str) -> String {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        format!("mandi-{kind}-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
    }

    /// Its address, `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The environment variables that send a process's AWS SDK to it.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", self.url().as_str()),
            ("AWS_REGION", "ap-south-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// Makes a table with the key schema of `infra/template.yaml`: `pk` and `sk`, both text, and the time to
    /// live in `expires_at`.
    ///
    /// # Panics
    /// The server refuses, for instance because there is such a table.
    pub fn create_table(&self, name: &str) {
        let schema = serde_json::json!({
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                { "AttributeName": "pk", "AttributeType": "S" },
                { "AttributeName": "sk", "AttributeType": "S" },
            ],
            "KeySchema": [
                { "AttributeName": "pk", "KeyType": "HASH" },
                { "AttributeName": "sk", "KeyType": "RANGE" },
            ],
        });
        self.dynamodb("CreateTable", &schema);
        let expiry = serde_json::json!({
            "TableName": name,
            "TimeToLiveSpecification": { "AttributeName": "expires_at", "Enabled": true },
        });
        self.dynamodb("UpdateTimeToLive", &expiry);
    }

    /// Makes a bucket.
    ///
    /// # Panics
    /// The server refuses.
    pub fn create_bucket(&self, name: &str) {
        let place = r#"<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>ap-south-1</LocationConstraint></CreateBucketConfiguration>"#;
        self.request("PUT", &format!("/{name}"), "s3", "", place);
    }

    /// Makes a delivery stream that puts what it gets under a prefix of a bucket, at once.
    ///
    /// # Panics
    /// The server refuses.
    pub fn create_delivery_stream(&self, name: &str, bucket: &str, prefix: &str) {
        let stream = serde_json::json!({
            "DeliveryStreamName": name,
            "ExtendedS3DestinationConfiguration": {
                "RoleARN": "arn:aws:iam::123456789012:role/captures",
                "BucketARN": format!("arn:aws:s3:::{bucket}"),
                "Prefix": prefix,
            },
        });
        self.call("firehose", "Firehose_20150804.CreateDeliveryStream", &stream);
    }

    /// Makes a bus and a queue that gets all events of a source; returns the queue's URL.
    ///
    /// # Panics
    /// The server refuses.
    #[must_use]
    pub fn create_bus(&self, name: &str, source: &str) -> String {
        self.call("events", "AWSEvents.CreateEventBus", &serde_json::json!({ "Name": name }));
        let queue = self.call("sqs", "AmazonSQS.CreateQueue", &serde_json::json!({ "QueueName": name }));
        let pattern = serde_json::json!({ "source": [source] }).to_string();
        let rule = serde_json::json!({ "Name": name, "EventBusName": name, "EventPattern": pattern });
        self.call("events", "AWSEvents.PutRule", &rule);
        let target = serde_json::json!({ "Id": "queue", "Arn": format!("arn:aws:sqs:ap-south-1:123456789012:{name}") });
        let targets = serde_json::json!({ "Rule": name, "EventBusName": name, "Targets": [target] });
        self.call("events", "AWSEvents.PutTargets", &targets);
        queue["QueueUrl"].as_str().unwrap().to_owned()
    }

    /// Takes up to ten messages from a queue.
    ///
    /// # Panics
    /// The server refuses.
    #[must_use]
    pub fn take_messages(&self, queue_url: &str) -> Vec<String> {
        let receive = serde_json::json!({ "QueueUrl": queue_url, "MaxNumberOfMessages": 10 });
        let answer = self.call("sqs", "AmazonSQS.ReceiveMessage", &receive);
        let mut messages = Vec::new();
        for message in answer["Messages"].as_array().into_iter().flatten() {
            let delete = serde_json::json!({ "QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"] });
            self.call("sqs", "AmazonSQS.DeleteMessage", &delete);
            messages.push(message["Body"].as_str().unwrap().to_owned());
        }
        messages
    }

    fn dynamodb(&self, operation: &str, body: &serde_json::Value) {
        self.call("dynamodb", &format!("DynamoDB_20120810.{operation}"), body);
    }

    /// A call of a service that speaks JSON; its answer.
    fn call(&self, service: &str, target: &str, body: &serde_json::Value) -> serde_json::Value {
        let headers = format!("X-Amz-Target: {target}\r\nContent-Type: application/x-amz-json-1.0\r\n");
        let answer = self.request("POST", "/", service, &headers, &body.to_string());
        let content = answer.split_once("\r\n\r\n").map_or("", |(_, content)| content);
        serde_json::from_str(content).unwrap_or_default()
    }

    /// One request in plain HTTP: moto wants to see a credential's scope, and checks no signature.
    fn request(&self, method: &str, path: &str, service: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/ap-south-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=0\r\n\r\n{body}",
            self.port,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.split(' ').nth(1) == Some("200"), "moto refused {method} {path} {headers}: {answer}");
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn venv() -> PathBuf {
    let in_workspace = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.venv");
    std::env::var_os(VENV).map_or_else(in_workspace, PathBuf::from)
}
