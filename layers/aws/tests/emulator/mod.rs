//! The adapters' clients, against moto.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::config::Credentials;
use mandi_aws::Clients;
use mandi_testkit::moto::Server;

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// The clients of a server at `url`.
pub async fn clients(url: &str) -> Clients {
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .endpoint_url(url)
        .region(Region::from_static("ap-south-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"));
    Clients::from_config(config.load().await)
}

/// The server that all tests of this process share, with a name that no other test has.
pub fn server_and_name(kind: &str) -> (Arc<Server>, String) {
    (Server::shared(), format!("mandi-{kind}-{}", NUMBER.fetch_add(1, Ordering::Relaxed)))
}
