//! Values of the JSONata library from JSON and back.

use indexmap::IndexMap;
use jsonata_core::value::{JArray, JValue};
use serde_json::{Map, Number, Value};

use super::Limits;

/// The deepest nesting of a result; `serde_json` reads no deeper one.
const MAX_DEPTH: usize = 120;

/// A JSON value for the library. JSON that was read is at most 128 deep.
pub(super) fn from_json(value: &Value) -> JValue {
    match value {
        Value::Null => JValue::Null,
        Value::Bool(flag) => JValue::Bool(*flag),
        Value::Number(number) => JValue::Number(number.as_f64().unwrap_or(0.0)),
        Value::String(text) => JValue::string(text.as_str()),
        Value::Array(items) => {
            let flat = !items.iter().any(Value::is_array);
            JValue::Array(JArray::new_flat(items.iter().map(from_json).collect(), flat))
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| (name.clone(), from_json(value));
            JValue::object(members.iter().map(member).collect::<IndexMap<_, _>>())
        }
    }
}

/// A result as JSON. The error goes on from "The JSONata expression '..' ".
pub(super) fn to_json(value: &JValue, limits: &Limits) -> Result<Value, String> {
    let mut left = limits.bytes;
    convert(value, 0, &mut left)
}

fn convert(value: &JValue, depth: usize, left: &mut usize) -> Result<Value, String> {
    if depth > MAX_DEPTH {
        return Err(format!("gave a value that is nested more than {MAX_DEPTH} deep"));
    }
    let mut take = |bytes: usize| {
        *left = left.checked_sub(bytes).ok_or_else(|| "gave a value that is too large".to_owned())?;
        Ok::<(), String>(())
    };
    Ok(match value {
        JValue::Undefined => return Err("returned nothing (undefined)".to_owned()),
        JValue::Null => Value::Null,
        JValue::Bool(flag) => Value::Bool(*flag),
        JValue::Number(number) => Value::Number(to_number(*number)?),
        JValue::String(text) => {
            take(text.len())?;
            Value::String(text.to_string())
        }
        JValue::Array(items) => {
            take(items.len().saturating_mul(size_of::<Value>()))?;
            // What is nothing in an array is left out by the language; here it can only come from our own functions.
            let items = items.iter().filter(|item| !item.is_undefined());
            Value::Array(items.map(|item| convert(item, depth + 1, left)).collect::<Result<_, _>>()?)
        }
        JValue::Object(members) => {
            take(members.len().saturating_mul(2 * size_of::<Value>()))?;
            let mut object = Map::new();
            for (name, member) in members.iter().filter(|(_, member)| !member.is_undefined()) {
                object.insert(name.clone(), convert(member, depth + 1, left)?);
            }
            Value::Object(object)
        }
        JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => {
            return Err("gave a function, which is no JSON".to_owned());
        }
    })
}

/// Whole numbers are written without a point, as JavaScript does.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn to_number(number: f64) -> Result<Number, String> {
    if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
        return Ok(Number::from(number as i64));
    }
    Number::from_f64(number).ok_or_else(|| "gave a number that is not finite".to_owned())
}
