//! What may leave of a row: open columns as they are, private ones as a marker, others not at all.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Whether a column's values may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Privacy {
    /// As they are.
    Open,
    /// As a marker.
    Private,
}

/// The columns of a model, with what may be kept of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction(BTreeMap<String, Privacy>);

impl Redaction {
    /// Of the columns that a model's signature names.
    pub fn of(columns: impl IntoIterator<Item = (String, Privacy)>) -> Self {
        Self(columns.into_iter().collect())
    }

    /// A row as it may be kept. The value of a private column is `{"redacted": "<class>"}`, with one of `null`, `boolean`,
    /// `number`, `string`, `list`, `object`. A column that the signature does not name is left out, since nobody said
    /// that it is not private.
    #[must_use]
    pub fn row(&self, row: &Map<String, Value>) -> Map<String, Value> {
        let kept = row.iter().filter_map(|(column, value)| {
            let value = match self.0.get(column)? {
                Privacy::Open => value.clone(),
                Privacy::Private => json!({ "redacted": class(value) }),
            };
            Some((column.clone(), value))
        });
        kept.collect()
    }
}

const fn class(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(row: &Value) -> Value {
        let columns = [("moisture", Privacy::Open), ("income", Privacy::Private)];
        let redaction = Redaction::of(columns.map(|(name, privacy)| (name.to_owned(), privacy)));
        row.as_object().map_or(Value::Null, |row| Value::Object(redaction.row(row)))
    }

    #[test]
    fn given_a_private_column_then_only_the_class_of_its_value_is_left() {
        let cases = [
            (json!(null), "null"),
            (json!(true), "boolean"),
            (json!(51_000), "number"),
            (json!(1.5), "number"),
            (json!("51 lakh"), "string"),
            (json!([51_000]), "list"),
            (json!({ "rupees": 51_000 }), "object"),
        ];
        for (value, class) in cases {
            let expected = json!({ "moisture": 11.5, "income": { "redacted": class } });
            assert_eq!(redacted(&json!({ "moisture": 11.5, "income": value })), expected);
        }
    }

    #[test]
    fn given_a_column_that_the_signature_does_not_name_then_it_is_left_out() {
        assert_eq!(redacted(&json!({ "moisture": null, "phone": "98765" })), json!({ "moisture": null }));
    }
}
