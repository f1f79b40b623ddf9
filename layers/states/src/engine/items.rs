//! Items of distributed maps: read from objects, and gathered in batches.
//! Source: "ItemReader (Map)" and "ItemBatcher (Map)" in the Step Functions developer guide.

use bytes::Bytes;
use serde_json::{Map as Object, Value, json};

use super::map::Item;
use super::ports::ItemStore;
use crate::definition::{CsvHeaders, InputType, ReaderConfig, ReaderResource};
use crate::fault::{StateFault, json_size, names};

/// The largest object that items are read from, in bytes. It is held in memory as a whole.
const MAX_OBJECT_BYTES: usize = 256 * 1024 * 1024;

fn failed(cause: impl Into<String>) -> StateFault {
    StateFault::new(names::ITEM_READER_FAILED, cause)
}

/// Reads items. `arguments` are the reader's, evaluated.
pub(super) async fn read(
    store: &dyn ItemStore,
    resource: ReaderResource,
    config: &ReaderConfig,
    arguments: &Value,
    max_items: Option<usize>,
) -> Result<(Vec<Item>, String), StateFault> {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str);
    let bucket = text("Bucket").ok_or_else(|| failed("The item reader has no `Bucket`"))?;
    let most = max_items.unwrap_or(usize::MAX);
    match resource {
        ReaderResource::ListObjects => {
            let prefix = text("Prefix").unwrap_or_default();
            let source = format!("S3://{bucket}/{prefix}");
            let listed = store.list(bucket, prefix).await.map_err(failed)?;
            let item = |listed: super::Listed| Item {
                value: json!({
                    "Etag": "",
                    "Key": listed.key,
                    "LastModified": listed.modified_at.map_or(0, |moment| moment.unix_ms() / 1000),
                    "Size": listed.size_bytes,
                    "StorageClass": "STANDARD",
                }),
                key: None,
            };
            Ok((listed.into_iter().take(most).map(item).collect(), source))
        }
        ReaderResource::GetObject => {
            let key = text("Key").ok_or_else(|| failed("The item reader has no `Key`"))?;
            let content = store.get(bucket, key).await.map_err(failed)?;
            if content.len() > MAX_OBJECT_BYTES {
                let cause =
                    format!("s3://{bucket}/{key} has {} bytes; at most {MAX_OBJECT_BYTES} are read", content.len());
                return Err(failed(cause));
            }
            let items = parse(&content, config, most).map_err(|why| failed(format!("s3://{bucket}/{key}: {why}")))?;
            Ok((items, format!("S3://{bucket}/{key}")))
        }
    }
}

/// The items in an object.
pub(crate) fn parse(content: &Bytes, config: &ReaderConfig, most: usize) -> Result<Vec<Item>, String> {
    let content = content.strip_prefix(b"\xEF\xBB\xBF".as_slice()).unwrap_or(content);
    match &config.input_type {
        InputType::Json => {
            let value: Value = serde_json::from_slice(content).map_err(|error| format!("it is not JSON: {error}"))?;
            let items = match &config.items_pointer {
                Some(pointer) => value.pointer(pointer).cloned().ok_or_else(|| format!("it has no `{pointer}`"))?,
                None => value,
            };
            if !items.is_array() && !items.is_object() {
                return Err("its JSON is neither an array nor an object".to_owned());
            }
            let mut items = super::map::each(items);
            items.truncate(most);
            Ok(items)
        }
        InputType::JsonLines => {
            let mut items = Vec::new();
            let lines = content.split(|byte| *byte == b'\n').enumerate();
            for (index, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()).take(most) {
                let value = serde_json::from_slice(line);
                let value = value.map_err(|error| format!("line {} is not JSON: {error}", index + 1))?;
                items.push(Item { value, key: None });
            }
            Ok(items)
        }
        InputType::Csv { headers, delimiter } => csv(content, headers, *delimiter, most),
    }
}

fn csv(content: &[u8], headers: &CsvHeaders, delimiter: u8, most: usize) -> Result<Vec<Item>, String> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(content);
    let mut records = reader.records();
    let names: Vec<String> = match headers {
        CsvHeaders::Given(names) => names.clone(),
        CsvHeaders::FirstRow => match records.next() {
            None => return Ok(Vec::new()),
            Some(record) => record.map_err(|error| error.to_string())?.iter().map(str::to_owned).collect(),
        },
    };
    let mut items = Vec::new();
    for record in records.take(most) {
        let record = record.map_err(|error| error.to_string())?;
        // Fields beyond the names are dropped, and missing ones are empty, as in Step Functions.
        let field =
            |(index, name): (usize, &String)| (name.clone(), Value::from(record.get(index).unwrap_or_default()));
        items.push(Item { value: Value::Object(names.iter().enumerate().map(field).collect()), key: None });
    }
    Ok(items)
}

/// Gathers inputs in batches of at most so many items and bytes.
pub(super) fn batches(
    inputs: Vec<Value>,
    max_items: Option<usize>,
    max_bytes: Option<usize>,
    batch_input: Option<&Value>,
) -> Vec<(Value, usize)> {
    let around = json_size(&batch_of(Vec::new(), batch_input));
    let mut all = Vec::new();
    let (mut batch, mut size) = (Vec::new(), around);
    for input in inputs {
        let added = json_size(&input) + 1;
        let full = max_items.is_some_and(|most| batch.len() >= most.max(1))
            || size + added > max_bytes.unwrap_or(usize::MAX).min(crate::fault::MAX_PAYLOAD_BYTES);
        if full && !batch.is_empty() {
            let count = batch.len();
            all.push((batch_of(std::mem::take(&mut batch), batch_input), count));
            size = around;
        }
        size += added;
        batch.push(input);
    }
    if !batch.is_empty() {
        let count = batch.len();
        all.push((batch_of(batch, batch_input), count));
    }
    all
}

fn batch_of(items: Vec<Value>, batch_input: Option<&Value>) -> Value {
    let mut batch = Object::new();
    if let Some(input) = batch_input {
        batch.insert("BatchInput".to_owned(), input.clone());
    }
    batch.insert("Items".to_owned(), Value::Array(items));
    Value::Object(batch)
}
