//! States, by type.

use serde_json::{Map, Value};

use super::read::Reading;
use super::templates::{Sees, assign, data_path, member, path_member, result_path};
use super::{Data, Kind, Next, Resource, ResultPath, State, Task, Wait, choice, fields, graph, map, retry};
use crate::locate::step;
use crate::query::{Language, Template};

/// Reads one state.
pub(super) fn read(reading: &mut Reading, pointer: &str, name: &str, value: &Value, outer: Language) -> Option<State> {
    let object = reading.object(pointer, value)?;
    let language = reading.language(pointer, object).unwrap_or(outer);
    if outer == Language::Jsonata && language == Language::JsonPath {
        let message =
            "a machine in JSONata has no states in JSONPath; set `QueryLanguage` by state and not for the machine";
        reading.error(&step(pointer, "QueryLanguage"), message);
    }
    let kind = reading.needed(pointer, object, "Type")?;
    if !fields::check(reading, pointer, kind, object, language) {
        return None;
    }
    let next = next(reading, pointer, kind, object);
    let data = data(reading, pointer, kind, object, language);
    let retry = retry::retriers(reading, pointer, object);
    let catch = retry::catchers(reading, pointer, object, language);
    let kind = by_type(reading, pointer, kind, object, language);
    Some(State { name: name.to_owned(), language, kind: kind?, data, retry, catch, next: next? })
}

fn next(reading: &mut Reading, pointer: &str, kind: &str, object: &Map<String, Value>) -> Option<Next> {
    if matches!(kind, "Choice" | "Succeed" | "Fail") {
        return Some(Next::End);
    }
    let next = reading.text(pointer, object, "Next");
    let end = match object.get("End") {
        None => false,
        Some(Value::Bool(end)) => *end,
        Some(_) => {
            reading.error(&step(pointer, "End"), "a boolean is needed here");
            return None;
        }
    };
    match (next, end) {
        (Some(next), false) => Some(Next::State(next.to_owned())),
        (None, true) => Some(Next::End),
        (Some(_), true) => {
            reading.error(pointer, "the state has both `Next` and `End`");
            None
        }
        (None, false) if object.contains_key("Next") => None,
        (None, false) => {
            reading.error(pointer, "the state has neither `Next` nor `\"End\": true`");
            None
        }
    }
}

fn data(reading: &mut Reading, pointer: &str, kind: &str, object: &Map<String, Value>, language: Language) -> Data {
    let sees = if matches!(kind, "Task" | "Parallel" | "Map") { Sees::Result } else { Sees::Input };
    let assign = assign(reading, pointer, object, language, sees);
    let mut data = Data {
        input_path: super::DataPath::Whole,
        arguments: None,
        result_selector: None,
        result_path: ResultPath::Whole,
        output_path: super::DataPath::Whole,
        output: None,
        assign,
    };
    match language {
        Language::Jsonata => {
            data.arguments = member(reading, pointer, object, "Arguments", language, Sees::Input);
            data.output = member(reading, pointer, object, "Output", language, sees);
        }
        Language::JsonPath => {
            data.input_path = data_path(reading, pointer, object, "InputPath");
            data.output_path = data_path(reading, pointer, object, "OutputPath");
            data.arguments = member(reading, pointer, object, "Parameters", language, Sees::Input);
            data.result_selector = member(reading, pointer, object, "ResultSelector", language, Sees::Input);
            data.result_path = result_path(reading, pointer, object);
        }
    }
    data
}

