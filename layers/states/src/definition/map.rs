//! `Map` states.

use serde_json::{Map as Object, Value};

use super::read::Reading;
use super::states::number;
use super::templates::{Sees, member, path_member};
use super::{Graph, graph};
use crate::locate::step;
use crate::query::{Language, Template};

/// A `Map` state.
#[derive(Clone, Debug)]
pub struct Map {
    /// What runs for each item, or for each batch of items.
    pub processor: Graph,
    /// Where it runs.
    pub mode: Mode,
    /// `Items` or `ItemsPath`.
    pub items: Option<Template>,
    /// `ItemReader`.
    pub reader: Option<Reader>,
    /// `ItemSelector`.
    pub selector: Option<Template>,
    /// `ItemBatcher`.
    pub batcher: Option<Batcher>,
    /// `ResultWriter`.
    pub writer: Option<Writer>,
    /// The most runs at the same time; 0 is as many as there may be.
    pub max_concurrency: Option<Template>,
    /// The most items that may fail.
    pub tolerated_count: Option<Template>,
    /// The largest share of items that may fail, in percent.
    pub tolerated_percentage: Option<Template>,
    /// `Label`, or the state's name.
    pub label: Option<String>,
}

/// Where the processor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the execution itself.
    Inline,
    /// In an execution of its own for each item.
    Distributed,
}

/// `ItemReader`.
#[derive(Clone, Debug)]
pub struct Reader {
    /// How objects are read.
    pub resource: ReaderResource,
    /// Which objects.
    pub arguments: Template,
    /// How they are read.
    pub config: ReaderConfig,
}

/// How items come from objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReaderResource {
    /// An object holds the items.
    GetObject,
    /// Objects are the items.
    ListObjects,
}

/// `ReaderConfig`.
#[derive(Clone, Debug)]
pub struct ReaderConfig {
    /// What an object holds.
    pub input_type: InputType,
    /// The most items to read.
    pub max_items: Option<Template>,
    /// Where in a JSON object the items are.
    pub items_pointer: Option<String>,
}

/// What an object holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputType {
    /// A JSON array (or object).
    Json,
    /// One JSON value a line.
    JsonLines,
    /// Comma-separated values.
    Csv {
        /// Where the names of columns are.
        headers: CsvHeaders,
        /// What separates fields.
        delimiter: u8,
    },
}

/// Where the names of columns are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CsvHeaders {
    /// In the first line.
    FirstRow,
    /// Here.
    Given(Vec<String>),
}

/// `ItemBatcher`.
#[derive(Clone, Debug)]
pub struct Batcher {
    /// The most items of a batch.
    pub max_items: Option<Template>,
    /// The most bytes of a batch's input.
    pub max_bytes: Option<Template>,
    /// What every batch gets besides its items.
    pub batch_input: Option<Template>,
}

/// `ResultWriter`.
#[derive(Clone, Debug)]
pub struct Writer {
    /// Where results are written; without it they are only transformed.
    pub arguments: Option<Template>,
    /// How they are written.
    pub config: WriterConfig,
}

/// `WriterConfig`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterConfig {
    /// What becomes of results.
    pub transformation: Transformation,
    /// How results stand in a file.
    pub output_type: OutputType,
}

/// What becomes of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transformation {
    /// They stay with what is known of their executions.
    None,
    /// They alone are kept.
    Compact,
    /// They alone are kept, and arrays are joined.
    Flatten,
}

/// How results stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputType {
    /// As a JSON array.
    Json,
    /// One a line.
    JsonLines,
}

/// Reads the fields of a `Map` state.
pub(super) fn read(
    reading: &mut Reading,
    pointer: &str,
    object: &Object<String, Value>,
    language: Language,
) -> Option<Map> {
    let name = if object.contains_key("ItemProcessor") { "ItemProcessor" } else { "Iterator" };
    let Some(value) = object.get(name) else {
        reading.error(pointer, "the field `ItemProcessor` is missing");
        return None;
    };
    let place = step(pointer, name);
    let processor = reading.object(&place, value)?;
    reading.known(&place, processor, &["ProcessorConfig", "StartAt", "States", "Comment"], "a processor");
    let mode = mode(reading, &place, processor);
    if mode == Mode::Inline {
        for name in [
            "ItemReader",
            "ItemBatcher",
            "ResultWriter",
            "Label",
            "ToleratedFailureCount",
            "ToleratedFailurePercentage",
        ] {
            if object.contains_key(name) {
                let message =
                    format!("`{name}` needs `\"ProcessorConfig\": {{\"Mode\": \"DISTRIBUTED\"}}` in the processor");
                reading.error(&step(pointer, name), message);
            }
        }
    }
    let graph = graph::read(reading, &place, processor, language);
    let items = match language {
        Language::Jsonata => member(reading, pointer, object, "Items", language, Sees::Input),
        Language::JsonPath => path_member(reading, pointer, object, "ItemsPath"),
    };
    let reader = part(reading, pointer, object, "ItemReader", language, reader);
    let batcher = part(reading, pointer, object, "ItemBatcher", language, batcher);
    let writer = part(reading, pointer, object, "ResultWriter", language, writer);
    let selector = member(reading, pointer, object, "ItemSelector", language, Sees::Input);
    let label = reading.text(pointer, object, "Label").map(str::to_owned);
    Some(Map {
        processor: graph?,
        mode,
        items,
        reader,
        selector,
        batcher,
        writer,
        max_concurrency: number(reading, pointer, object, "MaxConcurrency", language),
        tolerated_count: number(reading, pointer, object, "ToleratedFailureCount", language),
        tolerated_percentage: number(reading, pointer, object, "ToleratedFailurePercentage", language),
        label,
    })
}

