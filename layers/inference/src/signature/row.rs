//! A row of JSON, read by a signature: typed cells, or what is wrong in each column.

use serde_json::{Map, Value as Json};

use super::{Feature, Kind, Missing, Scalar, Signature, Unknown};

/// The longest sample of a wrong value that an error shows, in characters.
const SHOWN_CHARACTERS: usize = 40;

/// The value of a feature, as the model is to get it.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A number; "not a number" for a missing one.
    Number(f64),
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
    /// True or false.
    Boolean(bool),
    /// The numbers of a tensor, in row-major order.
    Tensor(Vec<f64>),
}

/// The cells of a row, in the order of the features.
pub type Row = Vec<Cell>;

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellFault {
    /// The column: the name of a feature, or one that there is none of.
    pub column: String,
    /// What it holds, what was expected, and what to do.
    pub detail: String,
}

impl Signature {
    /// Reads a row.
    ///
    /// # Errors
    /// Each column that is wrong, with what it holds and what is expected.
    pub fn read_row(&self, given: &Map<String, Json>) -> Result<Row, Vec<CellFault>> {
        let mut faults = Vec::new();
        let mut row = Vec::with_capacity(self.inputs.len());
        let mut used = 0;
        for feature in &self.inputs {
            let value = given.get(&feature.name);
            used += usize::from(value.is_some());
            match feature.read(value) {
                Ok(cell) => row.push(cell),
                Err(detail) => faults.push(CellFault { column: feature.name.clone(), detail }),
            }
        }
        if used < given.len() {
            faults.extend(given.keys().filter(|name| self.position(name).is_none()).map(|name| self.unknown(name)));
        }
        if faults.is_empty() { Ok(row) } else { Err(faults) }
    }

    fn unknown(&self, name: &str) -> CellFault {
        let known: Vec<&str> = self.inputs.iter().take(20).map(|feature| feature.name.as_str()).collect();
        let more = if self.inputs.len() > known.len() { ", ..." } else { "" };
        let detail = format!("the model has no such feature; it takes {}{more}", known.join(", "));
        CellFault { column: name.to_owned(), detail }
    }
}

impl Feature {
    /// Reads its value.
    pub(super) fn read(&self, given: Option<&Json>) -> Result<Cell, String> {
        match given {
            None | Some(Json::Null) => self.missing_cell(if given.is_some() { "null" } else { "nothing" }),
            Some(value) if self.shape.is_empty() => self.single(value),
            Some(value) => self.tensor(value).map(Cell::Tensor),
        }
    }

    /// The cell of a value that is missing; `held` says what stands in its place.
    pub(super) fn missing_cell(&self, held: &str) -> Result<Cell, String> {
        match (self.missing, &self.default) {
            (Missing::Nan, _) => Ok(Cell::Number(f64::NAN)),
            (Missing::Default, Some(default)) => {
                let json = serde_json::to_value(default).map_err(|error| error.to_string())?;
                self.single(&json)
            }
            _ => Err(format!("it holds {held}; {} is expected", self.expectation())),
        }
    }

    fn single(&self, value: &Json) -> Result<Cell, String> {
        let refused = || format!("it holds {}; {} is expected", shown(value), self.expectation());
        let cell = match (self.kind, value) {
            (Kind::Number, Json::Number(number)) => number.as_f64().filter(|found| found.is_finite()).map(Cell::Number),
            (Kind::Integer, Json::Number(number)) => whole(number).map(Cell::Integer),
            (Kind::String, Json::String(text)) => Some(Cell::Text(text.clone())),
            (Kind::Boolean, Json::Bool(flag)) => Some(Cell::Boolean(*flag)),
            (Kind::Timestamp, Json::String(text)) => seconds(text).map(Cell::Number),
            _ => None,
        }
        .ok_or_else(refused)?;
        if self.is_allowed(&cell) { Ok(cell) } else { Err(refused()) }
    }

    /// The cell of a value that is typed already, such as one of a table; `None` is a missing one. Its kind is the
    /// feature's; of a time it is the number of seconds since 1970.
    ///
    /// # Errors
    /// What it holds, and what is expected.
    pub fn checked(&self, cell: Option<Cell>) -> Result<Cell, String> {
        let Some(cell) = cell else { return self.missing_cell("nothing") };
        if matches!(cell, Cell::Number(number) if !number.is_finite()) {
            return Err(format!("it holds {}; a finite number is expected", held(&cell)));
        }
        if self.is_allowed(&cell) {
            return Ok(cell);
        }
        Err(format!("it holds {}; {} is expected", held(&cell), self.expectation()))
    }

    /// Whether a value is within the range, and one of the categories.
    fn is_allowed(&self, cell: &Cell) -> bool {
        !self.is_outside(cell) && !self.is_unknown(cell)
    }

    /// Whether a number lies outside the range.
    fn is_outside(&self, cell: &Cell) -> bool {
        let Some(range) = &self.range else { return false };
        #[expect(clippy::cast_precision_loss, reason = "a bound is a number too")]
        let number = match cell {
            Cell::Number(number) => *number,
            Cell::Integer(number) => *number as f64,
            _ => return false,
        };
        range.min.is_some_and(|min| number < min) || range.max.is_some_and(|max| number > max)
    }

