//! Amazon Bedrock: `ConverseStream`, and the embeddings of Titan and Cohere.

mod chat;
mod embedder;
mod failure;

pub use chat::BedrockModel;
pub use embedder::{BedrockEmbedder, EmbeddingFamily};

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_bedrockruntime::Client;

use crate::timeouts::Timeouts;

/// The provider's name in metering, of which the price table's keys are made.
pub const PROVIDER: &str = "bedrock";

/// A client from the standard sources of the SDK (environment, profile, role), in `region` if one is given.
/// An endpoint is overridden as everywhere in AWS: `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`.
pub async fn standard_client(region: Option<&str>, timeouts: Timeouts) -> Client {
    let loader = aws_config::defaults(BehaviorVersion::latest());
    let loader = match region {
        Some(region) => loader.region(Region::new(region.to_owned())),
        None => loader,
    };
    client(&loader.load().await, timeouts)
}

/// A client that leaves waiting and trying again to us: what the SDK does by itself of both is switched off,
/// but for the connect timeout.
#[must_use]
pub fn client(config: &SdkConfig, timeouts: Timeouts) -> Client {
    let config = aws_sdk_bedrockruntime::config::Builder::from(config)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(timeouts.connect).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build();
    Client::from_conf(config)
}