fn mode(reading: &mut Reading, pointer: &str, processor: &Object<String, Value>) -> Mode {
    let place = step(pointer, "ProcessorConfig");
    let Some(config) = processor.get("ProcessorConfig").and_then(|value| reading.object(&place, value)) else {
        return Mode::Inline;
    };
    reading.known(&place, config, &["Mode", "ExecutionType"], "a processor's configuration");
    let mode = match reading.text(&place, config, "Mode") {
        None | Some("INLINE") => Mode::Inline,
        Some("DISTRIBUTED") => Mode::Distributed,
        Some(_) => {
            reading.error(&step(&place, "Mode"), "it has to be \"INLINE\" or \"DISTRIBUTED\"");
            Mode::Inline
        }
    };
    match reading.text(&place, config, "ExecutionType") {
        None if mode == Mode::Distributed => {
            reading.error(&place, "a distributed map needs `ExecutionType`: \"STANDARD\" or \"EXPRESS\"");
        }
        None | Some("STANDARD" | "EXPRESS") => {}
        Some(_) => reading.error(&step(&place, "ExecutionType"), "it has to be \"STANDARD\" or \"EXPRESS\""),
    }
    mode
}

type Part<T> = fn(&mut Reading, &str, &Object<String, Value>, Language) -> Option<T>;

fn part<T>(
    reading: &mut Reading,
    pointer: &str,
    object: &Object<String, Value>,
    name: &str,
    language: Language,
    read: Part<T>,
) -> Option<T> {
    let place = step(pointer, name);
    let object = reading.object(&place, object.get(name)?)?;
    read(reading, &place, object, language)
}

/// `Arguments` or `Parameters`.
fn arguments(
    reading: &mut Reading,
    pointer: &str,
    object: &Object<String, Value>,
    language: Language,
    sees: Sees,
) -> Option<Template> {
    let name = if language == Language::Jsonata { "Arguments" } else { "Parameters" };
    member(reading, pointer, object, name, language, sees)
}

fn reader(reading: &mut Reading, pointer: &str, object: &Object<String, Value>, language: Language) -> Option<Reader> {
    reading.known(
        pointer,
        object,
        &["Resource", "Arguments", "Parameters", "ReaderConfig", "Bucket", "Key"],
        "an item reader",
    );
    let resource = match reading.needed(pointer, object, "Resource")?.rsplit(':').next() {
        Some("getObject") => ReaderResource::GetObject,
        Some("listObjectsV2") => ReaderResource::ListObjects,
        _ => {
            let message = "it has to be arn:aws:states:::s3:getObject or arn:aws:states:::s3:listObjectsV2";
            reading.error(&step(pointer, "Resource"), message);
            return None;
        }
    };
    let Some(arguments) = arguments(reading, pointer, object, language, Sees::Input) else {
        reading
            .error(pointer, "the reader does not say which object: `Arguments` (JSONata) or `Parameters` (JSONPath)");
        return None;
    };
    let place = step(pointer, "ReaderConfig");
    let empty = Object::new();
    let config = match object.get("ReaderConfig") {
        Some(value) => reading.object(&place, value)?,
        None => &empty,
    };
    let fields = [
        "InputType",
        "CSVHeaderLocation",
        "CSVHeaders",
        "CSVDelimiter",
        "MaxItems",
        "MaxItemsPath",
        "ItemsPointer",
        "Transformation",
    ];
    reading.known(&place, config, &fields, "a reader's configuration");
    let input_type = match (reading.text(&place, config, "InputType"), resource) {
        (_, ReaderResource::ListObjects) | (Some("JSON"), _) => InputType::Json,
        (Some("JSONL"), _) => InputType::JsonLines,
        (Some("CSV"), _) => csv(reading, &place, config)?,
        (Some(other), _) => {
            let message = format!("`{other}` cannot be read here; it can be \"CSV\", \"JSON\" or \"JSONL\"");
            reading.error(&step(&place, "InputType"), message);
            return None;
        }
        (None, ReaderResource::GetObject) => {
            reading.error(&place, "the field `InputType` is missing: \"CSV\", \"JSON\" or \"JSONL\"");
            return None;
        }
    };
    let items_pointer = reading.text(&place, config, "ItemsPointer").map(str::to_owned);
    let max_items = number(reading, &place, config, "MaxItems", language);
    Some(Reader { resource, arguments, config: ReaderConfig { input_type, max_items, items_pointer } })
}