    /// Whether a value is none of the categories and may not be.
    fn is_unknown(&self, cell: &Cell) -> bool {
        self.unknown == Unknown::Error && self.categories.is_some() && self.category(cell).is_none()
    }

    /// The place of a value among the categories.
    pub(super) fn category(&self, cell: &Cell) -> Option<usize> {
        #[expect(clippy::cast_precision_loss, reason = "a category that is a number is compared as one")]
        let same = |category: &Scalar| match (category, cell) {
            (Scalar::Text(text), Cell::Text(found)) => text == found,
            (Scalar::Boolean(flag), Cell::Boolean(found)) => flag == found,
            (Scalar::Integer(number), Cell::Integer(found)) => number == found,
            (Scalar::Integer(number), Cell::Number(found)) => *number as f64 == *found,
            (Scalar::Number(number), Cell::Number(found)) => number == found,
            (Scalar::Number(number), Cell::Integer(found)) => *number == *found as f64,
            _ => false,
        };
        self.categories.as_ref()?.iter().position(same)
    }

    /// The numbers of a tensor, given as nested lists of the feature's shape.
    fn tensor(&self, value: &Json) -> Result<Vec<f64>, String> {
        fn gather(value: &Json, shape: &[usize], into: &mut Vec<f64>) -> Result<(), String> {
            match (shape.split_first(), value) {
                (None, Json::Number(number)) => {
                    into.push(number.as_f64().filter(|number| number.is_finite()).ok_or("a number that is too large")?);
                    Ok(())
                }
                (Some((length, inner)), Json::Array(items)) if items.len() == *length => {
                    items.iter().try_for_each(|item| gather(item, inner, into))
                }
                (Some((length, _)), Json::Array(items)) => {
                    Err(format!("a list of {} where {length} are expected", items.len()))
                }
                (_, other) => Err(shown(other)),
            }
        }
        let mut numbers = Vec::new();
        gather(value, &self.shape, &mut numbers)
            .map_err(|found| format!("it holds {found}; {} is expected", self.expectation()))?;
        Ok(numbers)
    }

    /// What it takes, in words.
    #[must_use]
    pub fn expectation(&self) -> String {
        if !self.shape.is_empty() {
            return format!("a nested list of numbers of the shape {:?}", self.shape);
        }
        let kind = match self.kind {
            Kind::Number => "a number",
            Kind::Integer => "a whole number",
            Kind::String => "a text",
            Kind::Boolean => "true or false",
            Kind::Timestamp => "a time such as 2026-11-21T09:30:00Z",
        };
        if self.unknown == Unknown::Error
            && let Some(categories) = &self.categories
        {
            let names: Vec<String> = categories.iter().take(10).map(|category| format!("`{category}`")).collect();
            let more = if categories.len() > names.len() {
                format!(" (and {} more)", categories.len() - names.len())
            } else {
                String::new()
            };
            return format!("one of {}{more}", names.join(", "));
        }
        match self.range {
            Some(super::Range { min: Some(min), max: Some(max) }) => format!("{kind} from {min} to {max}"),
            Some(super::Range { min: Some(min), max: None }) => format!("{kind} of at least {min}"),
            Some(super::Range { min: None, max: Some(max) }) => format!("{kind} of at most {max}"),
            _ => kind.to_owned(),
        }
    }
}

/// A whole number, also one that is written with a point, such as `3.0`.
fn whole(number: &serde_json::Number) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "only where it is whole and small enough to be exact")]
    let of_float = |found: f64| (found.fract() == 0.0 && found.abs() < 9_007_199_254_740_992.0).then_some(found as i64);
    number.as_i64().or_else(|| number.as_f64().and_then(of_float))
}

/// Seconds since 1970 of a time in RFC 3339.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
fn seconds(text: &str) -> Option<f64> {
    mandi_core::Timestamp::parse(text).ok().map(|moment| moment.unix_ms() as f64 / 1000.0)
}

/// What a cell is, for an error.
fn held(cell: &Cell) -> String {
    match cell {
        Cell::Number(number) => format!("the number {number}"),
        Cell::Integer(number) => format!("the number {number}"),
        Cell::Text(text) => shown(&Json::from(text.as_str())),
        Cell::Boolean(flag) => shown(&Json::from(*flag)),
        Cell::Tensor(_) => "a list".to_owned(),
    }
}

/// What a value is, cut off, for an error.
fn shown(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(flag) => format!("the truth value {flag}"),
        Json::Number(number) => format!("the number {number}"),
        Json::String(text) if text.chars().count() > SHOWN_CHARACTERS => {
            format!("the text `{}...`", text.chars().take(SHOWN_CHARACTERS).collect::<String>())
        }
        Json::String(text) => format!("the text `{text}`"),
        Json::Array(_) => "a list".to_owned(),
        Json::Object(_) => "an object".to_owned(),
    }
}
