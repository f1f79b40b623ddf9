//! The intrinsic functions, `States.*`.
//! Source: "Intrinsic functions for JSONPath states" in the Step Functions developer guide.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::functions::{hash, partition, range};
use super::{Random, draw};

/// The most characters that `States.Base64Encode` and `States.Base64Decode` take, and the longest text that
/// `States.Hash` takes.
const MAX_TEXT: usize = 10_000;

macro_rules! functions {
    ($($function:ident $name:literal $least:literal $most:literal;)+) => {
        /// An intrinsic function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Function { $($function),+ }

        impl Function {
            /// By its name.
            pub(super) fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$function),)+ _ => None }
            }

            /// Whether it takes so many arguments.
            pub(super) fn takes(self, count: usize) -> bool {
                let (least, most): (usize, usize) = match self { $(Self::$function => ($least, $most)),+ };
                (least..=most).contains(&count)
            }
        }
    };
}

functions! {
    Array "States.Array" 0 10_000;
    ArrayContains "States.ArrayContains" 2 2;
    ArrayGetItem "States.ArrayGetItem" 2 2;
    ArrayLength "States.ArrayLength" 1 1;
    ArrayPartition "States.ArrayPartition" 2 2;
    ArrayRange "States.ArrayRange" 3 3;
    ArrayUnique "States.ArrayUnique" 1 1;
    Base64Decode "States.Base64Decode" 1 1;
    Base64Encode "States.Base64Encode" 1 1;
    Format "States.Format" 1 10_000;
    Hash "States.Hash" 2 2;
    JsonMerge "States.JsonMerge" 3 3;
    JsonToString "States.JsonToString" 1 1;
    MathAdd "States.MathAdd" 2 2;
    MathRandom "States.MathRandom" 2 3;
    StringSplit "States.StringSplit" 2 2;
    StringToJson "States.StringToJson" 1 1;
    Uuid "States.UUID" 0 0;
}

/// Calls a function. Errors say what it takes.
pub(super) fn call(function: Function, arguments: &[Value], random: &dyn Random) -> Result<Value, String> {
    let argument = |index: usize| arguments.get(index).unwrap_or(&Value::Null);
    match function {
        Function::Array => Ok(Value::Array(arguments.to_vec())),
        Function::ArrayContains => Ok(array(argument(0))?.contains(argument(1)).into()),
        Function::ArrayGetItem => {
            let (items, index) = (array(argument(0))?, whole(argument(1))?);
            let item = usize::try_from(index).ok().and_then(|index| items.get(index)).cloned();
            item.ok_or_else(|| format!("the array has {} items, and none at {index}", items.len()))
        }
        Function::ArrayLength => Ok(array(argument(0))?.len().into()),
        Function::ArrayPartition => partition(array(argument(0))?, whole(argument(1))?),
        Function::ArrayRange => range(whole(argument(0))?, whole(argument(1))?, whole(argument(2))?),
        Function::ArrayUnique => Ok(unique(array(argument(0))?)),
        Function::Base64Decode => {
            let bytes = STANDARD.decode(short(argument(0))?).map_err(|error| error.to_string())?;
            String::from_utf8(bytes).map(Value::String).map_err(|_| "the bytes are not UTF-8".to_owned())
        }
        Function::Base64Encode => Ok(STANDARD.encode(short(argument(0))?).into()),
        Function::Format => format(text(argument(0))?, arguments.get(1..).unwrap_or_default()).map(Value::String),
        Function::Hash => {
            let data = match argument(0) {
                Value::String(data) => data.clone(),
                other => other.to_string(),
            };
            if data.len() > MAX_TEXT {
                return Err(format!("the data has more than {MAX_TEXT} characters"));
            }
            hash(&data, text(argument(1))?).map(Value::String)
        }
        Function::JsonMerge => merge(argument(0), argument(1), argument(2)),
        Function::JsonToString => Ok(argument(0).to_string().into()),
        Function::MathAdd => {
            let sum = whole(argument(0))?.checked_add(whole(argument(1))?);
            sum.map(Value::from).ok_or_else(|| "the sum is out of range".to_owned())
        }
        Function::MathRandom => math_random(arguments, random),
        Function::StringSplit => {
            let (whole, delimiters) = (text(argument(0))?, text(argument(1))?);
            let parts = whole.split(|letter| delimiters.contains(letter)).filter(|part| !part.is_empty());
            Ok(parts.map(Value::from).collect())
        }
        Function::StringToJson => serde_json::from_str(text(argument(0))?).map_err(|error| error.to_string()),
        Function::Uuid => Ok(draw::uuid(random).into()),
    }
}

