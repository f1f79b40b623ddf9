//! The definitions in `infra/statemachines` agree with the code, with the template, and with an outside validator.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use mandi_batch_prediction::tasks::{TASK_ERRORS, Task};
use mandi_contracts::{FUNCTIONS, output, read, root};
use mandi_core::ProblemKind;
use mandi_states::definition;
use serde_json::{Value, json};

/// Errors of the services that run machines and functions, by the beginning of their names.
/// Source: Step Functions developer guide, "Handling errors in Step Functions workflows".
const OF_AWS: [&str; 4] = ["States.", "Lambda.", "Runtime.", "Sandbox."];

fn definitions() -> Vec<(PathBuf, String)> {
    let folder = root().join("infra/statemachines");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "there are no definitions");
    files.into_iter().map(|file| (file.clone(), std::fs::read_to_string(file).unwrap())).collect()
}

/// Every value under a name, wherever it stands.
fn all<'a>(value: &'a Value, name: &str, into: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            into.extend(fields.get(name));
            fields.values().for_each(|below| all(below, name, into));
        }
        Value::Array(items) => items.iter().for_each(|below| all(below, name, into)),
        _ => {}
    }
}

#[test]
fn given_each_definition_when_it_is_checked_then_there_is_no_fault() {
    for (file, text) in definitions() {
        let faults: Vec<String> = definition::check(&text).iter().map(ToString::to_string).collect();
        assert_eq!(faults, Vec::<String>::new(), "{}", file.display());
    }
}

#[test]
fn given_each_definition_when_the_outside_validator_reads_it_then_it_holds() {
    for (file, _) in definitions() {
        let script = root().join("scripts/asl_validate.sh");
        let _ = output(&script.to_string_lossy(), &[&file.to_string_lossy()]);
    }
}

#[test]
fn given_each_name_of_an_error_then_the_code_or_aws_has_it() {
    let ours: BTreeSet<&str> = ProblemKind::ALL.iter().map(|kind| kind.name()).chain(TASK_ERRORS).collect();
    for (file, text) in definitions() {
        let definition: Value = serde_json::from_str(&text).unwrap();
        let mut lists = Vec::new();
        all(&definition, "ErrorEquals", &mut lists);
        for name in lists.iter().flat_map(|list| list.as_array().unwrap()).map(|name| name.as_str().unwrap()) {
            let is_known = ours.contains(name) || OF_AWS.iter().any(|start| name.starts_with(start));
            assert!(is_known, "{}: no code gives the error `{name}`", file.display());
        }
    }
}

#[test]
fn given_each_task_then_its_function_is_in_the_template_and_the_code_knows_it() {
    let (template, machines) = (read("infra/template.yaml"), read("infra/machines.yaml"));
    for (file, text) in definitions() {
        let definition: Value = serde_json::from_str(&text).unwrap();
        let (mut functions, mut payloads) = (Vec::new(), Vec::new());
        all(&definition, "FunctionName", &mut functions);
        all(&definition, "Payload", &mut payloads);
        assert!(!functions.is_empty() && functions.len() == payloads.len(), "{}", file.display());
        for function in functions {
            let name = function.as_str().unwrap().trim_start_matches("${").trim_end_matches('}');
            assert!(FUNCTIONS.iter().any(|function| function.logical_id == name), "no function `{name}`");
            assert!(template.contains(&format!("\n  {name}:\n    Type: AWS::Serverless::Function")));
            assert!(machines.contains(&format!("        {name}: !Ref {name}\n")), "`{name}` is not substituted");
        }
        for payload in payloads {
            let mut task = payload.clone();
            // Expressions stand where an execution has values.
            task["job_id"] = json!("job_00000000000000000000000000000000");
            if task.get("shard").is_some() {
                task["shard"] = json!(0);
            }
            serde_json::from_value::<Task>(task).unwrap_or_else(|error| panic!("{payload} is no task: {error}"));
        }
    }
}