fn csv(reading: &mut Reading, pointer: &str, config: &Object<String, Value>) -> Option<InputType> {
    let delimiter = match reading.text(pointer, config, "CSVDelimiter") {
        None | Some("COMMA") => b',',
        Some("PIPE") => b'|',
        Some("SEMICOLON") => b';',
        Some("SPACE") => b' ',
        Some("TAB") => b'\t',
        Some(_) => {
            reading.error(&step(pointer, "CSVDelimiter"), "it has to be COMMA, PIPE, SEMICOLON, SPACE or TAB");
            return None;
        }
    };
    let headers = match reading.needed(pointer, config, "CSVHeaderLocation")? {
        "FIRST_ROW" => CsvHeaders::FirstRow,
        "GIVEN" => {
            let names = config.get("CSVHeaders").and_then(Value::as_array);
            let names = names.and_then(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
            let Some(names) = names else {
                reading.error(pointer, "`CSVHeaderLocation` is GIVEN, so `CSVHeaders` has to be an array of texts");
                return None;
            };
            CsvHeaders::Given(names)
        }
        _ => {
            reading.error(&step(pointer, "CSVHeaderLocation"), "it has to be \"FIRST_ROW\" or \"GIVEN\"");
            return None;
        }
    };
    Some(InputType::Csv { headers, delimiter })
}

fn batcher(
    reading: &mut Reading,
    pointer: &str,
    object: &Object<String, Value>,
    language: Language,
) -> Option<Batcher> {
    let fields = [
        "BatchInput",
        "MaxItemsPerBatch",
        "MaxInputBytesPerBatch",
        "MaxItemsPerBatchPath",
        "MaxInputBytesPerBatchPath",
    ];
    reading.known(pointer, object, &fields, "an item batcher");
    let max_items = number(reading, pointer, object, "MaxItemsPerBatch", language);
    let max_bytes = number(reading, pointer, object, "MaxInputBytesPerBatch", language);
    if max_items.is_none() && max_bytes.is_none() {
        reading.error(pointer, "a batcher needs `MaxItemsPerBatch` or `MaxInputBytesPerBatch`");
    }
    let batch_input = member(reading, pointer, object, "BatchInput", language, Sees::Input);
    Some(Batcher { max_items, max_bytes, batch_input })
}

fn writer(reading: &mut Reading, pointer: &str, object: &Object<String, Value>, language: Language) -> Option<Writer> {
    reading.known(pointer, object, &["Resource", "Arguments", "Parameters", "WriterConfig"], "a result writer");
    let arguments = arguments(reading, pointer, object, language, Sees::Input);
    match (reading.text(pointer, object, "Resource"), &arguments) {
        (Some(resource), _) if !resource.ends_with(":s3:putObject") => {
            reading.error(&step(pointer, "Resource"), "it has to be arn:aws:states:::s3:putObject");
        }
        (Some(_), None) => {
            reading.error(pointer, "the writer does not say where: `Arguments` or `Parameters` is missing");
        }
        (None, Some(_)) => reading.error(pointer, "the field `Resource` is missing"),
        (None, None) if !object.contains_key("WriterConfig") => {
            reading.error(pointer, "a writer needs `Resource` with its arguments, or `WriterConfig`, or both");
        }
        _ => {}
    }
    let place = step(pointer, "WriterConfig");
    let mut config = WriterConfig { transformation: Transformation::None, output_type: OutputType::Json };
    if let Some(value) = object.get("WriterConfig") {
        let object = reading.object(&place, value)?;
        reading.known(&place, object, &["Transformation", "OutputType"], "a writer's configuration");
        config.transformation = match reading.text(&place, object, "Transformation") {
            None | Some("NONE") => Transformation::None,
            Some("COMPACT") => Transformation::Compact,
            Some("FLATTEN") => Transformation::Flatten,
            Some(_) => {
                reading.error(&step(&place, "Transformation"), "it has to be NONE, COMPACT or FLATTEN");
                return None;
            }
        };
        config.output_type = match reading.text(&place, object, "OutputType") {
            None | Some("JSON") => OutputType::Json,
            Some("JSONL") => OutputType::JsonLines,
            Some(_) => {
                reading.error(&step(&place, "OutputType"), "it has to be JSON or JSONL");
                return None;
            }
        };
    }
    Some(Writer { arguments, config })
}