fn by_type(
    reading: &mut Reading,
    pointer: &str,
    kind: &str,
    object: &Map<String, Value>,
    language: Language,
) -> Option<Kind> {
    Some(match kind {
        "Pass" => Kind::Pass { result: object.get("Result").cloned() },
        "Task" => {
            let timeout = number(reading, pointer, object, "TimeoutSeconds", language);
            let heartbeat = number(reading, pointer, object, "HeartbeatSeconds", language);
            if let (Some(Template::Literal(timeout)), Some(Template::Literal(heartbeat))) = (&timeout, &heartbeat)
                && heartbeat.as_f64() >= timeout.as_f64()
            {
                reading.error(&step(pointer, "HeartbeatSeconds"), "it has to be smaller than `TimeoutSeconds`");
            }
            let resource = reading.needed(pointer, object, "Resource")?;
            if !resource.starts_with("arn:") && !resource.contains("${") {
                let message = format!(
                    "Step Functions takes an ARN here, and `{resource}` is none: it runs on this machine alone"
                );
                reading.warning(&step(pointer, "Resource"), message);
            }
            let resource = Resource::parse(resource);
            Kind::Task(Task { resource, timeout, heartbeat })
        }
        "Choice" => {
            let rules = choice::rules(reading, pointer, object, language);
            let default = reading.text(pointer, object, "Default").map(str::to_owned);
            if default.is_none() {
                let message = "without `Default` the execution fails with States.NoChoiceMatched when no rule holds";
                reading.warning(pointer, message);
            }
            Kind::Choice { rules: rules?, default }
        }
        "Wait" => Kind::Wait(wait(reading, pointer, object, language)?),
        "Succeed" => Kind::Succeed,
        "Fail" => {
            let error = text_or_path(reading, pointer, object, "Error", language);
            let cause = text_or_path(reading, pointer, object, "Cause", language);
            Kind::Fail { error, cause }
        }
        "Parallel" => {
            let place = step(pointer, "Branches");
            let Some(value) = object.get("Branches") else {
                reading.error(pointer, "the field `Branches` is missing");
                return None;
            };
            let mut branches = Vec::new();
            for (index, item) in reading.items(&place, value)?.iter().enumerate() {
                let place = step(&place, &index.to_string());
                let object = reading.object(&place, item)?;
                reading.known(&place, object, &["StartAt", "States", "Comment"], "a branch");
                branches.push(graph::read(reading, &place, object, language));
            }
            Kind::Parallel { branches: branches.into_iter().collect::<Option<_>>()? }
        }
        _ => Kind::Map(Box::new(map::read(reading, pointer, object, language)?)),
    })
}

/// A number, an expression, or, in JSONPath, the path to a number in the field with `Path` at its end.
pub(super) fn number(
    reading: &mut Reading,
    pointer: &str,
    object: &Map<String, Value>,
    name: &str,
    language: Language,
) -> Option<Template> {
    let with_path = format!("{name}Path");
    if language == Language::JsonPath && object.contains_key(&with_path) {
        if object.contains_key(name) {
            reading.error(&step(pointer, &with_path), format!("the state has both `{name}` and `{with_path}`"));
        }
        return path_member(reading, pointer, object, &with_path);
    }
    let value = member(reading, pointer, object, name, language, Sees::Input)?;
    if let Template::Literal(literal) = &value
        && !literal.as_f64().is_some_and(|number| number >= 0.0)
    {
        reading.error(&step(pointer, name), "a number that is not negative is needed here");
        return None;
    }
    Some(value)
}

fn text_or_path(
    reading: &mut Reading,
    pointer: &str,
    object: &Map<String, Value>,
    name: &str,
    language: Language,
) -> Option<Template> {
    let with_path = format!("{name}Path");
    if language == Language::JsonPath && object.contains_key(&with_path) {
        if object.contains_key(name) {
            reading.error(&step(pointer, &with_path), format!("the state has both `{name}` and `{with_path}`"));
        }
        return path_member(reading, pointer, object, &with_path);
    }
    let value = member(reading, pointer, object, name, language, Sees::Input)?;
    if let Template::Literal(literal) = &value
        && !literal.is_string()
    {
        reading.error(&step(pointer, name), "a text is needed here");
        return None;
    }
    Some(value)
}

fn wait(reading: &mut Reading, pointer: &str, object: &Map<String, Value>, language: Language) -> Option<Wait> {
    let names = ["Seconds", "Timestamp", "SecondsPath", "TimestampPath"];
    let given: Vec<&str> = names.into_iter().filter(|name| object.contains_key(*name)).collect();
    let &[name] = given.as_slice() else {
        let message = format!(
            "a Wait state has one of Seconds, SecondsPath, Timestamp and TimestampPath, and this one has {}",
            given.len()
        );
        reading.error(pointer, message);
        return None;
    };
    match name {
        "Seconds" | "SecondsPath" => number(reading, pointer, object, "Seconds", language).map(Wait::Seconds),
        "TimestampPath" => path_member(reading, pointer, object, name).map(Wait::Timestamp),
        _ => {
            let value = member(reading, pointer, object, name, language, Sees::Input)?;
            if let Template::Literal(literal) = &value
                && literal.as_str().is_none_or(|text| mandi_core::Timestamp::parse(text).is_err())
            {
                reading
                    .error(&step(pointer, name), "a time as in RFC 3339 is needed, for instance 2026-11-21T09:50:00Z");
                return None;
            }
            Some(Wait::Timestamp(value))
        }
    }
}
