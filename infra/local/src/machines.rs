//! The state machines of the platform, and the functions that their tasks call, in this process.

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use mandi_batch_prediction::tasks::Tasks;
use mandi_core::ports::MachineName;
use mandi_core::{Problem, Result};
use mandi_local::Machines;
use mandi_states::definition;
use mandi_states::engine::{TaskCall, TaskRunner};
use mandi_states::fault::{StateFault, names};
use serde_json::{Value, json};

/// How long an execution stays with a process that was killed.
pub const LEASE: Duration = Duration::from_secs(10);

/// The name that stands for the function in definitions; in AWS the template puts the function's ARN there.
const BATCH_PREDICTION: &str = "BatchPredictionFunction";

/// Every definition by the machine's name, the same files as in AWS.
const DEFINITIONS: [(&str, &str); 1] = [(
    mandi_batch_prediction::MACHINE,
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../statemachines/batch-prediction.asl.json")),
)];

/// The machines.
///
/// # Errors
/// A definition is wrong: a fault of the build.
pub fn all() -> Result<Machines> {
    let machine = |(name, text): &(&str, &str)| {
        let text = text.replace(&format!("${{{BATCH_PREDICTION}}}"), BATCH_PREDICTION);
        let machine = definition::parse(&text).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Problem::internal(format!("machine {name}: {}", faults.join("; ")))
        })?;
        let name = MachineName::parse(name).ok_or_else(|| Problem::internal("a machine's name is none"))?;
        Ok((name, Arc::new(machine)))
    };
    DEFINITIONS.iter().map(machine).collect()
}

/// How many processors there are.
pub fn processors() -> NonZeroU32 {
    let found = std::thread::available_parallelism().ok().and_then(|found| NonZeroU32::try_from(found).ok());
    found.unwrap_or(NonZeroU32::MIN)
}

/// Calls functions as Lambda's `Invoke` does, in this process. They are told after the machines, because they start them.
#[derive(Debug, Default)]
pub struct Functions {
    batch_prediction: OnceLock<Tasks>,
}

impl Functions {
    /// From now on tasks are done by these.
    pub fn serve(&self, batch_prediction: Tasks) {
        // A second call would change nothing: there is one platform in a process.
        let _ = self.batch_prediction.set(batch_prediction);
    }
}

#[async_trait]
impl TaskRunner for Functions {
    async fn run(&self, call: TaskCall) -> Result<Value, StateFault> {
        let function = call.arguments["FunctionName"].as_str().unwrap_or_default();
        let tasks = match (call.resource.integration(), function) {
            (("lambda", "invoke"), BATCH_PREDICTION) => self.batch_prediction.get(),
            _ => None,
        };
        let Some(tasks) = tasks else {
            let cause = format!("`{}` with `{function}` is no task of this platform", call.resource);
            return Err(StateFault::new(names::RUNTIME, cause));
        };
        let told = |name: &str, detail: &str| {
            StateFault::new(name, json!({"errorType": name, "errorMessage": detail}).to_string())
        };
        let task = serde_json::from_value(call.arguments["Payload"].clone());
        let task = task.map_err(|error| told(names::TASK_FAILED, &error.to_string()))?;
        let done = tasks.perform(task).await.map_err(|error| told(error.name, &error.detail))?;
        Ok(json!({"ExecutedVersion": "$LATEST", "Payload": done, "StatusCode": 200}))
    }
}
