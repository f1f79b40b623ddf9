//! Which fields a state may have, by its type and language.

use serde_json::{Map, Value};

use super::read::Reading;
use crate::locate::step;
use crate::query::Language;

/// The fields of a type: those of both languages, of JSONPath alone and of JSONata alone.
struct Fields {
    both: &'static [&'static str],
    json_path: &'static [&'static str],
    jsonata: &'static [&'static str],
}

const COMMON: &[&str] = &["Type", "Comment", "QueryLanguage"];

fn of(kind: &str) -> Option<Fields> {
    Some(match kind {
        "Pass" => Fields {
            both: &["Next", "End", "Assign"],
            json_path: &["InputPath", "OutputPath", "Parameters", "Result", "ResultPath"],
            jsonata: &["Output"],
        },
        "Task" => Fields {
            both: &[
                "Next",
                "End",
                "Assign",
                "Resource",
                "Retry",
                "Catch",
                "TimeoutSeconds",
                "HeartbeatSeconds",
                "Credentials",
            ],
            json_path: &[
                "InputPath",
                "OutputPath",
                "Parameters",
                "ResultSelector",
                "ResultPath",
                "TimeoutSecondsPath",
                "HeartbeatSecondsPath",
            ],
            jsonata: &["Arguments", "Output"],
        },
        "Choice" => Fields {
            both: &["Assign", "Choices", "Default"],
            json_path: &["InputPath", "OutputPath"],
            jsonata: &["Output"],
        },
        "Wait" => Fields {
            both: &["Next", "End", "Assign", "Seconds", "Timestamp"],
            json_path: &["InputPath", "OutputPath", "SecondsPath", "TimestampPath"],
            jsonata: &["Output"],
        },
        "Succeed" => Fields { both: &[], json_path: &["InputPath", "OutputPath"], jsonata: &["Output"] },
        "Fail" => Fields { both: &["Error", "Cause"], json_path: &["ErrorPath", "CausePath"], jsonata: &[] },
        "Parallel" => Fields {
            both: &["Next", "End", "Assign", "Branches", "Retry", "Catch"],
            json_path: &["InputPath", "OutputPath", "Parameters", "ResultSelector", "ResultPath"],
            jsonata: &["Arguments", "Output"],
        },
        "Map" => Fields {
            both: &[
                "Next",
                "End",
                "Assign",
                "ItemProcessor",
                "ItemReader",
                "ItemSelector",
                "ItemBatcher",
                "ResultWriter",
                "MaxConcurrency",
                "ToleratedFailureCount",
                "ToleratedFailurePercentage",
                "Label",
                "Retry",
                "Catch",
            ],
            json_path: &[
                "InputPath",
                "OutputPath",
                "Parameters",
                "ResultSelector",
                "ResultPath",
                "ItemsPath",
                "Iterator",
                "MaxConcurrencyPath",
                "ToleratedFailureCountPath",
                "ToleratedFailurePercentagePath",
            ],
            jsonata: &["Items", "Output"],
        },
        _ => return None,
    })
}

/// Says which fields of a state do not belong there. `false` when the type itself is not known.
pub(super) fn check(
    reading: &mut Reading,
    pointer: &str,
    kind: &str,
    object: &Map<String, Value>,
    language: Language,
) -> bool {
    let Some(fields) = of(kind) else {
        let message =
            format!("there is no type `{kind}`; it is Task, Pass, Choice, Wait, Succeed, Fail, Parallel or Map");
        reading.error(&step(pointer, "Type"), message);
        return false;
    };
    let (own, other, name, other_name) = match language {
        Language::JsonPath => (fields.json_path, fields.jsonata, "JSONPath", "JSONata"),
        Language::Jsonata => (fields.jsonata, fields.json_path, "JSONata", "JSONPath"),
    };
    for field in object.keys().map(String::as_str) {
        if COMMON.contains(&field) || fields.both.contains(&field) || own.contains(&field) {
            continue;
        }
        let message = if other.contains(&field) {
            format!("`{field}` is a field of {other_name}, and this state uses {name}; `QueryLanguage` says which")
        } else {
            format!("a {kind} state has no field `{field}`")
        };
        reading.error(&step(pointer, field), message);
    }
    true
}
