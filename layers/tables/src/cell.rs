//! From what a cell holds to a typed value, by the rule of its column.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::batch::{Blank, Cells, Column};
use crate::fault::{Expected, Fault, ValueClass};
use crate::number::{integer, narrow, number, whole, widen};
use crate::schema::{ColumnSpec, Kind, Missing};
use crate::time;

/// What pandas takes for a missing value when it reads CSV.
const MISSING: [&str; 18] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan",
];

/// A column's rule, made ready.
#[derive(Debug, Clone)]
pub(crate) struct CellRule {
    kind: Kind,
    missing: Missing,
    /// Texts that stand for what is missing.
    texts: Vec<String>,
    /// Values of the kind that stand for what is missing, besides NaN.
    numbers: Vec<f64>,
    integers: Vec<i64>,
}

impl CellRule {
    pub(crate) fn new(spec: &ColumnSpec) -> Self {
        let usual = || match spec.kind {
            Kind::String | Kind::Verbatim => vec![String::new()],
            _ => MISSING.iter().chain(&["null"]).map(|&token| token.to_owned()).collect(),
        };
        let texts = spec.tokens.clone().unwrap_or_else(usual);
        let numbers = match spec.kind {
            Kind::Number | Kind::Single => {
                let numbers = texts.iter().filter_map(|token| number(token.as_bytes()));
                numbers.filter(|value| !value.is_nan()).collect()
            }
            _ => Vec::new(),
        };
        let integers = match spec.kind {
            Kind::Integer => texts.iter().filter_map(|token| integer(token.as_bytes())).collect(),
            Kind::Timestamp => texts.iter().filter_map(|token| time::parse(token)).collect(),
            _ => Vec::new(),
        };
        Self { kind: spec.kind, missing: spec.missing, texts, numbers, integers }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// A cell of CSV.
    #[inline]
    pub(crate) fn push_text(&self, column: &mut Column, bytes: &[u8]) -> Result<(), Fault> {
        let done = match column {
            Column::Number(cells) => number(bytes).is_some_and(|value| self.push_number(cells, value, value)),
            Column::Single(cells) => number(bytes).is_some_and(|value| self.push_number(cells, value, narrow(value))),
            Column::Integer(cells) => integer(bytes).is_some_and(|value| self.push_integer(cells, value)),
            Column::Boolean(cells) => {
                boolean(bytes).filter(|_| !self.is_missing(bytes)).inspect(|&value| cells.push(Some(value))).is_some()
            }
            Column::Timestamp(cells) => {
                trimmed_text(bytes).and_then(time::parse).is_some_and(|value| self.push_integer(cells, value))
            }
            Column::String(strings) => match str::from_utf8(bytes) {
                Ok(_) if self.is_missing(bytes) => false,
                Ok(text) => {
                    strings.push(Some(text));
                    true
                }
                Err(_) => return Err(self.fault(ValueClass::Undecodable, bytes)),
            },
        };
        if done { Ok(()) } else { self.push_other(column, bytes) }
    }

    /// A cell of JSON.
    pub(crate) fn push_json(&self, column: &mut Column, raw: &RawValue) -> Result<(), Fault> {
        let raw = raw.get();
        match raw.as_bytes().first() {
            Some(b'"') => {
                let text: Cow<'_, str> =
                    serde_json::from_str::<Borrowed<'_>>(raw).map(|text| text.0).unwrap_or_default();
                match self.kind {
                    Kind::String | Kind::Verbatim | Kind::Timestamp => self.push_text(column, text.as_bytes()),
                    _ if self.is_missing(text.as_bytes()) => self.push_missing(column, text.as_bytes()),
                    _ => Err(self.fault(ValueClass::Text, text.as_bytes())),
                }
            }
            Some(b'n') | None => self.push_missing(column, b"null"),
            Some(b't' | b'f') => match self.kind {
                Kind::Boolean | Kind::Verbatim => self.push_text(column, raw.as_bytes()),
                _ => Err(self.fault(ValueClass::Boolean, raw.as_bytes())),
            },
            // What is copied stays as it is.
            Some(b'[' | b'{') if self.kind == Kind::Verbatim => self.push_text(column, raw.as_bytes()),
            Some(b'[') => Err(self.fault(ValueClass::Array, raw.as_bytes())),
            Some(b'{') => Err(self.fault(ValueClass::Object, raw.as_bytes())),
            Some(_) => match self.kind {
                Kind::String | Kind::Timestamp => Err(self.fault(ValueClass::Number, raw.as_bytes())),
                _ => self.push_text(column, raw.as_bytes()),
            },
        }
    }

    /// No value.
    pub(crate) fn push_missing(&self, column: &mut Column, held: &[u8]) -> Result<(), Fault> {
        match self.missing {
            Missing::Allowed => {
                column.push_missing();
                Ok(())
            }
            Missing::Refused => Err(self.fault(ValueClass::Missing, held)),
        }
    }

    /// A number of a typed format; NaN is missing.
    pub(crate) fn push_f64(&self, column: &mut Column, value: f64) -> Result<(), Fault> {
        let done = match column {
            Column::Number(cells) => self.push_number(cells, value, value),
            Column::Single(cells) => self.push_number(cells, value, narrow(value)),
            Column::Integer(cells) => whole(value).is_some_and(|value| self.push_integer(cells, value)),
            _ => false,
        };
        if done {
            return Ok(());
        }
        if value.is_nan()
            || self.numbers.contains(&value)
            || whole(value).is_some_and(|value| self.integers.contains(&value))
        {
            return self.push_missing(column, b"");
        }
        Err(self.fault(ValueClass::Number, value.to_string().as_bytes()))
    }

    /// A whole number or a moment of a typed format.
    pub(crate) fn push_i64(&self, column: &mut Column, value: i64) -> Result<(), Fault> {
        match column {
            Column::Integer(cells) | Column::Timestamp(cells) => {
                if self.push_integer(cells, value) {
                    Ok(())
                } else {
                    self.push_missing(column, b"")
                }
            }
            _ => self.push_f64(column, widen(value)),
        }
    }

    /// True or false of a typed format.
    pub(crate) fn push_bool(&self, column: &mut Column, value: bool) -> Result<(), Fault> {
        self.push_text(column, if value { b"true" } else { b"false" })
    }

    /// A value was not of the kind; it may stand for a missing one.
    #[cold]
    fn push_other(&self, column: &mut Column, bytes: &[u8]) -> Result<(), Fault> {
        let is_sentinel = match self.kind {
            Kind::Number | Kind::Single => number(bytes).is_some_and(|value| self.numbers.contains(&value)),
            Kind::Integer => integer(bytes).is_some_and(|value| self.integers.contains(&value)),
            Kind::Timestamp => trimmed_text(bytes).and_then(time::parse).is_some(),
            _ => false,
        };
        if is_sentinel || self.is_missing(bytes) {
            return self.push_missing(column, bytes);
        }
        let class = match str::from_utf8(bytes) {
            Err(_) => ValueClass::Undecodable,
            Ok(_) if number(bytes).is_some() => ValueClass::Number,
            Ok(text) if text.trim_ascii().is_empty() => ValueClass::Missing,
            Ok(_) => ValueClass::Text,
        };
        Err(self.fault(class, bytes))
    }

    #[inline]
    fn push_number<T: Blank>(&self, cells: &mut Cells<T>, value: f64, stored: T) -> bool {
        if value.is_nan() || self.numbers.contains(&value) {
            return false;
        }
        cells.push(Some(stored));
        true
    }

    fn push_integer(&self, cells: &mut Cells<i64>, value: i64) -> bool {
        if self.integers.contains(&value) {
            return false;
        }
        cells.push(Some(value));
        true
    }

    fn is_missing(&self, bytes: &[u8]) -> bool {
        let exact = |bytes: &[u8]| self.texts.iter().any(|token| token.as_bytes() == bytes);
        exact(bytes) || (!matches!(self.kind, Kind::String | Kind::Verbatim) && exact(bytes.trim_ascii()))
    }

    fn fault(&self, found: ValueClass, bytes: &[u8]) -> Fault {
        Fault::new(found, bytes, Expected::Value(self.kind))
    }
}

/// A JSON string, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

fn trimmed_text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes.trim_ascii()).ok()
}

