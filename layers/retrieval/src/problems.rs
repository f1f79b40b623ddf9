//! Bad input by field: many faults in one problem, and JSON pointers out of serde's errors.

use mandi_core::{FieldError, Problem, ProblemKind, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

/// How many faults are listed; more would not help.
const MAX_LISTED: usize = 20;

/// Faults that are found one after the other and reported together.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<FieldError>);

impl Problems {
    /// Adds a fault.
    pub(crate) fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        if self.0.len() < MAX_LISTED {
            self.0.push(FieldError { pointer: pointer.into(), detail: detail.into() });
        }
    }

    /// One problem with all faults, or none.
    pub(crate) fn into_result(self) -> Result<()> {
        let Some(first) = self.0.first() else { return Ok(()) };
        let more = match self.0.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more, see `errors`)"),
        };
        let detail = format!("`{}`: {}{more}", first.pointer, first.detail);
        let mut problem = Problem::new(ProblemKind::InvalidRequest, detail);
        problem.errors = self.0;
        Err(problem)
    }
}

/// Reads a typed value; the problem of one that does not fit points to the field.
pub(crate) fn read<T: DeserializeOwned>(value: &Value, pointer: &str) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let mut place = pointer.to_owned();
        for segment in error.path() {
            push_segment(segment, &mut place);
        }
        let detail = error.inner().to_string();
        if let Some(name) =
            quoted_after(&detail, "missing field `").filter(|name| !place.ends_with(&format!("/{name}")))
        {
            place = format!("{place}/{}", escaped(name));
            return Problem::field(place, "this field is required");
        }
        let unknown = quoted_after(&detail, "unknown field `").or_else(|| quoted_after(&detail, "unknown variant `"));
        if let Some(name) =
            unknown.map(escaped).filter(|name| value.is_object() && !place.ends_with(&format!("/{name}")))
        {
            place = format!("{place}/{name}");
        }
        Problem::field(place, detail)
    })
}

fn quoted_after<'a>(detail: &'a str, start: &str) -> Option<&'a str> {
    detail.strip_prefix(start)?.split('`').next()
}

fn push_segment(segment: &Segment, place: &mut String) {
    match segment {
        Segment::Seq { index } => place.push_str(&format!("/{index}")),
        Segment::Map { key } => place.push_str(&format!("/{}", escaped(key))),
        Segment::Enum { variant } => place.push_str(&format!("/{}", escaped(variant))),
        Segment::Unknown => {}
    }
}

/// RFC 6901, section 3.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