fn array(value: &Value) -> Result<&Vec<Value>, String> {
    value.as_array().ok_or_else(|| format!("an array is needed, and {} was given", kind(value)))
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("a text is needed, and {} was given", kind(value)))
}

fn short(value: &Value) -> Result<&str, String> {
    let text = text(value)?;
    if text.chars().count() > MAX_TEXT {
        Err(format!("the text has more than {MAX_TEXT} characters"))
    } else {
        Ok(text)
    }
}

/// A whole number; other numbers are rounded down.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn whole(value: &Value) -> Result<i64, String> {
    let number = value.as_i64().or_else(|| {
        let number = value.as_f64()?.floor();
        (number.abs() < 9.0e18).then_some(number as i64)
    });
    number.ok_or_else(|| format!("a whole number is needed, and {} was given", kind(value)))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn unique(items: &[Value]) -> Value {
    let mut seen = std::collections::HashSet::new();
    items.iter().filter(|item| seen.insert(item.to_string())).cloned().collect()
}

/// Puts the arguments in the places of `{}`; `\{` and `\}` are braces.
fn format(template: &str, arguments: &[Value]) -> Result<String, String> {
    let mut output = String::with_capacity(template.len());
    let mut arguments = arguments.iter();
    let mut letters = template.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => output.extend(letters.next()),
            '{' if letters.peek() == Some(&'}') => {
                letters.next();
                match arguments.next().ok_or_else(|| "there are more {} than arguments".to_owned())? {
                    Value::String(text) => output.push_str(text),
                    other => output.push_str(&other.to_string()),
                }
            }
            '{' | '}' => return Err("a brace in the format has to be written \\\\{ or \\\\}".to_owned()),
            letter => output.push(letter),
        }
    }
    if arguments.next().is_some() { Err("there are more arguments than {}".to_owned()) } else { Ok(output) }
}

fn merge(first: &Value, second: &Value, deep: &Value) -> Result<Value, String> {
    let (Value::Object(first), Value::Object(second)) = (first, second) else {
        return Err(format!("two objects are needed, and {} and {} were given", kind(first), kind(second)));
    };
    if deep != &Value::Bool(false) {
        return Err("the third argument has to be false: only the shallow merge is supported".to_owned());
    }
    let mut merged = first.clone();
    merged.extend(second.clone());
    Ok(Value::Object(merged))
}

/// From the first number up to and without the second; the same for the same seed.
fn math_random(arguments: &[Value], random: &dyn Random) -> Result<Value, String> {
    let (start, end) =
        (whole(arguments.first().unwrap_or(&Value::Null))?, whole(arguments.get(1).unwrap_or(&Value::Null))?);
    let width = end.checked_sub(start).and_then(|width| u64::try_from(width).ok()).filter(|width| *width > 0);
    let width = width.ok_or_else(|| "the first number has to be smaller than the second".to_owned())?;
    let bits = match arguments.get(2) {
        Some(seed) => super::SeededRandom::new(whole(seed)?.cast_unsigned()).next_u64(),
        None => random.next_u64(),
    };
    Ok(Value::from(start.saturating_add_unsigned(bits % width)))
}
