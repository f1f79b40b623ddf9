//! The clients of AWS services, made once for a process.

use aws_config::{BehaviorVersion, SdkConfig};

use crate::{DynamoRecords, EventBridge, FirehoseCaptures, LambdaInvoker, S3Objects, StepFunctions};

/// What the AWS SDK needs, loaded once. Clients made from it share one pool of connections each, one cache of
/// credentials, and the SDK's standard retries.
#[derive(Clone, Debug)]
pub struct Clients {
    config: SdkConfig,
    dynamodb: aws_sdk_dynamodb::Client,
    s3: aws_sdk_s3::Client,
    eventbridge: aws_sdk_eventbridge::Client,
    firehose: aws_sdk_firehose::Client,
    lambda: aws_sdk_lambda::Client,
    sfn: aws_sdk_sfn::Client,
}

impl Clients {
    /// From the environment, as every AWS SDK reads it: region, credentials, and `AWS_ENDPOINT_URL` (or its
    /// forms for one service) for an emulator.
    pub async fn from_env() -> Self {
        Self::from_config(aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await)
    }

    /// From a configuration that is there already.
    #[must_use]
    pub fn from_config(config: SdkConfig) -> Self {
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            s3: aws_sdk_s3::Client::new(&config),
            eventbridge: aws_sdk_eventbridge::Client::new(&config),
            firehose: aws_sdk_firehose::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            sfn: aws_sdk_sfn::Client::new(&config),
            config,
        }
    }

    /// The configuration, for the client of another service.
    #[must_use]
    pub const fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// The records in a table. Its key is `pk` and `sk`, both text; its time to live is in `expires_at`.
    pub fn records(&self, table: impl Into<String>, clock: std::sync::Arc<dyn mandi_core::Clock>) -> DynamoRecords {
        DynamoRecords::new(self.dynamodb.clone(), table, clock)
    }

    /// The objects in a bucket.
    pub fn objects(&self, bucket: impl Into<String>) -> S3Objects {
        S3Objects::new(self.s3.clone(), bucket)
    }

    /// The state machines whose ARNs are this prefix with a name after it.
    pub fn orchestrator(&self, arn_prefix: impl Into<String>) -> StepFunctions {
        StepFunctions::new(self.sfn.clone(), arn_prefix)
    }

    /// The bus of this name.
    pub fn bus(&self, name: impl Into<String>) -> EventBridge {
        EventBridge::new(self.eventbridge.clone(), name)
    }

    /// The captures in a delivery stream of this name.
    pub fn captures(&self, stream: impl Into<String>) -> FirehoseCaptures {
        FirehoseCaptures::new(self.firehose.clone(), stream)
    }

    /// Calls of other functions.
    #[must_use]
    pub fn invoker(&self) -> LambdaInvoker {
        LambdaInvoker::new(self.lambda.clone())
    }
}
