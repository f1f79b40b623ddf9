//! Reading a definition: every fault is gathered, each with its place.

use std::fmt;

use serde_json::{Map, Value};

use super::{Graph, graph, scopes};
use crate::locate::{Places, step};
use crate::query::Language;

/// The largest definition, in bytes (the limit of Step Functions is 1 MB).
const MAX_DEFINITION_BYTES: usize = 1024 * 1024;

/// A state machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its states.
    pub graph: Graph,
    /// The longest time of an execution, in seconds.
    pub timeout_s: Option<u64>,
    /// Whether the text mentions the context object; it is not made for a machine that does not.
    pub(crate) mentions_context: bool,
}

/// How bad a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The definition cannot be run.
    Error,
    /// It can be run, and may not do what was meant.
    Warning,
}

/// A fault of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// How bad it is.
    pub severity: Severity,
    /// The line, from 1.
    pub line: u32,
    /// The JSON pointer of the value (RFC 6901).
    pub pointer: String,
    /// What is wrong, and the way out.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let pointer = if self.pointer.is_empty() { "/" } else { &self.pointer };
        write!(formatter, "line {}: {severity}: {pointer}: {}", self.line, self.message)
    }
}

/// Reads a definition.
///
/// # Errors
/// It has faults that are errors; they and the warnings are returned, by line.
pub fn parse(text: &str) -> Result<Machine, Vec<Fault>> {
    let (machine, faults) = read(text);
    let refused = faults.iter().any(|fault| fault.severity == Severity::Error);
    match machine {
        Some(machine) if !refused => Ok(machine),
        _ => Err(faults),
    }
}

/// All faults of a definition, by line.
#[must_use]
pub fn check(text: &str) -> Vec<Fault> {
    read(text).1
}

fn read(text: &str) -> (Option<Machine>, Vec<Fault>) {
    let mut reading = Reading { places: Places::default(), faults: Vec::new() };
    if text.len() > MAX_DEFINITION_BYTES {
        reading
            .error("", format!("the definition has {} bytes; at most {MAX_DEFINITION_BYTES} are allowed", text.len()));
        return (None, reading.faults);
    }
    let value = match serde_json::from_str::<Value>(text) {
        Ok(value) => value,
        Err(error) => {
            let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
            let message = format!("this is not JSON: {error}");
            let fault = Fault { severity: Severity::Error, line, pointer: String::new(), message };
            return (None, vec![fault]);
        }
    };
    reading.places = Places::of(text);
    for (pointer, line) in std::mem::take(&mut reading.places.duplicates) {
        let message = "this name occurs twice in its object; only the last one would count".to_owned();
        reading.faults.push(Fault { severity: Severity::Error, line, pointer, message });
    }
    let mut machine = machine(&mut reading, &value);
    if let Some(machine) = &mut machine {
        machine.mentions_context = text.contains("context") || text.contains("$$");
    }
    if let Some(machine) = &machine {
        scopes::check(&mut reading, &machine.graph);
    }
    reading.faults.sort_by_key(|fault| (fault.line, fault.severity));
    (machine, reading.faults)
}

fn machine(reading: &mut Reading, value: &Value) -> Option<Machine> {
    let object = reading.object("", value)?;
    reading.known(
        "",
        object,
        &["Comment", "StartAt", "States", "Version", "TimeoutSeconds", "QueryLanguage"],
        "a state machine",
    );
    if let Some(version) = object.get("Version")
        && version != "1.0"
    {
        reading.error("/Version", "the only version is \"1.0\"");
    }
    let language = reading.language("", object).unwrap_or_default();
    let timeout_s = object.get("TimeoutSeconds").and_then(|value| {
        let seconds = value.as_u64().filter(|seconds| (1..=99_999_999).contains(seconds));
        if seconds.is_none() {
            reading.error("/TimeoutSeconds", "it has to be a whole number from 1 to 99999999");
        }
        seconds
    });
    let graph = graph::read(reading, "", object, language)?;
    Some(Machine { graph, timeout_s, mentions_context: true })
}

/// What is known while a definition is read.
pub(super) struct Reading {
    places: Places,
    faults: Vec<Fault>,
}

impl Reading {
    fn fault(&mut self, severity: Severity, pointer: &str, message: impl Into<String>) {
        let line = self.places.line(pointer);
        self.faults.push(Fault { severity, line, pointer: pointer.to_owned(), message: message.into() });
    }

    pub(super) fn error(&mut self, pointer: &str, message: impl Into<String>) {
        self.fault(Severity::Error, pointer, message);
    }

    pub(super) fn warning(&mut self, pointer: &str, message: impl Into<String>) {
        self.fault(Severity::Warning, pointer, message);
    }

    /// The value as an object.
    pub(super) fn object<'v>(&mut self, pointer: &str, value: &'v Value) -> Option<&'v Map<String, Value>> {
        if value.as_object().is_none() {
            self.error(pointer, "an object is needed here");
        }
        value.as_object()
    }

    /// The value as an array with items.
    pub(super) fn items<'v>(&mut self, pointer: &str, value: &'v Value) -> Option<&'v Vec<Value>> {
        let items = value.as_array().filter(|items| !items.is_empty());
        if items.is_none() {
            self.error(pointer, "an array with at least one item is needed here");
        }
        items
    }

    /// A member that has to be text.
    pub(super) fn text<'v>(&mut self, pointer: &str, object: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
        let value = object.get(name)?;
        if value.as_str().is_none() {
            self.error(&step(pointer, name), "a text is needed here");
        }
        value.as_str()
    }

    /// A member that has to be there and be text.
    pub(super) fn needed<'v>(&mut self, pointer: &str, object: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
        if !object.contains_key(name) {
            self.error(pointer, format!("the field `{name}` is missing"));
        }
        self.text(pointer, object, name)
    }

    /// Says which members are not known.
    pub(super) fn known(&mut self, pointer: &str, object: &Map<String, Value>, names: &[&str], of: &str) {
        for name in object.keys().filter(|name| !names.contains(&name.as_str())) {
            self.error(&step(pointer, name), format!("{of} has no field `{name}`; it has {}", names.join(", ")));
        }
    }

    /// The member `QueryLanguage`.
    pub(super) fn language(&mut self, pointer: &str, object: &Map<String, Value>) -> Option<Language> {
        match self.text(pointer, object, "QueryLanguage")? {
            "JSONPath" => Some(Language::JsonPath),
            "JSONata" => Some(Language::Jsonata),
            _ => {
                self.error(&step(pointer, "QueryLanguage"), "it has to be \"JSONata\" or \"JSONPath\"");
                None
            }
        }
    }
}
