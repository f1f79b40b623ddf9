//! Reads the days and times of fields, and says in plain words how they are written.

use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserializer;
use serde::de::{Error, Visitor};

/// What is written as a text of one form.
pub(super) trait Written: Sized {
    /// The form, in words.
    const FORM: &str;

    /// Reads it; `None` when it is not of that form.
    fn read(text: &str) -> Option<Self>;
}

impl Written for Date {
    const FORM: &str = "a date written YYYY-MM-DD, such as 2026-11-21";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Written for Timestamp {
    const FORM: &str = "a time written as in RFC 3339, such as 2026-11-21T09:30:00Z";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// For `deserialize_with`.
pub(super) fn one<'de, T: Written, D: Deserializer<'de>>(value: D) -> Result<T, D::Error> {
    value.deserialize_str(One(PhantomData))
}

/// For `deserialize_with`, beside `default`.
pub(super) fn optional<'de, T: Written, D: Deserializer<'de>>(value: D) -> Result<Option<T>, D::Error> {
    value.deserialize_option(Optional(PhantomData))
}

struct One<T>(PhantomData<T>);

impl<T: Written> Visitor<'_> for One<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(T::FORM)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        let shown = || text.chars().take(40).collect::<String>();
        T::read(text).ok_or_else(|| E::custom(format!("give {}; `{}` is none", T::FORM, shown())))
    }
}

struct Optional<T>(PhantomData<T>);

impl<'de, T: Written> Visitor<'de> for Optional<T> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(T::FORM)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        one(value).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Form {
        #[serde(deserialize_with = "one")]
        date: Date,
        #[serde(default, deserialize_with = "optional")]
        due: Option<Date>,
        #[serde(default, deserialize_with = "optional")]
        sent: Option<Timestamp>,
    }

    fn fault(form: &Value) -> String {
        Form::deserialize(form).map_or_else(|error| error.to_string(), |form| panic!("{form:?}"))
    }

    #[test]
    fn given_a_day_in_another_form_then_the_fault_says_how_it_is_written() {
        for text in ["14/02/2026", "2026-02-30", "tomorrow", ""] {
            let said = fault(&json!({"date": text}));
            assert!(said.contains("YYYY-MM-DD") && said.contains(&format!("`{text}`")), "{said}");
            assert_eq!(fault(&json!({"date": "2026-02-14", "due": text})), said);
        }
        assert!(fault(&json!({"date": 20_260_214})).contains("YYYY-MM-DD"));
        assert!(fault(&json!({})).contains("missing field"));
        assert!(fault(&json!({"date": "2026-02-14", "sent": "yesterday"})).contains("2026-11-21T09:30:00Z"));
    }

    #[test]
    fn given_days_as_they_are_written_or_none_then_they_are_read() -> Result<(), serde_json::Error> {
        for (due, day) in [(json!("2026-03-25"), Some(Date::constant(2026, 3, 25))), (json!(null), None)] {
            let form = Form::deserialize(&json!({"date": "2026-02-14", "due": due}))?;
            assert_eq!((form.date, form.due, form.sent), (Date::constant(2026, 2, 14), day, None));
        }
        Ok(())
    }
}