fn boolean(bytes: &[u8]) -> Option<bool> {
    let trimmed = bytes.trim_ascii();
    let is = |words: &[&str]| words.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(trimmed));
    if is(&["true", "1", "t", "yes", "y"]) {
        Some(true)
    } else if is(&["false", "0", "f", "no", "n"]) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
mod tests {
    use super::*;

    fn pushed(kind: Kind, tokens: Option<&[&str]>, text: &str) -> Result<Column, Fault> {
        let tokens = tokens.map(|tokens| tokens.iter().map(|&token| token.to_owned()).collect());
        let spec = ColumnSpec { tokens, ..ColumnSpec::new("x", kind, Missing::Allowed) };
        let mut column = Column::new(kind);
        CellRule::new(&spec).push_text(&mut column, text.as_bytes()).map(|()| column)
    }

    fn number_of(text: &str) -> Option<f64> {
        match pushed(Kind::Number, None, text) {
            Ok(Column::Number(cells)) => cells.get(0),
            _ => panic!("{text} is no number"),
        }
    }

    #[test]
    fn given_numbers_as_text_when_they_are_read_then_each_is_the_nearest() {
        for (text, value) in [
            ("0.1", 0.1),
            ("+5", 5.0),
            (" 2 ", 2.0),
            ("-1e-300", -1e-300),
            ("9007199254740993", 9_007_199_254_740_992.0),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            (
                "179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123347747797926204144723168738177180919299881250404026184124858368",
                f64::MAX,
            ),
        ] {
            assert_eq!(number_of(text), Some(value), "{text}");
        }
    }

