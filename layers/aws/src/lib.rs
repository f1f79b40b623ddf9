//! The adapters of AWS: records in DynamoDB, objects in S3, executions in Step Functions, events in EventBridge, captured
//! predictions in Data Firehose, and calls of other functions.

mod batches;
mod bus;
mod captures;
mod clients;
mod invoke;
pub mod lambda;
mod objects;
mod orchestrator;
mod records;

pub use bus::{EventBridge, SOURCE};
pub use captures::FirehoseCaptures;
pub use clients::Clients;
pub use invoke::{InvokeError, LambdaInvoker};
pub use objects::S3Objects;
pub use orchestrator::StepFunctions;
pub use records::DynamoRecords;
