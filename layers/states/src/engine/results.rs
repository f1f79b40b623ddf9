//! Results of distributed maps, written as objects with a manifest.
//! Source: "ResultWriter (Map)" in the Step Functions developer guide.

use bytes::Bytes;
use mandi_core::Timestamp;
use serde_json::{Value, json};

use super::ports::ItemStore;
use crate::definition::{OutputType, Transformation, WriterConfig};
use crate::fault::{StateFault, names};

/// How one execution of a distributed map went.
pub(super) struct Run {
    pub(super) id: String,
    pub(super) input: Value,
    pub(super) started_at: Timestamp,
    pub(super) ended_at: Timestamp,
    pub(super) outcome: Result<Value, StateFault>,
}

/// Writes results where the arguments say; without arguments the transformed results are the map's result.
pub(super) async fn write(
    store: &dyn ItemStore,
    config: WriterConfig,
    arguments: Option<&Value>,
    map_run: &str,
    runs: &[Run],
) -> Result<Value, StateFault> {
    let succeeded: Vec<Value> =
        runs.iter().filter(|run| run.outcome.is_ok()).flat_map(|run| shown(config, run)).collect();
    let Some(arguments) = arguments else { return Ok(Value::Array(succeeded)) };
    let failed = |cause: String| StateFault::new(names::RESULT_WRITER_FAILED, cause);
    let text = |name: &str| arguments.get(name).and_then(Value::as_str);
    let bucket = text("Bucket").ok_or_else(|| failed("The result writer has no `Bucket`".to_owned()))?;
    let prefix = text("Prefix").unwrap_or_default().trim_end_matches('/');
    // The folder depends on the map run alone, so that a run that is taken up again writes the same objects.
    let folder = map_run.replace([':', '/'], "-");
    let folder = if prefix.is_empty() { folder } else { format!("{prefix}/{folder}") };
    let lost: Vec<Value> = runs.iter().filter(|run| run.outcome.is_err()).map(record).collect();
    let mut files = json!({ "FAILED": [], "PENDING": [], "SUCCEEDED": [] });
    for (status, results) in [("SUCCEEDED", succeeded), ("FAILED", lost)] {
        if results.is_empty() {
            continue;
        }
        let (content, ending) = match config.output_type {
            OutputType::Json => (Value::Array(results).to_string(), "json"),
            OutputType::JsonLines => (results.iter().map(|result| format!("{result}\n")).collect::<String>(), "jsonl"),
        };
        let key = format!("{folder}/{status}_0.{ending}");
        let size = content.len();
        store.put(bucket, &key, Bytes::from(content)).await.map_err(failed)?;
        files[status] = json!([{ "Key": key, "Size": size }]);
    }
    let manifest = json!({ "DestinationBucket": bucket, "MapRunArn": map_run, "ResultFiles": files });
    let key = format!("{folder}/manifest.json");
    store.put(bucket, &key, Bytes::from(manifest.to_string())).await.map_err(failed)?;
    Ok(json!({ "MapRunArn": map_run, "ResultWriterDetails": { "Bucket": bucket, "Key": key } }))
}

/// A result as the transformation shows it.
fn shown(config: WriterConfig, run: &Run) -> Vec<Value> {
    match (config.transformation, &run.outcome) {
        (Transformation::None, _) | (_, Err(_)) => vec![record(run)],
        (Transformation::Flatten, Ok(Value::Array(items))) => items.clone(),
        (Transformation::Compact | Transformation::Flatten, Ok(output)) => vec![output.clone()],
    }
}

/// A result with what is known of its execution.
fn record(run: &Run) -> Value {
    let mut record = json!({
        "ExecutionArn": run.id,
        "Input": run.input.to_string(),
        "InputDetails": { "Included": true },
        "Name": run.id.rsplit(':').next().unwrap_or(&run.id),
        "StartDate": run.started_at,
        "StopDate": run.ended_at,
        "RedriveCount": 0,
    });
    match &run.outcome {
        Ok(output) => {
            record["Output"] = Value::String(output.to_string());
            record["OutputDetails"] = json!({ "Included": true });
            record["Status"] = json!("SUCCEEDED");
        }
        Err(fault) => {
            record["Error"] = json!(fault.error);
            record["Cause"] = json!(fault.cause);
            record["Status"] = json!("FAILED");
        }
    }
    record
}
