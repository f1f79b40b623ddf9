//! Fields that hold queries.

use serde_json::{Map, Value};

use super::read::Reading;
use super::{Assign, DataPath, ResultPath};
use crate::locate::step;
use crate::query::{Expression, Intrinsic, Language, Path, Query, ReferencePath, Template};

/// Which members of `$states` a field may refer to, besides `input` and `context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sees {
    /// None: the state has no result yet.
    Input,
    /// `$states.result`.
    Result,
    /// `$states.errorOutput`.
    Error,
}

/// A value with queries in it. `None` when a query cannot be read; its fault is noted.
pub(super) fn template(
    reading: &mut Reading,
    pointer: &str,
    value: &Value,
    language: Language,
    sees: Sees,
) -> Option<Template> {
    match (language, value) {
        (Language::Jsonata, Value::String(text)) => jsonata_text(reading, pointer, text, sees),
        (_, Value::Array(items)) => {
            let mut all = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                all.push(template(reading, &step(pointer, &index.to_string()), item, language, sees));
            }
            let all: Vec<Template> = all.into_iter().collect::<Option<_>>()?;
            let literal = all.iter().all(|item| matches!(item, Template::Literal(_)));
            Some(if literal { Template::Literal(value.clone()) } else { Template::Array(all) })
        }
        (_, Value::Object(members)) => object(reading, pointer, members, language, sees),
        _ => Some(Template::Literal(value.clone())),
    }
}

fn object(
    reading: &mut Reading,
    pointer: &str,
    members: &Map<String, Value>,
    language: Language,
    sees: Sees,
) -> Option<Template> {
    let mut all = Vec::with_capacity(members.len());
    for (name, value) in members {
        let place = step(pointer, name);
        let member = match (language, name.strip_suffix(".$")) {
            (Language::JsonPath, Some(name)) => {
                if members.contains_key(name) {
                    reading.error(&place, format!("`{name}` is there twice: with and without `.$`"));
                }
                path_query(reading, &place, value).map(|query| (name.to_owned(), Template::Query(query)))
            }
            _ => {
                if name.ends_with(".$") {
                    reading.error(&place, "a name that ends in `.$` belongs to JSONPath, and this state uses JSONata");
                }
                template(reading, &place, value, language, sees).map(|member| (name.clone(), member))
            }
        };
        all.push(member);
    }
    let all: Vec<(String, Template)> = all.into_iter().collect::<Option<_>>()?;
    let literal = all.iter().all(|(_, member)| matches!(member, Template::Literal(_)));
    Some(if literal { Template::Literal(Value::Object(members.clone())) } else { Template::Object(all) })
}

/// A text of a JSONata state: an expression between `{%` and `%}`, or itself.
fn jsonata_text(reading: &mut Reading, pointer: &str, text: &str, sees: Sees) -> Option<Template> {
    let (opened, closed) = (text.starts_with("{%"), text.ends_with("%}"));
    if !opened && !closed {
        return Some(Template::Literal(Value::String(text.to_owned())));
    }
    let Some(source) = text.strip_prefix("{%").and_then(|rest| rest.strip_suffix("%}")) else {
        reading
            .error(pointer, "an expression begins with `{%` and ends with `%}`, without anything before or after them");
        return None;
    };
    let expression = match Expression::parse(source.trim()) {
        Ok(expression) => expression,
        Err(why) => {
            reading.error(pointer, format!("the JSONata expression cannot be used: {why}"));
            return None;
        }
    };
    if sees != Sees::Result && sees != Sees::Error && expression.names_states("result") {
        reading.error(pointer, "`$states.result` has no value here: the state has no result yet");
    }
    if sees != Sees::Error && expression.names_states("errorOutput") {
        reading.error(pointer, "`$states.errorOutput` has a value in a catcher only");
    }
    Some(Template::Query(Query::Jsonata(expression)))
}

/// A path or a call of an intrinsic function.
fn path_query(reading: &mut Reading, pointer: &str, value: &Value) -> Option<Query> {
    let query = match value.as_str() {
        Some(text) if text.starts_with("States.") => Intrinsic::parse(text).map(Query::Intrinsic),
        Some(text) => Path::parse(text).map(Query::Path),
        None => Err("a path or a call of an intrinsic function is needed, as a text".to_owned()),
    };
    query.map_err(|why| reading.error(pointer, why)).ok()
}

/// A member with queries in it.
pub(super) fn member(
    reading: &mut Reading,
    pointer: &str,
    object: &Map<String, Value>,
    name: &str,
    language: Language,
    sees: Sees,
) -> Option<Template> {
    template(reading, &step(pointer, name), object.get(name)?, language, sees)
}

/// A member that is a path into the input, as a query (`ItemsPath`, `SecondsPath`, ..). `ErrorPath` and `CausePath`
/// take intrinsic functions too, and the others do no harm with them.
pub(super) fn path_member(
    reading: &mut Reading,
    pointer: &str,
    object: &Map<String, Value>,
    name: &str,
) -> Option<Template> {
    path_query(reading, &step(pointer, name), object.get(name)?).map(Template::Query)
}

/// `InputPath` or `OutputPath`.
pub(super) fn data_path(reading: &mut Reading, pointer: &str, object: &Map<String, Value>, name: &str) -> DataPath {
    match object.get(name) {
        None => DataPath::Whole,
        Some(Value::Null) => DataPath::Nothing,
        Some(Value::String(text)) => match Path::parse(text) {
            Ok(path) => DataPath::At(path),
            Err(why) => {
                reading.error(&step(pointer, name), why);
                DataPath::Whole
            }
        },
        Some(_) => {
            reading.error(&step(pointer, name), "a path or null is needed here");
            DataPath::Whole
        }
    }
}

/// `ResultPath`.
pub(super) fn result_path(reading: &mut Reading, pointer: &str, object: &Map<String, Value>) -> ResultPath {
    let place = step(pointer, "ResultPath");
    match object.get("ResultPath") {
        None => ResultPath::Whole,
        Some(Value::Null) => ResultPath::Discard,
        Some(Value::String(text)) => match ReferencePath::parse(text) {
            Ok(path) if path.is_root() => ResultPath::Whole,
            Ok(path) => ResultPath::At(path),
            Err(why) => {
                reading.error(&place, why);
                ResultPath::Whole
            }
        },
        Some(_) => {
            reading.error(&place, "a reference path or null is needed here");
            ResultPath::Whole
        }
    }
}

/// `Assign`.
pub(super) fn assign(
    reading: &mut Reading,
    pointer: &str,
    object: &Map<String, Value>,
    language: Language,
    sees: Sees,
) -> Assign {
    let place = step(pointer, "Assign");
    let Some(value) = object.get("Assign") else { return Assign::new() };
    let Some(members) = reading.object(&place, value) else { return Assign::new() };
    for name in members.keys() {
        let bare = if language == Language::JsonPath { name.strip_suffix(".$").unwrap_or(name) } else { name };
        if !crate::query::is_variable_name(bare) {
            let message = "a variable has a name of letters, digits and `_`, up to 80, that begins with a letter; `states` is taken";
            reading.error(&step(&place, name), message);
        }
    }
    match template(reading, &place, value, language, sees) {
        Some(Template::Object(members)) => members,
        Some(Template::Literal(Value::Object(members))) => {
            members.into_iter().map(|(name, value)| (name, Template::Literal(value))).collect()
        }
        _ => Assign::new(),
    }
}
