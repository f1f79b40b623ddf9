//! Executions in Step Functions.

use std::fmt;

use async_trait::async_trait;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sfn::primitives::DateTime;
use aws_sdk_sfn::types::ExecutionStatus as SfnStatus;
use mandi_core::Timestamp;
use mandi_core::ports::{
    ExecutionDescription, ExecutionError, ExecutionKey, ExecutionStatus, Orchestrator, OrchestratorError, StartOutcome,
    check_input,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// State machines whose ARNs are a prefix with the machine's name after it, and machines of type STANDARD: their
/// executions keep their names for 90 days, which is what makes a start idempotent.
#[derive(Clone)]
pub struct StepFunctions {
    client: Client,
    arn_prefix: String,
}

impl fmt::Debug for StepFunctions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StepFunctions").field("arn_prefix", &self.arn_prefix).finish_non_exhaustive()
    }
}

impl StepFunctions {
    /// The machines `arn_prefix` + name, for instance `arn:aws:states:ap-south-1:123456789012:stateMachine:mandi-dev-`.
    pub fn new(client: Client, arn_prefix: impl Into<String>) -> Self {
        Self { client, arn_prefix: arn_prefix.into() }
    }

    fn machine_arn(&self, key: &ExecutionKey) -> String {
        format!("{}{}", self.arn_prefix, key.machine)
    }

    /// An execution's ARN. Its name holds a digest of the tenant, so that an id of another tenant names nothing.
    fn execution_arn(&self, key: &ExecutionKey) -> String {
        let machine = self.machine_arn(key).replacen(":stateMachine:", ":execution:", 1);
        format!("{machine}:{}", name(key))
    }
}

/// `exec_<32 digits>-<16 digits of the tenant's digest>`: 54 of the 80 characters that a name may have.
fn name(key: &ExecutionKey) -> String {
    let digest = Sha256::digest(key.tenant.as_str());
    let digits: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{digits}", key.id)
}

#[async_trait]
impl Orchestrator for StepFunctions {
    async fn start(&self, key: &ExecutionKey, input: &Value) -> Result<StartOutcome, OrchestratorError> {
        let input = check_input(input)?;
        // Step Functions answers a repeated start of a running execution as it answered the first.
        match self.client.describe_execution().execution_arn(self.execution_arn(key)).send().await {
            Ok(found) if found.input() == Some(&input) => return Ok(StartOutcome::Existed),
            Ok(_) => return Err(OrchestratorError::OtherInput),
            Err(error) => match fault(key, error) {
                OrchestratorError::NoSuchExecution => {}
                other => return Err(other),
            },
        }
        let start = self.client.start_execution().state_machine_arn(self.machine_arn(key)).name(name(key));
        match start.input(&input).send().await {
            Ok(_) => Ok(StartOutcome::Started),
            Err(error) if code(&error) == Some("ExecutionAlreadyExists") => {
                let found = self.client.describe_execution().execution_arn(self.execution_arn(key)).send().await;
                let found = found.map_err(|error| fault(key, error))?;
                let same = found.input() == Some(&input);
                if same { Ok(StartOutcome::Existed) } else { Err(OrchestratorError::OtherInput) }
            }
            Err(error) => Err(fault(key, error)),
        }
    }

    async fn describe(&self, key: &ExecutionKey) -> Result<ExecutionDescription, OrchestratorError> {
        let found = self.client.describe_execution().execution_arn(self.execution_arn(key)).send().await;
        let found = found.map_err(|error| fault(key, error))?;
        let status = match found.status() {
            SfnStatus::Running | SfnStatus::PendingRedrive => ExecutionStatus::Running,
            SfnStatus::Succeeded => ExecutionStatus::Succeeded,
            SfnStatus::TimedOut => ExecutionStatus::TimedOut,
            SfnStatus::Aborted => ExecutionStatus::Aborted,
            _ => ExecutionStatus::Failed,
        };
        let output = found.output().filter(|_| status == ExecutionStatus::Succeeded);
        let output = output.map(serde_json::from_str).transpose();
        let output = output.map_err(|error| OrchestratorError::Unavailable(Box::new(error)))?;
        let ended = status != ExecutionStatus::Running && status != ExecutionStatus::Succeeded;
        let error = found.error().filter(|error| ended && !error.is_empty()).map(|error| ExecutionError {
            error: error.to_owned(),
            cause: found.cause().unwrap_or_default().to_owned(),
        });
        Ok(ExecutionDescription {
            status,
            started_at: moment(found.start_date()),
            ended_at: found.stop_date().map(moment),
            output,
            error,
        })
    }

    async fn stop(&self, key: &ExecutionKey, reason: &ExecutionError) -> Result<(), OrchestratorError> {
        // Stopping one that has ended is no error in Step Functions either; an emulator would end it anew.
        if self.describe(key).await?.status != ExecutionStatus::Running {
            return Ok(());
        }
        let stop = self.client.stop_execution().execution_arn(self.execution_arn(key));
        let stop = stop.error(reason.error.clone()).cause(reason.cause.clone());
        stop.send().await.map(drop).map_err(|error| fault(key, error))
    }
}

/// To the millisecond.
fn moment(date: &DateTime) -> Timestamp {
    date.to_millis().map_or(Timestamp::from_unix_ms(0), Timestamp::from_unix_ms)
}

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

fn fault<E, R>(key: &ExecutionKey, error: SdkError<E, R>) -> OrchestratorError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    match code(&error) {
        Some("ExecutionDoesNotExist") => OrchestratorError::NoSuchExecution,
        Some("StateMachineDoesNotExist") => OrchestratorError::NoSuchMachine(key.machine.clone()),
        Some("ThrottlingException" | "ExecutionLimitExceeded") => OrchestratorError::Throttled,
        _ => OrchestratorError::Unavailable(Box::new(error)),
    }
}
