//! The adapters' clients, against a server of this machine.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::config::Credentials;
use mandi_aws::Clients;

/// The clients of a server at `url`.
pub async fn clients(url: &str) -> Clients {
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .endpoint_url(url)
        .region(Region::from_static("ap-south-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"));
    Clients::from_config(config.load().await)
}
