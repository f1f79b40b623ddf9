//! Records as items of the table.
//!
//! | attribute | type | what |
//! |---|---|---|
//! | `pk`, `sk` | S | partition and sort key |
//! | `expires_at` | N | the end, in seconds since the epoch; the table's time-to-live attribute |
//! | `format` | N | the version of this format, 1 |
//! | any other | S, N, BOOL, B | a field; one that has a name of the above has `_` put before it |
//!
//! DynamoDB takes no empty text as a key. An empty sort key is written as one NUL, and one that begins with
//! NUL gets another put before it, so that all remain distinct and in order.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use mandi_core::Timestamp;
use mandi_core::ports::limits::check_key;
use mandi_core::ports::{Key, MAX_SORT_BYTES, Partition, Record, RecordsError, Value};

/// The attribute of the partition.
pub const PARTITION: &str = "pk";
/// The attribute of the sort key.
pub const SORT: &str = "sk";
/// The attribute of the end.
pub const END: &str = "expires_at";
/// The attribute of the format.
pub const FORMAT: &str = "format";

const FORMAT_NOW: i64 = 1;

/// The attributes of an item.
pub type Item = HashMap<String, AttributeValue>;

/// The name of the attribute that holds a field.
pub fn attribute_of(field: &str) -> String {
    if is_ours(field) { format!("_{field}") } else { field.to_owned() }
}

fn is_ours(name: &str) -> bool {
    [PARTITION, SORT, END, FORMAT].contains(&name.trim_start_matches('_'))
}

fn field_of(attribute: String) -> Option<String> {
    if is_ours(&attribute) { attribute.strip_prefix('_').map(str::to_owned) } else { Some(attribute) }
}

/// A sort key as the table holds it.
pub fn stored_sort(sort: &str) -> String {
    if sort.is_empty() || sort.starts_with('\0') { format!("\0{sort}") } else { sort.to_owned() }
}

fn sort_of(stored: &str) -> &str {
    stored.strip_prefix('\0').unwrap_or(stored)
}

/// A number as the table holds it.
pub fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// The version of the format, as every item has it.
pub fn format() -> AttributeValue {
    number(FORMAT_NOW)
}

/// A value as the table holds it.
pub fn value(value: &Value) -> AttributeValue {
    match value {
        Value::Text(text) => AttributeValue::S(text.clone()),
        Value::Int(whole) => number(*whole),
        Value::Bool(flag) => AttributeValue::Bool(*flag),
        Value::Bytes(bytes) => AttributeValue::B(Blob::new(bytes.clone())),
    }
}

/// A key as the table holds it.
///
/// # Errors
/// It is too long. One that begins with NUL may have a byte less than others.
pub fn key_item(key: &Key) -> Result<Item, RecordsError> {
    check_key(key)?;
    let sort = stored_sort(&key.sort);
    if sort.len() > MAX_SORT_BYTES {
        let limit = MAX_SORT_BYTES - 1;
        return Err(RecordsError::TooLarge(format!("a sort key that begins with NUL has at most {limit} bytes")));
    }
    Ok(Item::from([
        (PARTITION.to_owned(), AttributeValue::S(key.partition.as_str().to_owned())),
        (SORT.to_owned(), AttributeValue::S(sort)),
    ]))
}

/// A record as the table holds it.
///
/// # Errors
/// As [`key_item`].
pub fn item(record: &Record) -> Result<Item, RecordsError> {
    let mut item = key_item(&record.key)?;
    item.insert(FORMAT.to_owned(), format());
    if let Some(end) = record.expires_at {
        item.insert(END.to_owned(), number(end.unix_s_ceil()));
    }
    item.extend(record.fields.iter().map(|(name, field)| (attribute_of(name), value(field))));
    Ok(item)
}

/// The sort key of an item, or of a cursor that the table gave.
///
/// # Errors
/// It has none: it is not one of ours.
pub fn sort_in(item: &Item) -> Result<String, RecordsError> {
    let stored = item.get(SORT).and_then(|sort| sort.as_s().ok());
    stored.map(|sort| sort_of(sort).to_owned()).ok_or_else(|| unreadable("it has no sort key"))
}

/// Whether an item is expired at `now_s`.
pub fn is_expired(item: &Item, now_s: i64) -> bool {
    end_in(item).is_some_and(|end| end <= now_s)
}

fn end_in(item: &Item) -> Option<i64> {
    item.get(END)?.as_n().ok()?.parse().ok()
}

/// The record that an item of `partition` holds.
///
/// # Errors
/// The item is not one of ours, or of a format that this version does not read.
pub fn record(partition: &Partition, item: Item) -> Result<Record, RecordsError> {
    match item.get(FORMAT).and_then(|format| format.as_n().ok()) {
        Some(found) if *found == FORMAT_NOW.to_string() => {}
        found => return Err(unreadable(&format!("its format is {found:?}"))),
    }
    let mut record = Record::new(Key::new(partition.clone(), sort_in(&item)?));
    record.expires_at = end_in(&item).map(|second| Timestamp::from_unix_ms(second.saturating_mul(1000)));
    for (attribute, stored) in item {
        if let Some(field) = field_of(attribute) {
            record.fields.insert(field, field_value(stored)?);
        }
    }
    Ok(record)
}

fn field_value(stored: AttributeValue) -> Result<Value, RecordsError> {
    Ok(match stored {
        AttributeValue::S(text) => Value::Text(text),
        AttributeValue::Bool(flag) => Value::Bool(flag),
        AttributeValue::B(blob) => Value::Bytes(blob.into_inner()),
        AttributeValue::N(text) => {
            // The table adds without bounds; a sum outside of ours is held at the bound.
            let wide: i128 = text.parse().map_err(|_| unreadable("a number in it is not whole"))?;
            let bound = if wide < 0 { i64::MIN } else { i64::MAX };
            Value::Int(i64::try_from(wide).unwrap_or(bound))
        }
        _ => return Err(unreadable("a field of it has a type that we do not write")),
    })
}

fn unreadable(reason: &str) -> RecordsError {
    RecordsError::Unavailable(format!("an item of the table cannot be read: {reason}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sort_keys_stay_in_order_and_are_read_back() {
        let sorts = ["", "\0", "\0\0", "\0a", "\u{1}", "a", "अ"];
        let stored: Vec<_> = sorts.iter().map(|sort| stored_sort(sort)).collect();
        assert!(stored.is_sorted());
        assert!(stored.iter().all(|sort| !sort.is_empty()));
        assert_eq!(stored.iter().map(|sort| sort_of(sort)).collect::<Vec<_>>(), sorts);
    }

    #[test]
    fn fields_named_like_our_attributes_are_kept_apart_from_them() {
        for field in ["pk", "_pk", "__expires_at", "format", "other", "_other"] {
            let attribute = attribute_of(field);
            assert!(![PARTITION, SORT, END, FORMAT].contains(&attribute.as_str()));
            assert_eq!(field_of(attribute).as_deref(), Some(field));
        }
        assert_eq!(field_of("pk".to_owned()), None);
    }

    #[test]
    fn a_sum_that_left_the_bounds_is_held_at_the_bound() {
        let read = |text: &str| field_value(AttributeValue::N(text.to_owned())).ok();
        assert_eq!(read("9223372036854775808"), Some(Value::Int(i64::MAX)));
        assert_eq!(read("-9223372036854775809"), Some(Value::Int(i64::MIN)));
        assert_eq!(read("-7"), Some(Value::Int(-7)));
        assert_eq!(read("1.5"), None);
    }
}