    #[test]
    fn given_what_pandas_takes_for_missing_when_it_is_read_as_a_number_then_it_is_missing() {
        for text in MISSING {
            assert_eq!(number_of(text), None, "{text}");
        }
    }

    #[test]
    fn given_what_is_no_number_when_it_is_read_then_it_is_refused_with_a_sample() {
        for text in ["abc", "1,5", "1e999", "--1", "+-1", "0x10", "1_000", "\0"] {
            let fault = pushed(Kind::Number, None, text).unwrap_err();
            assert_eq!((fault.found, fault.sample.as_str()), (ValueClass::Text, text), "{text}");
        }
    }

    #[test]
    fn given_whole_numbers_when_they_are_read_then_those_with_a_fraction_of_nothing_are_too() {
        for (text, value) in [("7", 7), ("-7.0", -7), ("1e3", 1000), ("9223372036854775807", i64::MAX)] {
            let Ok(Column::Integer(cells)) = pushed(Kind::Integer, None, text) else { panic!("{text}") };
            assert_eq!(cells.get(0), Some(value), "{text}");
        }
        for text in ["7.5", "9223372036854775808", "inf"] {
            assert_eq!(pushed(Kind::Integer, None, text).unwrap_err().found, ValueClass::Number, "{text}");
        }
    }

    #[test]
    fn given_a_number_that_stands_for_missing_when_it_is_written_otherwise_then_it_is_missing_too() {
        for (kind, text) in [(Kind::Number, "-999.00"), (Kind::Integer, "-999.0"), (Kind::Single, "-999")] {
            assert!(!pushed(kind, Some(&["-999"]), text).unwrap().is_valid(0), "{kind:?}");
        }
        assert!(pushed(Kind::Number, Some(&["-999"]), "").is_err(), "stated tokens take the place of the usual ones");
    }

    #[test]
    fn given_texts_when_they_are_read_then_only_the_empty_one_is_missing() {
        for (text, is_valid) in [("", false), ("NA", true), (" ", true), ("None", true)] {
            assert_eq!(pushed(Kind::String, None, text).unwrap().is_valid(0), is_valid, "{text:?}");
        }
    }
}
